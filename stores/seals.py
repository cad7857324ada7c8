"""Whether what lies on a disk is what was written: JSON records that carry their own checksum, and files' hashes.

A flipped bit leaves most JSON as readable as it was, with another number in it.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, BinaryIO

from florenz.stores import files

SEAL = "checksum"
READ_BYTES = 1 << 20
HASHED_AT_ONCE = 4  # files: reading and hashing hold no lock of Python's; more would only move a disk's head about


class BrokenSeal(ValueError):
    """A record's content does not fit its checksum."""


def sealed(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record with its checksum. It must come back from JSON as it went in: texts as keys, no tuples."""
    return {**record, SEAL: _checksum(record)}


def check_seal(record: Mapping[str, Any]) -> None:
    """Raises BrokenSeal. A record without a checksum passes: it was written before there were any."""
    if SEAL in record and record[SEAL] != _checksum({key: value for key, value in record.items() if key != SEAL}):
        raise BrokenSeal("its content does not fit its checksum: a disk or a copy has damaged it")


def sha256_of(path: str) -> str | None:
    """Of a file's bytes, in hex; None if there is no such file."""
    try:
        with files.open_read(path) as file:
            return sha256_of_open(file)
    except FileNotFoundError:
        return None


def sha256s_of(paths: Iterable[str]) -> Iterator[str | None]:
    """As `sha256_of` says of each, in their order; several are read at once."""
    with ThreadPoolExecutor(HASHED_AT_ONCE) as pool:
        yield from pool.map(sha256_of, paths)


def sha256_of_open(file: BinaryIO) -> str:
    """The same of a file from here on."""
    digest = hashlib.sha256()
    while block := file.read(READ_BYTES):
        digest.update(block)
    return digest.hexdigest()


def _checksum(record: Mapping[str, Any]) -> str:
    canonical = json.dumps(record, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
