"""Said twice, mojibake, alternatives, markup, other numbers, copied heads and tails, brackets, words in another script:
what each drops and lets pass."""

import pytest
from filters_examples import CAPTIONS, ENGLISH, MANY, PAIR_LANGUAGES, reason_of, sentence_pairs, translation

from florenz.filters.added_brackets import check_added_brackets
from florenz.filters.chain import FilterChain, text_checks
from florenz.filters.chat_markup import check_chat_markup
from florenz.filters.commentary import check_commentary
from florenz.filters.copied_head import check_copied_head
from florenz.filters.foreign_word import check_foreign_word
from florenz.filters.mixed_language import copied_run
from florenz.filters.mixed_letters import check_mixed_letters
from florenz.filters.said_twice import check_said_twice
from florenz.filters.settings import FilterSettings


@pytest.mark.parametrize("language", sorted(CAPTIONS))
@pytest.mark.parametrize("between", [" ", "", " - "])
def test_a_text_that_is_there_twice_is_said_twice(language, between):
    assert reason_of(translation(CAPTIONS[language] + between + CAPTIONS[language], language)) == "said_twice"


@pytest.mark.parametrize("language", sorted(CAPTIONS))
def test_a_text_that_is_there_three_times_is_said_twice(language):
    caption = CAPTIONS[language]
    verdict = check_said_twice(translation(f"{caption} {caption}\n{caption}", language), FilterSettings())
    assert verdict.reason == "said_twice" and caption[:20] in verdict.detail
    assert reason_of(translation(f"{caption} {caption} {caption}", language)) in ("said_twice", "length_ratio")


@pytest.mark.parametrize("language", sorted(CAPTIONS))
def test_a_sentence_that_follows_itself_is_said_twice(language):
    caption, source = (
        CAPTIONS[language],
        "A red car is parked next to an old house. Nobody sits in it. It is cold today.",
    )
    other = CAPTIONS[language][::-1].strip(".。")
    for text in (f"{other}. {caption} {caption}", f"{caption} {caption} {other}."):
        verdict = check_said_twice(translation(text, language, source=source), FilterSettings())
        assert verdict.reason == "said_twice" and caption[:10] in verdict.detail
    assert reason_of(translation(f"{other}. {caption} {caption}", language, source=source)) != ""
    kept = translation(f"{caption} {other}. {caption}", language, source=source)
    assert check_said_twice(kept, FilterSettings()).keep
    twice = translation(f"{other}. {caption} {caption}", language, source=f"Well. {ENGLISH} {ENGLISH}")
    assert check_said_twice(twice, FilterSettings()).keep


def test_three_calls_stay_where_they_are_short_or_the_sources_own():
    assert check_said_twice(translation("Nein, nein, nein!", source="Oh no."), FilterSettings()).reason == "said_twice"
    assert check_said_twice(translation("Nein, nein, nein!", source="No, no, no!"), FilterSettings()).keep
    assert check_said_twice(translation("Ha, ha, ha!", source="They laugh."), FilterSettings()).keep


def test_a_source_that_says_it_twice_may_be_translated_so():
    assert reason_of(translation("Nein, nein, niemals nein, nein, niemals", source="No, no, never no, no, never")) == ""


@pytest.mark.parametrize("language", ["de", "fr", "es", "cs", "pl", "pt", "tr", "ru", "uk", "zh", "ja"])
@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_misread_bytes_are_mojibake(language, encoding):
    caption = "Schöne Grüße" if language == "de" else CAPTIONS[language]
    broken = caption.encode().decode(encoding, "ignore")
    wanted = {"mojibake", "control_characters"} | ({"wrong_language"} if language == "ja" else set())  # bytes are lost
    assert reason_of(translation(broken, language)) in wanted


