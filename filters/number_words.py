"""Words for numbers, for `number_conflict`: the value of each, in English and in the languages of the table.

2 to 12 and a few round ones, in the forms that stand before a noun; 1 is left out, as it is the article in most of
them. A word behind `~` means something else as well (Italian "sei" is also "you are"): it may stand for its number, and
never speaks against another one.
"""

from __future__ import annotations

import unicodedata
from functools import cache

_SERBO_CROATIAN = (
    "2 dva dvije dve dvoje dvojica два две двије двоје двојица|3 tri troje trojica три троје тројица|4 četiri četvero"
    " četvoro četvorica четири четворо|5 pet petero petoro пет петоро|6 šest шест|7 sedam седам|8 osam осам|9 devet"
    " девет|10 deset десет|11 jedanaest једанаест|12 dvanaest дванаест|20 dvadeset двадесет|30 trideset тридесет"
    "|100 ~sto ~сто"
)
_TABLES = {
    "en": "2 two|3 three|4 four|5 five|6 six|7 seven|8 eight|9 nine|10 ten|11 eleven|12 twelve|20 twenty|30 thirty"
    "|40 forty|50 fifty|60 sixty|12 ~dozen|2 ~couple ~both|100 ~hundred|1000 ~thousand",
    "de": "2 zwei zwo ~beide ~beiden|3 drei|4 vier|5 fünf|6 sechs|7 sieben|8 acht|9 neun|10 zehn|11 elf|12 zwölf"
    "|20 zwanzig|30 dreißig|40 vierzig|50 fünfzig|60 sechzig|100 ~hundert|1000 ~tausend",
    "fr": "2 deux|3 trois|4 quatre|5 cinq|6 six|7 sept|8 huit|9 neuf|10 dix|11 onze|12 douze|20 vingt|30 trente"
    "|40 quarante|50 cinquante|60 soixante|100 ~cent|1000 ~mille",
    "es": "2 dos|3 tres|4 cuatro|5 cinco|6 seis|7 siete|8 ocho|9 nueve|10 diez|11 once|12 doce|20 veinte|30 treinta"
    "|40 cuarenta|50 cincuenta|60 sesenta|100 ~cien|1000 ~mil",
    "it": "2 due|3 tre|4 quattro|5 cinque|6 ~sei|7 sette|8 otto|9 nove|10 dieci|11 undici|12 dodici|20 venti|30 trenta"
    "|40 quaranta|50 cinquanta|60 sessanta|100 ~cento|1000 ~mille",
    "pt": "2 dois duas|3 três|4 quatro|5 cinco|6 seis|7 sete|8 oito|9 nove|10 dez|11 onze|12 doze|20 vinte|30 trinta"
    "|40 quarenta|50 cinquenta|60 sessenta|100 ~cem|1000 ~mil",
    "nl": "2 twee|3 drie|4 vier|5 vijf|6 zes|7 zeven|8 acht|9 negen|10 tien|11 elf|12 twaalf|20 twintig|30 dertig"
    "|40 veertig|50 vijftig|60 zestig|100 ~honderd|1000 ~duizend",
    "sv": "2 två|3 tre|4 fyra|5 fem|6 sex|7 sju|8 åtta|9 nio|10 tio|11 elva|12 tolv|20 tjugo|30 trettio|100 ~hundra",
    "da": "2 to|3 tre|4 fire|5 fem|6 seks|7 syv|8 otte|9 ni|10 ti|11 elleve|12 tolv|20 tyve|30 tredive|100 ~hundrede",
    "no": "2 to|3 tre|4 fire|5 fem|6 seks|7 sju syv|8 åtte|9 ni|10 ti|11 elleve|12 tolv|20 tjue tyve|30 tretti",
    "cs": "2 dva dvě dvou dvěma|3 tři tří třem třemi|4 čtyři čtyř čtyřem čtyřmi|5 pět pěti|6 šest šesti|7 sedm sedmi"
    "|8 osm osmi|9 devět devíti|10 deset deseti|11 jedenáct|12 dvanáct|20 dvacet|30 třicet|100 ~sto",
    "sk": "2 dva dve dvaja dvoch dvom dvoma|3 tri traja troch trom|4 štyri štyria štyroch|5 päť piati|6 šesť|7 sedem"
    "|8 osem|9 deväť|10 desať|11 jedenásť|12 dvanásť|20 dvadsať|30 tridsať|100 ~sto",
    "pl": "2 dwa dwie dwóch dwaj dwoje dwu dwóm dwoma|3 trzy trzech trzej troje trzem|4 cztery czterech czworo"
    "|5 pięć pięciu|6 sześć sześciu|7 siedem siedmiu|8 osiem ośmiu|9 dziewięć dziewięciu|10 dziesięć dziesięciu"
    "|11 jedenaście|12 dwanaście|20 dwadzieścia|30 trzydzieści|100 ~sto",
    "ru": "2 два две двух двое двум двумя|3 три трёх трех трое трём трем тремя|4 четыре четырёх четырех четверо|5 пять"
    " пяти пятеро|6 шесть шести|7 семь семи|8 восемь восьми|9 девять девяти|10 десять десяти|11 одиннадцать"
    "|12 двенадцать|20 двадцать|30 тридцать|40 ~сорок|50 пятьдесят|100 ~сто",
    "uk": "2 два дві двох двоє двом двома|3 три трьох троє трьом|4 чотири чотирьох|5 п'ять п'яти|6 шість шести|7 сім"
    " семи|8 вісім восьми|9 дев'ять|10 десять десяти|11 одинадцять|12 дванадцять|20 двадцять|30 тридцять|100 ~сто",
    "tr": "2 iki|3 üç|4 dört|5 beş|6 altı|7 yedi|8 sekiz|9 dokuz|10 on|11 on-bir|20 yirmi|30 otuz|40 ~kırk|50 elli",
    "fi": "2 kaksi kahta kahden|3 kolme kolmea kolmen|4 neljä neljää neljän|5 viisi viittä viiden|6 kuusi kuutta"
    "|7 seitsemän|8 kahdeksan|9 yhdeksän|10 kymmenen|11 yksitoista|12 kaksitoista|20 kaksikymmentä|100 ~sata",
    "hu": "2 két kettő|3 három|4 négy|5 öt|6 hat|7 hét|8 nyolc|9 kilenc|10 tíz|11 tizenegy|12 tizenkettő tizenkét"
    "|20 húsz|30 harminc|40 negyven|50 ötven|100 ~száz",
    "nn": "2 to|3 tre|4 fire|5 fem|6 seks|7 sju|8 åtte|9 ni|10 ti|11 elleve|12 tolv|20 tjue|30 tretti|100 ~hundre",
    "af": "2 twee|3 drie|4 vier|5 vyf|6 ses|7 sewe|8 agt|9 nege|10 tien|11 elf|12 twaalf|20 twintig|30 dertig",
    "ca": "2 dos dues|3 tres|4 quatre|5 cinc|6 sis|7 ~set|8 vuit|9 ~nou|10 ~deu|11 onze|12 dotze|20 vint|30 trenta",
    "gl": "2 dous dúas|3 tres|4 catro|5 cinco|6 seis|7 sete|8 oito|9 nove|10 dez|11 once|12 doce|20 vinte|30 trinta",
    "el": "2 δύο δυο|3 τρεις τρία τριών|4 τέσσερις τέσσερα τεσσάρων|5 πέντε|6 έξι|7 επτά εφτά|8 οκτώ οχτώ|9 εννέα"
    " εννιά|10 δέκα|11 έντεκα|12 δώδεκα|20 είκοσι|30 τριάντα|40 σαράντα|50 πενήντα|60 εξήντα|100 ~εκατό",
    "bg": "2 два две двама двамата двете|3 три трима тримата трите|4 четири четирима|5 пет петима|6 шест шестима"
    "|7 седем|8 осем|9 девет|10 десет|11 единадесет единайсет|12 дванадесет дванайсет|20 двадесет двайсет|30 тридесет",
    "mk": "2 два две двајца двете двата|3 три тројца трите|4 четири четворица|5 пет петмина|6 шест|7 седум|8 осум"
    "|9 девет|10 десет|11 единаесет|12 дванаесет|20 дваесет|30 триесет|100 ~сто",
    "sl": "2 dva dve dveh dvema|3 tri trije treh trem|4 štiri štirje štirih|5 pet petih|6 šest šestih|7 sedem|8 osem"
    "|9 devet|10 deset desetih|11 enajst|12 dvanajst|20 dvajset|30 trideset|100 ~sto",
    "hr": _SERBO_CROATIAN, "bs": _SERBO_CROATIAN, "sr": _SERBO_CROATIAN,
    "id": "2 dua|3 tiga|4 empat|5 lima|6 enam|7 tujuh|8 delapan|9 sembilan|10 sepuluh|11 sebelas|100 ~seratus",
    "ms": "2 dua|3 tiga|4 empat|5 lima|6 enam|7 tujuh|8 lapan|9 sembilan|10 sepuluh|11 sebelas|100 ~seratus",
    "et": "2 kaks kahe kahte|3 kolm kolme|4 neli nelja nelja|5 viis viie viit|6 kuus kuue kuut|7 seitse seitsme"
    "|8 kaheksa|9 üheksa|10 kümme kümne|11 üksteist|12 kaksteist|20 kakskümmend|30 kolmkümmend|100 ~sada",
    "ro": "2 doi două|3 trei|4 patru|5 cinci|6 șase şase|7 șapte şapte|8 opt|9 nouă|10 zece|20 douăzeci|100 ~sută",
}  # fmt: skip


@cache
def number_words(language: str) -> dict[str, tuple[int, bool]]:
    """Folded word -> (value, whether it may speak against another number); empty for a language without a table."""
    found: dict[str, tuple[int, bool]] = {}
    for entry in filter(None, _TABLES.get(language, "").split("|")):
        value, *words = entry.split()
        for word in words:
            found |= dict.fromkeys(_spellings(word.lstrip("~")), (int(value), not word.startswith("~")))
    return found


def _spellings(word: str) -> set[str]:
    """Folded as the words of a text are ("dreissig"), with any apostrophe, and with the i that capitals leave of ı."""
    of_word = unicodedata.normalize("NFKC", word).casefold()
    return {of_word.replace("'", apostrophe).replace("ı", dot) for apostrophe in "'’ʼ" for dot in "ıi"}


LANGUAGES = frozenset(_TABLES) - {"en"}
"""Those whose number words are known; in all others digits alone are compared."""
