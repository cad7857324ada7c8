"""The end of a training in words and pictures: did captioning emerge, and what do the captions look like?"""

import base64
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from model_examples import miniature
from PIL import Image
from shards_dataset import ENGLISH, jpeg_of, write_dataset

from florenz.train.scores.asking import Asking
from florenz.train.scores.scoring import evaluate
from florenz.train.scores.sets import dataset
from florenz.train.scores.sets.contract import Item, Judge, judge_of
from florenz.train.scores.showcase import NUM_SHOWN, PICTURE_PX, Showcase, Shown
from florenz.train.scores.table import markdown, record, screen_table
from florenz.train.scores.texts import PairScores, TextScores
from florenz.train.scores.verdict import verdict


def scores(chrf: float | None, exact: float | None = None, meaning: float | None = None) -> TextScores:
    return TextScores(exact_match=exact, chrf=chrf, language_fidelity=None, meaning=meaning)


def captions(language: str, found: TextScores, *, held_out: bool = False) -> PairScores:
    return PairScores(
        task="caption", language=language, is_held_out=held_out, num_texts=500, num_tokens=1, cross_entropy=0.1,
        with_prefix=found, without_prefix=None, chance=scores(30.0, 0.0),
    )  # fmt: skip


TAUGHT = [captions("en", scores(100.0, 1.0)), captions("de", scores(90.0, 0.9))]


@pytest.mark.parametrize(
    ("chrf", "words"),
    [(89.0, "emerged in French"), (70.0, "emerged in part in French"), (50.0, "did not emerge in French")],
)
def test_a_language_has_emerged_as_far_as_it_is_from_chance_to_what_was_taught(chrf: float, words: str) -> None:
    sentence = verdict([*TAUGHT, captions("fr", scores(chrf, 0.5), held_out=True)])
    assert sentence.startswith(f"Captioning {words} (50%). The model was never shown a caption in these languages")
    assert "of 500 captions of pictures that it has never seen" in sentence
    assert "exactly the dataset's text. Where it was taught to caption: English 100%, German 90%." in sentence


def test_languages_of_each_kind_stand_together() -> None:
    held_out = [("fr", 90.0), ("es", 20.0), ("ru", 88.0)]
    sentence = verdict([*TAUGHT, *(captions(code, scores(chrf, 0.3), held_out=True) for code, chrf in held_out)])
    assert "Captioning emerged in French (30%), Russian (30%); Captioning did not emerge in Spanish (30%)." in sentence


def test_meaning_comes_before_exact_texts_and_chrf_stands_in_for_both() -> None:
    meant = verdict([*TAUGHT, captions("fr", scores(89.0, 0.1, 0.8), held_out=True)])
    assert "French (80%)" in meant and "exactly right in what they say" in meant
    assert "French (chrF 89)" in verdict([*TAUGHT, captions("fr", scores(89.0), held_out=True)])


def test_nothing_emerges_where_what_was_taught_was_not_learned() -> None:
    """The control with a random vision tower: fluent captions of other scenes, alike in all languages."""
    taught = [captions("en", scores(53.0, 0.0, 0.0)), captions("de", scores(45.0, 0.01, 0.01))]
    sentence = verdict([*taught, captions("fr", scores(48.0, 0.0, 0.0), held_out=True)])
    assert sentence.startswith("Captioning was not learned where it was taught (English 0%, German 1%), so nothing can")
    assert "emerged in French" not in sentence and "(French 0%)" in sentence
    learned = [taught[0], captions("de", scores(90.0, 0.6, 0.6))]
    assert "did not emerge" in verdict([*learned, captions("fr", scores(31.0, 0.0, 0.0), held_out=True)])


def test_nothing_is_said_where_nothing_is_held_out_or_taught() -> None:
    assert verdict(TAUGHT) == verdict([captions("fr", scores(89.0), held_out=True)]) == verdict([]) == ""