@pytest.mark.parametrize("language", ["de", "fr", "es", "cs", "pl", "tr", "ru", "uk"])
@pytest.mark.parametrize("page", ["cp1250", "iso8859-2", "cp1251", "mac_roman", "cp437", "cp850", "koi8-r"])
def test_bytes_misread_in_any_other_page_are_mojibake(language, page):
    broken = ("Schöne Grüße" if language == "de" else CAPTIONS[language]).encode().decode(page, "ignore")
    wanted = {"mojibake", "control_characters"} | ({"wrong_language"} if language in ("ru", "uk") else set())
    assert reason_of(translation(broken, language)) in wanted


@pytest.mark.parametrize(
    ("text", "language"),
    [("Das Kind lacht und winkt uns zu. ðŸ˜Š", "de"), ("Dziewczynka idzie przez ulicÄ™.", "pl")],
)
def test_one_misread_character_is_mojibake(text, language):
    assert reason_of(translation(text, language)) == "mojibake"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("D’éirigh go hiontach linn inniu le chéile.", "ga"),
        ("Ці її вірші й „пісні“ – їхній подарунок…", "uk"),
        ("Chceš něco říct? Ne – až příště.", "cs"),
        ("«\u00a0Voilà\u00a0», dit-elle près de la vieille maison.", "fr"),
        ("Er sagte „Ä“ und ging zum alten Haus.", "de"),
    ],
)
def test_accents_beside_quotes_are_no_mojibake(text, language):
    assert reason_of(translation(text, language, source='"There," she said by the old house.')) == ""


@pytest.mark.parametrize("slash", [" / ", "/", " | "])
def test_two_ways_to_say_it_are_alternatives(slash):
    text = CAPTIONS["de"].rstrip(".") + slash + "Ein rotes Auto steht neben einem alten Haus."
    assert reason_of(translation(text)) == "alternatives"


def test_a_slash_that_is_no_alternative_stays():
    assert reason_of(translation("Er/Sie parkt das rote Auto neben einem alten Haus.")) == ""
    assert reason_of(translation("Der rote Wagen / der alte Wagen", source="the red car / the old car")) == ""


@pytest.mark.parametrize(
    "text",
    ["<p>{}</p>", '{{"translation": "{}"}}', '["{}"]', "**{}**", "- {}", "# {}", "> {}", "1. {}", "`{}`", "{}&nbsp;",
     "{} https://example.org", "[{}](https://example.org)", "*{}*", "_{}_", "~~{}~~", "(1) {}", "→ {}", "<!-- {} -->",
     "{}\\n", "{}\\t", "{}\\nund mehr", "\'\'\'{}\'\'\'", '"""{}"""', "{} [1]", "<{}>",
     "{} \\u00fcber", '\\"{}\\"', "{} example.com/page", "{} info@example.com", 'text = "{}"'],
)  # fmt: skip
def test_what_a_program_would_parse_is_markup(text):
    assert reason_of(translation(text.format(CAPTIONS["de"]))) in {"markup", "commentary"}


@pytest.mark.parametrize(
    "text",
    ["<｜Assistant｜>{}", "<2de> {}", "deu_Latn {}", "[BOS]{}", "{}[EOS]", "{} [END]", "{}<|", "{} ###", "{} @@", "Ċ{}",
     "[TRANSLATION]{}", "⁇ {}", "de: {}", "DE: {}", "[de] {}", "(de) {}"],
)  # fmt: skip
def test_what_a_model_reads_and_nobody_else_is_chat_markup(text):
    assert reason_of(translation(text.format(CAPTIONS["de"]))) == "chat_markup"


@pytest.mark.parametrize(
    ("text", "language", "source"),
    [("Ċempel lil Ġanni.", "mt", "Call John."), ("Es: ein Buch von King.", "de", "It: a book by King."),
     ("de: ein kleines Wort", "de", "de: a small word"),
     ("Schreib @anna @@ und mehr.", "de", "Write @anna @@ and more.")],
)  # fmt: skip
def test_letters_and_words_of_a_language_are_none(text, language, source):
    assert check_chat_markup(translation(text, language, source=source), FilterSettings()).keep


