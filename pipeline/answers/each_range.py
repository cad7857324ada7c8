"""What is done for each of many ranges or shards, where the recipe's graphs run; a record comes back of each."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import apache_beam as beam

from florenz.pipeline.answers.current import CurrentAnswers
from florenz.pipeline.answers.ledger import Ledger
from florenz.pipeline.recipe import Recipe
from florenz.pipeline.runners.contract import graph, spread
from florenz.pipeline.workers.given import given
from florenz.stores import files

FEW = 16  # ranges, or shards, that are looked through in less time than an engine takes to start
Item = TypeVar("Item")
Record = dict[str, Any]  # of JSON


def for_each(
    recipe: Recipe, what: str, items: Sequence[Item], do: Callable[[Item], Record], parts: int = 0
) -> list[Record]:
    """What comes of each, in any order: by workers, unless it is too little for that. what: names the step. parts: as
    in `spread`.
    """
    if len(items) <= FEW:
        return [do(item) for item in items]
    path = files.join(recipe.out, "ledger", f"{what.replace(' ', '-')}.new.json")
    running = spread(recipe.running, parts)
    with graph(running, "read") as pipeline:
        _ = (
            pipeline
            | "ranges" >> given(items, running)
            | what >> beam.Map(do)
            | "all ranges" >> beam.combiners.ToList()
            | "note" >> beam.Map(_note, path=path)
        )
    found: list[Record] = json.loads(files.read_bytes(path))
    files.remove(path)
    return found


def merge_scattered(recipe: Recipe, answers: CurrentAnswers) -> tuple[dict[str, list[str]], list[str]]:
    """Merge the ledger's parts where they are many or of wider ranges than are written now; afterwards each is of one
    range. What parts there are, by folder, and a line for each that was damaged.
    """
    listed, digits = answers.ledger.parts(), answers.ledger.digits
    scattered = answers.ledger.scattered(listed=listed)
    if not scattered:
        return listed, []
    merged = for_each(recipe, "merge", scattered, partial(_merged, out=recipe.out, digits=digits))
    return answers.ledger.parts(), [line for one in merged for line in one["damaged"]]


def _merged(parts: Sequence[str], out: str, digits: int) -> Record:
    ledger = Ledger(out, digits)
    ledger.merge(parts)
    return {"damaged": ledger.damaged}


def _note(records: list[Record], path: str) -> None:
    with files.atomic_write(path) as file:
        file.write(json.dumps(records).encode())
