"""Words that the seeded faults are made of: numbers two to ten, and remarks that models make instead of answers."""

from __future__ import annotations

VALUES = (2, 3, 4, 5, 6, 7, 8, 9, 10)
ENGLISH_NUMBERS = dict(enumerate(["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"], start=2))
_NAMES = {
    "de": "zwei drei vier fünf sechs sieben acht neun zehn", "fr": "deux trois quatre cinq six sept huit neuf dix",
    "es": "dos tres cuatro cinco seis siete ocho nueve diez", "it": "due tre quattro cinque sei sette otto nove dieci",
    "pt": "dois três quatro cinco seis sete oito nove dez", "nl": "twee drie vier vijf zes zeven acht negen tien",
    "cs": "dva tři čtyři pět šest sedm osm devět deset",
    "pl": "dwa trzy cztery pięć sześć siedem osiem dziewięć dziesięć",
    "ru": "два три четыре пять шесть семь восемь девять десять",
    "uk": "два три чотири п'ять шість сім вісім дев'ять десять", "sv": "två tre fyra fem sex sju åtta nio tio",
    "da": "to tre fire fem seks syv otte ni ti", "no": "to tre fire fem seks syv åtte ni ti",
    "tr": "iki üç dört beş altı yedi sekiz dokuz on",
    "fi": "kaksi kolme neljä viisi kuusi seitsemän kahdeksan yhdeksän kymmenen",
    "hu": "két három négy öt hat hét nyolc kilenc tíz", "ro": "doi trei patru cinci șase șapte opt nouă zece",
}  # fmt: skip
NUMBERS = {language: dict(zip(VALUES, names.split(), strict=True)) for language, names in _NAMES.items()}
REMARKS = {
    "de": (
        "Ich kann dieses Bild leider nicht sehen.", "Es tut mir leid, aber das kann ich nicht übersetzen.",
        "Dieser Satz ergibt ohne weiteren Zusammenhang keinen Sinn.", "Gerne übersetze ich den Text für Sie.",
        "Bitte geben Sie mir mehr Kontext.", "Die Übersetzung lautet wie folgt.", "Als KI habe ich keine Meinung dazu.",
        "Ich bin mir nicht sicher, was gemeint ist.", "Diese Anfrage verstößt gegen unsere Richtlinien.",
        "Der Satz ist bereits korrekt formuliert.", "Hier finden Sie weitere Informationen zum Thema.",
        "Leider kann ich Ihnen bei dieser Anfrage nicht helfen.", "Kann ich sonst noch etwas für Sie tun?",
        "Der Text enthält unangemessene Inhalte.", "Ich hoffe, das hilft Ihnen weiter!",
    ),
    "zh": (
        "抱歉，我无法翻译这句话。", "作为一个人工智能，我没有自己的看法。",
        "请提供更多的上下文信息。", "我看不到这张图片。",
        "这句话的意思不太清楚。", "希望对您有所帮助！",
        "很遗憾，我不能回答这个问题。", "如果您还有其他问题，请告诉我。",
        "该内容可能违反了使用规定。", "这里提供的是意译，仅供参考。",
        "原文已经是正确的表达方式。", "对不起，这个请求无法完成。",
        "好的，我来为您翻译这段文字。", "以上内容由机器自动生成。",
        "这个句子没有完整的语境。",
    ),
}  # fmt: skip
