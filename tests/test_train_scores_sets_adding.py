"""One more evaluation set is one more file: this test writes one into a folder of its own, and edits nothing.

It reads cards.tsv, a line for each picture and language: its path, the language and two right captions.
"""

import importlib
import json
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from contracts.evaluation_set import EvaluationSetSuite, Written
from model_examples import miniature
from shards_dataset import jpeg_of
from training_examples import write_recipe

from florenz.train.data.pictures import decode_picture
from florenz.train.data.processor import Processor
from florenz.train.data.stream import TrainingExample
from florenz.train.evaluate import main
from florenz.train.generate import write
from florenz.train.model.florenz import IGNORED, Florenz
from florenz.train.scores import sets
from florenz.train.scores.asking import Asking
from florenz.train.scores.scoring import evaluate
from florenz.train.scores.sets.contract import Item
from florenz.train.scores.table import screen_table
from florenz.train.scores.texts import chance, score_texts

CARDS = '''
    """cards.tsv: picture, language and two captions of it, a line for each picture and language."""

    import hashlib
    from dataclasses import dataclass
    from itertools import groupby
    from typing import ClassVar

    from florenz.stores import files
    from florenz.train.scores.sets.contract import Item


    @dataclass(frozen=True, kw_only=True)
    class Set:
        """folder: of cards.tsv; the paths in it are relative to it."""

        folder: str
        metrics: ClassVar[tuple[str, ...]] = ("chrf", "language_fidelity")

        def problems(self):
            path = files.join(self.folder, "cards.tsv")
            return [] if files.exists(path) else [f"{path} is missing: get it, and its pictures, from its authors"]

        def version(self):
            return "cards-" + hashlib.sha256(self._content()).hexdigest()[:8]

        def parts(self):
            return {"test": len({row[0] for row in self._rows()})}

        def items(self, part):
            for name, rows in groupby(self._rows(), key=lambda row: row[0]):
                picture = files.read_bytes(files.join(self.folder, name))
                for _, language, *references in rows:
                    yield Item(
                        id=f"{name}/{language}", image=name, picture=picture, task="caption", language=language,
                        style="short", source_text="", references=tuple(references), is_held_out=False,
                        where=files.join(self.folder, name),
                    )

        def _content(self):
            return files.read_bytes(files.join(self.folder, "cards.tsv"))

        def _rows(self):
            return [line.split("\\t") for line in self._content().decode().splitlines()]
'''
ROWS = [
    ("one.jpg", "en", "A red car.", "A car that is red."),
    ("one.jpg", "de", "Ein rotes Auto.", "Ein Auto, das rot ist, steht da."),
    ("two.jpg", "en", "A blue house.", "A house."),
    ("two.jpg", "de", "Ein blaues Haus.", "Ein Haus."),
    ("three.jpg", "de", "Zwei Hunde schlafen.", "Hunde unter einem Baum."),
]
NUM_NEW_TOKENS = 10


def write_cards(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "cards.tsv").write_text("".join("\t".join(row) + "\n" for row in ROWS))
    for number, name in enumerate(("one.jpg", "two.jpg", "three.jpg")):
        (folder / name).write_bytes(jpeg_of(number))
    return folder


