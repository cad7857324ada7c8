"""What the launcher hands to workers elsewhere, where it is much: lists in OUT, of which a job is told the names.

A job's description holds what it is given, and Dataflow takes no description of more than 10 MB: with a hundred million
images the ranges and the names of their parts are more.

    OUT/ledger/given/<hash>.json    one list; gone with its graph, at the latest when the next one is made

JSON and not a pickle, and read only where its bytes fit the hash, which travels in the job: whoever can write into OUT
makes a job stop and nothing else.
"""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from florenz.limits.reading import read_whole
from florenz.pipeline.workers.errors import WorkerError
from florenz.stores import files

LIST_BYTES = 1 << 20  # of a list, about; what is less in all stands in the job itself
MOST_BYTES = 1 << 30  # of one item
OURS = "florenz."


def kept(items: Sequence[Any], out: str) -> list[str] | None:
    """Names of the lists that hold these items; None where they are few, or are no texts and numbers."""
    try:
        lines = [json.dumps(_plain(item), separators=(",", ":")) for item in items]
    except TypeError:
        return None
    if sum(map(len, lines)) <= LIST_BYTES:
        return None
    folder, names = _folder(out), []
    for some in _cut(lines):
        content = f"[{','.join(some)}]".encode()
        names.append(hashlib.sha256(content).hexdigest())
        with files.atomic_write(_path(folder, names[-1])) as file:
            file.write(content)
    return names


def remove_lists(out: str) -> None:
    """Those of a graph that has ended, however that was."""
    for path in files.list_files(_folder(out)):
        files.remove(path)


def items_of(name: str, out: str) -> list[Any]:
    """What a list of this name holds. Raises WorkerError for one that is not what the launcher wrote."""
    path = _path(_folder(out), name)
    with files.open_read(path) as file:
        content = read_whole(file, MOST_BYTES, path)
    if hashlib.sha256(content).hexdigest() != name:
        raise WorkerError(f"{path} is not what the launcher wrote there: run the same command again")
    return [_itself(plain) for plain in json.loads(content)]


def _folder(out: str) -> str:
    return files.join(out, "ledger", "given")


def _path(folder: str, name: str) -> str:
    return files.join(folder, f"{name}.json")


def _cut(lines: Sequence[str]) -> Iterator[list[str]]:
    some: list[str] = []
    num_bytes = 0
    for line in lines:
        some.append(line)
        num_bytes += len(line)
        if num_bytes >= LIST_BYTES:
            yield some
            some, num_bytes = [], 0
    if some:
        yield some


def _plain(item: Any) -> Any:
    """As JSON holds it: what JSON has no word for as a table of its kind. Raises TypeError for what has none here."""
    if item is None or isinstance(item, str | int | float):
        return item
    if isinstance(item, list):
        return [_plain(one) for one in item]
    if isinstance(item, tuple):
        return {"tuple": [_plain(one) for one in item]}
    if isinstance(item, frozenset):
        return {"frozenset": sorted(item)}
    if isinstance(item, dict):
        return {"dict": [[_plain(key), _plain(value)] for key, value in item.items()]}
    if is_dataclass(item) and type(item).__module__.startswith(OURS):
        values = {one.name: _plain(getattr(item, one.name)) for one in fields(item)}
        return {"class": f"{type(item).__module__}:{type(item).__qualname__}", "values": values}
    raise TypeError(f"{type(item).__name__} does not travel in a list")


def _itself(plain: Any) -> Any:
    if isinstance(plain, list):
        return [_itself(one) for one in plain]
    if not isinstance(plain, dict):
        return plain
    if "class" in plain:
        module, _, name = plain["class"].partition(":")
        kind = getattr(importlib.import_module(module), name)
        return kind(**{name: _itself(value) for name, value in plain["values"].items()})
    ((kind, held),) = plain.items()
    if kind == "dict":
        return {_itself(key): _itself(value) for key, value in held}
    return tuple(_itself(one) for one in held) if kind == "tuple" else frozenset(held)
