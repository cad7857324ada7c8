"""Leftovers of a chat template or a tokenizer: `<|im_end|>`, `</s>`, `[INST]`, `<loc_52>`, `### Response`.

Only marks that a person would not write in a caption. A mark that stands in the source too is no leftover. So is the
language's own code in front of the text, as some models are asked by it: "de: Ein Hund".
"""

from __future__ import annotations

import re

import numpy as np

from florenz.filters.columns import Columns
from florenz.filters.settings import FilterSettings
from florenz.filters.verdict import KEEP, Candidate, Verdict, reject
from florenz.languages.characters import one_of

_MARKS = re.compile(
    r"<[|｜][^<>|｜\n]{0,40}[|｜]>|<[|｜]|[|｜]>"  # <|im_start|>, <｜Assistant｜>, and what is left of one
    r"|</?(?:s|pad|unk|bos|eos|mask|sep|cls|start_of_turn|end_of_turn|think|thinking|answer|translation|image|img|od|ocr)>"
    r"|<(?:loc|extra_id)_\d+>|<0x[0-9a-f]{2}>"  # Florence-2 places, T5 sentinels, byte tokens
    r"|<2[a-z]{2,3}>|(?-i:\b[a-z]{3}_[A-Z][a-z]{3}\b)"  # languages of MADLAD, of NLLB
    r"|\[/?(?:inst|sys|system|assistant|user|pad|cls|sep|mask|unk|bos|eos|end|src|tgt|source|target|translation)\]"
    r"|<</?sys>>"
    r"|```|^[ \t]{0,8}\#{2,}[ \t]{0,8}\w|\#{3,}\s{0,8}\Z"  # code fences, Markdown headings; bounded, or it costs n²
    r"|^[ \t]{0,8}(?:assistant|user|system|human|ai)[ \t]?[:：]"
    r"|▁|(?-i:Ġ)[^\W_]|(?-i:Ċ)|âĢ|⁇"  # raw sentencepiece and byte-level token spelling, and what it can't spell
    r"|@@(?=\s|\Z)",  # of subword-nmt
    re.IGNORECASE | re.MULTILINE,
)
_SIGNS = one_of("<>[(){`#:：▁ĠĢ|｜_Ċ⁇@]}")  # each mark holds one of them, and few texts do
_LANGUAGE_TAG = re.compile(r"\A\s{0,8}[\[(<{]?([A-Za-z]{2})[\])>}:：]{1,2}\s")


def may_be_chat_markup(columns: Columns, settings: FilterSettings) -> np.ndarray:
    """A text with a sign of a mark."""
    return columns.have(_SIGNS)


def check_chat_markup(candidate: Candidate, settings: FilterSettings) -> Verdict:
    """Rejects a text with a template mark that its source does not hold; the detail quotes the mark."""
    for found in _MARKS.finditer(candidate.text):
        if found.group() not in candidate.source and not _is_maltese(found, candidate):
            return reject("chat_markup", f"{found.group().strip()!r} at character {found.start()}")
    tag = _LANGUAGE_TAG.match(candidate.text)
    if tag and candidate.source and tag.group(1).lower() == candidate.language and tag.group() not in candidate.source:
        return reject("chat_markup", f"{tag.group().strip()!r}, the language's code, in front of the text")
    return KEEP


def _is_maltese(found: re.Match[str], candidate: Candidate) -> bool:
    """Ġ and Ċ are letters of Maltese: they begin words there, and stand within those in capitals. A token's mark
    follows a small letter, too: "RaġelĠxiħ".
    """
    follows_small = candidate.text[: found.start()][-1:].islower()
    return candidate.language == "mt" and found.group()[0] in "ĠĊ" and not follows_small
