"""The languages a recipe may name, and what is known about each: one table, which all other rooms read.

The codes are those of ISO 639-1 that language ID (lid.176) knows. The table is closed on purpose: a code that language
ID has no label for could never be checked, so every caption in it would be thrown away as being in the wrong language.
Better to refuse the code before the work starts. What only one step knows about a language stands with that step: the
lengths of translations in `filters/`, the beginnings of captions in `train/`.
"""

import difflib
from dataclasses import dataclass
from functools import cache

SOURCE = "en"
"""What captions are written in and translated from."""


@dataclass(frozen=True)
class Language:
    """name: in English, as prompts say it. scripts: all that it may be written in, as `scripts.script_of` names them.
    neighbours: codes that language ID can't tell from it reliably in short texts; what was seen, so most are empty.
    """

    name: str
    scripts: tuple[str, ...] = ("LATIN",)
    neighbours: tuple[str, ...] = ()


LANGUAGES: dict[str, Language] = {
    "af": Language("Afrikaans"),
    "am": Language("Amharic", ("ETHIOPIC",)),
    "an": Language("Aragonese"),
    "ar": Language("Arabic", ("ARABIC",)),
    "as": Language("Assamese", ("BENGALI",)),
    "av": Language("Avaric", ("CYRILLIC",)),
    "az": Language("Azerbaijani", ("CYRILLIC", "LATIN")),
    "ba": Language("Bashkir", ("CYRILLIC",)),
    "be": Language("Belarusian", ("CYRILLIC",)),
    "bg": Language("Bulgarian", ("CYRILLIC",)),
    "bn": Language("Bengali", ("BENGALI",)),
    "bo": Language("Tibetan", ("TIBETAN",)),
    "br": Language("Breton"),
    "bs": Language("Bosnian", ("CYRILLIC", "LATIN"), neighbours=("hr", "sr")),
    "ca": Language("Catalan"),
    "ce": Language("Chechen", ("CYRILLIC",)),
    "co": Language("Corsican"),
    "cs": Language("Czech"),
    "cv": Language("Chuvash", ("CYRILLIC",)),
    "cy": Language("Welsh"),
    "da": Language("Danish"),
    "de": Language("German"),
    "dv": Language("Divehi", ("THAANA",)),
    "el": Language("Greek", ("GREEK",)),
    "en": Language("English"),
    "eo": Language("Esperanto"),
    "es": Language("Spanish", neighbours=("pt",)),
    "et": Language("Estonian"),
    "eu": Language("Basque"),
    "fa": Language("Persian", ("ARABIC",)),
    "fi": Language("Finnish"),
    "fr": Language("French"),
    "fy": Language("Western Frisian"),
    "ga": Language("Irish"),
    "gd": Language("Scottish Gaelic"),
    "gl": Language("Galician"),
    "gn": Language("Guarani"),
    "gu": Language("Gujarati", ("GUJARATI",)),
    "gv": Language("Manx"),
    "he": Language("Hebrew", ("HEBREW",)),
    "hi": Language("Hindi", ("DEVANAGARI",)),
    "hr": Language("Croatian", neighbours=("bs", "sr")),
    "ht": Language("Haitian Creole"),
    "hu": Language("Hungarian"),
    "hy": Language("Armenian", ("ARMENIAN",)),
    "ia": Language("Interlingua"),
    "id": Language("Indonesian"),
    "ie": Language("Interlingue"),
    "io": Language("Ido"),
    "is": Language("Icelandic"),
    "it": Language("Italian"),
    "ja": Language("Japanese", ("HAN", "KANA"), neighbours=("zh",)),
    "jv": Language("Javanese", ("JAVANESE", "LATIN")),
    "ka": Language("Georgian", ("GEORGIAN",)),
    "kk": Language("Kazakh", ("ARABIC", "CYRILLIC", "LATIN")),
    "km": Language("Khmer", ("KHMER",)),
    "kn": Language("Kannada", ("KANNADA",)),
    "ko": Language("Korean", ("HANGUL",)),
    "ku": Language("Kurdish", ("ARABIC", "CYRILLIC", "LATIN")),
    "kv": Language("Komi", ("CYRILLIC",)),
    "kw": Language("Cornish"),
    "ky": Language("Kyrgyz", ("ARABIC", "CYRILLIC", "LATIN")),
    "la": Language("Latin"),
    "lb": Language("Luxembourgish"),
    "li": Language("Limburgish"),
    "lo": Language("Lao", ("LAO",)),
    "lt": Language("Lithuanian"),
    "lv": Language("Latvian"),
    "mg": Language("Malagasy"),
    "mk": Language("Macedonian", ("CYRILLIC",)),
    "ml": Language("Malayalam", ("MALAYALAM",)),
    "mn": Language("Mongolian", ("CYRILLIC", "MONGOLIAN")),
    "mr": Language("Marathi", ("DEVANAGARI",)),
    "ms": Language("Malay", ("ARABIC", "LATIN")),
    "mt": Language("Maltese"),
    "my": Language("Burmese", ("MYANMAR",)),
    "ne": Language("Nepali", ("DEVANAGARI",)),
    "nl": Language("Dutch"),
    "nn": Language("Norwegian Nynorsk"),
    "no": Language("Norwegian"),
    "oc": Language("Occitan"),
    "or": Language("Odia", ("ORIYA",)),
    "os": Language("Ossetian", ("CYRILLIC",)),
    "pa": Language("Punjabi", ("GURMUKHI",)),
    "pl": Language("Polish"),
    "ps": Language("Pashto", ("ARABIC",)),
    "pt": Language("Portuguese", neighbours=("es",)),
    "qu": Language("Quechua"),
    "rm": Language("Romansh"),
    "ro": Language("Romanian"),
    "ru": Language("Russian", ("CYRILLIC",), neighbours=("uk",)),
    "sa": Language("Sanskrit", ("DEVANAGARI",)),
    "sc": Language("Sardinian"),
    "sd": Language("Sindhi", ("ARABIC",)),
    "si": Language("Sinhala", ("SINHALA",)),
    "sk": Language("Slovak"),
    "sl": Language("Slovenian"),
    "so": Language("Somali"),
    "sq": Language("Albanian"),
    "sr": Language("Serbian", ("CYRILLIC", "LATIN"), neighbours=("bs", "hr")),
    "su": Language("Sundanese"),
    "sv": Language("Swedish"),
    "sw": Language("Swahili"),
    "ta": Language("Tamil", ("TAMIL",)),
    "te": Language("Telugu", ("TELUGU",)),
    "tg": Language("Tajik", ("ARABIC", "CYRILLIC", "LATIN")),
    "th": Language("Thai", ("THAI",)),
    "tk": Language("Turkmen", ("CYRILLIC", "LATIN")),
    "tl": Language("Tagalog"),
    "tr": Language("Turkish"),
    "tt": Language("Tatar", ("ARABIC", "CYRILLIC", "LATIN")),
    "ug": Language("Uyghur", ("ARABIC",)),
    "uk": Language("Ukrainian", ("CYRILLIC",), neighbours=("ru",)),
    "ur": Language("Urdu", ("ARABIC",)),
    "uz": Language("Uzbek", ("ARABIC", "CYRILLIC", "LATIN")),
    "vi": Language("Vietnamese"),
    "vo": Language("Volapük"),
    "wa": Language("Walloon"),
    "yi": Language("Yiddish", ("HEBREW",)),
    "yo": Language("Yoruba"),
    "zh": Language("Chinese", ("HAN",), neighbours=("ja",)),
}

