"""Disks that fail in the middle of a run: full, read-only, gone. It says which file and what to do, and goes on later.

Twice: chains of runs under a hook that refuses file operations, which works everywhere, and a real small disk, for
which one must be allowed to mount.
"""

import contextlib
import logging
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import forked_runs
import pyarrow.parquet as pq
import pytest
from pipeline_examples import ROOT

from benchmarks.stand_in_server import Request, Rule, StandInServer
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
        """Whatever is written meanwhile: fill all there is, then give so much back."""
        with self.ballast.open("wb", buffering=0) as ballast:
            with contextlib.suppress(OSError):
                while ballast.write(bytes(4096)):
                    pass
            ballast.truncate(max(0, ballast.tell() - num_bytes))

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
    translator: StandInServer
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
        done = forked_runs.run("-m", "pipeline", str(self.recipe), "WORKERS=2", timeout=900)
        return done.returncode, done.stderr.splitlines()

    def clear(self) -> None:
        for path in sorted(self.out.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        self.translator.recover()

    def prompts_in_ledger(self) -> set[str]:
        parts = [part for part in self.out.glob("ledger/translations/**/*.parquet") if part.is_file()]
        rows = [row for part in parts for row in pq.read_table(part).to_pylist()]
        return {f"<s>{row['source_text']}<|{row['language']}|>" for row in rows}


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
    with StandInServer("playground/models/translator") as translator:
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
    kept: set[str] = set()
    for requests_before, num_bytes, place, workers in (
        (0, 0, "/ledger/translations/", 1),
        (2, 4096, "/ledger/translations/", 2),
        (4, 40_000, "/assembling/", 1),
    ):
        world.translator.forget()
        world.translator.rule = at_request(requests_before + 1, lambda room=num_bytes: world.disk.leave_free(room))
        code, lines = world.run(capfd) if workers == 1 else world.run_on_two_workers()
        assert code == 1 and len(lines) == 2, lines
        assert lines[0].startswith(f"florenz: can't write {world.out}") and place in lines[0]
        assert lines[0].endswith(": No space left on device; make room")
        assert not kept & set(world.translator.asked)
        kept = world.prompts_in_ledger()
        on_their_way = workers - 1  # requests of other workers, when the disk was full
        assert len(kept & set(world.translator.answered)) >= (requests_before - on_their_way) * PER_REQUEST
        assert result_of(world.out).keys() <= world.result.keys() - {"manifest.json"}, "whole shards at most"
        assert list(world.out.rglob("*.partial")) == []
        world.disk.make_room()
    world.translator.recover()
    assert world.run(capfd) == (0, [])
    assert not kept & set(world.translator.asked) and result_of(world.out) == world.result


def at_request(number: int, happen: Callable[[], None]) -> Rule:
    """Before this request is answered; each number comes once, however many requests fly together."""

    def rule(request: Request) -> None:
        if request.number == number:
            happen()

    return rule


def test_a_disk_that_goes_away_stops_the_run_and_nothing_is_written_where_it_was(
    world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    world.clear()

    world.translator.rule = at_request(2, world.disk.go_away)
    code, lines = world.run(capfd)
    assert code == 1 and len(lines) == 2
    assert f"{world.out} is gone, or another folder is in its place; bring it back" in lines[0]
    assert list(world.disk.folder.iterdir()) == []

    world.disk.come_back()
    kept = world.prompts_in_ledger()
    assert kept >= set(world.translator.asked[:PER_REQUEST])
    world.translator.recover()
    assert world.run(capfd) == (0, []) and not set(world.translator.asked) & kept
    assert result_of(world.out) == world.result
