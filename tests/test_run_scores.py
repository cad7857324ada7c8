"""[filters.quality]: scores of translations by a model of its own, in the ledger, and a threshold that asks nobody."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from pipeline_examples import ROOT, bytes_of, samples_of
from safetensors.torch import load_file, save_file
from scorer_examples import metricx_settings, save_metricx, score_token
from test_run_several_models import CAPTIONER, HEAD, SENTENCES, run_with, translator

from benchmarks.stand_in_server import StandInServer
from florenz.filters.verdict import KEEP
from florenz.pipeline.__main__ import main
from florenz.pipeline.answers.ledger import Ledger
from florenz.pipeline.answers.makers import score_fingerprint
from florenz.pipeline.answers.score_rows import ScoreRow
from florenz.pipeline.assemble.graph import rejects_path
from florenz.pipeline.assemble.rejects import Reject, read_rejects
from florenz.pipeline.assemble.score_rules import ScoreRule, judged
from florenz.pipeline.budget import BudgetUsedUp, parse_budget
from florenz.pipeline.recipe import load_recipe
from florenz.pipeline.run import run
from florenz.scorers.contract import Question
from florenz.scorers.metricx.model import MetricX
from florenz.shards.schema import parse_scores

NUM_TEXTS = 24  # six images in two styles and two languages


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_metricx(tmp_path_factory.mktemp("scorer"))


@pytest.fixture
def server() -> Iterator[StandInServer]:
    with ExitStack() as stack:
        yield stack.enter_context(StandInServer("org/a", lambda prompt: SENTENCES["org/a"][prompt[-4:-2]]))


def quality(model: Path, more: str = "") -> str:
    token = score_token(model)
    return f'[filters.quality]\nmodel = "{model}"\nscore_token_id = {token}\ncpu_threads = 1\nbatch_size = 5\n{more}\n'


def sections(server: StandInServer, *more: str) -> list[str]:
    return [CAPTIONER, translator("org/a", server.endpoint, section="[translator]"), *more]


def rows_in(tmp_path: Path, model: Path) -> list[ScoreRow]:
    ledger, fingerprint = Ledger(str(tmp_path / "out")), score_fingerprint(metricx_settings(model))
    return list(ledger.read_scores("quality", fingerprint).values())


def rejects_in(tmp_path: Path, build: str) -> list[Reject]:
    return read_rejects(rejects_path(str(tmp_path / "out"), build))


def test_scores_stand_in_the_ledger_and_in_the_samples_as_the_model_gives_them(
    server: StandInServer, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = run_with(tmp_path, *sections(server, quality(model)))
    assert "[filters.quality] has no threshold: scores are written" in capsys.readouterr().out
    rows = rows_in(tmp_path, model)
    assert len(rows) == NUM_TEXTS == facts.asked["scores"]
    asked = [Question(source=row.source_text, text=row.text, language=row.language) for row in rows]
    assert [row.score for row in rows] == pytest.approx(MetricX(metricx_settings(model)).score(asked), abs=1e-4)
    of_text = {(row.key, row.style, row.language): row.score for row in rows}
    scored = 0
    for split in ("train", "choose", "val"):
        for key, sample in samples_of(tmp_path / "out", split).items():
            assert all(caption["scores"] == "" for caption in sample["captions"])
            for one in sample["examples"]:
                if one["language"] == "en":
                    assert one["scores"] == ""
                else:
                    expected = of_text[key, one["style"], one["language"]]
                    assert parse_scores(one["scores"]) == {"quality": pytest.approx(expected, abs=1e-4)}
                    scored += 1
    assert scored >= NUM_TEXTS and facts.manifest.rejected.get("filter") is None
    assert facts.manifest.models["scorers"]["quality"]["model"] == str(model)
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["asked"]["scores"] == NUM_TEXTS and report["seconds"]["score"] > 0
    assert [load["model"] for load in report["loads"] if load["step"] == "score"] == [str(model)]


def test_a_rerun_and_a_new_threshold_ask_nothing_and_drop_by_the_score(
    server: StandInServer, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run_with(tmp_path, *sections(server, quality(model)))
    rows = sorted(rows_in(tmp_path, model), key=lambda row: row.score or 0.0)
    threshold = rows[len(rows) // 2].score
    assert threshold is not None and rows[0].score != rows[-1].score
    monkeypatch.setattr(MetricX, "__init__", lambda self, settings: pytest.fail("the scorer was loaded"))
    again = run_with(tmp_path, *sections(server, quality(model)))
    assert again.asked["scores"] == 0 and again.manifest.build == first.manifest.build
    facts = run_with(tmp_path, *sections(server, quality(model, f"threshold = {threshold!r}")))
    assert facts.asked == {"captions": 0, "translations": 0, "scores": 0}
    assert facts.manifest.build != first.manifest.build
    worse = {(row.key, row.style, row.language) for row in rows if (row.score or 0.0) > threshold}
    dropped = [one for one in rejects_in(tmp_path, facts.manifest.build) if one.reason == "low_quality"]
    assert {(one.key, one.style, one.language) for one in dropped} == worse and 0 < len(worse) < NUM_TEXTS
    assert all(one.step == "filter" and f"is above {threshold:g} (lower is better)" in one.detail for one in dropped)
    books = facts.books
    assert sum(books["filter", language, "rejected:low_quality"] for language in ("de", "fr")) == len(worse)


def test_without_the_section_all_is_as_if_there_had_never_been_one(
    server: StandInServer, model: Path, tmp_path: Path
) -> None:
    first = run_with(tmp_path, *sections(server))
    before = bytes_of(tmp_path / "out")
    run_with(tmp_path, *sections(server, quality(model)))
    again = run_with(tmp_path, *sections(server))
    assert again.manifest.build == first.manifest.build and bytes_of(tmp_path / "out") == before
    assert first.asked == {"captions": 12, "translations": NUM_TEXTS} and "scorers" not in first.manifest.models
    assert "quality" not in first.manifest.recipe["filters"]


def test_a_kill_amid_scoring_loses_nothing(
    server: StandInServer, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, broken, plain = tmp_path / "whole", tmp_path / "broken", MetricX.score
    whole.mkdir(), broken.mkdir()
    expected = run_with(whole, *sections(server, quality(model)))
    calls = []

    def dies(self: MetricX, questions: list[Question]) -> list[float]:
        calls.append(len(questions))
        if len(calls) == 4:  # two are proofs
            raise OSError("gone")
        return plain(self, questions)

    monkeypatch.setattr(MetricX, "score", dies)
    with pytest.raises(OSError, match="gone"):
        run_with(broken, *sections(server, quality(model)))
    monkeypatch.setattr(MetricX, "score", plain)
    kept = len(rows_in(broken, model))
    assert 0 < kept < NUM_TEXTS
    server.forget()
    facts = run_with(broken, *sections(server, quality(model)))
    assert facts.asked["scores"] == NUM_TEXTS - kept and server.asked == []
    assert facts.manifest.build == expected.manifest.build and bytes_of(broken / "out") == bytes_of(whole / "out")


def test_two_worker_processes_say_the_same(server: StandInServer, model: Path, tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text("workers = 2\n" + HEAD.format(out=tmp_path / "out") + "".join(sections(server, quality(model))))
    assert run(load_recipe(str(path)), say=print).asked["scores"] == NUM_TEXTS
    rows = rows_in(tmp_path, model)
    asked = [Question(source=row.source_text, text=row.text, language=row.language) for row in rows]
    assert [row.score for row in rows] == pytest.approx(MetricX(metricx_settings(model)).score(asked), abs=1e-3)


def test_a_text_that_has_no_score_is_not_kept_in_silence() -> None:
    rule = ScoreRule(what="quality", reason="low_quality", threshold=5.0, lower_is_better=True)
    assert judged((("quality", 5.0),), KEEP, [rule]).keep
    assert judged((("quality", 5.1),), KEEP, [rule]).reason == "low_quality"
    assert judged((("quality", 4.9),), KEEP, [replace(rule, lower_is_better=False)]).reason == "low_quality"
    assert judged((("quality", None),), KEEP, [rule]).reason == "not_scored"
    assert judged((("quality", None),), KEEP, [replace(rule, threshold=None)]).keep
    assert judged((), KEEP, [rule]).keep, "an English caption is no translation"


def test_a_budget_that_is_used_up_is_gone_on_with(server: StandInServer, model: Path, tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    run_with(tmp_path, *sections(server))
    path.write_text(HEAD.format(out=tmp_path / "out") + "".join(sections(server, quality(model))))
    late = parse_budget("1h", cost_per_hour=None, workers=1, now=0.0)
    with pytest.raises(BudgetUsedUp, match="24 scores .quality. are still to be asked for"):
        run(load_recipe(str(path)), say=print, budget=late)
    assert run(load_recipe(str(path)), say=print).asked["scores"] == NUM_TEXTS


def test_a_plan_counts_scores_to_come(
    server: StandInServer, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(HEAD.format(out=tmp_path / "out") + "".join(sections(server, quality(model))))
    assert main([str(path), "PLAN=1"]) == 0
    assert f"missing    {NUM_TEXTS} scores of {model}, quality: speed unknown" in capsys.readouterr().out
    run_with(tmp_path, *sections(server, quality(model)))
    capsys.readouterr()
    assert main([str(path), "PLAN=1"]) == 0
    told = capsys.readouterr().out
    assert f"missing    0 scores of {model}, quality: " in told and "speed unknown" not in told


def test_a_model_that_can_not_be_loaded_is_told_before_anything_is_paid_for(
    server: StandInServer, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoiled = save_metricx(tmp_path, name="spoiled")
    weights = load_file(spoiled / "model.safetensors")
    del weights["lm_head.weight"]
    save_file(weights, spoiled / "model.safetensors", metadata={"format": "pt"})
    path = tmp_path / "recipe.toml"
    path.write_text(HEAD.format(out=tmp_path / "out") + "".join(sections(server, quality(spoiled))))
    assert main([str(path)]) == 2
    told = capsys.readouterr().err.strip().rpartition("\n")[2]
    assert "[filters.quality] scorer" in told and "1 missing (lm_head.weight)" in told
    assert server.asked == [] and not list((tmp_path / "out" / "ledger").glob("captions/**/*.parquet"))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ('model = "nowhere/at/all"', "there is no model folder 'nowhere/at/all'"),
        ('model = "{model}"\nthreshold = 26', "threshold is 26, and scores of a metricx go from 0 to 25, lower is"),
        ('model = "{model}"\nthreshold = "good"', "[filters.quality] threshold: expected a number"),
        ('model = "{model}"\nkind = "metrix"', "no such kind in scorers/: did you mean 'metricx'"),
        ('model = "{model}"\ntreshold = 5', "unknown key 'treshold' in [filters.quality]: did you mean 'threshold'"),
        ('model = "{model}"\nscore_token_id = 999', "score_token_id is 999, and"),
        ("", "[filters.quality] model is missing"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: str, told: str, server: StandInServer
) -> None:
    path, section = tmp_path / "recipe.toml", "[filters.quality]\n" + changes.format(model=model)
    if "score_token_id" not in section:
        section += f"\nscore_token_id = {score_token(model)}"
    path.write_text(HEAD.format(out=tmp_path / "out") + "".join(sections(server, section)))
    assert main([str(path)]) == 2
    said = capsys.readouterr().err
    assert told in said and said.count("\n") == 1, said
    assert not (tmp_path / "out").exists() and server.asked == []


def test_names_of_own_words_and_of_the_section_do_not_mix(server: StandInServer, model: Path, tmp_path: Path) -> None:
    words = '[[filters.words]]\nname = "low_quality"\npattern = "x"\n'
    path = tmp_path / "recipe.toml"
    path.write_text(HEAD.format(out=tmp_path / "out") + "".join(sections(server, quality(model), words)))
    with pytest.raises(ValueError, match="'low_quality' is a reason of .filters.quality."):
        load_recipe(str(path))
    path.write_text(HEAD.format(out=tmp_path / "out") + "".join(sections(server, words)))
    assert load_recipe(str(path)).scorers == {}


def test_a_rerun_without_the_section_imports_no_model_library() -> None:
    code = (
        "import sys\nfrom florenz.pipeline.run import run\nfrom florenz.pipeline.scoring import score\n"
        "print(sorted({'torch', 'transformers', 'florenz.pipeline.answers.scoring'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