@pytest.mark.parametrize(
    ("text", "source"),
    [("1. Mai ist ein Feiertag hier.", "May 1 is a holiday here."),
     ("- Ist er da? - Nein, heute nicht.", "“Is he in?” “No.”"),
     ("Auf dem Schild steht www.shop.de und mehr.", "The sign says www.shop.de and more."),
     ("A < B und B > C gilt hier immer.", "A < B and B > C always holds."),
     ("Die Datei liegt in C:\\neu und D:\\texte.", "The file is there."),
     ("Er rechnet 5*3*2 und nimmt x_1 und x_2.", "He multiplies."),
     ("(3) Hunde laufen dort.", "3 dogs run there.")],
)  # fmt: skip
def test_what_the_source_has_is_no_markup(text, source):
    checks = dict(zip([reason for reason, _ in __import__("florenz.filters.order", fromlist=["x"]).TEXT_CHECKS],
                      text_checks(), strict=True))  # fmt: skip
    assert checks["markup"](translation(text, source=source), FilterSettings()).keep


@pytest.mark.parametrize(
    ("source", "text", "language"),
    [
        ("Three dogs play in the snow.", "Zwei Hunde spielen im Schnee.", "de"),
        ("Two women ride a bike.", "Trois femmes font du vélo.", "fr"),
        ("Bus 14 stands at the corner.", "Autobus 15 stoi na rogu ulicy.", "pl"),
        ("Five cats sit on a wall.", "Шесть кошек сидят на стене.", "ru"),
        ("The year 1990 was cold.", "साल 1991 ठंडा था।", "hi"),
        # A word that has to do with hours or measures where nothing is counted in them.
        ("Two people walk to the beach.", "Drei Leute gehen zum Strand.", "de"),
        ("Two men walk past a shop.", "Трое мужчин проходят мимо магазина.", "ru"),
        ("Two dogs play in the yard.", "Drei Hunde spielen im Hof.", "de"),
        ("Two dogs stand on their hind feet.", "Drei Hunde stehen auf den Hinterbeinen.", "de"),
        ("Half of the pizza lies beside two plates.", "Die halbe Pizza liegt neben drei Tellern.", "de"),
        ("There are 5 cats on a roof.", "Auf einem Dach sitzen 17 Katzen.", "de"),
        ("There are 5 cats on a roof.", "Auf einem Dach sitzen 35 Katzen.", "de"),
        ("It is 10 °C and sunny.", "Es sind 12 °C und sonnig.", "de"),
        # Letters that also are large numbers.
        ("A sign with 42 stands by a swing.", "秋千旁边有一个写着43的牌子。", "zh"),
        ("But bus number 42 drives slowly.", "하지만 43번 버스가 천천히 달리고 있다.", "ko"),
        # Words that count things.
        ("Three dogs run in the park.", "四只狗在公园里奔跑。", "zh"),
        ("Three dogs run in the park.", "四匹の犬が公園を走っている。", "ja"),
        ("Three dogs run in the park.", "개 네 마리가 공원에서 달리고 있다.", "ko"),
        ("Three dogs run in the park.", "สุนัขสี่ตัววิ่งในสวนสาธารณะ", "th"),
        # Spellings of one word.
        ("Forty chairs stand in a hall.", "In einem Saal stehen dreißig Stühle.", "de"),
        ("Five dogs run over the grass.", "Дев’ять собак біжать по траві.", "uk"),
        ("Five dogs run over the grass.", "Девʼять собак біжать по траві.", "uk"),
        ("Three dogs run in the park.", "PARKTA ALTI KÖPEK KOŞUYOR.", "tr"),
        ("Three dogs run in the park.", "Τέσσερα σκυλιά τρέχουν στο πάρκο.", "el"),
        ("Three dogs run in the park.", "Četiri psa trče u parku.", "hr"),
    ],
)
def test_another_number_is_a_conflict(source, text, language):
    verdict = FilterChain()([translation(text, language, source=source)])[0]
    assert verdict.reason == "number_conflict"
    assert "the source says" in verdict.detail


