"""The faults that are seeded into human sentence pairs: each takes a good pair and gives what a model might have said.

A fault knows nothing of the filters: words and phrases stand here on their own, so that a filter is not measured on
its own table. `seed` gives None where a pair can't show the fault (no number to change, no spaces to cut at).
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.filters_words import ENGLISH_NUMBERS, NUMBERS
from florenz.filters.verdict import Candidate

Pair = tuple[str, str]
Maker = Callable[[Pair, str, random.Random, Sequence[Pair]], str | None]
MAIN = ("de", "fr", "es", "ru", "zh", "cs", "it", "pl", "pt", "nl", "tr", "uk", "ja", "th", "ar", "sv")
SPACED = tuple(language for language in MAIN if language not in ("zh", "ja", "th"))
LOOK_ALIKE = tuple(language for language in SPACED if language != "ar")
ACCENTED = ("de", "fr", "es", "cs", "pl", "pt", "tr", "sv", "it", "ru", "uk", "zh", "ja", "ar")


@dataclass(frozen=True, kw_only=True)
class Fault:
    """`goal`: percent to be caught, None where the issue sets none. `make`: the text at fault, None if impossible."""

    name: str
    goal: float | None
    languages: tuple[str, ...]
    make: Maker
    finish_reason: str = "stop"

    def seed(self, pair: Pair, language: str, rng: random.Random, others: Sequence[Pair]) -> Candidate | None:
        text = self.make(pair, language, rng, others)
        if text is None or text == pair[1]:
            return None
        return Candidate(source=pair[0], text=text, language=language, finish_reason=self.finish_reason)


def _joiner(language: str) -> str:
    return "" if language in ("zh", "ja", "th") else " "


def _pieces(text: str, language: str) -> list[str]:
    return list(text) if language in ("zh", "ja", "th") else text.split()


def _twice(pair: Pair, language: str, rng: random.Random, others: Sequence[Pair]) -> str:
    return pair[1] + rng.choice((_joiner(language), "\n", " ")) + pair[1]


def _three_times(pair: Pair, language: str, rng: random.Random, others: Sequence[Pair]) -> str:
    return rng.choice((_joiner(language), "\n", " ")).join([pair[1]] * 3)


def _four_times(pair: Pair, language: str, rng: random.Random, others: Sequence[Pair]) -> str | None:
    """A word, or two to four letters where there are no spaces, that stands four times."""
    pieces = _pieces(pair[1], language)
    if language in ("zh", "ja", "th"):
        size = rng.randint(2, 4)
        starts = [i for i in range(len(pieces) - size) if all(piece.isalpha() for piece in pieces[i : i + size])]
        if not starts:
            return None
        start = rng.choice(starts)
        return "".join(pieces[: start + size] + pieces[start : start + size] * 3 + pieces[start + size :])
    words = [i for i, piece in enumerate(pieces) if len(piece) >= 3 and piece.isalpha()]
    if not words:
        return None
    place = rng.choice(words)
    return " ".join(pieces[:place] + [pieces[place]] * 4 + pieces[place + 1 :])


def _mojibake(pair: Pair, language: str, rng: random.Random, others: Sequence[Pair]) -> str | None:
    if sum(ord(character) > 0xBF and character.isalpha() for character in pair[1]) < 2:
        return None
    data = pair[1].encode()
    return rng.choice((data.decode("latin-1"), data.decode("cp1252", "replace")))


_PAGES = ("cp1250", "iso8859-2", "cp1251", "mac_roman", "cp437", "cp850", "koi8-r")


def _other_page(pair: Pair, language: str, rng: random.Random, others: Sequence[Pair]) -> str | None:
    """UTF-8 that was read in another code page than western Europe's; what has no character there is lost."""
    return None if pair[1].isascii() else pair[1].encode().decode(rng.choice(_PAGES), "ignore")


