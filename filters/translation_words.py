"""Words for "translate", "translation" and "language model" in many languages, for `commentary`.

Folded, in letters that part words by spaces beginnings of words. What has another meaning that captions need (Finnish
"kääntää" and "käännös" are also a turn, Vietnamese "dịch" also "epidemic") is left out, stands with a word beside it,
or says what may not follow: Russian "переводит" also leads across a street, Turkish "çeviriyor" also flips a pancake.
They were written down, not counted; the half of the pairs that calibrates showed which meant something else.
"""

from __future__ import annotations

import re

from florenz.filters.words import folded

_TRANSLATE = (
    *("übersetz", "iwwersetz", "vertaal", "vertal", "oversett", "oversæt", "översätt", "oversetj", "oersett"),
    *(
        "traduc",
        "tradui",
        "traduz",
        "traduç",
        "traduj",
        "tradus",
        "tradou",
        "traduk",
        "tradur",
        "tradott",
        "tradot",
        "tradüc",
    ),
    *("μετάφρα", "μεταφρά", "перевод", "перевест", "переведи", "переклад", "перекласти", "перевож", "пераклад"),
    *("превод", "преведен", "prijevod", "prevod", "preveden", "překlad", "přeložit"),
    *(
        "preklad",
        "preložiť",
        "tłumaczeni",
        "przetłumacz",
        "przekład",
        "vertimas",
        "vertimą",
        "išversti",
        "tulkoj",
        "tõlkim",
        "tõlkida",
    ),
    *("tõlge", "käännös:", "lefordít", "fordítás", "çeviri", "çeviremiyorum", "tercüme", "tərcümə", "tarjima"),
    *("terjime", "аударма", "которма", "тәрҗемә", "тәржемә", "тарҷума", "орчуул", "tarjamah"),
    *("tafsiri", "pagsasalin", "itzulpen", "aistriúch", "cyfieith", "përkth", "troidig", "eadar-theang", "turjum"),
    *("translate", "translati", "translator"),
    *("bản dịch", "phiên dịch", "dịch thuật", "dịch văn bản", "dịch câu", "dịch sang", "dịch đoạn", "dịch nghĩa"),
)
_TRANSLATE_ANYWHERE = (
    *("terjemah", "nerjemah"),  # behind a prefix in Indonesian and Malay
    *("คำแปล", "แปลข้อความ", "แปลเป็น", "แปลประโยค", "ຄໍາແປ", "បកប្រែ", "ဘာသာပြန်", "번역", "翻訳", "訳文", "翻译", "翻譯"),
    *(
        "译文",
        "譯文",
        "直译",
        "直譯",
        "直訳",
        "意译",
        "意譯",
        "意訳",
        "직역",
        "의역",
        "अनुवाद",
        "भाषांतर",
        "অনুবাদ",
        "ਅਨੁਵਾਦ",
        "અનુવાદ",
    ),
    *("மொழிபெயர்", "అనువాద", "అనువద", "ಅನುವಾದ", "വിവർത്തന", "പരിഭാഷ", "ترجم", "ژباړ", "תרגום", "תרגמ", "תרגם"),
    *("איבערזעצ", "თარგმ", "թարգման", "ትርጉም"),
)
_LANGUAGE_MODEL = (
    *("sprachmodell", "språkmodell", "sprogmodel", "taalmodel", "kielimalli", "nyelvi modell", "dil modeli"),
    *("modèle de langage", "modèle linguistique", "modelo de lenguaje", "modelo de linguagem", "modello linguistico"),
    *(
        "model lingvistic",
        "model de limbaj",
        "model de llenguatge",
        "model językow",
        "modelem językow",
        "jazykový model",
    ),
    *("языковая модель", "мовна модель", "езиков модел", "jezikovni model", "jezični model", "γλωσσικό μοντέλο"),
    *("语言模型", "語言模型", "言語モデル", "언어 모델", "نموذج لغ", "भाषा मॉडल", "mô hình ngôn ngữ", "model bahasa"),
    *("โมเดลภาษา", "แบบจำลองภาษา", "מודל שפה", "language model"),
)
_NOT_BEFORE = {
    "перевод": "ит|ят|ил|я", "переклад": "ин|а|ыв|ув", "пераклад": "а|в", "превод": "и", "prevod": "i", "preklad": "á",
    "przekład": "a", "çeviri": "yo|r",
}  # fmt: skip

TRANSLATION_WORDS = tuple(map(folded, (*_TRANSLATE, *_TRANSLATE_ANYWHERE, *_LANGUAGE_MODEL)))
"""One of these stands in every text in which `translation_word` finds anything."""

_BEGINNINGS = "|".join(
    re.escape(folded(stem)) + (f"(?!{folded(_NOT_BEFORE[stem])})" if stem in _NOT_BEFORE else "") for stem in _TRANSLATE
)
_ANYWHERE = "|".join(re.escape(folded(word)) for word in (*_TRANSLATE_ANYWHERE, *_LANGUAGE_MODEL))
_WORD = re.compile(rf"(?<![^\W\d_])(?:{_BEGINNINGS})|{_ANYWHERE}")


def translation_word(text: str) -> str:
    """The first of them in a folded text, "" where there is none."""
    found = _WORD.search(text)
    return found.group() if found else ""
