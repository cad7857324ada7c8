"""candidates = N: what a score finds too bad is asked again with other sampling, and the best of N is kept."""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from pipeline_examples import samples_of
from scorer_examples import metricx_settings, save_metricx
from test_run_scores import quality, rejects_in, rows_in, sections
from test_run_several_models import CAPTIONER, HEAD, SENTENCES, run_with, translator

from benchmarks.stand_in_server import StandInServer
from florenz.pipeline.__main__ import main
from florenz.pipeline.recipe import load_recipe
from florenz.pipeline.run import run
from florenz.recipes.recipe_file import RecipeError
from florenz.scorers.contract import Question
from florenz.scorers.metricx.model import MetricX

VARIANTS = {
    "de": (
        "Ein rotes Auto steht am Fluss.",
        "Am Ufer des Flusses steht ein Auto.",
        "Das rote Auto steht hier am Fluss.",
    ),
    "fr": (
        "Une voiture rouge est près de la rivière.",
        "La voiture est là, près de la rivière.",
        "Une voiture est ici.",
    ),
}
NUM_TEXTS, CANDIDATES = 24, 3


class Sampling:
    """A server whose answers depend on the seed, and what it was asked with."""

    def __init__(self, server: StandInServer) -> None:
        self.server, self.seed = server, 0
        self.seen: Counter[tuple[int, float]] = Counter()
        server.rule = self.note  # type: ignore[assignment]
        server.answer = lambda prompt: VARIANTS[prompt[-4:-2]][self.seed]

    def note(self, request: Any) -> None:
        """All requests of a pass have one seed, and passes come one after the other."""
        self.seed = request.body["seed"]
        self.seen[self.seed, request.body["temperature"]] += len(request.prompts)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_metricx(tmp_path_factory.mktemp("scorer"))


@pytest.fixture
def sampling() -> Iterator[Sampling]:
    with ExitStack() as stack:
        yield Sampling(stack.enter_context(StandInServer("org/a", lambda prompt: SENTENCES["org/a"][prompt[-4:-2]])))


def texts_in(tmp_path: Path) -> dict[tuple[str, str, str], tuple[str, str]]:
    """(key, style, language) -> text and notes of what was translated."""
    return {
        (key, one["style"], one["language"]): (one["text"], one["notes"])
        for split in ("train", "choose", "val")
        for key, sample in samples_of(tmp_path / "out", split).items()
        for one in sample["examples"]
        if one["task"] == "translation"
    }


def test_the_best_of_several_is_kept_and_nothing_is_paid_for_twice(
    sampling: Sampling, model: Path, tmp_path: Path
) -> None:
    run_with(tmp_path, *sections(sampling.server, quality(model)))
    first = {(row.key, row.style, row.language): row for row in rows_in(tmp_path, model)}
    threshold = sorted(row.score or 0.0 for row in first.values())[NUM_TEXTS // 3]
    bad = {place: row for place, row in first.items() if (row.score or 0.0) > threshold}
    assert 0 < len(bad) < NUM_TEXTS
    sampling.seen.clear()

    again = quality(model, f"threshold = {threshold!r}\ncandidates = {CANDIDATES}\ntemperature = 0.9")
    facts = run_with(tmp_path, *sections(sampling.server, again))
    assert facts.asked == {"captions": 0, "translations": 0, "scores": 2 * len(bad), "candidates": 2 * len(bad)}
    asked = {pair: number for pair, number in sampling.seen.items() if pair[0]}
    assert asked == {(1, 0.9): len(bad), (2, 0.9): len(bad)}, "the rest is the proof that the server speaks"

    scorer, kept, dropped = MetricX(metricx_settings(model)), texts_in(tmp_path), {}
    for reject in rejects_in(tmp_path, facts.manifest.build):
        assert reject.reason == "low_quality"
        dropped[reject.key, reject.style, reject.language] = reject.text
    changed = 0
    for place, row in first.items():
        variants = VARIANTS[row.language] if place in bad else (row.text,)
        asks = [Question(source=row.source_text, text=text, language=row.language) for text in variants]
        scores = [round(score, 4) for score in scorer.score(asks)]
        best = scores.index(min(scores))
        changed += best > 0
        if scores[best] > threshold:
            assert dropped[place] == variants[best]
        else:
            assert kept[place] == (variants[best], f"asked again, answer {best + 1}" if best else "")
    assert changed, "where the first is always the best, this proves nothing"
    assert len(kept) + len(dropped) == NUM_TEXTS

    sampling.seen.clear()
    build = facts.manifest.build
    nothing = {"captions": 0, "translations": 0, "scores": 0, "candidates": 0}
    facts = run_with(tmp_path, *sections(sampling.server, again))
    assert facts.asked == nothing and facts.manifest.build == build and not sampling.seen
    fewer = again.replace("candidates = 3", "candidates = 2")
    assert run_with(tmp_path, *sections(sampling.server, fewer)).asked == nothing
    loose = again.replace(f"threshold = {threshold!r}", "threshold = 25")
    assert run_with(tmp_path, *sections(sampling.server, loose)).asked == nothing
    assert {place: text for place, (text, _) in texts_in(tmp_path).items()} == {
        place: row.text for place, row in first.items()
    }, "what is good enough stays as it was first said"
    assert not sampling.seen


def test_it_is_planned_reported_and_asked_again_by_retry(
    sampling: Sampling, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    all_bad = quality(model, "threshold = 0\ncandidates = 2")
    run_with(tmp_path, *sections(sampling.server, quality(model, "threshold = 25")))
    path = tmp_path / "recipe.toml"
    path.write_text(HEAD.format(out=tmp_path / "out") + "".join(sections(sampling.server, all_bad)))
    assert main([str(path), "PLAN=1"]) == 0
    assert "missing    12 candidates of org/a, de (German)" in capsys.readouterr().out
    facts = run(load_recipe(str(path)), say=print)
    assert facts.asked["candidates"] == NUM_TEXTS == len(rejects_in(tmp_path, facts.manifest.build))
    assert "24 candidates" in capsys.readouterr().out
    facts = run(load_recipe(str(path)), say=print, retry="low_quality")
    forgotten = facts.asked["translations"] + facts.asked["candidates"]
    assert forgotten == NUM_TEXTS and facts.asked["candidates"] > 0, "of each text the answer that was dropped"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("candidates = 4", "candidates is 4, and there is no threshold"),
        ("threshold = 5\ncandidates = 0", "candidates is 0: choose at least 1"),
        ("threshold = 5\ncandidates = 400", "candidates is 400: choose at most 32"),
        ("threshold = 5\ncandidates = 2\ntemperature = 0", "temperature is 0"),
        ('threshold = 5\ncandidates = 2\n[[rephrasers]]\nmodel = "org/r"\nlanguages = ["de"]', "keep one of both"),
    ],
)
def test_bad_input_is_one_line(model: Path, tmp_path: Path, more: str, told: str) -> None:
    path, one = tmp_path / "recipe.toml", translator("org/a", "http://127.0.0.1:9/v1", section="[translator]")
    path.write_text(HEAD.format(out=tmp_path / "out") + CAPTIONER + one + quality(model, more))
    with pytest.raises(RecipeError) as refused:
        load_recipe(str(path))
    assert len(refused.value.problems) == 1 and told in str(refused.value)
