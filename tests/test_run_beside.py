"""Captions are translated while others are made: the same bytes, and what stops one of both stops the run as ever.

The captioner is held back in the middle until the translator has answered, so that both are at work for certain.
"""

import json
import shutil
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import forked_runs
import pytest
from test_run_server_faults import RECIPE, World, answer, result_of
from transformers.utils.logging import disable_progress_bar

from benchmarks.stand_in_server import StandInServer, reset, status
from florenz.captioners.contract import CaptionerError
from florenz.captioners.florence2.model import Florence
from florenz.filters import alignment_check
from florenz.pipeline import asking
from florenz.pipeline.__main__ import main
from florenz.pipeline.answers.captioned import Captioned
from florenz.pipeline.answers.ledger import Ledger
from florenz.pipeline.assemble import alignment
from florenz.pipeline.serving import Serving
from florenz.playground.world import draw_world
from florenz.shards.manifest import read_manifest

MODEL = "playground/models/translator"
NUM_IMAGES = 24
NUM_PROMPTS = NUM_IMAGES * 2 * 2  # styles, languages
HELD_AFTER = 6  # batches of two images, of twelve: some ranges are complete by then, and others are not
HUNG_AFTER_S = 120.0

# The same in a process that ends itself when the captioner is in the middle and the translator has answered.
DRIVER = f"""
import os, sys, threading
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_run_beside import HeldBack
from florenz.console import leave
from florenz.pipeline import asking
from florenz.pipeline.__main__ import main

def end():
    os.kill(os.getpid(), int(sys.argv[2]))
    threading.Event().wait()  # the captioner never comes back

asking.leaves_cores = lambda *_: True
with HeldBack(then=end):
    leave(main([sys.argv[1]]))
"""


class HeldBack:
    """While the block runs the captioner waits, after some batches, until a translation is in the ledger; then `then`
    is called in its thread, once.
    """

    def __init__(self, then=lambda: None) -> None:  # type: ignore[no-untyped-def]
        self.then, self.num_batches = then, 0
        self.has_answered, self.was_in_time = threading.Event(), False

    def __enter__(self) -> "HeldBack":
        self.before = Florence.caption, Ledger.append_translations
        caption, append = self.before

        def held_back(captioner, prepared, styles):  # type: ignore[no-untyped-def]
            self.num_batches += 1
            if self.num_batches == 1 + HELD_AFTER:  # the first is the question before all others
                self.was_in_time = self.has_answered.wait(HUNG_AFTER_S)
                self.then()
            return caption(captioner, prepared, styles)

        def note(*arguments, **more):  # type: ignore[no-untyped-def]
            parts = append(*arguments, **more)
            self.has_answered.set()
            return parts

        Florence.caption, Ledger.append_translations = held_back, note  # type: ignore[method-assign]
        return self

    def __exit__(self, *error: object) -> None:
        Florence.caption, Ledger.append_translations = self.before  # type: ignore[method-assign]


