"""The books say what went in, what came out and why not, and notice what is in neither."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from florenz.pipeline.assemble.books import (
    IN,
    KEPT,
    STEPS,
    Tally,
    from_json,
    imbalances,
    kept_by_source,
    of_source,
    rejected,
    rejected_counts,
    to_json,
    total,
)

OUTCOMES = st.sampled_from([IN, KEPT, rejected("empty"), rejected("truncated")])
ENTRIES = st.tuples(st.sampled_from(STEPS), st.sampled_from(["", "en", "de"]), OUTCOMES)
TALLIES = st.dictionaries(ENTRIES, st.integers(1, 50)).map(Counter)


def balanced(kept: int, rejects: int) -> Tally:
    return Counter({
        ("filter", "de", IN): kept + rejects, ("filter", "de", KEPT): kept, ("filter", "de", rejected("empty")): rejects
    })  # fmt: skip


@given(st.integers(0, 50), st.integers(0, 50))
def test_in_equals_kept_plus_rejected(kept: int, rejects: int) -> None:
    assert imbalances(balanced(kept, rejects)) == []


def test_a_lost_text_is_told_with_its_step_and_language() -> None:
    tally = balanced(3, 2) + Counter({("filter", "de", IN): 1, ("read", "", IN): 2})
    assert imbalances(tally) == ["filter (de): 6 in, 5 kept or rejected", "read: 2 in, 0 kept or rejected"]


def test_a_text_from_nowhere_is_told_too() -> None:
    assert imbalances(Counter({("write", "", KEPT): 1})) == ["write: 0 in, 1 kept or rejected"]


def test_one_language_cannot_make_up_for_another() -> None:
    tally = Counter({("filter", "de", IN): 1, ("filter", "fr", KEPT): 1})
    assert len(imbalances(tally)) == 2


@given(TALLIES)
def test_books_come_back_from_json_as_they_went(tally: Tally) -> None:
    assert from_json(to_json(tally)) == tally


@given(TALLIES)
def test_the_manifest_counts_every_reject_once(tally: Tally) -> None:
    counts = rejected_counts(tally)
    listed = [n for by_reason in counts.values() for by_language in by_reason.values() for n in by_language.values()]
    assert sum(listed) == sum(n for (_, _, outcome), n in tally.items() if outcome not in (IN, KEPT))
    assert counts.get("filter", {}).get("empty", {}).get("de", 0) == tally["filter", "de", rejected("empty")]


def test_what_a_source_keeps_is_told_apart_and_rejected_once() -> None:
    tally: Tally = Counter(
        {("filter", "de", IN): 5, ("filter", "de", KEPT): 3, ("filter", "de", rejected("unlike")): 2}
    )
    for source, kept in (("a of b", 1), ("c", 2)):
        step = of_source("image_text", source)
        tally += Counter({(step, "de", IN): kept + 1, (step, "de", KEPT): kept, (step, "de", rejected("unlike")): 1})
    assert kept_by_source(tally) == [("image_text", "a of b", "de", 2, 1), ("image_text", "c", "de", 3, 2)]
    assert rejected_counts(tally) == {"filter": {"unlike": {"de": 2}}} and imbalances(tally) == []


@given(TALLIES)
def test_a_total_is_over_all_languages(tally: Tally) -> None:
    assert total(tally, "caption", KEPT) == sum(tally["caption", language, KEPT] for language in ("", "en", "de"))
