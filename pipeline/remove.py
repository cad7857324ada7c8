"""The command line of `make remove`: `florenz remove OUT KEYS=file`.

Exit codes: 0 done; 1 stopped, the same command goes on; 2 the input is wrong and nothing was done; 130 Ctrl-C.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence

from florenz.console import INTERRUPTED, REFUSED, STOPPED, fail, leave, quiet_libraries, tell
from florenz.out_command import read_words

USAGE = """usage: florenz remove OUT KEYS=file

Takes images out of a dataset for good: out of shards, index, ledger, rejects and reports, of all builds in OUT.
  KEYS  a text file with one key a line (32 hex digits: the name of the sample, or `image` in the index), or the address
        that a sidecar or a column gave for an image; what follows a # (of an address: a blank and a #) says why
No later run takes these images in again, whatever the recipe. No model is asked; only shards that hold one of them are
written anew. After a kill the same command goes on. Exports and copies made before still hold them."""


def main(arguments: Sequence[str]) -> int:
    words = read_words(arguments, USAGE, ("KEYS",))
    if isinstance(words, int):
        return words
    out, typed = words
    if not typed.get("KEYS"):
        return fail(USAGE.splitlines()[0], REFUSED)
    quiet_libraries()
    try:
        return _remove(out, typed["KEYS"])
    except KeyboardInterrupt:
        return fail("interrupted: run the same command to go on", INTERRUPTED)


def _remove(out: str, path: str) -> int:
    from florenz.pipeline.addresses import images_at
    from florenz.pipeline.assemble.build import BrokenSummary
    from florenz.pipeline.removal import RemovalError, remove
    from florenz.shards.manifest import ManifestError
    from florenz.stores.files import StoreError, in_words
    from florenz.stores.lock import OutInUse

    try:
        keys, addresses = read_keys(path)
    except (ValueError, OSError) as problem:
        return fail(in_words(problem) if isinstance(problem, OSError) else str(problem), REFUSED)
    try:
        found = images_at(out, addresses)
        named = keys.union(*found.values())
        if not named:
            return fail(f"KEYS {path}: no image of {out} came from these addresses", REFUSED)
        done = remove(out, named)
    except (ManifestError, RemovalError, OutInUse, BrokenSummary, StoreError) as problem:
        return fail(str(problem), REFUSED)
    except (ValueError, OSError) as problem:
        words = in_words(problem) if isinstance(problem, OSError) else str(problem)
        return fail(f"{words}\nstopped: run the same command to go on", STOPPED)
    print(f"removed    {done.images} images from {done.shards} shards, {done.rejects} rejects, {done.answers} answers")
    if unknown := max(0, len(named) - done.listed):
        print(f"unknown    {unknown} of {len(named)} keys are of no image that was listed here; they stay out as well")
    if lost := sorted(addresses - found.keys()):
        tell(f"unknown    {len(lost)} of {len(addresses)} addresses, like {lost[0]}: nothing keeps their images out")
    print("elsewhere  exports and copies that were made before still hold them: make them anew")
    tell(f"next       make verify OUT={out}")
    return 0


def read_keys(path: str) -> tuple[frozenset[str], frozenset[str]]:
    """The keys and the addresses of a file. `ValueError` with a line for what is neither, or where there is none."""
    from florenz.images.sidecars import is_address, one_line
    from florenz.limits.printable import printable
    from florenz.limits.reading import read_whole
    from florenz.limits.table import RECORD_BYTES
    from florenz.pipeline.tombstones import KEY
    from florenz.shards.schema import HELDOUT_SUFFIX
    from florenz.stores import files

    with files.open_read(path) as file:
        lines = read_whole(file, RECORD_BYTES, path).decode(errors="replace").split("\n")
    addresses = frozenset(one_line(re.split(r"\s#", line)[0]) for line in lines if is_address(line.strip()))
    found = [
        "" if is_address(line.strip()) else line.partition("#")[0].strip().lower().removesuffix(HELDOUT_SUFFIX)
        for line in lines
    ]
    problems = [
        f"KEYS {path}, line {number}: {printable(key[:80])!r} is no key (32 hex digits; index/ lists them as `image`) "
        "and no http address"
        for number, key in enumerate(found, 1)
        if key and not KEY.fullmatch(key)
    ]
    if problems or not (addresses or any(found)):
        raise ValueError("\n".join(problems[:20]) or f"KEYS {path} names no image: give a key on each line")
    return frozenset(key for key in found if key), addresses


if __name__ == "__main__":
    leave(main(sys.argv[1:]))