@dataclass(frozen=True, kw_only=True)
class Beside(World):
    """`result`: of a run in which one model worked after the other."""

    def start_anew(self) -> None:
        shutil.rmtree(self.out, ignore_errors=True)
        self.translator.recover()

    @property
    def report(self) -> dict[str, object]:
        return json.loads((self.out / "report.json").read_text())  # type: ignore[no-any-return]

    def when(self, step: str) -> tuple[float, float]:
        """From when to when it ran, the first time."""
        found = next(one for one in self.report["timeline"] if one["name"] == step)  # type: ignore[attr-defined]
        return found["started"], found["ended"]

    def num_captions(self) -> int:
        folders = (self.out / "ledger" / "captions").iterdir()
        return sum(len(Ledger(str(self.out)).read_captions(folder.name)) for folder in folders)

    def finishes(self, answered: set[str]) -> None:
        """The same command again: as if nothing had been, and nothing is paid twice."""
        captions = self.num_captions()
        self.translator.recover()
        assert 0 < captions < 2 * NUM_IMAGES and 0 < len(answered) < NUM_PROMPTS, "both were in the middle"
        assert self.run() == 0
        assert not answered & set(self.translator.asked)
        assert self.report["asked"] == {
            "captions": 2 * NUM_IMAGES - captions,
            "translations": NUM_PROMPTS - len(answered),
        }
        assert result_of(self.out) == self.result


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beside]:
    folder = tmp_path_factory.mktemp("beside")
    draw_world(str(folder / "images"), count=NUM_IMAGES, seed=11)
    (folder / "images" / "scenes.parquet").unlink()
    handler_before = signal.getsignal(signal.SIGTERM)
    with StandInServer(MODEL, answer) as translator:
        out, recipe = folder / "out", folder / "recipe.toml"
        recipe.write_text(RECIPE.format(out=out, images=folder / "images", endpoint=translator.endpoint))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(asking, "leaves_cores", lambda *_: False)
            assert main([str(recipe)]) == 0
        yield Beside(
            recipe=recipe,
            out=out,
            translator=translator,
            result=result_of(out),
            prompts=frozenset(translator.asked),
            captions=folder,
        )
    signal.signal(signal.SIGTERM, handler_before)


