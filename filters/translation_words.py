"""Words for "translate", "translation" and "language model" in many languages, for `commentary`.

Beginnings of words, folded. What has another meaning that people need (Finnish "kääntää" is also "to turn", Vietnamese
"dịch" also "epidemic") is left out or stands with a word beside it. They were written down, not counted; the half of
the pairs that calibrates showed which meant something else.
"""

from __future__ import annotations

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
    *("μετάφρα", "μεταφρά", "перевод", "перевес", "переведи", "переклад", "перекласти", "перевож", "пераклад"),
    *("превод", "преведе", "prijevod", "prevod", "prevest", "preveden", "překlad", "přelož"),
    *(
        "preklad",
        "prelož",
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
    *("tõlge", "käännök", "käännös", "lefordít", "fordítás", "çeviri", "çevirem", "tercüme", "tərcümə", "tarjima"),
    *("terjime", "аударма", "которма", "тәрҗемә", "тәржемә", "тарҷума", "орчуул", "terjemah", "nerjemah", "tarjamah"),
    *("bản dịch", "phiên dịch", "dịch thuật", "dịch văn bản", "dịch câu", "dịch sang", "dịch đoạn", "dịch nghĩa"),
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
    *("איבערזעצ", "თარგმ", "թարգման", "ትርጉም", "tafsiri", "pagsasalin", "itzulpen", "aistri", "cyfieith", "përkth"),
    *("troidig", "eadar-theang", "turjum", "translate", "translati", "translator"),
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
TRANSLATION_WORDS = tuple(map(folded, (*_TRANSLATE, *_LANGUAGE_MODEL)))