@pytest.mark.parametrize(
    ("source", "text", "language"),
    [
        ("We met at half past two.", "Wir trafen uns um halb drei.", "de"),
        ("We waited until 2:30.", "Wir haben bis halb drei gewartet.", "de"),
        ("The bank closes at 3 pm.", "Die Bank schließt um 15 Uhr.", "de"),
        ("He stays for two weeks.", "Er bleibt 14 Tage lang hier.", "de"),
        ("It costs 20,000 yen.", "这个要花两万日元。", "zh"),
        ("It is 3,000 meters high.", "Elle est haute de trois mille mètres.", "fr"),
        ("Two dogs and a cat.", "Ein Hundepaar und eine Katze.", "de"),
        ("The price is $10.00 today.", "Der Preis ist heute 10,00 $.", "de"),
        ("You are seven years old.", "Sei un bambino di sette anni.", "it"),
        ("Two children eat sandwiches.", "两个孩子在吃三明治。", "zh"),
        ("Twelve people sit here.", "这里坐着十二个人。", "zh"),
        ("Two dogs are in third place.", "二匹の犬が第三つの場所にいる。", "ja"),
        ("Twenty people sit there.", "มีคนยี่สิบคนนั่งอยู่", "th"),
        ("It is ten past two.", "Es ist zehn nach zwei oder halb drei.", "de"),
        ("Italians never eat before 8pm.", "Италиялеләр 20 сәгатьтән дә иртәрәк ашамыйлар.", "tt"),
        ("He stays for 14 days.", "Er bleibt 2 Wochen lang hier.", "de"),
        ("It takes 2 hours.", "Es dauert 120 Minuten.", "de"),
        ("A 10-foot snowman stands in the yard.", "Im Hof steht ein 3 Meter hoher Schneemann.", "de"),
        ("A crowd of 1,500 people.", "Eine Menge von 1’500 Menschen.", "de"),
        ("A crowd of 1,500 people.", "حشد من ١٬٥٠٠ شخص في حفل.", "ar"),
        ("About 3.5 meters of cable.", "۳٫۵ متر کابل وجود دارد.", "fa"),
        ("About 300,000 people came.", "Przyszło około 300 tysięcy osób.", "pl"),
        ("About 5 million people came.", "Etwa 5.000.000 Menschen kamen.", "de"),
        ("March 3 2010 was a cold day.", "Der 3. März 2010 war ein kalter Tag.", "de"),
        ("It was finished in 2020.", "สร้างเสร็จในปี 2563", "th"),
        ("Twelve birds sit on a wire.", "Dua belas burung bertengger di kawat.", "id"),
        ("That is 82% and more than four-fifths.", "Itu delapan-puluh dua persen dan lebih dari empat perlima.", "id"),
    ],
)
def test_numbers_that_languages_count_differently_are_none(source, text, language):
    assert reason_of(translation(text, language, source=source)) != "number_conflict"


def test_a_tail_left_in_english_is_copied_and_names_are_not():
    source = "A red car is parked next to the wooden house"
    assert reason_of(translation("Ein rotes Auto parkt gleich neben dem wooden house", source=source)) == "copied_tail"
    assert reason_of(translation("一辆红色的汽车停在旁边 wooden house", "zh", source=source)) == "copied_tail"
    named = translation("Ein rotes Auto parkt in New York", source="A red car is parked in New York")
    assert reason_of(named) == ""


@pytest.mark.parametrize(
    ("language", "source", "text"),
    [
        ("de", "The man runs through the park.", "The man läuft durch den Park."),
        ("cs", "I doubt it.", "I pochybuju."),
        ("pl", "I know none of them.", "I know nikogo z nich."),
        ("sv", "Did you wait long?", "Did you du länge?"),
        ("es", "How many people?", "How personas?"),
        ("fr", "Tom doesn't like the dog.", "Tom doesn't aime le chien."),
        ("it", "Tom looks at the sea today.", "Tom looks il mare oggi."),
        ("tr", "Is Tom at home?", "Is Tom evde mi?"),
        ("ja", "They are playing.", "They んでいます。"),
        ("mt", "The dogs run through the park.", "The dogs jiġru fil-park."),
    ],
)
def test_a_head_left_in_english_is_copied(language, source, text):
    assert reason_of(translation(text, language, source=source)) == "copied_head"


