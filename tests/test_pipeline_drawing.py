"""Scenes drawn by a process of their own: the same world, and an end in every case."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import cast

import psutil
import pytest
from pipeline_examples import ROOT, recipe_for

from florenz.pipeline import run as run_module
from florenz.pipeline import scenes
from florenz.pipeline.image_settings import Images
from florenz.pipeline.progress import ProgressAddress
from florenz.pipeline.recipe import Recipe
from florenz.pipeline.run import Run, read_images
from florenz.pipeline.serving import Serving
from florenz.playground.world import TRUTH, draw_world
from florenz.stores.publication import Publication

MANY = 3000  # takes seconds to draw


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenes, "FEW", 2)
    monkeypatch.chdir(ROOT)


def world_of(out: Path, count: int) -> Recipe:
    out.mkdir(exist_ok=True)
    return recipe_for(out, images=Images(source="playground", count=count), seed=3)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@contextmanager
def telling() -> Iterator[tuple[ProgressAddress, socket.socket]]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(60)
        yield receiver.getsockname(), receiver


def test_it_is_the_same_world_and_each_picture_is_told(tmp_path: Path) -> None:
    recipe, called = world_of(tmp_path / "out", 5), []
    draw_world(str(tmp_path / "here"), count=5, seed=3)
    with telling() as (progress, receiver):
        scenes.draw(recipe, progress, lambda: called.append("meanwhile"), may_replace=False)
        assert [receiver.recv(100) for _ in range(5)] == [b"draw 1"] * 5
    assert called == ["meanwhile"]
    assert contents(tmp_path / "out" / "images") == contents(tmp_path / "here")


def test_it_draws_while_this_process_does_something_else(tmp_path: Path) -> None:
    with telling() as (progress, receiver):
        scenes.draw(world_of(tmp_path / "out", 5), progress, lambda: [receiver.recv(100)], may_replace=False)


def test_nothing_is_done_meanwhile_where_there_is_no_while(tmp_path: Path) -> None:
    recipe, called = world_of(tmp_path / "out", 3), []
    scenes.draw(recipe, None, may_replace=False)
    for again in (recipe, world_of(tmp_path / "few", 2)):
        scenes.draw(again, None, lambda: called.append("meanwhile"), may_replace=False)
    assert called == [] and len(contents(tmp_path / "few" / "images")) == 2 + 1


def drawing() -> list[psutil.Process]:
    """Not all children of ours: other tests have servers."""
    return [one for one in psutil.Process().children() if "florenz.pipeline.drawing" in one.cmdline()]


def test_what_stops_this_process_stops_the_other(tmp_path: Path) -> None:
    def interrupted() -> None:
        assert drawing()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scenes.draw(world_of(tmp_path / "out", MANY), None, interrupted, may_replace=False)
    assert not drawing() and not (tmp_path / "out" / "images" / TRUTH).exists()


def test_a_process_that_is_killed_is_told(tmp_path: Path) -> None:
    def kill() -> None:
        (process,) = drawing()
        process.send_signal(signal.SIGKILL)

    with pytest.raises(ChildProcessError, match="the process that draws the pictures died"):
        scenes.draw(world_of(tmp_path / "out", MANY), None, kill, may_replace=False)


@pytest.mark.parametrize("few", [2, 5])
def test_what_can_not_be_written_is_told_in_the_same_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(scenes, "FEW", few)
    recipe = world_of(tmp_path / "out", 5)
    (tmp_path / "out" / "images" / "scene-000001.jpg").mkdir(parents=True)
    with pytest.raises(OSError, match="^can't write .*/out/images/scene-000001.jpg: Is a directory"):
        scenes.draw(recipe, None, may_replace=False)


def test_it_ends_when_the_run_has_gone(tmp_path: Path) -> None:
    gone = subprocess.run(["sh", "-c", "echo $$"], capture_output=True, text=True, check=True).stdout.strip()
    words = [sys.executable, "-m", "florenz.pipeline.drawing", str(tmp_path), str(tmp_path / "images"), "3", "0", gone]
    assert subprocess.run(words, cwd=ROOT, check=False).returncode == 1
    assert not (tmp_path / "images" / TRUTH).exists()


def test_while_a_few_are_drawn_here_the_server_comes_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world, found = tmp_path / "out" / "images", list[bool]()
    monkeypatch.setattr(Serving, "start", lambda _: found.append(world.exists()))
    this = Run(world_of(tmp_path / "out", 2), print, may_replace=False, publication=cast(Publication, None))
    read_images(this, partial(run_module._start_early, this), partial(run_module._load_early, this))
    assert found == [False, True], "before, and where it has not been started before, when they are to be read"


@pytest.mark.parametrize(
    ("cores", "order"), [(2, ["captioner", "server"]), (3, ["server", "captioner", "server"])], ids=str
)
def test_models_come_up_while_a_first_run_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cores: int, order: list[str]
) -> None:
    """The captioner is waited for first, so a server that comes up beside both waits where it would take a core."""
    found: list[str] = []
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    monkeypatch.setattr(Serving, "start", lambda _: found.append("server"))
    monkeypatch.setattr(run_module, "load", lambda *_: found.append("captioner"))
    recipe = world_of(tmp_path / "out", 4)
    this = Run(recipe, print, may_replace=False, publication=cast(Publication, None))
    index = read_images(this, meanwhile=partial(run_module._load_early, this))
    assert found == order and index.num_images == 4
    (tmp_path / "out" / "ledger" / "survey.json").write_text("{}")
    run_module._load_early(this)
    assert found == order, "a later run asks the ledger first"