@pytest.fixture(autouse=True)
def room_for_both(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine with two cores and memory, whatever this one has. Other tests may have loaded transformers before
    the command line could silence it.
    """
    disable_progress_bar()
    monkeypatch.setattr(asking, "leaves_cores", lambda *_: True)
    monkeypatch.setattr(asking, "free_bytes", lambda: None)


# -- equal to one after the other -------------------------------------------------------------------------------------


def test_both_are_at_work_at_once_and_every_byte_is_as_if_one_had_waited_for_the_other(
    both: Beside, capfd: pytest.CaptureFixture[str]
) -> None:
    both.start_anew()
    with HeldBack() as held:
        assert both.run() == 0
    assert held.was_in_time, "a translation was answered while most captions were missing"
    assert result_of(both.out) == both.result
    assert sorted(both.translator.asked) == sorted(both.prompts), "each once"
    assert both.report["asked"] == {"captions": 2 * NUM_IMAGES, "translations": NUM_PROMPTS}
    (captioning, captioned), (translating, translated) = both.when("caption"), both.when("translate")
    assert translating < captioned and captioning < translated
    said = capfd.readouterr().out
    assert f"caption    {NUM_IMAGES} of {NUM_IMAGES} in" in said
    assert f"translate  {NUM_PROMPTS} of {NUM_PROMPTS} in" in said, "the total is known when all is captioned"
    assert "s in all, no model busy for" in said and 0 < both.report["idle"] < 1  # type: ignore[operator]


@pytest.mark.parametrize("variable", ["BUDGET=1h", pytest.param("WORKERS=2", marks=pytest.mark.slow)])
def test_with_a_budget_and_with_worker_processes_one_waits_for_the_other(both: Beside, variable: str) -> None:
    both.start_anew()
    assert both.run(variable) == 0
    assert both.when("caption")[1] <= both.when("translate")[0]
    names = both.result.keys() - {"manifest.json"}  # which holds the recipe, with its WORKERS
    assert {name: result_of(both.out)[name] for name in names} == {name: both.result[name] for name in names}


@pytest.mark.parametrize("where", ["on the machine", "on the GPU"])
def test_where_memory_is_too_small_for_both_one_waits_for_the_other(
    both: Beside, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    if where == "on the machine":
        monkeypatch.setattr(asking, "free_bytes", lambda: 1 << 20)
    else:  # the captioner's, beside the stand-in in the place of our own server
        monkeypatch.setattr(Florence, "free_bytes", 1 << 20)
        monkeypatch.setattr(Serving, "is_ours", True)
    both.start_anew()
    assert both.run() == 0
    assert both.when("caption")[1] <= both.when("translate")[0]
    assert result_of(both.out) == both.result


def test_tables_are_learned_while_others_are_translated_and_are_those_of_the_assembly(
    both: Beside, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (alignment_check, alignment):
        monkeypatch.setattr(module, "MIN_PAIRS", NUM_IMAGES)
    with monkeypatch.context() as patch:
        patch.setattr(asking, "leaves_cores", lambda *_: False)
        both.start_anew()
        assert both.run() == 0
    expected = result_of(both.out)
    assert (languages := sorted(read_manifest(str(both.out)).languages)) == ["de", "fr"]
    assert sorted(path.name[:2] for path in (both.out / "alignment").iterdir()) == languages

    def learned_in_the_assembly(*_: object) -> None:
        raise AssertionError("it was there already")

    monkeypatch.setattr(alignment, "learn_table", learned_in_the_assembly)
    both.start_anew()
    with HeldBack():
        assert both.run() == 0
    assert result_of(both.out) == expected


# -- stopped by one of both -------------------------------------------------------------------------------------------


def test_a_captioner_that_fails_ends_the_translator_too_and_what_both_have_answered_is_kept(
    both: Beside, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise CaptionerError("the GPU fell off the bus: put it back")

    both.start_anew()
    with HeldBack(then=fail):
        line = both.stopped_line(capfd)
    assert "the GPU fell off the bus: put it back" in line
    both.finishes(set(both.prompts_in_ledger()))


@pytest.mark.parametrize("fault", [status(500), reset], ids=["500", "reset"])
def test_a_server_that_fails_ends_the_captioner_too_and_what_both_have_answered_is_kept(
    both: Beside, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, fault: object
) -> None:
    is_stopped, stop = threading.Event(), Captioned.stop

    def note(captioned: Captioned) -> None:
        stop(captioned)
        is_stopped.set()

    monkeypatch.setattr(Captioned, "stop", note)
    both.start_anew()
    both.translator.rule = lambda request: fault if request.number > 2 else None  # type: ignore[assignment,return-value]
    with HeldBack(then=lambda: is_stopped.wait(HUNG_AFTER_S) and None) as held:
        line = both.stopped_line(capfd)
    assert both.translator.endpoint in line
    assert held.num_batches <= 1 + HELD_AFTER, "the batch that was under way, and none after it"
    both.finishes(set(both.prompts_in_ledger()))


def test_a_server_of_ours_that_dies_meanwhile_is_started_again_and_captioning_goes_on(
    both: Beside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stand-in in the place of our own server: it dies, and lives again when it is restarted."""
    restarts = []

    def restart(serving: Serving) -> None:
        restarts.append(serving)
        answered = list(both.translator.answered)
        both.translator.recover()
        both.translator.answered = answered

    both.start_anew()
    both.translator.rule = lambda request: reset if request.number > 2 else None
    monkeypatch.setattr(Serving, "can_be_mended", lambda serving: True)
    monkeypatch.setattr(Serving, "restart", restart)
    with HeldBack() as held:
        assert both.run() == 0
    assert len(restarts) == 1 and held.num_batches == 1 + NUM_IMAGES // 2
    assert both.report["asked"] == {"captions": 2 * NUM_IMAGES, "translations": NUM_PROMPTS}
    assert result_of(both.out) == both.result


@pytest.mark.slow
@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_killed_with_both_at_work_goes_on_and_pays_nothing_twice(
    both: Beside, kind: signal.Signals
) -> None:
    both.start_anew()
    words = ["-c", DRIVER, str(both.recipe), str(int(kind))]
    ended = forked_runs.run(*words, folder=Path.cwd(), timeout=2 * HUNG_AFTER_S)
    if kind == signal.SIGKILL:
        assert ended.returncode == -signal.SIGKILL, ended.stderr
    else:
        assert ended.returncode == 130 and ended.stderr.startswith("florenz: interrupted"), ended.stderr
        assert ended.stderr.count("\n") == 1
    both.finishes(set(both.prompts_in_ledger()))