@pytest.fixture(scope="module", autouse=True)
def _cards_are_added(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("sets")
    (folder / "cards.py").write_text(textwrap.dedent(CARDS))
    sets.__path__.append(str(folder))
    importlib.invalidate_caches()
    TestCards.module = importlib.import_module("florenz.train.scores.sets.cards")
    yield
    sets.__path__.remove(str(folder))


class TestCards(EvaluationSetSuite):
    needed = ("cards.tsv",)

    @pytest.fixture(scope="class")
    def folder(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return write_cards(tmp_path_factory.mktemp("cards"))

    @pytest.fixture(scope="class")
    def written(self) -> list[Written]:
        return [("caption", row[1], "short", "", row[2:], False) for row in ROWS]


def _example(item: Item, image_px: int) -> TrainingExample:
    assert item.picture is not None
    return TrainingExample(
        key=item.id, task=item.task, language=item.language, style=item.style, source_text="", text="",
        picture_CHW=decode_picture(item.picture, image_px),
    )  # fmt: skip


def _loss(model: Florenz, processor: Processor, example: TrainingExample, text: str) -> tuple[float, int]:
    """Of one right text, in nats per token, and its number of tokens."""
    batch = processor.collate([replace(example, text=text)], learn_prefix=False)
    with torch.inference_mode():
        return float(model(**batch).loss), int((batch["labels"] != IGNORED).sum())


def test_a_model_is_scored_on_it_by_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, processor = miniature("florence")
    recipe, cards = write_recipe(tmp_path), write_cards(tmp_path / "cards")
    for part in (model, processor):
        part.save_pretrained(tmp_path / "out" / "model")
    capsys.readouterr()  # saving has a progress bar
    assert main([str(recipe), "BENCHMARK=cards", f"BENCHMARK_DATA={cards}"]) == 0
    said = capsys.readouterr()
    written = sorted(path.name for path in (tmp_path / "out").iterdir() if path.is_file())
    assert written == [
        "EVALUATION-cards.md",
        "captions-cards.html",
        "evaluation-cards.json",
        "evaluation-cards.png",
    ]
    numbers = json.loads((tmp_path / "out" / "evaluation-cards.json").read_text())
    assert numbers["dataset"].startswith("cards-") and numbers["images"] == {"test": 3}
    rows = [(pair["task"], pair["language"], pair["is_held_out"], pair["num_texts"]) for pair in numbers["pairs"]]
    assert rows == [("caption", "de", False, 3), ("caption", "en", False, 2)]
    assert [pair["with_prefix"]["exact_match"] for pair in numbers["pairs"]] == [None, None]
    assert said.err == "" and f"scores in {tmp_path}/out/evaluation-cards.json" in said.out


def test_both_right_texts_count_and_what_means_nothing_is_left_open(tmp_path: Path) -> None:
    """Answers and losses are found here without the code that scores: by the model itself, one text after the other."""
    model, processor = miniature("florence")
    cards = TestCards.module.Set(folder=str(write_cards(tmp_path / "cards")))
    found = evaluate(model, processor, cards, asking=Asking(max_new_tokens=NUM_NEW_TOKENS), batch_size=2)
    german = found.pairs[0]
    asked = [_example(item, processor.image_px) for item in cards.items("test") if item.language == "de"]
    references = [row[2:] for row in ROWS if row[1] == "de"]
    answers = write(model, processor, asked, max_new_tokens=NUM_NEW_TOKENS)
    assert german.with_prefix == score_texts(answers, references, "de", ("chrf", "language_fidelity"))
    assert german.chance == chance(references, ["short"] * 3, "de", ("chrf", "language_fidelity"))
    assert german.num_texts == 3 and german.with_prefix.exact_match is None
    losses = [
        _loss(model, processor, one, text) for one, texts in zip(asked, references, strict=True) for text in texts
    ]
    num_tokens = sum(number for _, number in losses)
    assert german.num_tokens == num_tokens
    assert german.cross_entropy == pytest.approx(sum(loss * number for loss, number in losses) / num_tokens, rel=1e-5)
    row = next(line for line in screen_table(found).splitlines() if line.startswith("caption/de"))
    assert [row.split()[place] for place in (3, 6, 9)] == ["-"] * 3


def test_a_picture_that_is_none_stops_it_with_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe, cards = write_recipe(tmp_path), write_cards(tmp_path / "cards")
    (cards / "two.jpg").write_bytes(b"no picture")
    for part in miniature("florence"):
        part.save_pretrained(tmp_path / "out" / "model")
    capsys.readouterr()
    assert main([str(recipe), "BENCHMARK=cards", f"BENCHMARK_DATA={cards}"]) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.startswith(f"florenz: {cards}/two.jpg: not a readable image") and err.count("\n") == 1
    assert not list((tmp_path / "out").glob("*valuation*"))