NAMES: dict[str, str] = {code: language.name for code, language in LANGUAGES.items()}

# What people write and mean something else by; a spelling distance would suggest nonsense for these.
OFTEN_MEANT = {"cz": "cs", "jp": "ja", "kr": "ko", "cn": "zh", "ua": "uk", "gr": "el", "dk": "da", "se": "sv",
               "nb": "no", "iw": "he", "in": "id", "vn": "vi", "rs": "sr", "ir": "fa", "il": "he",
               "deutsch": "de", "français": "fr", "español": "es", "русский": "ru", "中文": "zh"}  # fmt: skip


def parse_languages(text: str) -> tuple[str, ...]:
    """Read target languages written as ``de,fr,es``; order is kept. One `ValueError` tells every problem."""
    codes = tuple(code.strip() for code in text.split(","))
    if codes == ("",):
        raise ValueError("no language given: write codes with commas between them, like de,fr,es")
    if problems := language_problems(codes):
        raise ValueError("; ".join(problems))
    return codes


def language_problems(codes: tuple[str, ...]) -> list[str]:
    """What is wrong with these target languages, one short sentence for each; an empty list if nothing is."""
    if not codes:
        return ["no language given: name at least one, like de"]
    problems = [problem for code in dict.fromkeys(codes) if (problem := _problem_of(code))]
    repeated = [code for code in dict.fromkeys(codes) if codes.count(code) > 1 and code]
    return problems + [f"language '{code}' is given {codes.count(code)} times: keep one" for code in repeated]


def suggest(code: str) -> str | None:
    """The known code that was probably meant: by a common mistake, by the English name, or by likeness."""
    lowered = code.strip().lower()
    if lowered in NAMES:
        return lowered
    if lowered in OFTEN_MEANT:
        return OFTEN_MEANT[lowered]
    region_cut = lowered.replace("_", "-").split("-")[0]
    if region_cut in NAMES:
        return region_cut
    by_name = {name.lower(): code for code, name in NAMES.items()}
    by_name |= {word: code for word, code in OFTEN_MEANT.items() if len(word) > 2}
    near_names = difflib.get_close_matches(lowered, by_name, n=1, cutoff=0.75)
    if near_names:
        return by_name[near_names[0]]
    near_codes = difflib.get_close_matches(lowered, NAMES, n=1, cutoff=0.5)
    return near_codes[0] if near_codes else None


def name_of(code: str) -> str:
    """The English name. `ValueError` for a code that is not in the table, with the one that was probably meant."""
    if code not in NAMES:
        raise ValueError(_unknown(code))
    return NAMES[code]


@cache
def scripts_of_language(code: str) -> frozenset[str]:
    """The scripts a language may be written in; Latin where the table does not name it."""
    return frozenset(LANGUAGES[code].scripts if code in LANGUAGES else ("LATIN",))


def _problem_of(code: str) -> str | None:
    if not code:
        return "an empty language code: remove the stray comma"
    if code == SOURCE:
        return f"'{SOURCE}' is the source language and cannot be a target: leave it out"
    return None if code in NAMES else _unknown(code)


def _unknown(code: str) -> str:
    nearest = suggest(code)
    meant = f"did you mean '{nearest}' ({NAMES[nearest]})?" if nearest else "use an ISO 639-1 code like de"
    return f"unknown language '{code}': {meant}"
