"""Texts with context, and by sentence: which way an answer was got is told, and each lands on its own question."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pipeline_examples import caption_row, key_of, recipe_for, translation_row

from benchmarks.stand_in_server import Request, StandInServer, completions, status
from florenz.captioners.florence2 import Settings as Captioner
from florenz.languages.identification import LanguageIdentifier
from florenz.pipeline.answers.current import CurrentAnswers
from florenz.pipeline.answers.ledger import Ledger
from florenz.pipeline.answers.makers import Maker, Makers, translator_fingerprint
from florenz.pipeline.assemble.covering import cover
from florenz.pipeline.assemble.filtering import gather
from florenz.pipeline.recipe import Recipe, Translator
from florenz.recipes.recipe_file import RecipeError
from florenz.translators.answer import Answer
from florenz.translators.client import Client
from florenz.translators.pieces import BY_SENTENCE, CONTEXT_LOST, WITH_CONTEXT, sentences
from florenz.translators.settings import TranslatorSettings
from florenz.translators.stream import Question, Stream


def shout(prompt: str) -> str:
    """Translates "<s>x<|de|>" to "X", marker and all; "mumble" loses the marker, "silence" the text before it."""
    text = prompt.removeprefix("<s>").partition("<|")[0]
    if "mumble" in text:
        return text.replace("###", "").upper()
    return "### (DETAILS)" if "silence ###" in text else text.upper()


@pytest.fixture
def server() -> Iterator[StandInServer]:
    with StandInServer("m", shout) as running:
        yield running


def ask(server: StandInServer, questions: list[Question], **changes: Any) -> list[Answer]:
    settings = TranslatorSettings(
        **{
            "model": "m",
            "prompt": "playground",
            "max_retries": 1,
            "backoff_s": 0.01,
            "prompts_per_request": 4,
            **changes,
        }
    )
    found: dict[int, Answer] = {}

    def keep(asked: Any, answers: Any) -> None:
        for question, answer in zip(asked, answers, strict=True):
            assert question.tag not in found, "answered twice"
            found[question.tag] = answer

    with Stream([Client(server.endpoint, "m", settings)], keep) as stream:
        for number, question in enumerate(questions):
            stream.put(replace(question, tag=number))
        stream.drain()
    return [found[number] for number in range(len(questions))]


def test_context_rides_along_behind_a_marker_and_stays_out_of_the_answer(server: StandInServer) -> None:
    (answer,) = ask(server, [Question(text="a bat", language="de", context="It is night,\nand it flies.")])
    assert server.asked == ["<s>a bat ### (It is night, and it flies.)<|de|>"]
    assert answer == Answer(text="A BAT", finish_reason="stop", detail=WITH_CONTEXT)


@pytest.mark.parametrize(
    ("before", "kept"), [('"A BAT"', "A BAT"), ("„A BAT“ ", "A BAT"), ('A "BAT"', 'A "BAT"'), ("A BAT", "A BAT")]
)
def test_what_stands_before_the_marker_is_cleaned_like_an_answer_without_context(
    server: StandInServer, before: str, kept: str
) -> None:
    family = '{"form": "raw", "user": "{text}", "cleaning": ["quotes.1"]}'
    server.answer = lambda prompt: f"{before} ### (IT IS NIGHT)"
    (answer,) = ask(server, [Question(text="a bat", language="de", context="Night.")], prompt="mine", family=family)
    assert answer == Answer(text=kept, finish_reason="stop", detail=WITH_CONTEXT)


@pytest.mark.parametrize("text", ["mumble", "silence"])
def test_where_marker_or_text_get_lost_it_is_asked_once_more_without(server: StandInServer, text: str) -> None:
    (answer,) = ask(server, [Question(text=text, language="de", context="Details.")])
    assert server.asked == [f"<s>{text} ### (Details.)<|de|>", f"<s>{text}<|de|>"]
    assert answer == Answer(text=text.upper(), finish_reason="stop", detail=CONTEXT_LOST)


def test_a_prompt_that_is_too_long_with_context_is_asked_without(server: StandInServer) -> None:
    refusal = status(400, b'{"error": {"message": "too long"}}')
    server.rule = lambda request: refusal if any("###" in prompt for prompt in request.prompts) else None
    answers = ask(server, [Question(text=f"bat {number}", language="de", context="Details.") for number in range(9)])
    assert [answer.text for answer in answers] == [f"BAT {number}" for number in range(9)]
    assert {answer.detail for answer in answers} == {CONTEXT_LOST}


def test_mixed_questions_each_get_their_own_answer_by_their_own_way(server: StandInServer) -> None:
    kinds = [
        ("plain", "", ""), ("bat", "Details.", WITH_CONTEXT), ("mumble", "Details.", CONTEXT_LOST),
        ("One thing. Another thing. A third.", "", f"{BY_SENTENCE} (3)"), ("sign ### here", "Details.", ""),
    ]  # fmt: skip
    asked = [kinds[number % len(kinds)] for number in range(53)]
    questions = [
        Question(text=f"{number} {text}", language=("de", "fr")[number % 2], context=context)
        for number, (text, context, _) in enumerate(asked)
    ]
    answers = ask(server, questions, max_source_chars=20)
    assert [answer.text for answer in answers] == [question.text.upper() for question in questions]
    assert [answer.detail for answer in answers] == [way for _, _, way in asked]


def test_a_sentence_without_an_answer_costs_its_whole_text_and_no_other(server: StandInServer) -> None:
    server.answer = lambda prompt: "" if "Poison" in prompt else shout(prompt)
    texts = ["Good thing. Poison here. Fine thing.", "Good thing. Fine thing again."]
    bad, good = ask(server, [Question(text=text, language="de") for text in texts], max_source_chars=15)
    assert (bad.text, bad.reason, bad.detail) == ("", "translator_bad_reply", "sentence 2 of 3 got an empty answer")
    assert good.text == texts[1].upper() and good.detail == f"{BY_SENTENCE} (2)"


@pytest.mark.parametrize(
    ("language", "said", "joined"),
    [
        ("zh", ("一只狗。", "两只鸟。"), "一只狗。两只鸟。"),
        ("ja", ("犬が眠る。", "「鳥」"), "犬が眠る。「鳥」"),
        ("zh", ("一只狗", "两只鸟。"), "一只狗 两只鸟。"),  # what ends in no mark is kept apart
        ("ko", ("개가 잔다.", "새가 있다."), "개가 잔다. 새가 있다."),
        ("th", ("สุนัขนอน", "นกสองตัว"), "สุนัขนอน นกสองตัว"),
    ],
)
def test_sentences_stand_in_a_row_as_their_language_writes_them(
    server: StandInServer, language: str, said: tuple[str, str], joined: str
) -> None:
    server.answer = lambda prompt: said["bird" in prompt]
    (answer,) = ask(server, [Question(text="A dog sleeps. Two birds.", language=language)], max_source_chars=20)
    assert (answer.text, answer.detail) == (joined, f"{BY_SENTENCE} (2)")


def test_a_text_that_fits_is_asked_whole(server: StandInServer) -> None:
    ask(server, [Question(text="One thing. Another.", language="de")], max_source_chars=19)
    assert server.asked == ["<s>One thing. Another.<|de|>"]


def too_long(limit: int) -> Any:
    """The model's context: prompts of more characters are refused."""
    refusal = status(400, b'{"error": {"message": "maximum context length"}}')
    return lambda request: refusal if any(len(prompt) > limit for prompt in request.prompts) else None


