"""Captions written by hand, as a native speaker would: every gender, case, count, contraction and elision.

`test_playground_captions.py` holds what is true of all captions.
"""

import pytest

from florenz.playground.captions import LANGUAGES, state
from florenz.playground.scene import KINDS, Group, Scene


def scene_of(relation: str, *groups: str, place: str = "grass", time: str = "day") -> Scene:
    """groups: "2 small red cat"."""
    words = [group.split() for group in groups]
    parts = tuple(Group(count=int(n), size=size, colour=colour, kind=kind) for n, size, colour, kind in words)
    return Scene(place=place, time=time, relation=relation, groups=parts)


CAT = scene_of("alone", "1 small orange cat")
BUSES = scene_of("left", "2 large white bus", "1 small blue tree", place="street", time="night")
HOUSE = scene_of("above", "1 large green house", "3 small black butterfly", place="beach")
MICE = scene_of("left", "3 small red mouse_animal", "1 large yellow airplane", place="room", time="night")
TREE = scene_of("above", "1 small purple tree", "2 large orange fish", place="sea")
FLOWER = scene_of("left", "1 large white flower", "1 small green bat_animal", place="snow", time="night")
BATS = scene_of("above", "3 large black bat_animal", "1 large blue car", place="street")
TREES = scene_of("left", "2 small blue tree", "3 large white chair")