@pytest.mark.parametrize(
    ("language", "source", "text"),
    [
        ("af", "Tom is my friend.", "Tom is my vriend."),
        ("af", "My hand is warm today.", "My hand is vandag warm."),
        ("nl", "Tom is in the kitchen.", "Tom is in de keuken."),
        ("nl", "We live in a small village.", "We leven in een klein dorp."),
        ("de", "In summer it is warm here.", "In diesem Sommer ist es hier warm."),
        ("de", "The Beatles came to Hamburg.", "The Beatles kamen nach Hamburg."),
        ("de", "Vincent van Gogh painted the house.", "Vincent van Gogh malte das Haus."),
        ("fr", "Leonardo da Vinci was a painter.", "Leonardo da Vinci était un peintre."),
        ("es", "Emilio di Cavalieri wrote this music.", "Emilio di Cavaliere escribió esta música."),
        ("de", "New York is a big city.", "New York ist eine große Stadt."),
        ("mt", "Tom sings.", "Tom sings il-kanzunetta sabiħa."),
    ],
)
def test_a_head_of_names_or_of_words_of_both_languages_is_kept(language, source, text):
    assert check_copied_head(translation(text, language, source=source), FilterSettings()).keep


def test_the_whole_source_again_is_no_head():
    assert reason_of(translation(ENGLISH)) == "copied_source"
    assert check_copied_head(translation("A red car stands there.", "en"), FilterSettings()).keep


def test_a_run_of_words_of_both_languages_is_no_half_translation():
    assert reason_of(translation("Sy was in die stort.", "af", source="She was in the shower.")) == ""
    assert copied_run(translation("Sy was in her stort.", "af", source="She was in her shower.")) == (3, 5)
    assert copied_run(translation("Sy was in die stort.", "af", source="She was in the shower.")) == (0, 5)


@pytest.mark.parametrize(
    "text",
    ["In German: {}", "Translation (German): {}", "The sentence in German is: {}", "Okay, here you go: {}",
     "{} (This is the formal version.)", "{} Note: informal.", "{} (informal)", "{} (I have translated it literally.)"],
)  # fmt: skip
def test_words_about_the_translation_are_commentary(text):
    assert reason_of(translation(text.format(CAPTIONS["de"]))) == "commentary"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Es tut mir leid, ich kann diesen Text nicht übersetzen.", "de"),
        ("Lo siento, pero no puedo traducir este texto.", "es"),
        ("申し訳ありませんが、翻訳することはできません。", "ja"),
        ("抱歉，我无法翻译这段文字。", "zh"),
        ("Извините, но я не могу перевести этот текст.", "ru"),
        ("عذرًا، لا يمكنني ترجمة هذا النص الآن.", "ar"),
        ("Íme a fordítás: Egy piros autó áll egy régi ház mellett.", "hu"),
        ("นี่คือคำแปล: รถสีแดงจอดอยู่ข้างบ้านเก่า", "th"),
        ("Als KI-Sprachmodell kann ich keine Bilder sehen.", "de"),
        ("古い家の隣に赤い車が停まっています。（注：直訳）", "ja"),
        ("Sure! Ein rotes Auto parkt neben einem alten Haus.", "de"),
        ("Target: Ein rotes Auto parkt neben einem alten Haus.", "de"),
        ("Here is my attempt: Ein rotes Auto parkt neben einem alten Haus.", "de"),
    ],
)
def test_words_about_translating_are_commentary_in_any_language(text, language):
    assert reason_of(translation(text, language)) == "commentary"


@pytest.mark.parametrize(
    ("source", "text", "language"),
    [
        ("A book translated from Latin lies there.", "Dort liegt ein aus dem Latein übersetztes Buch.", "de"),
        ("A dictionary of two languages.", "Un dictionnaire pour traduire deux langues.", "fr"),
        ("Tom ignored all of Mary's warnings.", "Tom ha ignorato tutti gli avvertimenti di Mary.", "it"),
        ("He turned around quickly.", "Hän kääntyi nopeasti ympäri.", "fi"),
    ],
)
def test_translating_that_the_source_speaks_of_stays(source, text, language):
    assert check_commentary(translation(text, language, source=source), FilterSettings()).keep