def test_a_text_that_the_model_has_no_room_for_is_asked_by_sentence(server: StandInServer) -> None:
    server.rule = too_long(40)
    texts = [
        "Short one.",
        "A dog sleeps. Two birds sit there. It is day.",
        "One that has no end and so can't be cut anywhere",
    ]
    first, long, endless = ask(server, [Question(text=text, language="de") for text in texts])
    assert (first.text, first.detail) == ("SHORT ONE.", "")
    assert (long.text, long.reason, long.detail) == (texts[1].upper(), "", f"{BY_SENTENCE} (3)")
    assert (endless.text, endless.reason) == ("", "translator_refused") and "maximum context" in endless.detail


def test_a_sentence_that_is_refused_too_costs_the_text(server: StandInServer) -> None:
    server.rule = lambda request: (
        status(400, b'{"error": {"message": "not this"}}') if any("Poison" in one for one in request.prompts) else None
    )
    bad, good = ask(server, [Question(text=text, language="de") for text in ("Good. Poison here.", "Good. Fine.")])
    assert (bad.text, bad.reason, bad.detail) == ("", "translator_refused", "sentence 2 of 2: HTTP 400: not this")
    assert (good.text, good.detail) == ("GOOD. FINE.", "")


def cut_at(limit: int) -> Any:
    """max_tokens, in characters: longer answers end there, and the server says so."""

    def reply(request: Request) -> None:
        texts = [request.stand_in.answer(prompt) for prompt in request.prompts]
        record = completions([text[:limit] for text in texts])
        for choice, text in zip(record["choices"], texts, strict=True):
            choice["finish_reason"] = "length" if len(text) > limit else "stop"
        request.send_json(record)

    return lambda request: reply