def _alternatives(pair: Pair, language: str, rng: random.Random, others: Sequence[Pair]) -> str | None:
    """The text, a slash, and the text with one word changed or moved: two ways to say it."""
    pieces = _pieces(pair[1].rstrip(".!?。！？"), language)
    if len(pieces) < 3:
        return None
    other = list(pieces)
    place = rng.randrange(len(other))
    if rng.random() < 0.5:
        other[place] = rng.choice(_pieces(rng.choice(others)[1], language))
    else:
        other[place - 1], other[place] = other[place], other[place - 1]
    joiner = _joiner(language)
    return rng.choice((" / ", "/", " / ")).join((joiner.join(pieces), joiner.join(other)))


def _markup(pair: Pair, language: str, rng: random.Random, others: Sequence[Pair]) -> str:
    text = pair[1]
    return rng.choice(
        (
            f"<p>{text}</p>", f"<b>{text}</b>", f"<br>{text}", f'{{"translation": "{text}"}}', f'{{"text": "{text}"}}',
            f'["{text}"]', f"**{text}**", f"- {text}", f"* {text}", f"1. {text}", f"# {text}", f"> {text}",
            f"{text} https://example.org/page", f"[{text}](https://example.org)", f"`{text}`", f"__{text}__",
            f"{text}&nbsp;", f"&quot;{text}&quot;", f"{text} (www.example.com)",
            f'<span lang="{language}">{text}</span>',
        )
    )  # fmt: skip


def _number(pair: Pair, language: str, rng: random.Random, others: Sequence[Pair]) -> str | None:
    """One number that source and text both state becomes another one in the text."""
    english = {word.lower() for word in re.findall(r"[A-Za-z]+|\d+", pair[0])}
    numbers = NUMBERS[language]
    for value, name in rng.sample(sorted(numbers.items()), len(numbers)):
        stated = ENGLISH_NUMBERS[value] in english or str(value) in english
        pattern = rf"(?<!\w){name}(?!\w)" if language not in ("zh", "ja", "th") else re.escape(name)
        if stated and len(re.findall(pattern, pair[1], re.IGNORECASE)) == 1:
            other = rng.choice([number for number in numbers if number != value and str(number) not in english])
            return re.sub(pattern, numbers[other], pair[1], flags=re.IGNORECASE)
    digits = [digit for digit in re.findall(r"(?<![\d.,:])\d{1,4}(?![\d.,:])", pair[1]) if digit in english]
    if not digits:
        return None
    digit = rng.choice(digits)
    return pair[1].replace(digit, str(int(digit) + rng.choice((1, 2, 5, 10))), 1)


_PREAMBLES = (
    "Here is the translation: ", "Sure! Here is the translation in {name}:\n", "Translation: ", "{name} translation: ",
    "Certainly! The translation is: ", "The translated text is: ", "Sure, here's the {name} translation:\n\n",
    "Here's the caption translated into {name}: ", "**Translation:** ", "Translated into {name}: ", "In {name}: ",
    "The sentence in {name} is: ", "{name}: ", "Output: ", "Of course! In {name}, this would be: ",
    "The {name} translation of this sentence is: ", "Answer: ", "Okay, here you go: ", "Translation ({name}): ",
    "This translates to: ", "Final translation: ", "Below is the {name} version:\n",
)  # fmt: skip
_NOTES = (
    " (Note: this is a literal translation.)", "\n\nNote: The word was kept.", " (literally: {source})",
    "\n(Translator's note: informal)", "\n\nExplanation: The verb comes last.", " [Note: informal register]",
    "\n\nLet me know if you need anything else!", " (I have translated it literally.)", " Note: informal.",
    "\n\nThis translation keeps the tone of the original.", "\nI hope this helps!", " (This is the formal version.)",
    "\n\nPlease note that the gender is ambiguous.", "\nAlternatively: {text}", " (informal)", " (formal: {text})",
    "\n*Note: names are left as they are.*", " // informal", "\n\nLiteral translation: {source}",
)  # fmt: skip


def _name(language: str) -> str:
    from florenz.languages.codes import NAMES

    return NAMES[language]


def _preamble(pair: Pair, language: str, rng: random.Random, others: Sequence[Pair]) -> str:
    return rng.choice(_PREAMBLES).format(name=_name(language)) + pair[1]


def _note(pair: Pair, language: str, rng: random.Random, others: Sequence[Pair]) -> str:
    return pair[1] + rng.choice(_NOTES).format(name=_name(language), source=pair[0], text=pair[1])


