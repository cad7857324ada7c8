"""A verdict carries the words that caused it: every check's, so that the reject file can be read without the source."""

import re

import pytest
from alignment_examples import made_pairs
from filters_examples import CAPTIONS, ENGLISH, translation

from florenz.filters import alignment_check
from florenz.filters.alignment_check import learn_table
from florenz.filters.chain import FilterChain
from florenz.filters.order import REASONS
from florenz.filters.verdict import quoted

GERMAN = CAPTIONS["de"]
NUMBERS = ("Three dogs run over the grass.", "Vier Hunde laufen über das Gras.")
EXAMPLES = {
    "empty": translation("... !"),
    "truncated": translation("Ein rotes Auto parkt neben", finish_reason="length"),
    "control_characters": translation(GERMAN.replace("Auto", "Au\ufffdo")),
    "mojibake": translation("Ein kleines Auto für Männer.".encode().decode("cp1252")),
    "chat_markup": translation(GERMAN + "<|im_end|>"),
    "commentary": translation("Here is the translation: " + GERMAN),
    "markup": translation(f"<b>{GERMAN}</b>"),
    "copied_source": translation(ENGLISH),
    "length_ratio": translation(" ".join(f"{GERMAN} {number}" for number in range(9))),
    "said_twice": translation(f"{GERMAN} {GERMAN}"),
    "alternatives": translation(f"{GERMAN} / Ein rotes Auto steht neben einem alten Haus."),
    "number_conflict": translation(NUMBERS[1], source=NUMBERS[0]),
    "copied_tail": translation("Ein rotes Auto parkt neben einem old house."),
    "copied_head": translation("A red car parkt neben einem alten Haus."),
    "repetition": translation("Ein rotes Auto parkt parkt parkt parkt parkt neben einem Haus."),
    "added_brackets": translation("Ein rotes Auto (car) parkt neben einem alten Haus."),
    "foreign_word": translation("Ein rotes Auto parkt neben einem 老的 Haus."),
    "mixed_letters": translation("Ein rotes Аuto parkt neben einem alten Haus."),  # a Cyrillic А
    "wrong_language": translation(CAPTIONS["fr"]),
    "mixed_language": translation("Ein rotes Auto parkt heute next to an alten Haus."),
    "cut_word": translation("Das rot Schiff liegt am alt Was.", source="The red ship lies by the old water."),
    "untranslated_word": translation(
        "Das rot Schiff liegt am old Wasser.", source="The red ship lies by the old water."
    ),
    "misaligned": translation(
        "Der Kellner bringt allen Gästen die Suppe.", source="The red car stands by the old wall 7."
    ),
}


@pytest.fixture(scope="module")
def tables():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alignment_check, "MIN_PAIRS", 1_500)
        return {"de": learn_table(made_pairs(1_600), "de")}


def test_every_reason_has_an_example():
    assert set(EXAMPLES) == set(REASONS)


@pytest.mark.parametrize("reason", REASONS)
def test_the_words_at_fault_stand_in_the_detail(reason, tables):
    candidate = EXAMPLES[reason]
    verdict = FilterChain()([candidate], tables)[0]
    assert verdict.reason == reason
    quotations = [one or other for one, other in re.findall(r"'((?:[^'\\]|\\.)+)'|\"([^\"]+)\"", verdict.detail)]
    text = f"{candidate.text!r} {candidate.source!r}".casefold()
    assert any(all(word in text for word in one.casefold().split()) for one in quotations), verdict.detail
    assert len(verdict.detail) < 300 and "\n" not in verdict.detail


def test_a_quotation_is_short_and_on_one_line():
    assert quoted("  one\ntwo ") == r"'one\ntwo'"
    assert len(quoted("word " * 1000)) < 70