def test_the_page_escapes_texts_and_holds_its_pictures() -> None:
    showcase = Showcase()
    showcase.add_pictures({"one": jpeg_of(3)})
    showcase.add("one", Shown("en", False, "short", "A car.", " A  car."))
    showcase.add("one", Shown("fr", True, "short", "<b>Une</b> voiture.", "<script>alert(1)</script>"))
    showcase.add("two", Shown("fr", True, "short", "not of it", "not of it"))
    page = showcase.page("A & B", "x < y")
    assert (
        "<script>" not in page and "&lt;script&gt;" in page and "&lt;b&gt;Une" in page and "<h1>A &amp; B</h1>" in page
    )
    assert "not of it" not in page and "http" not in page
    assert page.index("French") < page.index("English")  # held-out ones first
    assert "or of things that it was shown captions of in no language" in page  # English is bold of these
    assert 'class="right"> A  car.' in page and 'class="wrong">&lt;script' in page
    (data,) = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', page)
    with Image.open(io.BytesIO(base64.b64decode(data))) as image, Image.open(io.BytesIO(jpeg_of(3))) as source:
        assert image.size == (PICTURE_PX, PICTURE_PX)
        assert np.abs(np.asarray(image).mean((0, 1)) - np.asarray(source).mean((0, 1))).max() < 3


def test_the_page_shows_the_first_dozen_and_nothing_else() -> None:
    showcase = Showcase()
    for number in range(20):
        showcase.add_pictures({str(number): jpeg_of(number)})
        showcase.add(str(number), Shown("en", False, "short", f"number {number}.", f"number {number}."))
    page = showcase.page("t", "s")
    assert page.count("<img") == NUM_SHOWN and "number 11." in page and "number 12." not in page
    assert Showcase().page("t", "s") == ""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("data")
    write_dataset(str(folder))
    yield str(folder)


def test_scoring_leaves_a_page_beside_the_table(data: str, tmp_path: Path) -> None:
    model, processor = miniature("florence")
    showcase, said = Showcase(), list[str]()
    found = evaluate(model, processor, dataset.Set(folder=data), asking=Asking(max_new_tokens=5), showcase=showcase)
    record(found, str(tmp_path), said.append, showcase=showcase)
    page = (tmp_path / "captions.html").read_text()
    assert page.count("<img") == 3 and page.count("<tr") == 9  # en, de and held-out fr of each picture
    assert ENGLISH in page and f"{tmp_path}/captions.html" in said[-1]
    assert verdict(found.pairs) and verdict(found.pairs) in (tmp_path / "EVALUATION.md").read_text()


@dataclass(frozen=True, kw_only=True)
class Judged(dataset.Set):
    """The dataset's split with somebody who finds every German answer right that has the letter e, and no other."""

    def judge(self) -> Judge:
        def has_e(truth: str, language: str, answer: str) -> bool:
            assert truth == ENGLISH
            return language == "de" and "e" in answer

        return has_e


def test_a_judge_of_the_set_counts_meaning(data: str) -> None:
    model, processor = miniature("florence")
    found = evaluate(model, processor, Judged(folder=data), asking=Asking(max_new_tokens=20))
    asked = {(pair.task, pair.language): pair for pair in found.pairs}
    french, german = asked["caption", "fr"].with_prefix, asked["caption", "de"].with_prefix
    assert french is not None and french.meaning == 0.0 and german is not None and german.meaning is not None
    plain = evaluate(model, processor, dataset.Set(folder=data), asking=Asking(max_new_tokens=20))
    assert judge_of(dataset.Set(folder=data)) is None and all(
        one.with_prefix.meaning is None for one in plain.pairs if one.with_prefix
    )
    for with_judge, without in zip(found.pairs, plain.pairs, strict=True):
        assert with_judge.with_prefix is not None and without.with_prefix == replace(
            with_judge.with_prefix, meaning=None
        )
    assert " meaning " in screen_table(found).splitlines()[1] and " meaning " not in screen_table(plain).splitlines()[1]
    assert "| meaning |" in markdown(found) and "| meaning |" not in markdown(plain)


def test_items_tell_the_english_caption_of_their_style(data: str) -> None:
    items: list[Item] = list(dataset.Set(folder=data).items("heldout"))
    assert {item.truth for item in items} == {ENGLISH}