SHORT = {
    "en": [
        (CAT, "An orange cat on the grass."),
        (BUSES, "Two white buses to the left of a blue tree on the street."),
        (HOUSE, "A green house above three black butterflies on the beach."),
        (MICE, "Three red mice to the left of a yellow airplane in a room."),
        (TREE, "A purple tree above two orange fish at sea."),
        (FLOWER, "A white flower to the left of a green bat in the snow."),
        (BATS, "Three black bats above a blue car on the street."),
        (TREES, "Two blue trees to the left of three white chairs on the grass."),
        (scene_of("above", "1 large red key", "1 small orange umbrella"),
         "A red key above an orange umbrella on the grass."),
    ],
    "de": [
        (CAT, "Eine orangefarbene Katze auf dem Gras."),
        (BUSES, "Zwei weiße Busse links von einem blauen Baum auf der Straße."),
        (HOUSE, "Ein grünes Haus über drei schwarzen Schmetterlingen am Strand."),
        (MICE, "Drei rote Mäuse links von einem gelben Flugzeug in einem Zimmer."),
        (TREE, "Ein violetter Baum über zwei orangefarbenen Fischen auf dem Meer."),
        (FLOWER, "Eine weiße Blume links von einer grünen Fledermaus im Schnee."),
        (BATS, "Drei schwarze Fledermäuse über einem blauen Auto auf der Straße."),
        (TREES, "Zwei blaue Bäume links von drei weißen Stühlen auf dem Gras."),
    ],
    "fr": [
        (CAT, "Un chat orange sur l'herbe."),
        (BUSES, "Deux bus blancs à gauche d'un arbre bleu dans la rue."),
        (HOUSE, "Une maison verte au-dessus de trois papillons noirs sur la plage."),
        (MICE, "Trois souris rouges à gauche d'un avion jaune dans une pièce."),
        (TREE, "Un arbre violet au-dessus de deux poissons orange en mer."),
        (FLOWER, "Une fleur blanche à gauche d'une chauve-souris verte dans la neige."),
        (BATS, "Trois chauves-souris noires au-dessus d'une voiture bleue dans la rue."),
        (TREES, "Deux arbres bleus à gauche de trois chaises blanches sur l'herbe."),
        (scene_of("left", "1 small blue key", "2 small purple cup"),
         "Une clé bleue à gauche de deux tasses violettes sur l'herbe."),
    ],
    "es": [
        (CAT, "Un gato anaranjado sobre la hierba."),
        (BUSES, "Dos autobuses blancos a la izquierda de un árbol azul en la calle."),
        (HOUSE, "Una casa verde encima de tres mariposas negras en la playa."),
        (MICE, "Tres ratones rojos a la izquierda de un avión amarillo en una habitación."),
        (TREE, "Un árbol morado encima de dos peces anaranjados en el mar."),
        (FLOWER, "Una flor blanca a la izquierda de un murciélago verde en la nieve."),
        (BATS, "Tres murciélagos negros encima de un coche azul en la calle."),
        (TREES, "Dos árboles azules a la izquierda de tres sillas blancas sobre la hierba."),
        (scene_of("left", "2 small green nut_food", "1 small red umbrella"),
         "Dos nueces verdes a la izquierda de un paraguas rojo sobre la hierba."),
    ],
    "ru": [
        (CAT, "Оранжевая кошка на траве."),
        (BUSES, "Два белых автобуса слева от синего дерева на улице."),
        (HOUSE, "Зелёный дом над тремя чёрными бабочками на пляже."),
        (MICE, "Три красные мыши слева от жёлтого самолёта в комнате."),
        (TREE, "Фиолетовое дерево над двумя оранжевыми рыбами в море."),
        (FLOWER, "Белый цветок слева от зелёной летучей мыши на снегу."),
        (BATS, "Три чёрные летучие мыши над синей машиной на улице."),
        (TREES, "Два синих дерева слева от трёх белых стульев на траве."),
        (scene_of("left", "2 small blue cup", "2 small blue cat"),
         "Две синие чашки слева от двух синих кошек на траве."),
        (scene_of("above", "1 small blue tree", "2 small blue key"), "Синее дерево над двумя синими ключами на траве."),
        (scene_of("above", "3 small white house", "1 small red tree"), "Три белых дома над красным деревом на траве."),
        (scene_of("left", "1 small blue palm_hand", "1 small blue seal_stamp"),
         "Синяя ладонь слева от синей печати на траве."),
        (scene_of("above", "1 small blue seal_animal", "1 small blue bus"),
         "Синий тюлень над синим автобусом на траве."),
    ],
    "zh": [
        (CAT, "草地上有一只橙色的猫。"),
        (BUSES, "街上，两辆白色的公交车在一棵蓝色的树的左边。"),
        (HOUSE, "沙滩上，一座绿色的房子在三只黑色的蝴蝶的上方。"),
        (MICE, "房间里，三只红色的老鼠在一架黄色的飞机的左边。"),
        (TREE, "海上，一棵紫色的树在两条橙色的鱼的上方。"),
        (FLOWER, "雪地里，一朵白色的花在一只绿色的蝙蝠的左边。"),
        (BATS, "街上，三只黑色的蝙蝠在一辆蓝色的汽车的上方。"),
        (TREES, "草地上，两棵蓝色的树在三把白色的椅子的左边。"),
    ],
}  # fmt: skip

