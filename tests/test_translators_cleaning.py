"""What may be cut off an answer, and what must stay."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from florenz.translators import cleaning
from florenz.translators.family_files import family_named

SOURCE = "A red car next to a blue bird."
GERMAN = "Ein rotes Auto neben einem blauen Vogel."
STEPS = family_named("chat").cleaning


def clean_answer(answer: str, source: str) -> str:
    """As the chat family does."""
    return cleaning.clean_answer(answer, source, STEPS)


@pytest.mark.parametrize(
    "answer",
    [
        f"  {GERMAN}\n",
        f"Here is the translation:\n\n{GERMAN}",
        f"Sure! Here's the German translation: {GERMAN}",
        f"Certainly! Here is the caption in German:\n\n{GERMAN}",
        f"**Translation:** {GERMAN}",
        f"Übersetzung: {GERMAN}",
        f"翻译：{GERMAN}",
        f"<think>The user wants\n\nGerman.</think>\n{GERMAN}",
        f"they want German.\n</think>\n\n{GERMAN}",
        f"```\n{GERMAN}\n```",
        f"```text\n{GERMAN}\n```",
        f'"{GERMAN}"',
        f"„{GERMAN}“",
        f"«{GERMAN}»",
        f"「{GERMAN}」",
        f"**{GERMAN}**",
        f"{GERMAN}\n\nNote: 'Vogel' is masculine.",
        f"{GERMAN} (Note: 'Vogel' is masculine.)",
        f"{GERMAN}\n\n**Anmerkung:** Vogel ist männlich.\nNoch eine Zeile.",
        f'Here is the translation:\n```\n"{GERMAN}"\n```\nNote: done.',
    ],
)
def test_only_the_translation_is_left(answer: str) -> None:
    assert clean_answer(answer, SOURCE) == GERMAN


@pytest.mark.parametrize(
    ("source", "answer"),
    [
        ('"Stop"', '"Halt"'),
        ("A sign: Stop", "Ein Schild: Halt"),
        ('"Stop" and "Go" signs: "Stop" and "Go"', '"Halt" und "Los"'),
        ('A sign that says "Stop"', 'Ein Schild mit "Halt"'),
        ("A book titled translation: a guide", "Ein Buch namens Übersetzung: ein Leitfaden"),
        ("A page.\nNote: it is torn.", "Eine Seite.\nHinweis: sie ist zerrissen."),
        ("Two lines.\nOf text.", "Zwei Zeilen.\nMit Text."),
        ("A <b> tag", "Ein <b>-Tag"),
        ("An artist's car", "Das Auto 'n Roll"),
    ],
)
def test_what_the_source_has_too_stays(source: str, answer: str) -> None:
    assert clean_answer(answer, source) == answer


@pytest.mark.parametrize("answer", ["", "  \n", "<think>I never stop thinking", "Translation:", '""', "```\n\n```"])
def test_an_answer_without_a_translation_becomes_empty(answer: str) -> None:
    assert clean_answer(answer, SOURCE) == ""


PIECES = [
    '"',
    "„",
    "“",
    "**",
    "`",
    "```",
    "\n",
    " ",
    "<think>",
    "</think>",
    "Note:",
    "(Note:",
    "Translation:",
    "Sure!",
    "ab",
    "翻译：",
]


@given(st.lists(st.sampled_from(PIECES)).map("".join), st.sampled_from([SOURCE, '"Stop"', "Note: a", ""]))
def test_cleaning_twice_is_cleaning_once_and_never_adds(answer: str, source: str) -> None:
    once = clean_answer(answer, source)
    assert clean_answer(once, source) == once
    assert once in answer.strip() or "think" in answer


@pytest.mark.parametrize(
    "piece", ["\n", " ", "\t\n", "(", "*", '"', "<think>", "</think>", "```\n", "Note", "\n(", "Translation "]
)
def test_an_endless_repetition_is_cleaned_in_no_time(piece: str) -> None:
    start = time.process_time()
    clean_answer("a" + piece * 5_000 + "b", SOURCE)
    clean_answer(piece * 5_000, SOURCE)
    assert time.process_time() - start < 2


def test_a_family_without_steps_loses_white_space_alone() -> None:
    assert cleaning.clean_answer(' "Note: a car"\n', SOURCE, ()) == '"Note: a car"'


def test_only_the_steps_that_a_family_names_are_taken() -> None:
    answer = f'"{GERMAN}"\nNote: "Auto" is neutral.'
    assert cleaning.clean_answer(answer, SOURCE, ("note.1",)) == f'"{GERMAN}"'
    assert cleaning.clean_answer(answer, SOURCE, ("note.1", "quotes.1")) == GERMAN


def test_a_step_keeps_its_version_for_ever() -> None:
    """What was paid for was cleaned by these: a change is a step with another number, beside them."""
    assert {"thoughts.1", "fence.1", "preamble.1", "note.1", "quotes.1"} <= cleaning.STEPS.keys()
