"""Disks that fail in the middle of a run: full, read-only, gone. It says which file and what to do, and goes on later.

Twice: chains of runs under a hook that refuses file operations, which works everywhere, and a real small disk, for
which one must be allowed to mount.
"""

import logging
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from pipeline_examples import ROOT, InstantTranslator

from benchmarks.instant_server import answer
from benchmarks.torture import FULL, GONE, PLACES, READ_ONLY, RECIPE, KillPoint, disk_chains, disk_points
from florenz.pipeline.__main__ import main
from florenz.playground.world import draw_world

NUM_IMAGES = 8
PER_REQUEST = 4


def test_runs_stopped_by_their_disk_at_each_kind_of_file_go_on_and_end_as_the_undisturbed_one() -> None:
    """In a process of its own: the harness forks, which a test process full of threads must not."""
    command = [sys.executable, "-m", "benchmarks.torture", "--disks"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    goal = sum(len(chain) + 1 for chain in disk_chains(1))
    assert ran.stdout.splitlines()[-1] == f"torture: {goal} of {goal} (goal {goal})", ran.stdout + ran.stderr
    assert ran.returncode == 0


def test_the_chains_cover_every_kind_of_file_in_the_order_of_a_run_and_every_way_to_fail() -> None:
    full, read_only, quotas, gone = disk_chains(1000)
    assert tuple(point.place for point in full) == PLACES and {point.kind for point in full + quotas} == {FULL}
    assert {point.kind for point in read_only} == {READ_ONLY} and {point.kind for point in gone} == {GONE}
    assert [point.num_bytes for point in quotas] == sorted(point.num_bytes or 0 for point in quotas)


def test_random_disk_points_come_from_the_seed_and_fail_in_every_way() -> None:
    points = disk_points(30, events=100, seed=1)
    assert points == disk_points(30, events=100, seed=1) != disk_points(30, events=100, seed=2)
    assert Counter(point.kind for point in points) == {FULL: 10, READ_ONLY: 10, GONE: 10}
    assert all(1 <= (point.event or 0) <= 100 for point in points)
    assert str(KillPoint(event=5, kind=GONE)) == "gone at file operation 5"


# -- a real disk ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class SmallDisk:
    """A tmpfs of 2 MiB, mounted at `folder`. It lives on at `behind` when it is taken away from there."""

    folder: Path
    behind: Path

    def leave_free(self, num_bytes: int) -> None:
        self.make_room()
        room = os.statvfs(self.folder)
        self.ballast.write_bytes(bytes(room.f_bavail * room.f_bsize - num_bytes))

    def make_room(self) -> None:
        self.ballast.unlink(missing_ok=True)

    @property
    def ballast(self) -> Path:
        return self.folder / "ballast"

    def come_back(self) -> None:
        subprocess.run(["mount", "--bind", str(self.behind), str(self.folder)], check=True)

    def go_away(self) -> None:
        """As a network disk does: what is open stays open, and an empty folder is left."""
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True)


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallDisk]:
    small = SmallDisk(folder=tmp_path_factory.mktemp("disk"), behind=tmp_path_factory.mktemp("behind"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(small.behind)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"no small disk without the right to mount one: {mounted.stderr.strip()}")
    small.come_back()
    yield small
    for folder in (small.folder, small.behind):
        subprocess.run(["umount", "--lazy", str(folder)], check=False, capture_output=True)


@dataclass(frozen=True, kw_only=True)
class World:
    recipe: Path
    out: Path
    disk: SmallDisk
    translator: InstantTranslator
    result: dict[str, bytes]

    def run(self, capfd: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
        """Exit code, and our own lines (a model that loads may draw a bar)."""
        capfd.readouterr()
        code = main([str(self.recipe)])
        errors = capfd.readouterr().err
        assert "Traceback" not in errors
        return code, [line for line in errors.splitlines() if line.startswith("florenz: ")]

    def run_on_two_workers(self) -> tuple[int, list[str]]:
        """In a process of its own, which can be ended if it waits for a worker for ever."""
        command = [sys.executable, "-m", "pipeline", str(self.recipe), "WORKERS=2"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
        return done.returncode, done.stderr.splitlines()

    def clear(self) -> None:
        for path in sorted(self.out.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        self.translator.prompts.clear()


def result_of(out: Path) -> dict[str, bytes]:
    """What must be the same byte for byte."""
    paths = [path for pattern in ("manifest.json", "shards/**/*", "rejects/*") for path in out.glob(pattern)]
    return {str(path.relative_to(out)): path.read_bytes() for path in paths if path.is_file()}


@pytest.fixture(scope="module")
def world(disk: SmallDisk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    draw_world(str(folder / "images"), count=NUM_IMAGES, seed=5)
    (folder / "images" / "scenes.parquet").unlink()
    out, recipe = disk.folder / "out", folder / "recipe.toml"
    handler_before = signal.getsignal(signal.SIGTERM)
    loggers = [logging.getLogger(name) for name in ("apache_beam", "PIL")]
    levels = [logger.level for logger in loggers]
    with InstantTranslator("playground/models/translator") as translator:
        translator.answer = answer
        recipe.write_text(RECIPE.format(out=out, images=folder / "images", endpoint=translator.endpoint))
        assert main([str(recipe)]) == 0
        yield World(
            recipe=recipe,
            out=out,
            disk=disk,
            translator=translator,
            result=result_of(out),
        )
    signal.signal(signal.SIGTERM, handler_before)
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


def test_a_disk_that_is_full_from_the_start_is_refused(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    world.clear()
    world.disk.leave_free(0)
    code, lines = world.run(capfd)
    world.disk.make_room()
    assert code == 2 and f"can't write into OUT '{world.out}' (No space left on device)" in lines[0]


def test_a_disk_that_fills_up_stops_the_run_and_with_room_it_goes_on(
    world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    """Over the first answers, over later ones in worker processes, and in the middle of a shard."""
    world.clear()
    answered: set[str] = set()
    for requests_before, num_bytes, place, workers in (
        (0, 0, "/ledger/translations/", 1),
        (2, 4096, "/ledger/translations/", 2),
        (4, 40_000, ".tar", 1),
    ):
        world.translator.prompts.clear()
        world.translator.on_prompts = partial(fill_up, world, requests_before * PER_REQUEST, num_bytes)
        code, lines = world.run(capfd) if workers == 1 else world.run_on_two_workers()
        assert code == 1 and len(lines) == 2, lines
        assert lines[0].startswith(f"florenz: can't write {world.out}") and place in lines[0]
        assert lines[0].endswith(": No space left on device; make room")
        assert not answered & set(world.translator.prompts)
        answered |= set(world.translator.prompts[: requests_before * PER_REQUEST])
        assert result_of(world.out).keys() <= world.result.keys() - {"manifest.json"}, "whole shards at most"
        assert list(world.out.rglob("*.partial")) == []
        world.disk.make_room()
    world.translator.on_prompts = lambda: None
    assert world.run(capfd) == (0, [])
    assert result_of(world.out) == world.result


def fill_up(world: World, num_prompts: int, num_bytes: int) -> None:
    """When so many prompts have been asked, leave so much room."""
    if len(world.translator.prompts) == num_prompts:
        world.disk.leave_free(num_bytes)


def test_a_disk_that_goes_away_stops_the_run_and_nothing_is_written_where_it_was(
    world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    world.clear()

    def go_away_once() -> None:
        if world.translator.prompts:
            world.translator.on_prompts = lambda: None
            world.disk.go_away()

    world.translator.on_prompts = go_away_once
    code, lines = world.run(capfd)
    assert code == 1 and len(lines) == 2
    assert f"{world.out} is gone, or another folder is in its place; bring it back" in lines[0]
    assert list(world.disk.folder.iterdir()) == []

    world.disk.come_back()
    answered = world.translator.prompts[:PER_REQUEST]
    world.translator.prompts.clear()
    assert world.run(capfd) == (0, []) and not set(world.translator.prompts) & set(answered)
    assert result_of(world.out) == world.result
