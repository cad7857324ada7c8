"""Where a case takes place: a folder with good pictures, a server, and a run of its own whose end is looked at."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.stand_in_server import StandInServer, list_models, no_fault
from florenz.pipeline.assemble.rejects import Reject, read_rejects
from florenz.playground.world import draw_world
from florenz.shards.manifest import read_manifest
from florenz.shards.reader import iter_samples

MODEL = "playground/models/translator"
NUM_PICTURES = 4
MEMORY_GOAL = 1 << 30  # above an ordinary run
TIMEOUT_S = 300.0
# A process's peak counts what it was forked from: ours is large where a case has just made a bomb, this one is not.
LAUNCHER = """
import json, os, subprocess, sys
_, status, usage = os.wait4(subprocess.Popen(sys.argv[2:]).pid, 0)
open(sys.argv[1], "w").write(json.dumps([status, usage.ru_maxrss]))
"""
RECIPE = """
languages = [{languages}]
out = {out}
{top}
[images]
source = {images}
{image_keys}
[captioner]
model = "playground/models/captioner"
cpu_threads = 1
{captioner_keys}
[translator]
model = {translator}
prompt = "playground"
endpoint = {endpoint}
max_retries = 1
backoff_s = 0.01
request_timeout_s = 20.0
[shards]
val_fraction = 0.3
"""


@dataclass(frozen=True, kw_only=True)
class Done:
    """A run that has ended. said: both streams, as bytes became text."""

    code: int
    said: str
    peak_bytes: int
    out: str

    @property
    def rejects(self) -> list[Reject]:
        return read_rejects(f"{self.out}/rejects/{read_manifest(self.out).build}.parquet")

    def pictures(self) -> dict[str, bytes]:
        """Source -> JPEG, over all shards."""
        manifest = read_manifest(self.out)
        paths = [f"{self.out}/shards/{manifest.build}/{shard.path}" for shard in manifest.shards]
        return {sample.source: sample.jpeg for path in paths for sample in iter_samples(path)}


class Place:
    """A folder for one case: good pictures in `images`, and what the case adds."""

    def __init__(self, folder: Path, server: StandInServer) -> None:
        self.folder, self.server = folder, server
        self.images, self.out = folder / "images", str(folder / "out")
        draw_world(str(self.images), count=NUM_PICTURES, seed=5)
        (self.images / "scenes.parquet").unlink()
        server.rule, server.describe = no_fault, list_models
        server.model = MODEL

    def run(self, *variables: str, recipe: str | None = None, **keys: str) -> Done:
        path = self.folder / "recipe.toml"
        values = {
            "languages": '"de"', "out": json.dumps(self.out), "images": json.dumps(str(self.images)),
            "translator": json.dumps(MODEL), "endpoint": json.dumps(self.server.endpoint), "top": "", "image_keys": "",
            "captioner_keys": "", **keys,
        }  # fmt: skip
        path.write_text(RECIPE.format(**values))
        command = [sys.executable, "-m", "florenz.pipeline", recipe or str(path), *variables]
        with tempfile.TemporaryFile() as screen:
            measures = self.folder / "measures.json"
            words = [sys.executable, "-c", LAUNCHER, str(measures), *command]
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=screen, stderr=screen,
                                       start_new_session=True)  # fmt: skip
            with contextlib.closing(Watch(process)):
                process.wait()
            status, peak_kib = json.loads(measures.read_text()) if measures.is_file() else (signal.SIGKILL, 0)
            measures.unlink(missing_ok=True)
            screen.seek(0)
            said = screen.read(1 << 22).decode(errors="surrogateescape")
        out = next((word[4:] for word in variables if word.startswith("OUT=")), self.out)
        return Done(code=os.waitstatus_to_exitcode(status), said=said, peak_bytes=peak_kib << 10, out=out)


class Watch:
    """Ends a run that never ends; close it when the run has ended."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._timer = threading.Timer(TIMEOUT_S, os.killpg, (process.pid, signal.SIGKILL))
        self._timer.daemon = True
        self._timer.start()

    def close(self) -> None:
        self._timer.cancel()


Case = Callable[[Place], Iterator[tuple[Done, str]]]  # each run with what is wrong with it, "" for nothing
CASES: dict[str, Case] = {}


def case(function: Case) -> Case:
    CASES[function.__name__] = function
    return function


def fault(done: Done, code: int, *words: str) -> str:
    """What is wrong with an end: another exit code, a word that was not said, more than a line of complaint."""
    if done.code != code:
        return f"exit code {done.code}, not {code}: {done.said[-300:]}"
    missing = [word for word in words if word not in done.said]
    return f"says nothing of {missing[0]!r}: {done.said[-300:]}" if missing else ""


def reasons(done: Done, *wanted: tuple[str, str]) -> str:
    """Each of these (part of the source, reason) among the rejects of a run that has ended well."""
    if done.code:
        return fault(done, 0)
    found = [(reject.source, reject.reason) for reject in done.rejects]
    for name, reason in wanted:
        if not any(name in source and reason == because for source, because in found):
            return f"{name} is not rejected as {reason}: {found[:6]}"
    return ""