DETAILED = {
    "en": [
        (CAT, "It is daytime on the grass. In the middle there is a small orange cat."),
        (BUSES, "It is nighttime on the street. On the left there are two large white buses. "
                "To the right of the buses there is a small blue tree."),
        (HOUSE, "It is daytime on the beach. At the top there is a large green house. "
                "Below the house there are three small black butterflies."),
        (MICE, "It is nighttime in a room. On the left there are three small red mice. "
               "To the right of the mice there is a large yellow airplane."),
        (TREE, "It is daytime at sea. At the top there is a small purple tree. "
               "Below the tree there are two large orange fish."),
        (FLOWER, "It is nighttime in the snow. On the left there is a large white flower. "
                 "To the right of the flower there is a small green bat."),
        (BATS, "It is daytime on the street. At the top there are three large black bats. "
               "Below the bats there is a large blue car."),
    ],
    "de": [
        (CAT, "Es ist Tag auf dem Gras. In der Mitte ist eine kleine orangefarbene Katze."),
        (BUSES, "Es ist Nacht auf der Straße. Links sind zwei große weiße Busse. "
                "Rechts von den Bussen ist ein kleiner blauer Baum."),
        (HOUSE, "Es ist Tag am Strand. Oben ist ein großes grünes Haus. "
                "Unter dem Haus sind drei kleine schwarze Schmetterlinge."),
        (MICE, "Es ist Nacht in einem Zimmer. Links sind drei kleine rote Mäuse. "
               "Rechts von den Mäusen ist ein großes gelbes Flugzeug."),
        (TREE, "Es ist Tag auf dem Meer. Oben ist ein kleiner violetter Baum. "
               "Unter dem Baum sind zwei große orangefarbene Fische."),
        (FLOWER, "Es ist Nacht im Schnee. Links ist eine große weiße Blume. "
                 "Rechts von der Blume ist eine kleine grüne Fledermaus."),
        (BATS, "Es ist Tag auf der Straße. Oben sind drei große schwarze Fledermäuse. "
               "Unter den Fledermäusen ist ein großes blaues Auto."),
        (scene_of("left", "1 small red boat", "1 small red cup", place="sea"),
         "Es ist Tag auf dem Meer. Links ist ein kleines rotes Boot. Rechts vom Boot ist eine kleine rote Tasse."),
        (scene_of("above", "1 small red cup", "1 small red boat", place="sea"),
         "Es ist Tag auf dem Meer. Oben ist eine kleine rote Tasse. Unter der Tasse ist ein kleines rotes Boot."),
    ],
    "fr": [
        (CAT, "Il fait jour sur l'herbe. Au milieu, il y a un petit chat orange."),
        (BUSES, "Il fait nuit dans la rue. À gauche, il y a deux grands bus blancs. "
                "À droite des bus, il y a un petit arbre bleu."),
        (HOUSE, "Il fait jour sur la plage. En haut, il y a une grande maison verte. "
                "Au-dessous de la maison, il y a trois petits papillons noirs."),
        (MICE, "Il fait nuit dans une pièce. À gauche, il y a trois petites souris rouges. "
               "À droite des souris, il y a un grand avion jaune."),
        (TREE, "Il fait jour en mer. En haut, il y a un petit arbre violet. "
               "Au-dessous de l'arbre, il y a deux grands poissons orange."),
        (FLOWER, "Il fait nuit dans la neige. À gauche, il y a une grande fleur blanche. "
                 "À droite de la fleur, il y a une petite chauve-souris verte."),
        (BATS, "Il fait jour dans la rue. En haut, il y a trois grandes chauves-souris noires. "
               "Au-dessous des chauves-souris, il y a une grande voiture bleue."),
        (scene_of("left", "1 small black nut_metal", "2 large white house"),
         "Il fait jour sur l'herbe. À gauche, il y a un petit écrou noir. "
         "À droite de l'écrou, il y a deux grandes maisons blanches."),
        (scene_of("above", "1 small black duck", "1 large purple book"),
         "Il fait jour sur l'herbe. En haut, il y a un petit canard noir. "
         "Au-dessous du canard, il y a un grand livre violet."),
    ],
    "es": [
        (CAT, "Es de día sobre la hierba. En el centro hay un gato anaranjado pequeño."),
        (BUSES, "Es de noche en la calle. A la izquierda hay dos autobuses blancos grandes. "
                "A la derecha de los autobuses hay un árbol azul pequeño."),
        (HOUSE, "Es de día en la playa. Arriba hay una casa verde grande. "
                "Debajo de la casa hay tres mariposas negras pequeñas."),
        (MICE, "Es de noche en una habitación. A la izquierda hay tres ratones rojos pequeños. "
               "A la derecha de los ratones hay un avión amarillo grande."),
        (TREE, "Es de día en el mar. Arriba hay un árbol morado pequeño. "
               "Debajo del árbol hay dos peces anaranjados grandes."),
        (FLOWER, "Es de noche en la nieve. A la izquierda hay una flor blanca grande. "
                 "A la derecha de la flor hay un murciélago verde pequeño."),
        (BATS, "Es de día en la calle. Arriba hay tres murciélagos negros grandes. "
               "Debajo de los murciélagos hay un coche azul grande."),
        (scene_of("left", "1 small red bus", "1 small red nut_metal"),
         "Es de día sobre la hierba. A la izquierda hay un autobús rojo pequeño. "
         "A la derecha del autobús hay una tuerca roja pequeña."),
        (scene_of("above", "2 small red key", "1 small red airplane"),
         "Es de día sobre la hierba. Arriba hay dos llaves rojas pequeñas. "
         "Debajo de las llaves hay un avión rojo pequeño."),
    ],
    "ru": [
        (CAT, "На траве день. В центре — маленькая оранжевая кошка."),
        (BUSES, "На улице ночь. Слева — два больших белых автобуса. Справа от автобусов — маленькое синее дерево."),
        (HOUSE, "На пляже день. Вверху — большой зелёный дом. Под домом — три маленькие чёрные бабочки."),
        (MICE, "В комнате ночь. Слева — три маленькие красные мыши. Справа от мышей — большой жёлтый самолёт."),
        (TREE, "В море день. Вверху — маленькое фиолетовое дерево. Под деревом — две большие оранжевые рыбы."),
        (FLOWER, "На снегу ночь. Слева — большой белый цветок. Справа от цветка — маленькая зелёная летучая мышь."),
        (BATS, "На улице день. Вверху — три большие чёрные летучие мыши. Под летучими мышами — большая синяя машина."),
        (TREES, "На траве день. Слева — два маленьких синих дерева. Справа от деревьев — три больших белых стула."),
        (scene_of("above", "1 large blue bat_animal", "2 small blue house"),
         "На траве день. Вверху — большая синяя летучая мышь. Под летучей мышью — два маленьких синих дома."),
        (scene_of("left", "1 large red tree", "1 small red key"),
         "На траве день. Слева — большое красное дерево. Справа от дерева — маленький красный ключ."),
    ],
    "zh": [
        (CAT, "草地上是白天。中间有一只橙色的小猫。"),
        (BUSES, "街上是夜晚。左边有两辆白色的大公交车。公交车的右边有一棵蓝色的小树。"),
        (HOUSE, "沙滩上是白天。上方有一座绿色的大房子。房子的下方有三只黑色的小蝴蝶。"),
        (MICE, "房间里是夜晚。左边有三只红色的小老鼠。老鼠的右边有一架黄色的大飞机。"),
        (TREE, "海上是白天。上方有一棵紫色的小树。树的下方有两条橙色的大鱼。"),
        (FLOWER, "雪地里是夜晚。左边有一朵白色的大花。花的右边有一只绿色的小蝙蝠。"),
        (BATS, "街上是白天。上方有三只黑色的大蝙蝠。蝙蝠的下方有一辆蓝色的大汽车。"),
    ],
}  # fmt: skip

