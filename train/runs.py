"""A list of trainings, each in a folder of its own: it goes on after a kill, and skips what is done.

    base = "configs/train.toml"         # what every run has
    seeds = [0, 1, 2]
    processes = 1                       # runs at once; where there are more GPUs, one for each
    [variants.no-french]                # what a run changes: variants.py
    ...

Variant v with seed 1 is OUT/v-1, which holds run.json (the whole recipe), all that a training leaves, and
evaluation.json once it is done.

    python -m train.runs FOLDER         # one run, as the list starts it
"""

from __future__ import annotations

import copy
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from florenz.limits.reading import read_path
from florenz.limits.table import RECORD_BYTES
from florenz.recipes.checks import below_0, raise_if
from florenz.recipes.recipe_file import RecipeError, read_recipe_file
from florenz.recipes.sections import SectionReader
from florenz.shards.manifest import read_manifest
from florenz.stores import files
from florenz.train.settings.datasets import folders_in
from florenz.train.variants import Variant, take_variants

RECORD, RESULT, LOG = "run.json", "evaluation.json", "log.txt"
VISIBLE = "CUDA_VISIBLE_DEVICES"
POLL_S = 0.2

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class ListSettings:
    """What stands at the top of a list of runs."""

    base: str
    """The recipe that all runs begin with."""

    seeds: tuple[int, ...] = (0, 1, 2)
    """Each variant runs once with each."""

    processes: int = 0
    """Runs at once; where there are more GPUs, as many as those, each with one of its own. 0: on a CPU one."""

    def __post_init__(self) -> None:
        problems = below_0(processes=self.processes)
        if not self.seeds:
            problems.append("seeds is empty: name one, like 0")
        if len(set(self.seeds)) < len(self.seeds):
            problems.append(f"seeds names one twice ({', '.join(map(str, self.seeds))}): it would be the same run")
        raise_if(problems)


@dataclass(frozen=True, kw_only=True)
class Run:
    """One training. table: its recipe, as TOML would hold it."""

    variant: str
    seed: int
    folder: Path
    table: Mapping[str, Any]

    @property
    def is_done(self) -> bool:
        return (self.folder / RESULT).is_file() and self._recorded() == self.table

    def prepare(self) -> None:
        """Write down what is to be run. `ValueError` if the folder holds another run."""
        recorded = self._recorded()
        if recorded not in (None, self.table):
            raise ValueError(f"{self.folder} holds a run of another recipe: choose another OUT, or remove it")
        self.folder.mkdir(parents=True, exist_ok=True)
        with files.atomic_write(str(self.folder / RECORD)) as file:
            file.write((json.dumps(self.table, indent=1) + "\n").encode())

    def _recorded(self) -> Any:
        try:
            return json.loads(read_path(self.folder / RECORD, RECORD_BYTES))
        except (OSError, ValueError):
            return None


def read_list(path: str) -> tuple[ListSettings, list[Variant]]:
    """A list's settings and variants; `RecipeError` with a line for each fault."""
    table = read_recipe_file(path)
    reader = SectionReader(homes={}, variables={})
    variants = take_variants(table, reader.problems)
    settings = reader.read(ListSettings, table, "")
    if reader.problems or settings is None:
        raise RecipeError([f"{path}: {problem}" for problem in reader.problems])
    return settings, variants


def runs_of(settings: ListSettings, variants: Sequence[Variant], out: str, *, data: str = "") -> list[Run]:
    """Every variant with every seed, seeds outermost, so that one whole comparison is there as early as can be.

    data: in place of the base recipe's dataset. `RecipeError` for a path that leads nowhere, or a recipe at fault.
    """
    base = read_recipe_file(settings.base)
    runs, problems = [], []
    for seed in settings.seeds:
        for variant in variants:
            folder = Path(out) / f"{variant.name}-{seed}"
            table = copy.deepcopy(base)
            table |= {"seed": seed, "out": str(folder)} | ({"data": data} if data else {})
            try:
                for path, value in variant.changes.items():
                    set_key(table, path, value)
                _check(table, f"variant {variant.name}")
            except (KeyError, RecipeError) as problem:
                problems.append(problem.args[0] if isinstance(problem, KeyError) else str(problem))
                continue
            runs.append(Run(variant=variant.name, seed=seed, folder=folder, table=table))
    if problems:
        raise RecipeError(list(dict.fromkeys(problems)))
    return runs


def set_key(table: dict[str, Any], path: str, value: Any) -> None:
    """Set "section.key", "key", or "stages.name.key". KeyError with a line for a stage or section that is none."""
    *sections, key = path.split(".")
    target: Any = table
    for place, section in enumerate(sections):
        if isinstance(target, list):
            target = next((stage for stage in target if stage.get("name") == section), None)
        else:
            target = target.setdefault(section, {}) if place == 0 else target.get(section)
        if not isinstance(target, (dict, list)):
            raise KeyError(f"'{path}' leads nowhere: it is key, section.key or stages.name.key")
    if not isinstance(target, dict):
        raise KeyError(f"'{path}' leads nowhere: name the stage too, as in stages.name.{key}")
    target[key] = value


def _check(table: Mapping[str, Any], label: str) -> None:
    from florenz.train.recipe import recipe_of

    recipe_of(copy.deepcopy(dict(table)), label)


