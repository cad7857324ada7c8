"""Whether a worker fits to its launcher: same minor of Python, same code of ours, and it sees the same OUT.

Functions travel as code of one minor version of Python, and a worker with other code of ours would write other bytes
under a build's name. So the first step of every graph whose workers are elsewhere does nothing but look, in a stage of
its own, before anything else of the graph is unpacked there. It is a class with plain texts in it, since only such a
thing can be unpacked by every Python.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import secrets
import socket
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import apache_beam as beam

from florenz.pipeline.workers.errors import ADVICE, WorkerError
from florenz.stores import files

# Whose code decides what a worker writes.
ROOMS = (
    "captioners", "exports", "filters", "images", "languages", "limits", "pipeline", "recipes", "scorers",
    "shards", "stores", "translators",
)  # fmt: skip
_MARK = "seen-by-workers"


class CheckWorker(beam.DoFn):  # type: ignore[misc]
    """Passes its element on, under one key, if this worker fits."""

    def __init__(self, expected: Mapping[str, str]) -> None:
        self.expected = dict(expected)

    def process(self, element: Any) -> Iterator[tuple[str, str]]:
        if problem := problem_here(self.expected):
            raise WorkerError(problem)
        yield "fits", socket.gethostname()


class Given(beam.PTransform):  # type: ignore[misc]
    """These items, from a worker that was looked at first."""

    def __init__(self, items: Iterable[Any], expected: Mapping[str, str]) -> None:
        super().__init__()
        self._items, self._expected = list(items), expected

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection[Any]:
        return (
            pipeline
            | beam.Impulse()
            | "check worker" >> beam.ParDo(CheckWorker(self._expected))
            | "before all else" >> beam.GroupByKey()  # ends the stage: what follows is unpacked only then
            | beam.FlatMap(_each, items=self._items)
            | beam.Reshuffle()
        )


def _each(_: Any, items: list[Any]) -> list[Any]:
    return items


def expected_of_workers(out: str) -> dict[str, str]:
    """What the launcher tells them. Leaves a mark in a local OUT, by which they know it."""
    expected = {"python": python_minor(), "florenz": code_of_florenz(), "out": "", "mark": ""}
    if "://" not in out:
        mark = _mark_of_this_process()
        with files.atomic_write(_mark_path(out)) as file:
            file.write(mark.encode())
        expected |= {"out": os.path.abspath(out), "mark": mark}
    return expected


def problem_here(expected: Mapping[str, str]) -> str | None:
    """One line if this process does not fit."""
    who = f"the worker on {socket.gethostname()}"
    if expected["python"] != python_minor():
        return f"{who} runs Python {python_minor()}, the launcher {expected['python']}: {ADVICE}"
    if expected["florenz"] != code_of_florenz():
        codes = f"({code_of_florenz()}) than the launcher ({expected['florenz']})"
        return f"{who} has other code of Florenz {codes}: {ADVICE}"
    if expected["mark"] and _mark_in(expected["out"]) != expected["mark"]:
        advice = "mount it there under the same path, or give OUT=gs://... or s3://..."
        return f"{who} does not see the launcher's OUT {expected['out']!r}: {advice}"
    return None


def python_minor() -> str:
    return ".".join(platform.python_version_tuple()[:2])


@cache
def code_of_florenz() -> str:
    """12 hex digits over every source file of the rooms that workers use, whatever they were installed by, and the
    language ID model that lies among them.
    """
    digest = hashlib.sha256()
    for room in ROOMS:
        spec = importlib.util.find_spec(f"florenz.{room}")
        if spec is None or not spec.submodule_search_locations:
            continue  # a worker that lacks it has another checksum
        (folder,) = spec.submodule_search_locations
        for path in sorted(Path(folder).rglob("*")):
            if path.suffix in (".py", ".toml", ".ftz"):
                digest.update(f"{room}/{path.relative_to(folder).as_posix()}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:12]


@cache
def _mark_of_this_process() -> str:
    return secrets.token_hex(8)


def _mark_path(out: str) -> str:
    return files.join(out, "logs", _MARK)


def _mark_in(out: str) -> str:
    try:
        return files.read_bytes(_mark_path(out)).decode()
    except OSError:
        return ""
