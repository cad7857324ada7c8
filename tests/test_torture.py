"""Runs that are killed at twelve points, and started again, end with the bytes of an undisturbed run."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.torture import KillPoint, kill_points

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
def test_twelve_killed_runs_end_as_the_undisturbed_one() -> None:
    """In a process of its own: the harness forks, which a test process full of threads must not."""
    command = [sys.executable, "-m", "benchmarks.torture", "--points", "12", "--seed", "3"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ran.stdout.splitlines()[-1] == "torture: 12 of 12 (goal 12)", ran.stdout + ran.stderr
    assert ran.returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["s3", "gs"])
def test_killed_runs_in_an_object_store_end_as_the_undisturbed_one(scheme: str) -> None:
    command = [sys.executable, "-m", "benchmarks.torture_store", "--store", scheme, "--points", "8", "--seed", "5"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ran.stdout.splitlines()[-1] == f"torture-{scheme}: 8 of 8 (goal 8)", ran.stdout + ran.stderr
    assert ran.returncode == 0


def test_kill_points_cover_the_whole_run_and_come_from_the_seed() -> None:
    points = kill_points(20, events=100, seconds=5.0, seed=1)
    assert points == kill_points(20, events=100, seconds=5.0, seed=1)
    assert [point.event for point in points[:10]] == list(range(1, 101, 10))
    assert all(point.event is None and 0 < (point.seconds or 0) < 5 for point in points[10:])
    assert points[0] == KillPoint(event=1)