def test_a_text_whose_answer_is_cut_is_asked_again_by_sentence_once(server: StandInServer) -> None:
    server.rule = cut_at(20)
    texts = [
        "Short one.",
        "A dog sleeps. Two birds sit there. It is day.",
        "One that has no end and so can't be cut anywhere",
        "It is day. A sentence that is too long by itself. It is night.",
    ]
    first, long, endless, partly = ask(server, [Question(text=text, language="de") for text in texts])
    assert (first.text, first.finish_reason, first.detail) == ("SHORT ONE.", "stop", "")
    assert (long.text, long.finish_reason, long.detail) == (texts[1].upper(), "stop", f"{BY_SENTENCE} (3)")
    assert (endless.text, endless.finish_reason, endless.detail) == ("ONE THAT HAS NO END", "length", "")
    assert partly.text == "IT IS DAY. A SENTENCE THAT IS T IT IS NIGHT.", "what is left of it is told as cut, not kept"
    assert (partly.finish_reason, partly.detail) == ("length", f"{BY_SENTENCE} (3)")
    assert len(server.asked) == 4 + 3 + 3, "each text, and each sentence of those that have several, once"


def test_context_is_left_out_before_a_cut_answer_is_asked_again_by_sentence(server: StandInServer) -> None:
    server.rule = cut_at(24)
    questions = [
        Question(text=text, language="de", context="Details of all kinds.")
        for text in ("A bat. It flies.", "A bat flies. It is night. A moth sits.")
    ]
    whole, cut = ask(server, questions)
    assert (whole.text, whole.finish_reason, whole.detail) == ("A BAT. IT FLIES.", "stop", WITH_CONTEXT)
    assert (cut.text, cut.detail) == (questions[1].text.upper(), f"{CONTEXT_LOST}; {BY_SENTENCE} (3)")


def test_a_cut_answer_that_an_old_ledger_holds_is_not_asked_again_by_itself(tmp_path: Path) -> None:
    key = key_of(b"x")
    ledger = Ledger(str(tmp_path))
    ledger.append_captions("c" * 16, [caption_row(key, 0)])
    ledger.append_translations("de", "t" * 16, [translation_row(key, 0, "de", text="Ein H", finish_reason="length")])
    makers = Makers(
        captioners={"short": Maker(model="c", fingerprint="c" * 16)},
        translators={"de": (Maker(model="t", fingerprint="t" * 16),)},
    )
    assert CurrentAnswers(ledger, makers, styles=("short",)).missing_translations({key}) == []


def test_context_that_is_too_long_is_left_out_before_a_text_is_cut(server: StandInServer) -> None:
    server.rule = too_long(40)
    questions = [
        Question(text=text, language="de", context="Details of all kinds and sorts.")
        for text in ("A bat. It flies.", "A bat flies here. It is night. A moth sits.")
    ]
    whole, cut = ask(server, questions)
    assert (whole.text, whole.detail) == ("A BAT. IT FLIES.", CONTEXT_LOST)
    assert (cut.text, cut.detail) == (questions[1].text.upper(), f"{CONTEXT_LOST}; {BY_SENTENCE} (3)")


@pytest.mark.parametrize("changes", [{}, {"max_source_chars": 12}])
@pytest.mark.parametrize("every", [1, 2], ids=["all with context", "every second one with context"])
def test_a_list_is_asked_and_kept_as_one_whichever_way_its_texts_go(
    server: StandInServer, every: int, changes: dict[str, Any]
) -> None:
    """Each call is a file of the ledger, and a request of half a list leaves half of the window empty."""
    settings = TranslatorSettings(model="m", prompt="playground", prompts_per_request=32, max_in_flight=1, **changes)
    sizes: list[int] = []
    with Stream([Client(server.endpoint, "m", settings)], lambda asked, answers: sizes.append(len(answers))) as stream:
        for number in range(64):
            context = "Night." if number % every == 0 else ""
            stream.put(Question(text=f"A bat {number}. It flies.", language="de", context=context))
        stream.drain()
    assert sizes == [32, 32]
    assert server.num_requests == 2