# Plurals by hand. kind | English | German dative | French | Spanish | Russian: after три | genitive | instrumental
FORMS = """
cat | cats | Katzen | chats | gatos | кошки | кошек | кошками
fish | fish | Fischen | poissons | peces | рыбы | рыб | рыбами
duck | ducks | Enten | canards | patos | утки | уток | утками
butterfly | butterflies | Schmetterlingen | papillons | mariposas | бабочки | бабочек | бабочками
turtle | turtles | Schildkröten | tortues | tortugas | черепахи | черепах | черепахами
car | cars | Autos | voitures | coches | машины | машин | машинами
boat | boats | Booten | bateaux | barcos | лодки | лодок | лодками
bus | buses | Bussen | bus | autobuses | автобуса | автобусов | автобусами
airplane | airplanes | Flugzeugen | avions | aviones | самолёта | самолётов | самолётами
tree | trees | Bäumen | arbres | árboles | дерева | деревьев | деревьями
flower | flowers | Blumen | fleurs | flores | цветка | цветков | цветками
mushroom | mushrooms | Pilzen | champignons | setas | гриба | грибов | грибами
house | houses | Häusern | maisons | casas | дома | домов | домами
cup | cups | Tassen | tasses | tazas | чашки | чашек | чашками
umbrella | umbrellas | Regenschirmen | parapluies | paraguas | зонта | зонтов | зонтами
chair | chairs | Stühlen | chaises | sillas | стула | стульев | стульями
key | keys | Schlüsseln | clés | llaves | ключа | ключей | ключами
book | books | Büchern | livres | libros | книги | книг | книгами
bat_animal | bats | Fledermäusen | chauves-souris | murciélagos | летучие мыши | летучих мышей | летучими мышами
bat_sport | bats | Schlägern | battes | bates | биты | бит | битами
crane_bird | cranes | Kranichen | grues | grullas | журавля | журавлей | журавлями
crane_machine | cranes | Kränen | grues | grúas | крана | кранов | кранами
mouse_animal | mice | Mäusen | souris | ratones | мыши | мышей | мышами
mouse_computer | mice | Computermäusen | souris | ratones | мыши | мышей | мышами
bow_ribbon | bows | Schleifen | nœuds | lazos | банта | бантов | бантами
bow_weapon | bows | Bögen | arcs | arcos | лука | луков | луками
seal_animal | seals | Robben | phoques | focas | тюленя | тюленей | тюленями
seal_stamp | seals | Stempeln | tampons | sellos | печати | печатей | печатями
nut_food | nuts | Nüssen | noix | nueces | ореха | орехов | орехами
nut_metal | nuts | Schraubenmuttern | écrous | tuercas | гайки | гаек | гайками
palm_tree | palms | Palmen | palmiers | palmeras | пальмы | пальм | пальмами
palm_hand | palms | Handflächen | paumes | palmas | ладони | ладоней | ладонями
"""
# How a short caption of one red thing begins, and of which kinds; kinds that are not named take the first beginning.
GENDERS = {
    "de": {
        "Eine rote ": "",
        "Ein roter ": "fish butterfly bus tree mushroom umbrella chair key bat_sport crane_bird crane_machine "
        "bow_weapon seal_stamp",
        "Ein rotes ": "car boat airplane house book",
    },
    "fr": {
        "Un ": "",
        "Une ": "turtle car flower house cup chair key bat_animal bat_sport crane_bird crane_machine mouse_animal "
        "mouse_computer nut_food palm_hand",
    },
    "es": {
        "Un ": "",
        "Una ": "butterfly turtle flower mushroom house cup chair key crane_bird crane_machine seal_animal "
        "nut_food nut_metal palm_tree palm_hand",
    },
    "ru": {
        "Красный ": "",
        "Красная ": "cat fish duck butterfly turtle car boat cup book bat_animal bat_sport mouse_animal "
        "mouse_computer seal_stamp nut_metal palm_tree palm_hand",
        "Красное ": "tree",
    },
    "zh": {
        "草地上有一只": "cat duck butterfly turtle bat_animal crane_bird mouse_animal seal_animal palm_hand",
        "草地上有一个": "mushroom cup mouse_computer bow_ribbon nut_metal",
        "草地上有一把": "umbrella chair key",
        "草地上有一辆": "car bus",
        "草地上有一棵": "tree palm_tree",
        "草地上有一条": "fish",
        "草地上有一艘": "boat",
        "草地上有一架": "airplane",
        "草地上有一朵": "flower",
        "草地上有一座": "house",
        "草地上有一本": "book",
        "草地上有一根": "bat_sport",
        "草地上有一台": "crane_machine",
        "草地上有一张": "bow_weapon",
        "草地上有一枚": "seal_stamp",
        "草地上有一颗": "nut_food",
    },
}  # fmt: skip
ROWS = [[cell.strip() for cell in line.split("|")] for line in FORMS.strip().splitlines()]


