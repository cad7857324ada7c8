"""The filters, in the order in which they are asked: a text that fails several is counted under the first.

One more filter is one more file and one more line here. A reason is the counter's name as well, so it stays what it is.
"""

from __future__ import annotations

TEXT_CHECKS: tuple[tuple[str, str], ...] = (
    ("empty", "completeness"),
    ("truncated", "completeness"),
    ("control_characters", "control_characters"),
    ("mojibake", "mojibake"),
    ("chat_markup", "chat_markup"),
    ("commentary", "commentary"),
    ("markup", "markup"),
    ("copied_source", "copied_source"),
    ("length_ratio", "length_ratio"),
    ("said_twice", "said_twice"),
    ("alternatives", "alternatives"),
    ("number_conflict", "number_conflict"),
    ("copied_tail", "copied_tail"),
    ("copied_head", "copied_head"),
    ("repetition", "repetition"),
    ("added_brackets", "added_brackets"),
    ("foreign_word", "foreign_word"),
    ("mixed_letters", "mixed_letters"),
)
"""(reason, file): `filters/<file>.py` holds `check_<reason>(candidate, settings) -> Verdict`, and where that pays
`may_be_<reason>(columns, settings)`, which says whom the check need not be asked about (`columns.py`)."""

LANGUAGE_CHECKS = ("wrong_language", "mixed_language")
"""Asked last and of many texts at once, because they need language ID."""

LEARNED_CHECKS = ("misaligned", "cut_word", "untranslated_word")
"""Asked of what all others keep, where a run has pairs enough to learn from (`alignment_check.py`)."""

LISTED_CHECKS = ("added_toxicity", "toxic")
"""Asked only where a recipe names lists of words (`toxicity.py`)."""

REASONS = (*(reason for reason, _ in TEXT_CHECKS), *LANGUAGE_CHECKS, *LEARNED_CHECKS)
