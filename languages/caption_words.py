"""Words of captions that one of several near relatives has and another one has not, as `telling_words.py` has those
that a primer begins with: people and animals, where they are, what they do, colours and sizes.

"Two blue flowers stand in a room" has no pronoun, no negation and no form of "be", so the words of a primer say
nothing about it, and one word may decide against all others: to py3langid "синих" is Bulgarian, and with it every blue
thing in Russian was. Of 8,000 correct Russian captions of the playground 38 were lost so, all of them blue; with these
words none. They were written down, not counted; the half of the pairs that calibrates showed which stood in the
wrong place.
"""

from __future__ import annotations

CAPTION_FAMILIES = (
    """
da: billede billedet cykler drenge drengen gade gaden græs græsset hvid hvide hvidt kører løber mænd pigen piger sneen
da: træ træer træet tøj
no: bildet gaten gress gresset grønn gutten gutter hvit hvite hvitt kjører klær løper trær
nn: attmed bilete gras graset grøne gutane gutar guten klede kvit kvite kvitt køyrer ligg sit
sv: bakom bilden bredvid cyklar flickan flickor framför grön gröna gräs gräset gatan håller kläder kvinna kvinnor kör
sv: män pojkar pojken snön springer svarta träd trädet vit vita
da no: grønne
da nn: grøn
no nn: jenta jentene jenter kvinner menn snøen svarte
da no nn: foran
no nn sv: svart
""",
    """
cs: běží bílou bílá bílé dívka dívku dívky holčička kočka květ květina květiny kůň modrou místnosti sněhu stůl trávě
cs: vedle černou černá černé žlutou žlutá žluté žlutý
sk: beží biela biele bielu dievčatko dievčatá kvet kvetina kvety kôň mačka miestnosti snehu stôl tráve vedľa vľavo
sk: čierna čierne čiernu žltá žlté žltý
""",
    """
es: amarilla amarillo blanco caballo césped delante hierba hombres lleva mujeres niña niñas niño niños nieve pequeña
es: pequeño perro perros pie playa roja rojas rojo rojos silla ventana árbol árboles
gl: cabalo cans fiestra mulleres neno nenos nenas persoa persoas rapaza vermello árbore árbores
pt: cachorro cavalo cão cães garoto homens janela menina meninas menino meninos mulheres pessoa pessoas preta
pt: vermelha vermelho árvore árvores
ca: arbre arbres asseguda assegut blanc blau blava cadira carrer cavall costat darrere davant dones finestra gos gossos
ca: groc groga negre nen nens neu noi noia petit petita platja taula verd vermell
gl pt: amarela amarelo branca branco cadeira diante neve pequena pequeno praia preto pé rapaz
gl ca: herba homes nena vermella
es ca: blanca persona
es gl pt: azul lado sentada sentado verde
""",
    """
id: celana jalanan kacamata kaos ponsel samping truk
ms: budak lori seluar
""",
    """
af: agter blou bome dogter honde lê meisie meisies perd rooi ry seuns sit sneeu swart vroue
nl: achter blauw blauwe bomen draagt gele groene honden houdt jongen kleine liggen ligt loopt lopen meisje meisjes
nl: naast paard rijdt rode rood sneeuw vrouwen witte zit zitten zwart zwarte
""",
    """
sl: deček deklica dekle drevesa drevo fant hiša majhen majhna mizi moder modra moški otroci otrok poleg rdeč rdeča rdeče
sl: rumen rumena zraven ženska ženske črn črna
hr bs sr: bijela bijeli cvijet crn crna crven crvena crveni crveno dečak devojčica devojka dječak djeca djevojčica
hr bs sr: djevojka drveće ispred iza kuća muškarac muškarca plav plava plavi pored snijegu stolu čovek čovjek žut žuta
""",
    """
be: белы вялікая вялікі дзеці дзяўчына дзяўчынка дзіця жанчына жоўтая жоўты зялёная зялёны каля кветка кветкі людзі
be: ляжаць ляжыць маленькі мужчына пад пакоі перад побач сабака сядзяць сядзіць сіні сіняя стаіць стаяць хлопчык
be: чорная чорны чырвоная чырвоны
uk: біла білий біля велика висить дитина дівчина дівчинка діти жінка жінки жовта жовтий зелена зелений йде йдуть квіти
uk: квітка кімнаті лежить маленька поруч птах під сидить сидять синя синій снігу стоїть траві тримає хлопчик червона
uk: червоне червоний чоловік чорна чорний човен
ru: белое белые белый большая большой висит висят возле девочка девушка деревья дети держит едет женщина женщину
ru: женщины жёлтая жёлтый зелёная зелёный идёт комнате красная красное красные красный лежит мальчик мужчина
ru: мужчину мужчины под ребенок ребёнок рядом сидит сидят синее синие синий синих синяя слева столе стоит стоят
ru: улице цветка цветок цветы чёрная чёрный
be ru: белая снегу траве
uk ru: маленький перед собака
""",
    """
bg: бял бяла вдясно вляво върви върху голям голяма голямо дете деца дърво дървета държи жълт жълта жълти кола котка
bg: куче къща лежи малка малък масата момиче момичета момче мъж мъже мъжът отдясно отляво плажа седи седят стаята стои
bg: тревата улицата хора цвете цветя червен червена червени червено
ru: белая белое белые белый большая большой висит возле девочка девушка деревья дети держит едет женщина женщину
ru: женщины жёлтая жёлтые жёлтый зелёная зелёные зелёный идёт комнате красная красное красные красный кошка лежит люди
ru: лошадь маленькая маленький мальчик мужчина мужчину мужчины пляже ребенок ребёнок рядом сидит сидят синее синие
ru: синий синих синяя слева снегу собака справа столе стоит траве трёх улице цветка цветок цветы чёрная чёрные чёрный
""",
    """
bg: бял бяла бяло върви върху голям голяма голямо дърво дървета държи жълт жълта жълти къща малка малък момиче
bg: момичета мъж мъже мъжът отдясно отляво хора червен червена червени червено
mk: врз голем голема девојче држи дрво дрвја жолт жолта куќа луѓе маж мажи мажот црвен црвена црвени црвено
""",
    """
mk: голем голема девојче девојчето дрвја жената жолт жолта куче кучето луѓе маж мажи мажот масата момче момчето
mk: плажата стои улицата
sr hr bs: велика велики девојчица дечак дрвеће жут жута испред људи мушкарац поред стоји
""",
    """
mr: उभा उभी कुत्रा गवत जवळ झाड दोन निळा निळी पांढरा पांढरी पिवळा बसलेला बसलेली बाई मागे माणूस मांजर मुलं मुलगा मुलगी
mr: मुले मोठा मोठी रस्ता रस्त्यावर लहान शेजारी हिरवा काळा काळी
hi: आदमी औरत काला काली कुत्ता खड़ा खड़ी घास छोटा छोटी दो नीला नीली पास पीछे पीला पीली पेड़ बच्चा बच्चे बड़ा बड़ी बिल्ली
hi: बैठा बैठी मेज लड़का लड़की सफेद सड़क सामने हरा हरी
""",
    """
kk: ағаш ақ екі жанында жасыл көк көшеде отыр тұр қара қыз қызыл әйел үй үлкен үстінде
tt: агач ак зур ике кара кечкенә кызыл күк кыз тора урамда утыра хатын эт янында яшел өй өстендә
""",
    """
et: istub kaks kass koer kollane kõnnib kõrval lamab laps lapsed laud maja mees mehed muru must naine naised peal poiss
et: punane rannas roheline seisab sinine suur tänaval tüdruk valge väike
fi: edessä iso istuu kadulla kaksi keltainen kissa koira kävelee lapset lapsi makaa miehet mies nainen naiset pieni
fi: poika punainen päällä pöytä rannalla ruoho seisoo sininen talo tyttö valkoinen vieressä vihreä
""",
    """
az: ağac böyük dayanıb kiçik oturub pişik qadın qız qırmızı uşaq yaşıl önündə üzərində
tr: ağaç beyaz büyük duruyor giyen kadın kedi kırmızı kız köpek küçük oturuyor siyah yeşil çocuk çocuklar önünde
tr: üzerinde
""",
    """
ca: cadira carrer dones gos gossos groc groga nen noia platja vermell vermella
oc: cadièra carrièra femna femnas jaune ostal pichon pichona plaja roge òme òmes
""",
    """
jv: bocah cedhak cilik dalan gedhe ijo ireng lanang loro lungguh ngadeg omah telu wadon wong
id ms: berdiri dekat dua duduk hijau hitam jalan kecil lelaki merah orang rumah tiga wanita
""",
)