def check_runs(runs: Sequence[Run]) -> None:
    """`RecipeError` with what would stop runs that are not done in their first seconds, each when its turn came; and
    with those that are done on another build of their dataset, since there is no mean of both."""
    from florenz.train.preflight import problems_of_data, problems_of_recipe  # torch, which takes a second
    from florenz.train.recipe import recipe_of

    problems = []
    for run in (run for run in runs if not run.is_done):
        recipe = recipe_of(copy.deepcopy(dict(run.table)), run.variant)
        found = problems_of_recipe(recipe, world_size=1) or problems_of_data(recipe)
        problems += [f"variant {run.variant}: {problem}" for problem in found]
    if not problems and not all(run.is_done for run in runs):
        problems += [problem for run in runs if run.is_done for problem in _another_build(run)]
    if problems:
        raise RecipeError(list(dict.fromkeys(problems)))


def execute(runs: Sequence[Run], say: Say, *, processes: int = 0) -> list[Run]:
    """Run what is not done, so many at once; those that failed, whose log.txt says why. Ctrl-C stops them all.

    `ValueError` before anything is started if a folder holds another run, or a dataset is not there.
    """
    waiting = [run for run in runs if not run.is_done]
    for data in sorted({str(run.table["data"]) for run in waiting if "data" in run.table}):
        for folder in folders_in(data):
            read_manifest(folder)
    raise_if(dict.fromkeys(problem for run in waiting for problem in _missing_starts(run.table)))
    if num_done := len(runs) - len(waiting):
        say(f"{num_done} of {len(runs)} runs are done")
    for run in waiting:
        run.prepare()
    slots = _slots(processes)
    running: dict[int, tuple[Run, subprocess.Popen[bytes], float]] = {}
    failed = []
    try:
        while waiting or running:
            for slot in range(len(slots)):
                if slot not in running and waiting:
                    run = waiting.pop(0)
                    running[slot] = run, _start(run, slots[slot]), time.monotonic()
            slot = _next_to_end(running)
            run, process, since = running.pop(slot)
            minutes = (time.monotonic() - since) / 60
            if process.returncode or not run.is_done:
                failed.append(run)
                say(f"{run.folder.name}: failed after {minutes:.1f} minutes: {run.folder / LOG} says why")
            else:
                say(f"{run.folder.name}: done in {minutes:.1f} minutes, {len(waiting) + len(running)} to go")
    finally:
        for _, process, _ in running.values():
            process.terminate()
        for _, process, _ in running.values():
            process.wait()
    return failed


def _another_build(run: Run) -> Iterator[str]:
    """Whether the dataset was made anew since the run was scored."""
    then = json.loads(read_path(run.folder / RESULT, RECORD_BYTES)).get("dataset")
    now = "+".join(read_manifest(folder).build for folder in folders_in(str(run.table["data"])))
    if then != now:
        yield f"{run.folder} is done on build {then}, and DATA is {now} by now: choose another OUT, or remove it"


def _missing_starts(table: Mapping[str, Any]) -> Iterator[str]:
    """Folders of weights to start from that are not there; a name of the hub has one slash at most."""
    for key in ("florence", "gemma", "tokenizer", "init"):
        name = table["model"].get(key) if "model" in table else None
        if name and (name.count("/") > 1 or name[0] in "./~") and not Path(name).expanduser().exists():
            yield f"[model] {key} is {name}, which is not there: make it first, or take the runs that need it out"


def _slots(processes: int) -> list[dict[str, str]]:
    """What is added to the environment of each run that goes on at the same time."""
    import torch

    gpus = [str(place) for place in range(torch.cuda.device_count())]
    if visible := os.environ.get(VISIBLE, "").strip():  # of the machine's GPUs these are ours, by number or by name
        gpus = [name.strip() for name in visible.split(",")][: len(gpus)]
    number = max(processes, len(gpus), 1)
    return [{VISIBLE: gpus[slot % len(gpus)]} if gpus else {} for slot in range(number)]


def _start(run: Run, extra: Mapping[str, str]) -> subprocess.Popen[bytes]:
    with (run.folder / LOG).open("ab") as log:
        command = [sys.executable, "-m", "florenz.train.runs", str(run.folder)]
        return subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **extra})


def _next_to_end(running: Mapping[int, tuple[Run, subprocess.Popen[bytes], float]]) -> int:
    """The slot of a run that has ended; one of several is waited for by short waits on each in turn."""
    while True:
        for slot, (_, process, _) in running.items():
            try:
                process.wait(timeout=POLL_S)
            except subprocess.TimeoutExpired:
                continue
            return slot


def read_run(folder: Path) -> dict[str, Any]:
    """The recipe of a run, as a table. `ValueError` for a folder that holds none."""
    try:
        table = json.loads(read_path(folder / RECORD, RECORD_BYTES))
        return dict(table)
    except (OSError, ValueError, TypeError) as problem:
        raise ValueError(f"{folder} holds no run: {RECORD} cannot be read ({problem})") from problem


def main(arguments: Sequence[str]) -> int:
    from florenz.console import fail, interrupt, quiet_libraries

    if len(arguments) != 1:
        return fail("usage: python -m train.runs FOLDER", 2)
    quiet_libraries()
    signal.signal(signal.SIGTERM, interrupt)  # so that its session is written down
    from florenz.train.loop import train
    from florenz.train.recipe import recipe_of
    from florenz.train.scores.finished import evaluate_training

    try:
        recipe = recipe_of(read_run(Path(arguments[0])), arguments[0])
        train(recipe, print)
        evaluate_training(recipe, print)
    except (OSError, ValueError) as problem:
        return fail(str(problem), 1)
    except KeyboardInterrupt:
        return fail("interrupted", 130)
    return 0


def folders_below(out: str) -> Iterator[Path]:
    """Of the finished runs of a list, by name."""
    yield from sorted(path.parent for path in Path(out).glob(f"*/{RESULT}"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
