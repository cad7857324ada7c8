"""Words about the answer instead of the answer: "Here is the translation:", notes, alternatives, refusals.

Three signs. Phrases, in English and in a few of the languages models like to answer in; they are matched with the colon
or the bracket that makes them a preamble, so that "Here is the dog" stays. Words for "translate" and "language model"
in some eighty languages (`translation_words.py`), where the source speaks neither of a language nor of translating:
"Es tut mir leid, ich kann das nicht übersetzen." And lines: a one-line caption has a one-line translation, so more
lines than the source has are explanations or alternatives, whatever the language.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from florenz.filters.columns import Columns
from florenz.filters.settings import FilterSettings
from florenz.filters.translation_words import TRANSLATION_WORDS, translation_word
from florenz.filters.verdict import KEEP, Candidate, Verdict, quoted, reject
from florenz.filters.words import ENGLISH_ONLY, ends_of, folded_words
from florenz.languages.characters import CharacterTable
from florenz.languages.codes import NAMES, SOURCE

_PREAMBLE = re.compile(
    r"^[\W_]{0,40}(?:"
    # "Here is the translation:", "Sure, here's the caption in German:" - up to the colon
    r"(?:sure|certainly|of course|okay|ok|absolutely)[,!.]\s*(?:here|the|this|i)\b"
    r"|(?:here is|here['’]s|here are|below is|this is|the following is)\b[^:：\n]{0,60}"
    r"\b(?:translat|caption|descri|version)\w*[^:：\n]{0,60}[:：]"
    r"|(?:the |my )?(?:\w{1,40} )?(?:translation|translated text|translated caption|caption|answer|output|result)"
    r"(?: (?:in|into|to|is)\b[^:：\n]{0,30})?\s*[:：]"
    r"|(?:english|german|french|spanish|russian|chinese|czech|italian|polish|portuguese|dutch|turkish|ukrainian|japanese|korean)\s*[:：]"
    r"|hier ist die [^:\n]{0,30}übersetzung|(?:die )?(?:deutsche )?übersetzung\s*[:：]"
    r"|voici (?:la|une) traduction|(?:la )?traduction(?: française)?\s*[:：]"
    r"|aquí (?:está|tienes|tiene) la traducción|(?:la )?traducción\s*[:：]"
    r"|ecco la traduzione|traduzione\s*[:：]|(?:aqui está a )?tradução\s*[:：]|hier is de vertaling|vertaling\s*[:：]"
    r"|вот перевод|перевод\s*[:：]|ось переклад|переклад\s*[:：]|zde je překlad|překlad\s*[:：]"
    r"|oto tłumaczenie|tłumaczenie\s*[:：]|(?:işte )?çeviri(?:si)?\s*[:：]"
    r"|以下是.{0,12}(?:翻译|翻譯|译文)|(?:翻译|翻譯|译文|譯文|中文)\s*[:：]|以下は.{0,12}翻訳|(?:翻訳|日本語)\s*[:：]"
    r")",
    re.IGNORECASE,
)
_NOTE = re.compile(
    r"[(\[\n*][ \t*_]{0,8}+(?:translator['’]s )?(?:note|nb|n\.b\.|explanation|anmerkung|hinweis|remarque|nota"
    r"|примечание|примітка|poznámka|uwaga|opmerking|注意?|説明|备注)\s*[:：]"
    r"|\bas an ai\b|\b(?:large )?language model\b"
    r"|\bi(?: a|['’])m (?:unable|not able) to (?:translate|see|view|provide)\b"
    r"|\bi (?:cannot|can['’]t) (?:translate|view|see the image|provide)\b",
    re.IGNORECASE,
)


# What only an answer about a translation holds: asked of translations alone, as a caption may tell of a sign in German.
_LANGUAGES = "|".join(sorted({name.lower() for name in NAMES.values()} | {"mandarin", "farsi", "target language"}))
_ABOUT_A_TRANSLATION = re.compile(
    r"^[\W_]{0,40}(?:"
    # "In German:", "The sentence in German is:", "Of course! In Chinese, this would be:", "German (informal):"
    rf"(?:[a-z'’]{{1,15}}[ ,!.]{{1,2}}){{0,8}}(?:{_LANGUAGES})\b[^:：\n]{{0,40}}[:：]"
    # "This translates to:", "Translation (German):", "Okay, here you go:", "Final answer:"
    r"|(?:[a-z'’]{1,15}[ ,!.]{1,2}){0,8}(?:translat(?:ion|ed|es|e)|version|answer|output|here you go|here it is)"
    r"\b[^:：\n]{0,40}[:：]"
    r")"
    r"|[(\[（][^()\[\]（）\n]{0,60}\b(?:in)?formal\b|\b(?:in)?formal(?: version| register)?\s{0,2}[:：]"
    r"|[(\[（]\s{0,2}lit(?:eral(?:ly)?)?\b[.:：]?"
    r"|(?:^|[.!?。！？…\n)*_»”’\x22])[ \t*_(\[]{0,8}+(?:(?:please )?note(?: that)?|explanation|alternatively"
    r"|literal(?:ly| translation)|translation|n\.?b)\b[ \t]{0,2}(?:[:：,]|that\b|\*)"
    r"|\bthis translation\b|\blet me know\b|\bhope (?:this|that|it) helps\b|\s//\s"
    # What a prompt writes in front of an answer, and pleasantries that are no words of the text's own.
    r"|^[\W_]{0,40}(?:(?:final |target |source |model )?(?:target|text|response|reply|thinking|thoughts?|reasoning"
    r"|description|attempt)|step \d{1,2})\s?[:：]|^[\W_]{0,40}(?:sure|certainly)[!.]\s"
    r"|^[\W_]{0,40}(?:here is|here['’]s|here are)\b[^:：\n]{0,60}[:：]",
    re.IGNORECASE,
)
_OF_LANGUAGES = re.compile(r"translat|interpret|\blanguage|linguist", re.IGNORECASE)
_BRACKETS = re.compile(r"[(\[（]([^()\[\]（）\n]{3,200})[)\]）]")


# Each pattern wants one of these, most of all a colon or a bracket, and few texts have any.
_SIGNS = (
    *(":", "(", "[", "//", "note", "translat", "nb", "n.b", "sure", "ok,", "ok.", "ok!", "okay", "literal", "able to"),
    *("cannot", "can't", "can’t", "as an ai", "language model", "certainly", "of course", "absolutely", "explanation"),
    *("alternatively", "let me know", "hope ", "voici", "hier is", "aquí", "ecco", "вот", "ось", "překlad", "tłumacz"),
    "以下",
)
_ANY_SIGN = "|".join(map(re.escape, (*_SIGNS, *TRANSLATION_WORDS)))
_LINE_ENDS = CharacterTable(lambda character: len(f"a{character}a".splitlines()) > 1)


def may_be_commentary(columns: Columns, settings: FilterSettings) -> np.ndarray:
    """A text with a sign (brackets are one) or a word for translating, or of several lines."""
    return columns.match(_ANY_SIGN) | columns.have(_LINE_ENDS)


def check_commentary(candidate: Candidate, settings: FilterSettings) -> Verdict:
    """Rejects a text that talks about itself. A phrase that stands in the source too is content, not commentary."""
    text = ends_of(candidate.text)
    for pattern in _patterns(candidate):
        found = pattern.search(text)
        if found and not pattern.search(candidate.source) and not _is_in_source(found.group(), candidate):
            return reject("commentary", f"{found.group().strip()!r} at character {found.start()}")
    if candidate.language != SOURCE and (remark := _english_remark(candidate)):
        return reject("commentary", f"English in brackets: {remark[:60]!r}")
    if word := _translation_word(candidate):
        return reject("commentary", f"{word!r} speaks of a translation, and the source does not")
    lines = candidate.text.splitlines()
    if candidate.source and len(lines) > 1 and _num_filled(lines) > max(1, _num_filled(candidate.source.splitlines())):
        num_lines, last = _num_filled(lines), next(line for line in reversed(lines) if line.strip())
        in_source = _num_filled(candidate.source.splitlines())
        return reject("commentary", f"{num_lines} lines, the source has {in_source}; the last is {quoted(last)}")
    return KEEP


def _patterns(candidate: Candidate) -> Sequence[re.Pattern[str]]:
    """Those that may match."""
    if not _has_sign(candidate.folded):
        return ()
    return (_PREAMBLE, _NOTE, _ABOUT_A_TRANSLATION) if candidate.source else (_PREAMBLE, _NOTE)


def _is_in_source(phrase: str, candidate: Candidate) -> bool:
    """Amid the source, in any case: "Text: rea i ett fönster" of "A text: sale on a window"."""
    return phrase.strip().casefold() in candidate.source.casefold()


def _has_sign(text: str) -> bool:
    """Whether a folded text has one of the signs that each pattern wants."""
    return any(sign in text for sign in _SIGNS)


def _translation_word(candidate: Candidate) -> str:
    """A word for translating, or for a language model, that the source gives no reason for; "" if there is none."""
    if not candidate.source or candidate.language == SOURCE or _OF_LANGUAGES.search(candidate.source):
        return ""
    return translation_word(ends_of(candidate.folded))


def _english_remark(candidate: Candidate) -> str:
    """What stands in brackets that the source does not have, in words that only English has; "" if nothing does."""
    if ENGLISH_ONLY.isdisjoint(candidate.words) or any(bracket in candidate.source for bracket in "([（"):
        return ""
    remarks = (found.group(1) for found in _BRACKETS.finditer(candidate.text))
    return next((remark for remark in remarks if not ENGLISH_ONLY.isdisjoint(folded_words(remark))), "")


def _num_filled(lines: Sequence[str]) -> int:
    return sum(1 for line in lines if line.strip())
