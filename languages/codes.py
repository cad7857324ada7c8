"""The languages a recipe may name: ISO 639-1 codes that language ID (lid.176) knows, with their English names.

The table is closed on purpose: a code that language ID has no label for could never be checked, so every
caption in it would be thrown away as being in the wrong language. Better to refuse the code before the work starts.
"""

import difflib

SOURCE = "en"

NAMES: dict[str, str] = {
    "af": "Afrikaans",
    "am": "Amharic",
    "an": "Aragonese",
    "ar": "Arabic",
    "as": "Assamese",
    "av": "Avaric",
    "az": "Azerbaijani",
    "ba": "Bashkir",
    "be": "Belarusian",
    "bg": "Bulgarian",
    "bn": "Bengali",
    "bo": "Tibetan",
    "br": "Breton",
    "bs": "Bosnian",
    "ca": "Catalan",
    "ce": "Chechen",
    "co": "Corsican",
    "cs": "Czech",
    "cv": "Chuvash",
    "cy": "Welsh",
    "da": "Danish",
    "de": "German",
    "dv": "Divehi",
    "el": "Greek",
    "en": "English",
    "eo": "Esperanto",
    "es": "Spanish",
    "et": "Estonian",
    "eu": "Basque",
    "fa": "Persian",
    "fi": "Finnish",
    "fr": "French",
    "fy": "Western Frisian",
    "ga": "Irish",
    "gd": "Scottish Gaelic",
    "gl": "Galician",
    "gn": "Guarani",
    "gu": "Gujarati",
    "gv": "Manx",
    "he": "Hebrew",
    "hi": "Hindi",
    "hr": "Croatian",
    "ht": "Haitian Creole",
    "hu": "Hungarian",
    "hy": "Armenian",
    "ia": "Interlingua",
    "id": "Indonesian",
    "ie": "Interlingue",
    "io": "Ido",
    "is": "Icelandic",
    "it": "Italian",
    "ja": "Japanese",
    "jv": "Javanese",
    "ka": "Georgian",
    "kk": "Kazakh",
    "km": "Khmer",
    "kn": "Kannada",
    "ko": "Korean",
    "ku": "Kurdish",
    "kv": "Komi",
    "kw": "Cornish",
    "ky": "Kyrgyz",
    "la": "Latin",
    "lb": "Luxembourgish",
    "li": "Limburgish",
    "lo": "Lao",
    "lt": "Lithuanian",
    "lv": "Latvian",
    "mg": "Malagasy",
    "mk": "Macedonian",
    "ml": "Malayalam",
    "mn": "Mongolian",
    "mr": "Marathi",
    "ms": "Malay",
    "mt": "Maltese",
    "my": "Burmese",
    "ne": "Nepali",
    "nl": "Dutch",
    "nn": "Norwegian Nynorsk",
    "no": "Norwegian",
    "oc": "Occitan",
    "or": "Odia",
    "os": "Ossetian",
    "pa": "Punjabi",
    "pl": "Polish",
    "ps": "Pashto",
    "pt": "Portuguese",
    "qu": "Quechua",
    "rm": "Romansh",
    "ro": "Romanian",
    "ru": "Russian",
    "sa": "Sanskrit",
    "sc": "Sardinian",
    "sd": "Sindhi",
    "si": "Sinhala",
    "sk": "Slovak",
    "sl": "Slovenian",
    "so": "Somali",
    "sq": "Albanian",
    "sr": "Serbian",
    "su": "Sundanese",
    "sv": "Swedish",
    "sw": "Swahili",
    "ta": "Tamil",
    "te": "Telugu",
    "tg": "Tajik",
    "th": "Thai",
    "tk": "Turkmen",
    "tl": "Tagalog",
    "tr": "Turkish",
    "tt": "Tatar",
    "ug": "Uyghur",
    "uk": "Ukrainian",
    "ur": "Urdu",
    "uz": "Uzbek",
    "vi": "Vietnamese",
    "vo": "Volapük",
    "wa": "Walloon",
    "yi": "Yiddish",
    "yo": "Yoruba",
    "zh": "Chinese",
}

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


def _problem_of(code: str) -> str | None:
    if not code:
        return "an empty language code: remove the stray comma"
    if code == SOURCE:
        return "'en' is the source language and cannot be a target: leave it out"
    if code in NAMES:
        return None
    nearest = suggest(code)
    meant = f"did you mean '{nearest}' ({NAMES[nearest]})?" if nearest else "use an ISO 639-1 code like de"
    return f"unknown language '{code}': {meant}"