def test_a_letter_of_maltese_is_no_markup():
    assert reason_of(translation("Il-ġurnata hija sabiħa ħafna llum.", "mt", source="The day is very nice.")) == ""
    for text in ("Ġurnata sabiħa ħdejn il-baħar.", "Raġel xiħ jistenna ħdejn il-Ġnien.", "IL-ĠURNATA HIJA SABIĦA."):
        assert check_chat_markup(translation(text, "mt"), FilterSettings()).keep
    assert not check_chat_markup(translation("RaġelĠxiħ jistenna", "mt"), FilterSettings()).keep
    assert reason_of(translation("EinĠrotesĠAuto parkt hier")) == "chat_markup"
    assert reason_of(translation("Ġein Ġrotes ĠAuto parkt hier")) == "chat_markup"


@pytest.mark.parametrize("text", ["红色汽车停停车停车停车停车在旁边", "赤い車がとまとまとまとまっています古い家の隣に"])
def test_a_word_of_two_letters_four_times_is_a_loop(text):
    assert reason_of(translation(text, "zh" if "红" in text else "ja")) == "repetition"


@pytest.mark.parametrize(
    "source, text, language",
    [
        ("A man flips a pancake.", "Bir adam krep çeviriyor.", "tr"),
        ("A man turns the wheel.", "Kişi çarxı çevirir.", "az"),
        ("A snowboarder makes a sharp turn.", "Lumilautailija tekee jyrkän käännöksen.", "fi"),
        ("A bird sits on a rail.", "Птица сидит на перекладине.", "ru"),
        ("A woman leans over the railing.", "Женщина перевесилась через перила.", "ru"),
        ("A man helps children cross the street.", "Мужчина переводит детей через улицу.", "ru"),
        ("She puts books on another shelf.", "Вона перекладає книги на іншу полицю.", "uk"),
        ("A man leads a child across the road.", "Човек преводи дете преко пута.", "sr"),
        ("A carnival parade.", "Pustni sprevod.", "sl"),
        ("Folded towels lie on the bed.", "Na posteli leží přeložené ručníky.", "cs"),
        ("Folded towels lie on the bed.", "Na posteli ležia preložené uteráky.", "sk"),
        ("A woman moves books.", "Kobieta przekłada książki.", "pl"),
        ("She wants to convince Tom.", "Hun vil overtale Tom.", "nb"),
        ("A text: sale, on a window", "Text: rea, på ett fönster", "sv"),
    ],
)
def test_words_that_only_look_like_translating_stay(source, text, language):
    assert check_commentary(translation(text, language, source=source), FilterSettings()).keep


@pytest.mark.parametrize(
    "text, language",
    [
        ("Не могу перевести это.", "ru"), ("Вот перевод", "ru"), ("Ось переклад", "uk"), ("Oto przekład", "pl"),
        ("Bu bir çeviri", "tr"), ("Saya tidak dapat menerjemahkan ini", "id"), ("Nemohu to přeložit", "cs"),
        ("Käännös: Koira", "fi"), ("Вот превод", "bg"), ("Tu je preklad", "sk"),
    ],
)  # fmt: skip
def test_and_words_for_translating_do_not(text, language):
    assert check_commentary(translation(text, language), FilterSettings()).reason == "commentary"


@pytest.mark.slow
@pytest.mark.parametrize("language", PAIR_LANGUAGES)
def test_new_checks_keep_human_translations(language):
    new = {"said_twice", "mojibake", "alternatives", "markup", "number_conflict", "copied_tail", "copied_head"}
    new |= {"added_brackets", "foreign_word", "mixed_letters"}
    pairs = sentence_pairs(language, MANY)
    reasons = [verdict.reason for verdict in FilterChain()([translation(t, language, source=e) for e, t in pairs])]
    assert sum(reason in new for reason in reasons) <= 3


