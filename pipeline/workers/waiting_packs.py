"""Packs of rows (`packing.py`) that wait on a disk: what travels says where they lie.

For a runner that holds in memory what it groups, several times over, until the next step has ended.

    OUT/ledger/packs/<random>    the packs of many keys, one after the other; gone with the graph
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from florenz.stores import files

SIGN = b"@"  # no pack begins like this: they are zlib's


def packs_folder(out: str) -> str:
    return files.join(out, "ledger", "packs", "")


def laid_down(packs: Sequence[bytes], folder: str) -> list[bytes]:
    """What says where each of them lies, some 30 bytes; they are in one file."""
    name, offset, where = secrets.token_hex(6), 0, []
    with files.atomic_write(files.join(folder, name)) as file:
        for one in packs:
            file.write(one)
            where.append(SIGN + f"{name} {offset} {len(one)}".encode())
            offset += len(one)
    return where


def picked_up(one: bytes, folder: str) -> bytes:
    """The pack, if this only says where it lies."""
    if not one.startswith(SIGN):
        return one
    name, offset, size = one[len(SIGN) :].decode().split()
    (there,) = files.read_ranges(files.join(folder, name), [(int(offset), int(size))])
    return there


def remove_packs(out: str) -> None:
    """Those of a graph that was cut off too."""
    for path in files.list_files(packs_folder(out)):
        files.remove(path)