def _english_refusal(pair: Pair, language: str, rng: random.Random, others: Sequence[Pair]) -> str:
    return rng.choice(
        (
            "I'm sorry, but I can't translate that.", "As an AI language model, I cannot translate this.",
            "I cannot see the image.", "I'm unable to translate this text.", "Please provide the text to translate.",
            "I am not able to help with that request.", "Sorry, I can't assist with that.",
        )
    )  # fmt: skip


def _tail(pair: Pair, language: str, rng: random.Random, others: Sequence[Pair]) -> str | None:
    """The last two words left in English, with the end of the text gone for them."""
    words = pair[0].split()
    pieces = _pieces(pair[1], language)
    cut = 2 if language in SPACED else max(2, len(pieces) // 4)
    if len(words) < 5 or len(pieces) < cut + 2 or any(word[:1].isupper() for word in words[-2:]):
        return None
    return _joiner(language).join(pieces[:-cut]) + " " + " ".join(words[-2:])


def _amid(pair: Pair, language: str, rng: random.Random, others: Sequence[Pair]) -> str | None:
    """Two words in the middle gone for two of the source, which are no names."""
    words, pieces = pair[0].split(), pair[1].split()
    starts = [i for i in range(1, len(words) - 2) if all(re.fullmatch("[a-z]{3,}", one) for one in words[i : i + 2])]
    if not starts or len(pieces) < 7:
        return None
    start, place = rng.choice(starts), rng.randrange(2, len(pieces) - 3)
    return " ".join([*pieces[:place], *words[start : start + 2], *pieces[place + 2 :]])


def make_cut(pair: Pair, language: str, rng: random.Random, others: Sequence[Pair]) -> str | None:
    """Ends in the middle of a word of six letters and more, and then a full stop."""
    pieces = pair[1].rstrip(".!?…").split()
    places = [
        i for i, piece in enumerate(pieces) if i >= 2 and i >= len(pieces) // 2 and len(piece) >= 6 and piece.isalpha()
    ]
    if not places:
        return None
    place = rng.choice(places)
    word = pieces[place]
    return " ".join([*pieces[:place], word[: rng.randint(2, len(word) - 2)]]) + "."


def _cut_off(pair: Pair, language: str, rng: random.Random, others: Sequence[Pair]) -> str:
    return pair[1][:-1]


def _copied(pair: Pair, language: str, rng: random.Random, others: Sequence[Pair]) -> str:
    return pair[0]


def _second_half(pair: Pair, language: str, rng: random.Random, others: Sequence[Pair]) -> str:
    pieces, words = _pieces(pair[1], language), pair[0].split()
    return _joiner(language).join(pieces[: len(pieces) // 2]) + " " + " ".join(words[len(words) // 2 :])


def _first_half(pair: Pair, language: str, rng: random.Random, others: Sequence[Pair]) -> str:
    pieces, words = _pieces(pair[1], language), pair[0].split()
    return " ".join(words[: len(words) // 2]) + " " + _joiner(language).join(pieces[len(pieces) // 2 :])


def _garbled(pair: Pair, language: str, rng: random.Random, others: Sequence[Pair]) -> str:
    place = rng.randrange(len(pair[1]))
    return pair[1][:place] + rng.choice("\ufffd\x00\ue000\x1b") + pair[1][place:]


def _template(pair: Pair, language: str, rng: random.Random, others: Sequence[Pair]) -> str:
    mark = rng.choice(("<|im_end|>", "</s>", "[/INST]", "<|endoftext|>", "<end_of_turn>", "<pad>", "```"))
    return rng.choice((mark + pair[1], pair[1] + mark))


def _loop(pair: Pair, language: str, rng: random.Random, others: Sequence[Pair]) -> str:
    pieces = _pieces(pair[1], language)
    start = rng.randrange(max(1, len(pieces) - 3))
    return _joiner(language).join(pieces[: start + 3] + pieces[start : start + 3] * 5)


def _far_longer(pair: Pair, language: str, rng: random.Random, others: Sequence[Pair]) -> str:
    return _joiner(language).join([pair[1], *(other[1] for other in rng.sample(list(others), 6))])


def _lines(pair: Pair, language: str, rng: random.Random, others: Sequence[Pair]) -> str:
    return pair[1] + "\n" + rng.choice(others)[1]


# A few words in other scripts, as models that know many languages slip into them.
_OTHER_SCRIPTS = {
    "HAN": ("公园", "的", "一个", "女人", "红色"), "CYRILLIC": ("собака", "на", "красный", "человек", "рядом"),
    "ARABIC": ("كلب", "في", "أحمر", "رجل"), "HANGUL": ("공원", "사람", "에서", "빨간"), "THAI": ("สวน", "ผู้หญิง", "และ"),
    "DEVANAGARI": ("कुत्ता", "में", "लाल"), "KANA": ("です", "から", "ベンチ"), "HEBREW": ("כלב", "ליד"),
}  # fmt: skip
_OWN_SCRIPTS = {"ru": ("CYRILLIC",), "uk": ("CYRILLIC",), "zh": ("HAN", "KANA"), "ja": ("HAN", "KANA"),
                "th": ("THAI",), "ar": ("ARABIC",)}  # fmt: skip


def _replaced(text: str, word: str, language: str, rng: random.Random) -> str | None:
    """With one of its words, or two letters where there are no spaces, gone for `word`. Some is left on both sides."""
    pieces = _pieces(text, language)
    size = 1 if language not in ("zh", "ja", "th") else 2
    if len(pieces) < size + 3:
        return None
    place = rng.randrange(1, len(pieces) - size)
    between = rng.choice(("", " ")) if size == 2 else ""
    return _joiner(language).join([*pieces[:place], between + word + between, *pieces[place + size :]])


def _other_script(pair: Pair, language: str, rng: random.Random, others: Sequence[Pair]) -> str | None:
    scripts = [script for script in sorted(_OTHER_SCRIPTS) if script not in _OWN_SCRIPTS.get(language, ())]
    return _replaced(pair[1], rng.choice(_OTHER_SCRIPTS[rng.choice(scripts)]), language, rng)


def make_english_word(pair: Pair, language: str, rng: random.Random, others: Sequence[Pair]) -> str | None:
    words = [word for word in re.findall(r"(?<![\w'’.-])[a-z]+(?![\w'’-])", pair[0]) if len(word) >= 3]
    return _replaced(pair[1], rng.choice(words), language, rng) if words else None


def _more_in_brackets(pair: Pair, language: str, rng: random.Random, others: Sequence[Pair]) -> str | None:
    """A gloss in English, an ending where words have some, or another sentence of the language."""
    pieces, words = _pieces(pair[1], language), re.findall(r"(?<![\w'’.-])[a-z]+(?![\w'’-])", pair[0])
    if len(pieces) < 3 or not words or "(" in pair[0]:
        return None
    left, opening, closing = (" ", "(", ")") if language not in ("zh", "ja") else ("", "（", "）")
    kind = rng.choice(("gloss", "text", "ending") if language in SPACED else ("gloss", "text"))
    if kind == "text":
        return pair[1] + left + opening + rng.choice(others)[1] + closing
    place = rng.randrange(1, len(pieces))
    begin, end = _joiner(language).join(pieces[:place]), _joiner(language).join(pieces[place:])
    if kind == "ending":
        letters = "".join(filter(str.isalpha, rng.choice(others)[1]))
        return f"{begin}({letters[-rng.randint(1, 2) :]}) {end}" if begin[-1].isalpha() else None
    return begin + left + opening + rng.choice(words) + closing + _joiner(language) + end


# Pairs that look alike in most fonts.
_LATIN_LOOKS, _CYRILLIC_LOOKS = "aceiopxyABCEHIKMOPTX", "асеіорхуАВСЕНІКМОРТХ"
_LOOK_ALIKE = str.maketrans(_LATIN_LOOKS + _CYRILLIC_LOOKS, _CYRILLIC_LOOKS + _LATIN_LOOKS)


def _look_alike(pair: Pair, language: str, rng: random.Random, others: Sequence[Pair]) -> str | None:
    """One letter of a word of four letters and more is the other script's."""
    places = [
        place
        for word in re.finditer(r"[^\W\d_]{4,}", pair[1])
        for place in range(*word.span())
        if pair[1][place].translate(_LOOK_ALIKE) != pair[1][place]
    ]
    if not places:
        return None
    place = rng.choice(places)
    return pair[1][:place] + pair[1][place].translate(_LOOK_ALIKE) + pair[1][place + 1 :]


def _word_twice(pair: Pair, language: str, rng: random.Random, others: Sequence[Pair]) -> str | None:
    words = pair[1].split()
    places = [place for place, word in enumerate(words) if word.isalpha()]
    if not places:
        return None
    place = rng.choice(places)
    return " ".join([*words[: place + 1], *words[place:]])


FAULTS: tuple[Fault, ...] = (
    Fault(name="whole text twice", goal=99, languages=MAIN, make=_twice),
    Fault(name="a word four times, zh ja th", goal=95, languages=("zh", "ja", "th"), make=_four_times),
    Fault(name="a word four times, with spaces", goal=None, languages=SPACED, make=_four_times),
    Fault(name="mojibake", goal=98, languages=ACCENTED, make=_mojibake),
    Fault(name="two alternatives A / B", goal=90, languages=MAIN, make=_alternatives),
    Fault(name="markup, JSON, URL, Markdown", goal=98, languages=MAIN, make=_markup),
    Fault(name="a number changed", goal=90, languages=tuple(NUMBERS), make=_number),
    Fault(name="English preamble", goal=95, languages=MAIN, make=_preamble),
    Fault(name="English note", goal=95, languages=MAIN, make=_note),
    Fault(name="English refusal", goal=95, languages=MAIN, make=_english_refusal),
    Fault(name="last two words left in English", goal=85, languages=MAIN, make=_tail),
    Fault(name="cut in a word, then a full stop", goal=None, languages=SPACED, make=make_cut),
    # What nobody listed: seen where a thousand kept and a thousand rejected texts were read ("What was read").
    Fault(name="a word in another script", goal=None, languages=MAIN, make=_other_script),
    Fault(
        name="a word left in English, other scripts", goal=None, languages=tuple(_OWN_SCRIPTS), make=make_english_word
    ),
    Fault(name="more in brackets", goal=None, languages=MAIN, make=_more_in_brackets),
    Fault(name="a letter of another script", goal=90, languages=LOOK_ALIKE, make=_look_alike),
    Fault(name="a word twice", goal=None, languages=SPACED, make=_word_twice),
    Fault(name="two words amid the text left in English", goal=None, languages=SPACED, make=_amid),
    Fault(name="whole text three times", goal=None, languages=MAIN, make=_three_times),
    Fault(name="mojibake of other code pages", goal=None, languages=ACCENTED, make=_other_page),
    # What was caught before any of these were looked for; it must not be lost.
    Fault(name="second half left in English", goal=None, languages=MAIN, make=_second_half),
    Fault(name="first half left in English", goal=None, languages=MAIN, make=_first_half),
    Fault(name="English source handed back", goal=None, languages=MAIN, make=_copied),
    Fault(name="broken character", goal=None, languages=MAIN, make=_garbled),
    Fault(name="chat template", goal=None, languages=MAIN, make=_template),
    Fault(name="three words six times", goal=None, languages=MAIN, make=_loop),
    Fault(name="seven texts instead of one", goal=None, languages=MAIN, make=_far_longer),
    Fault(name="one more line", goal=None, languages=MAIN, make=_lines),
    Fault(name="cut off by the server", goal=None, languages=MAIN, make=_cut_off, finish_reason="length"),
)
# (claimed, true, goal): texts of one language passed off as its neighbour, cut to eight words.
NEIGHBOURS: tuple[tuple[str, str, float], ...] = (
    ("nl", "af", 95), ("sk", "cs", 95), ("es", "gl", 95), ("no", "da", 80), ("da", "no", 80), ("no", "nn", 65),
    ("id", "ms", 30), ("pt", "es", 95), ("es", "pt", 95), ("ru", "uk", 95), ("es", "ca", 95), ("cs", "sk", 95),
)  # fmt: skip