def test_the_detail_carries_the_words_that_caused_it():
    twice = FilterChain()([translation(f"{ENGLISH} {ENGLISH}", "en", source="")])[0]
    assert "A red car" in twice.detail


@pytest.mark.parametrize(
    ("text", "language", "what"),
    [
        ("Ein rotes Auto (car) parkt neben einem alten Haus.", "de", "a gloss"),
        ("一辆红色的汽车(chē)停在一座老房子旁边。", "zh", "a gloss"),
        (
            "Ein rotes Auto parkt neben einem alten Haus (wörtlich: neben einem Haus, das alt ist)",
            "de",
            "a second text",
        ),
        ("Ein rotes Auto parkt neben einem alten Haus. (Recht förmlich.)", "de", "a second text"),
        ("一辆红色的汽车停在一座老房子旁边。（这里说得比较随便，仅供参考。）", "zh", "a second text"),
        ("Un(a) conductor está junto a un coche rojo y una casa vieja.", "es", "an ending"),
        ("Я рад(а), что красная машина стоит у старого дома.", "ru", "an ending"),
    ],
)
def test_a_second_answer_in_brackets_is_added(text, language, what):
    verdict = FilterChain()([translation(text, language)])[0]
    assert verdict.reason == "added_brackets" and verdict.detail.startswith(what)


@pytest.mark.parametrize(
    ("text", "language", "source"),
    [
        ("Ein rotes Auto (car) parkt neben einem Haus.", "de", "A red car (automobile) is parked next to a house."),
        ("Ein rotes Auto [car] parkt neben einem Haus.", "de", "A red car (automobile) is parked next to a house."),
        ("Ein rotes Auto (2) parkt neben einem alten Haus :)", "de", ENGLISH),
        ("Ein rotes Auto parkt neben Haus a) und Haus b).", "de", ENGLISH),
        ("Ein rotes Auto (ein Wagen) parkt neben einem alten Haus.", "de", ENGLISH),
        ("Der Stuhl (blau) steht neben einem alten Haus.", "de", ENGLISH),
        ("一辆红色的汽车（轿车）停在一座老房子旁边。", "zh", ENGLISH),
        ("丰田汽车（Toyota）停在一座老房子旁边。", "zh", "A red Toyota is parked next to an old house."),
        ("Un meuble (table) rouge à côté d'un hôtel.", "fr", "A red table beside a hotel."),  # French as well
    ],
)
def test_words_of_the_language_names_and_brackets_of_the_source_stay(text, language, source):
    assert check_added_brackets(translation(text, language, source=source), FilterSettings()).keep


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Ein rotes Auto parkt neben einem 老 Haus, das schon sehr lange dort steht.", "de"),
        ("Une voiture rouge est garée à côté d'une старый maison.", "fr"),
        ("Een rode auto staet में naast een oud huis geparkeerd.", "nl"),
        ("Красная машина припаркована рядом со 古い домом.", "ru"),
        ("Красная машина припаркована next рядом со старым домом.", "ru"),
        ("一辆红色的汽车parked停在一座非常非常老的房子旁边。", "zh"),
        ("古い家の隣に赤い машина が停まっていますよ、いつものように。", "ja"),
    ],
)
def test_one_word_in_another_script_is_a_foreign_word(text, language):
    assert reason_of(translation(text, language)) == "foreign_word"


