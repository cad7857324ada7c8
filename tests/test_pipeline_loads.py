"""How full a model was: counted by its askers, told in the report, and a dash where nothing was measured."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import apache_beam as beam
import pytest
from test_pipeline_answers_translation import recipe_with, tasks
from test_pipeline_report import facts, rejects

from benchmarks.stand_in_server import StandInServer
from florenz.pipeline.answers.busy import SHORT_S, Busy, Meter, collect, joined, leave, together
from florenz.pipeline.answers.graphs import run_translation
from florenz.pipeline.assemble.graph import rejects_path
from florenz.pipeline.assemble.rejects import write_rejects
from florenz.pipeline.loads import model_load
from florenz.pipeline.report import MAX_SPANS, few, write_report, write_report_again
from florenz.reports.loads import ModelLoad, load_rows
from florenz.translators.load import ServerLoad

SERVED = ServerLoad(seconds=10, running=90.5, queued=7.25, idle=0.1, answer_tokens=500, prompt_tokens=900)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def note(worker: str = "a", **changes: float) -> Busy:
    return Busy(worker=worker, **{"in_flight_s": 30.0, "busy_s": 4.0, **changes})  # type: ignore[arg-type]


def test_a_meter_integrates_what_is_in_flight() -> None:
    clock = Clock()
    meter = Meter(clock)
    for at, more in ((1.0, 10), (3.0, -5), (4.0, -5), (9.0, 1), (10.0, -1)):
        clock.now = at
        meter.add(more)
    found = meter.busy(answer_tokens=7)
    assert (found.in_flight_s, found.busy_s, found.answer_tokens) == (2 * 10 + 5 + 1, 3 + 1, 7)


def test_a_meter_says_when_it_was_busy_without_gaps_that_are_too_short_to_count() -> None:
    clock = Clock()
    meter = Meter(clock)
    for at, more in ((1.0, 2), (2.0, -1), (3.0, -1), (3.0 + SHORT_S / 2, 1), (4.0, -1), (9.0, 1)):
        clock.now = at
        meter.add(more)
    clock.now = 9.5
    assert meter.busy().spans == ((1.0, 4.0), (9.0, 9.5))
    assert joined([(5.0, 6.0), (0.0, 4.0), (1.0, 2.0)]) == [(0.0, 4.0), (5.0, 6.0)]
    assert joined([(0.0, 4.0), (5.0, 6.0)], gap_s=1.0) == [(0.0, 6.0)]


def test_a_report_says_when_a_model_was_busy_in_few_words() -> None:
    spans = [(float(at), at + 0.5 + (at % 2) / 4) for at in range(5000)]
    assert len(few(spans)) <= MAX_SPANS and few(spans[:10]) == spans[:10]


def test_notes_are_added_up_once_and_those_of_other_steps_stay(tmp_path: Path) -> None:
    out = str(tmp_path)
    for step, one in (("translate", note()), ("translate", note("b")), ("caption", note())):
        leave(out, step, one)
    (tmp_path / "ledger" / "busy" / "translate-x.json").write_text("{")
    assert sorted(one.worker for one in collect(out, "translate")) == ["a", "b"]
    assert collect(out, "translate") == [] and len(collect(out, "caption")) == 1


def test_idle_is_told_of_models_of_their_own_and_not_of_a_server_that_several_ask() -> None:
    own = together([note(), note(), note("b", busy_s=2.0)], 10.0, is_shared=False)
    assert own is not None and own.in_flight == 9.0 and own.idle == pytest.approx(1 - 10 / 20)
    shared = together([note(), note("b")], 10.0, is_shared=True)
    assert shared is not None and shared.idle is None
    assert together([], 10.0, is_shared=False) is None


def test_the_servers_own_word_goes_before_ours_and_what_nobody_said_is_none() -> None:
    both = model_load("translate", "org/m", 10.0, [note(answer_tokens=50, prompt_tokens=80)], SERVED, is_shared=True)
    assert (both.tokens_per_s, both.asked_tokens_per_s, both.in_flight) == (5.0, 8.0, 3.0)
    assert (both.running, both.queued, both.idle) == (90.5, 7.25, 0.1)
    silent = model_load("translate", "org/m", 10.0, [note()], SERVED, is_shared=True)
    assert silent.tokens_per_s == 50.0, "its replies count nothing, its metrics do"
    nothing = model_load("caption", "org/c", 10.0, [], is_shared=False)
    assert nothing == ModelLoad(step="caption", model="org/c", seconds=10.0)
    assert load_rows([nothing, both]) == [
        ("caption", "org/c", "10.0", "-", "-", "-", "-", "-", "-"),
        ("translate", "org/m", "10.0", "5.0", "8.0", "3.0", "90.5", "7.2", "10%"),
    ]


@pytest.fixture
def server() -> Iterator[StandInServer]:
    with StandInServer("org/m", lambda prompt: f"ein Satz {sum(prompt.encode())}") as running:
        yield running


def test_the_translate_step_notes_its_window_and_the_tokens_that_the_server_counts(
    server: StandInServer, tmp_path: Path
) -> None:
    recipe = recipe_with(tmp_path, [server])
    run_translation(recipe, beam.Create(tasks(200)), [server.endpoint], None)
    (found,) = collect(recipe.out, "translate")
    assert found.answer_tokens == 3 * 200, "a token is a word there"
    assert found.in_flight_s > found.busy_s > 0


def test_a_second_bundle_counts_its_own_tokens_alone(server: StandInServer, tmp_path: Path) -> None:
    from florenz.pipeline.answers.translation import Translate

    recipe = recipe_with(tmp_path, [server])
    settings = recipe.translator.settings
    step = Translate(settings, endpoints=[server.endpoint], out=recipe.out, fingerprint="f" * 16, progress=None)
    step.setup()
    for asked in (tasks(20), tasks(8)):
        step.start_bundle()
        for task in asked:
            step.process(task)
        step.finish_bundle()
    step.teardown()
    assert sorted(one.answer_tokens for one in collect(recipe.out, "translate")) == [24, 60]


def test_the_report_shows_each_model_in_each_step_and_keeps_it_when_told_again(tmp_path: Path) -> None:
    loads = (
        ModelLoad(step="caption", model="org/c|x", seconds=2.0, in_flight=12.0, idle=0.25),
        ModelLoad(step="translate", model="org/m", seconds=3.0, tokens_per_s=1234.5, running=200.0, queued=3.0),
    )
    told = replace(facts(tmp_path), loads=loads)
    write_rejects(rejects_path(str(tmp_path), told.manifest.build), [])
    write_report(told, rejects())
    page = (tmp_path / "REPORT.md").read_text()
    assert "| caption | org/c\\|x | 2.0 | - | - | 12.0 | - | - | 25% |" in page
    assert "| translate | org/m | 3.0 | 1,234.5 | - | - | 200.0 | 3.0 | - |" in page
    record = json.loads((tmp_path / "report.json").read_text())
    assert [ModelLoad(**one) for one in record["loads"]] == list(loads)
    write_report_again(str(tmp_path), told.manifest, told.books)
    assert json.loads((tmp_path / "report.json").read_text())["loads"] == record["loads"]


def test_a_run_that_asked_nothing_has_no_table_of_models(tmp_path: Path) -> None:
    write_report(facts(tmp_path), rejects())
    assert "## Models" not in (tmp_path / "REPORT.md").read_text()