@pytest.mark.parametrize("language", LANGUAGES)
def test_short_captions_are_what_a_native_speaker_would_write(language: str) -> None:
    assert [state(scene, language, "short") for scene, _ in SHORT[language]] == [text for _, text in SHORT[language]]


@pytest.mark.parametrize("language", LANGUAGES)
def test_detailed_captions_are_what_a_native_speaker_would_write(language: str) -> None:
    assert [state(scene, language, "detailed") for scene, _ in DETAILED[language]] == [t for _, t in DETAILED[language]]


@pytest.mark.parametrize("language", GENDERS)
def test_every_noun_has_its_gender_or_measure_word(language: str) -> None:
    named = {kind: start for start, kinds in GENDERS[language].items() for kind in kinds.split()}
    usual = next(iter(GENDERS[language]))
    for kind in KINDS:
        caption = state(scene_of("alone", f"1 small red {kind}"), language, "short")
        assert caption.startswith(named.get(kind, usual)), caption


def test_the_table_of_forms_has_every_kind() -> None:
    assert [row[0] for row in ROWS] == list(KINDS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_every_noun_is_inflected_after_a_number(row: list[str]) -> None:
    """Two red ones, below or right of another thing: where German and Russian ask for a case."""
    kind, english, german, french, spanish, counted, genitive, instrumental = row
    other = "1 small red cup" if kind != "cup" else "1 small red book"
    above, left = (scene_of(relation, other, f"2 small red {kind}") for relation in ("above", "left"))
    assert state(above, "en", "short").endswith(f" above two red {english} on the grass.")
    assert state(above, "de", "short").endswith(f" über zwei roten {german} auf dem Gras.")
    assert state(left, "de", "short").endswith(f" links von zwei roten {german} auf dem Gras.")
    assert state(above, "fr", "short").endswith(f" au-dessus de deux {french} rouges sur l'herbe.")
    green = scene_of("above", other, f"2 small green {kind}")
    assert state(green, "es", "short").endswith(f" encima de dos {spanish} verdes sobre la hierba.")
    assert state(left, "ru", "short").endswith(f" слева от двух красных {genitive} на траве.")
    assert state(above, "ru", "short").endswith(f" над двумя красными {instrumental} на траве.")
    assert state(scene_of("alone", f"3 small red {kind}"), "ru", "short").endswith(f" {counted} на траве.")


def test_russian_two_agrees_with_the_noun() -> None:
    """Feminine: две and a nominative plural adjective; else два and a genitive plural one."""
    feminine = set(GENDERS["ru"]["Красная "].split())
    for kind in KINDS:
        caption = state(scene_of("alone", f"2 small blue {kind}"), "ru", "short")
        assert caption.startswith("Две синие " if kind in feminine else "Два синих "), caption
        three = state(scene_of("alone", f"3 small blue {kind}"), "ru", "short")
        assert three.startswith("Три синие " if kind in feminine else "Три синих "), three


def test_french_feminine_and_plural_colours() -> None:
    colours = ("red", "orange", "yellow", "green", "blue", "purple", "white", "black")
    houses = [state(scene_of("alone", f"2 small {colour} house"), "fr", "short") for colour in colours]
    wanted = ["rouges", "orange", "jaunes", "vertes", "bleues", "violettes", "blanches", "noires"]
    assert houses == [f"Deux maisons {colour} sur l'herbe." for colour in wanted]


def test_german_nominative_plural_differs_from_the_dative_one() -> None:
    kinds = ("house", "key", "bat_sport", "crane_machine", "bow_weapon", "car", "bus")
    captions = [state(scene_of("alone", f"2 small red {kind}"), "de", "short") for kind in kinds]
    wanted = ["Häuser", "Schlüssel", "Schläger", "Kräne", "Bögen", "Autos", "Busse"]
    assert captions == [f"Zwei rote {noun} auf dem Gras." for noun in wanted]


def test_chinese_says_liang_for_two_of_anything() -> None:
    for kind in KINDS:
        for style in ("short", "detailed"):
            assert "有两" in state(scene_of("alone", f"2 small red {kind}"), "zh", style)