@pytest.mark.parametrize(
    ("source", "text", "language"),
    [
        ("A red car with the letter pi on it stands there.", "Ein rotes Auto mit dem Buchstaben π steht dort.", "de"),
        ("All you can do is wait.", "Vienīgais, k\u043e tu vari darīt ir - gaidīt.", "lv"),  # a Cyrillic о
        ("Write to info@tatoeba.org about it.", "Напишите сегодня же на адрес info@tatoeba.org и подождите.", "ru"),
        ("He wears a Puma shirt by the car.", "На нём возле машины футболка puma белого цвета.", "ru"),
        ("A red Toyota is parked next to a house.", "Красная Toyota припаркована рядом с домом.", "ru"),
        ("A car goes 60 km an hour on the road.", "Машина едет по дороге 60 km в час.", "ru"),
        ("A shirt with a logo hangs there.", "那里挂着一件带有logo的衬衫。", "zh"),
        ('A sign says "no parking" beside a red car.', "Рядом с красной машиной знак «no parking» на столбе.", "ru"),
        ("A sign with 出口 on it stands by a red car.", "Ein Schild mit 出口 steht neben einem roten Auto.", "de"),
        ("He found it on tatoeba.org yesterday.", "Он нашёл это вчера на сайте tatoeba.org вечером.", "ru"),
        ("He said that it is a red car.", "Він сказав, що вiн бачив червону машину.", "uk"),
        ("The name of the boat is painted white.", "배 이름(船名)은 하얀색으로 칠해져 있다.", "ko"),
    ],
)
def test_names_units_quotations_and_single_letters_are_none(source, text, language):
    assert check_foreign_word(translation(text, language, source=source), FilterSettings()).keep


def test_more_than_a_word_in_another_script_is_left_to_the_share():
    text = "Красная car is parked next to an old домом."
    assert check_foreign_word(translation(text, "ru"), FilterSettings()).keep
    assert not check_foreign_word(translation(text, "ru"), FilterSettings(max_foreign_share=1.0)).keep


def test_captions_may_quote_any_script_and_any_brackets():
    caption = translation("A sign (in Chinese) that reads 出口 hangs there.", "en", source="")
    assert check_foreign_word(caption, FilterSettings()).keep
    assert check_added_brackets(caption, FilterSettings()).keep
    remark = translation("A red car stands there. (It is next to a house.)", "en", source="")
    assert check_added_brackets(remark, FilterSettings()).keep


@pytest.mark.parametrize(
    ("language", "whole", "letter", "twin", "script"),
    [
        ("de", CAPTIONS["de"], "a", "а", "cyrillic"),
        ("de", CAPTIONS["de"], "o", "ο", "greek"),
        ("ru", CAPTIONS["ru"], "а", "a", "latin"),
        ("el", "Ένα κόκκινο αυτοκίνητο δίπλα σε ένα παλιό σπίτι.", "ο", "o", "latin"),
    ],
)
def test_a_letter_of_another_script_that_looks_the_same_is_told(language, whole, letter, twin, script):
    place = whole.index(letter, 5)
    mixed = whole[:place] + twin + whole[place + 1 :]
    verdict = check_mixed_letters(translation(mixed, language), FilterSettings())
    assert verdict.reason == "mixed_letters" and script in verdict.detail
    word = next(word for word in mixed.split() if twin in word).strip(".")
    assert repr(word) in verdict.detail
    assert reason_of(translation(mixed, language)) == "mixed_letters" and reason_of(translation(whole, language)) == ""
    assert check_mixed_letters(translation(mixed, language, source=f"It says {word}."), FilterSettings()).keep


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Мен Twitterді ашып отырмын", "a name with an ending"),
        ("Ол PCға отырды", "an acronym with an ending"),
        ("Бiр әйел", "a keyboard's i"),
        ("ол kо деді", "two letters"),
        ("ein Widerstand von 5kΩ und 3µm", "units"),
        ("das Wort und слово, Haus-дом", "words beside each other"),
    ],
)
def test_other_letters_of_two_scripts_are_left_alone(text, why):
    assert check_mixed_letters(translation(text, "tt"), FilterSettings()).keep, why


def test_kazakh_and_mongolian_are_left_alone_as_people_mix_letters_there():
    kept = {
        one: check_mixed_letters(translation("Бұл cурет", one), FilterSettings()).keep for one in ("kk", "mn", "tt")
    }
    assert kept == {"kk": True, "mn": True, "tt": False}


def test_capitals_that_look_the_same_are_told_in_a_word_of_capitals():
    assert not check_mixed_letters(translation("ЭТО MOСКВА", "ru"), FilterSettings()).keep
