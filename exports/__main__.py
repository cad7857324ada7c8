"""The command line of `make export`: `florenz export OUT FORMAT=name [NAME=value ...]`.

Exit codes: 0 done; 1 stopped, what is complete is kept; 2 the input is wrong and nothing was written; 130 Ctrl-C.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence

from florenz.console import INTERRUPTED, REFUSED, STOPPED, fail, leave, tell
from florenz.exports.formats.contract import ONE_TASK, format_names, load_format
from florenz.out_command import read_words

USAGE = """usage: florenz export OUT FORMAT=name [TASK=caption] [LANGS=de,fr] [STYLES=short] [SPLITS=val] [TO=folder]

Writes the current build of OUT in another format, into a folder of its own (by default beside OUT).
  FORMAT   webdataset    tars of .jpg and .txt, one text a sample (open_clip, img2dataset's users)
           energon       the same with NVIDIA Energon's metadata
           mds           MosaicML's shards (StreamingDataset)
           conversation  JSON with turns, and the pictures (LLaVA, TRL, LLaMA-Factory, nanoVLM)
  TASK     caption or translation; webdataset and energon hold one of them (caption)
  LANGS    languages, all by default
  SPLITS   all but heldout by default; heldout goes alone
The same command again goes on where it was stopped. What was written is read back and compared with the manifest."""
NAMES = ("FORMAT", "TASK", "LANGS", "STYLES", "SPLITS", "TO")


def main(arguments: Sequence[str]) -> int:
    words = read_words(arguments, USAGE, NAMES)
    if isinstance(words, int):
        return words
    out, typed = words
    if typed.get("FORMAT", "") not in format_names():
        return fail(f"FORMAT is {typed.get('FORMAT', '')!r}: choose one of {', '.join(format_names())}", REFUSED)
    try:
        return _export(out, typed)
    except KeyboardInterrupt:
        return fail("interrupted; what is complete is kept: run the same command to go on", INTERRUPTED)


def _export(out: str, typed: dict[str, str]) -> int:
    from florenz.exports.run import ExportError, export
    from florenz.exports.selection import SelectionError, read_selection
    from florenz.shards.manifest import ManifestError, read_manifest
    from florenz.shards.schema import SchemaError
    from florenz.shards.tar import ShardError
    from florenz.stores.files import StoreError, in_words

    name = typed["FORMAT"]
    kind = load_format(name)
    try:
        manifest = read_manifest(out)
        selection = read_selection(typed, manifest, one_task=kind.TASKS == ONE_TASK)
        to = typed.get("TO", "").rstrip("/") or "-".join((out, name, *_named(typed)))
        if f"{_place(to)}/".startswith(f"{_place(out)}/"):
            return fail(f"TO is {to}, inside OUT, whose readers would take it for the dataset: choose another", REFUSED)
    except (ManifestError, SelectionError, StoreError) as problem:
        return fail(str(problem), REFUSED)
    try:
        written = export(out, manifest, to, name, kind, selection)
    except ExportError as problem:
        return fail(str(problem), REFUSED)
    except (ShardError, SchemaError) as problem:
        return fail(f"{problem}\nstopped: make verify OUT={out} says what is wrong", STOPPED)
    except OSError as problem:
        return fail(f"{in_words(problem)}\nstopped; what is complete is kept: run the same command to go on", STOPPED)
    samples, texts = sum(one.piece.samples for one in written), sum(one.texts for one in written)
    print(f"exported   {samples} samples with {texts} texts of build {manifest.build}, read back and compared")
    tell(f"in         {to}")
    return 0


def _place(path: str) -> str:
    """Where it lies, however it is spelled."""
    from florenz.stores import files

    local = files.local_path(path)
    return path if local is None else os.path.realpath(local)


def _named(typed: dict[str, str]) -> list[str]:
    """What of the choice stands in the name of the folder."""
    return [re.sub(r"[^\w-]+", "-", typed[name]) for name in ("TASK", "LANGS", "STYLES", "SPLITS") if typed.get(name)]


if __name__ == "__main__":
    leave(main(sys.argv[1:]))