def test_sentences_end_where_sentences_end() -> None:
    assert sentences("A cat sits. It sleeps! Does it? Yes…  A dog, e.g. Rex, barks.") == [
        "A cat sits.", "It sleeps!", "Does it?", "Yes…", "A dog, e.g. Rex, barks.",
    ]  # fmt: skip
    assert sentences('He said "Stop." Then Dr. Smith paid 3.50 to St. John.') == [
        'He said "Stop."', "Then Dr. Smith paid 3.50 to St. John.",
    ]  # fmt: skip
    assert sentences("A U.S. Navy ship. George W. Bush on a D.C. street at 9 a.m. Monday. It rains.") == [
        "A U.S. Navy ship.", "George W. Bush on a D.C. street at 9 a.m. Monday.", "It rains.",
    ]  # fmt: skip
    assert sentences("no end at all") == ["no end at all"]


@given(st.text(alphabet="aB .!?\n\"'(3…", max_size=60))
def test_no_word_is_lost_between_sentences(text: str) -> None:
    assert " ".join(sentences(text)).split() == text.split()


# -- in the pipeline --------------------------------------------------------------------------------------------------


def recipe_with(out: Path, **changes: Any) -> Recipe:
    settings = TranslatorSettings(model="org/t", prompt="playground", **changes)
    return recipe_for(out, translator=Translator(settings=settings))


def test_tasks_carry_the_context_of_their_own_image(tmp_path: Path) -> None:
    keys = [key_of(bytes([number])) for number in range(3)]
    recipe = recipe_with(tmp_path, context="detailed")
    rows = [caption_row(key, number, style) for number, key in enumerate(keys) for style in ("short", "detailed")]
    rows[-1] = caption_row(keys[2], 2, "detailed", text=None, reason="x")
    Ledger(recipe.out).append_captions("c" * 16, rows)
    makers = Makers(
        captioners=dict.fromkeys(recipe.styles, Maker(model="c", fingerprint="c" * 16)),
        translators={"de": (Maker(model="t", fingerprint="t" * 16, context="detailed"),)},
    )
    tasks = CurrentAnswers(Ledger(recipe.out), makers, styles=recipe.styles).missing_translations(set(keys))
    context_of = {(task.key, task.style): task.context for task in tasks}
    assert context_of == {
        **{(key, "short"): rows[2 * number + 1].text for number, key in enumerate(keys[:2])},
        **{(key, "detailed"): "" for key in keys[:2]},
        (keys[2], "short"): "",
    }


def test_the_captioner_of_the_context_decides_too_and_without_context_nothing_changes(tmp_path: Path) -> None:
    def print_of(recipe: Recipe) -> str:
        return translator_fingerprint(recipe, recipe.translator.settings)

    plain, with_context = recipe_with(tmp_path), recipe_with(tmp_path, context="detailed")
    other = replace(with_context, captioner=Captioner(model="org/another"))
    assert len({print_of(plain), print_of(with_context), print_of(other)}) == 3
    assert print_of(plain) == print_of(replace(plain, captioner=Captioner(model="org/another")))
    with pytest.raises(RecipeError, match="context has 'detaild'"):
        recipe_with(tmp_path, context="detaild")


def test_a_sample_says_which_way_its_translation_was_got() -> None:
    key = key_of(b"x")
    rows = [translation_row(key, 0, "de", "short", detail=WITH_CONTEXT), translation_row(key, 0, "de", "detailed")]
    captions = [caption_row(key, 0, style) for style in ("short", "detailed")]
    texts = gather(key, "a.jpg", captions, rows, styles=("short", "detailed"), languages=("de",))
    image = cover(
        texts, languages=("de",), held_out=(), captioners=dict.fromkeys(("short", "detailed"), "c"),
        translators={"de": ("t",)}, identifier=LanguageIdentifier(),
    )  # fmt: skip
    notes = {(one.language, one.style): one.notes for one in image.examples}
    assert notes == {
        ("en", "short"): "", ("en", "detailed"): "", ("de", "short"): WITH_CONTEXT, ("de", "detailed"): "",
    }  # fmt: skip
