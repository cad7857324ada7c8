"""The chain as a whole: order of reasons, batches, settings, and any string at all."""

import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from filters_examples import CAPTIONS, ENGLISH, SHARED, english_caption, reason_of, translation
from hypothesis import given, settings
from hypothesis import strategies as st

from florenz.filters.chain import FilterChain, text_checks
from florenz.filters.order import LANGUAGE_CHECKS, LEARNED_CHECKS, REASONS, TEXT_CHECKS
from florenz.filters.settings import FilterSettings
from florenz.filters.verdict import Candidate, Verdict

BAD_BUILT_IN = ["", "\x00", "\ud800", "undefined", "<|im_end|>", "a" * 5000, "ab" * 3000, "%s%n", "\u202e"]
BAD_BUILT_IN += ["̴̡͚Z", "𝕿𝖍𝖊", "ⵣ", "👾"]


def string_leaves(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from string_leaves(part)


def shared_bad_text():
    folder = SHARED / "bad_text"
    if not folder.is_dir():
        pytest.skip("shared bad text is absent")
    paths: list[Path] = sorted(folder.rglob("*.json"))
    texts = [text for path in paths for text in string_leaves(json.loads(path.read_text(encoding="utf-8")))]
    return texts + (folder / "blns" / "blns.txt").read_text(encoding="utf-8").splitlines()


def assert_each_has_a_verdict(texts, source, language):
    verdicts = FilterChain()([Candidate(source=source, text=text, language=language) for text in texts])
    assert len(verdicts) == len(texts)
    assert all(verdict.keep is (verdict.reason == "") for verdict in verdicts)
    assert {verdict.reason for verdict in verdicts} <= {"", *REASONS}


@pytest.mark.parametrize("language", ["en", "de", "zh", "ar", "tlh"])
def test_every_built_in_bad_string_gets_a_verdict(language):
    assert_each_has_a_verdict(BAD_BUILT_IN, "", language)
    assert_each_has_a_verdict(BAD_BUILT_IN, ENGLISH, language)


@pytest.mark.parametrize("language", ["en", "de", "zh"])
def test_every_shared_bad_string_gets_a_verdict(language):
    texts = shared_bad_text()
    assert_each_has_a_verdict(texts, "" if language == "en" else ENGLISH, language)


def test_every_shared_bad_string_may_be_a_source():
    texts = shared_bad_text()
    assert len(FilterChain()([translation(CAPTIONS["de"], source=text) for text in texts])) == len(texts)


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(), max_size=80), st.text(st.characters(), max_size=80))
def test_any_pair_of_strings_gets_a_verdict(source, text):
    """The contract of every filter, for one more as well: any text, one of two answers, the same each time."""
    candidate = translation(text, source=source)
    for (reason, _), check in zip(TEXT_CHECKS, text_checks(), strict=True):
        verdict = check(candidate, FilterSettings())
        assert verdict == check(candidate, FilterSettings())
        assert verdict.reason == ("" if verdict.keep else reason)
    assert_each_has_a_verdict([text], source, "de")


def test_endless_answer_gets_a_verdict():
    noise = " ".join(f"{number:x}wort" for number in range(20_000))
    assert reason_of(translation(noise)) == "length_ratio"
    assert_each_has_a_verdict([noise], "", "en")


def test_each_text_is_judged_apart_from_its_batch():
    candidates = [
        translation(CAPTIONS["de"]),
        translation(""),
        translation(CAPTIONS["fr"]),
        translation(CAPTIONS["fr"], "fr"),
        translation("Vor dem Haus parkt ein rotes Auto next to an old house."),
        english_caption(ENGLISH),
    ]
    alone = [FilterChain()([candidate])[0] for candidate in candidates]
    assert FilterChain()(candidates) == alone
    assert FilterChain()(candidates[::-1]) == alone[::-1]
    assert [verdict.reason for verdict in alone] == ["", "empty", "wrong_language", "", "copied_tail", ""]


def test_no_candidates_no_verdicts():
    assert FilterChain()([]) == []


def test_the_first_failing_filter_gives_the_reason():
    assert reason_of(translation("", finish_reason="length")) == "empty"
    assert reason_of(translation(ENGLISH, finish_reason="length")) == "truncated"
    assert reason_of(translation("\x00 </s> " + ENGLISH)) == "control_characters"


def test_a_disabled_reason_is_not_looked_for():
    def verdict_without(*reasons, text):
        return FilterChain(FilterSettings(disabled=reasons))([translation(text)])[0]

    assert verdict_without("copied_source", text=ENGLISH).reason == "wrong_language"
    assert verdict_without("copied_source", "wrong_language", text=ENGLISH).reason == "mixed_language"
    assert verdict_without("copied_source", "wrong_language", "mixed_language", text=ENGLISH) == Verdict(True)


def test_language_checks_come_last():
    assert REASONS[len(TEXT_CHECKS) :] == (*LANGUAGE_CHECKS, *LEARNED_CHECKS)
    assert LANGUAGE_CHECKS == ("wrong_language", "mixed_language")
    assert LEARNED_CHECKS == ("misaligned", "cut_word", "untranslated_word")


def test_misspelt_reason_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match="'wrong_langage', which no filter gives: did you mean 'wrong_language'"):
        FilterSettings(disabled=("wrong_langage",))


@pytest.mark.parametrize(
    ("field", "value"),
    [("confident_language_probability", 0.4), ("min_language_probability", 1.5), ("max_length_factor", 0)],
)
def test_setting_out_of_range_is_named(field, value):
    with pytest.raises(ValueError, match=f"{field} = {value} must lie between"):
        FilterSettings(**{field: value})


def test_chain_travels_to_workers():
    chain = pickle.loads(pickle.dumps(FilterChain(FilterSettings(max_repeats=5))))
    assert chain.settings.max_repeats == 5
    assert chain([english_caption(ENGLISH)]) == [Verdict(True)]


@pytest.mark.parametrize("texts", [[""], ["42"], ["🙂", "..."], []])
def test_a_process_may_begin_with_texts_without_a_letter(texts):
    """A table of scripts is filled as letters are met: a worker's first batch may have none."""
    asked = f"[Candidate(source='A cat.', text=text, language='de') for text in {texts!r}]"
    program = (
        "from florenz.filters.chain import FilterChain\nfrom florenz.filters.verdict import Candidate\n"
        f"print([verdict.reason for verdict in FilterChain()({asked})])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=100)
    assert (done.stderr, done.stdout.strip()) == ("", repr(["empty"] * len(texts)))
