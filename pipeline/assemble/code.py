"""Which code decides the bytes of a build: the import closure of what its workers run, read from the sources.

Not a list kept by hand, which forgets a file, and not a glob, which counts some too many: where `shards/writer.py`
changes, or anything that it imports, builds get another name; where `shards/verify.py` changes they don't.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from florenz.filters.order import TEXT_CHECKS

PACKAGE = "florenz"
# The chain imports its filters by name, from the table of their order.
ENTRIES = ("florenz.pipeline.assemble.work", *(f"florenz.filters.{file}" for _, file in TEXT_CHECKS))


@cache
def code_checksum(entries: tuple[str, ...] = ENTRIES) -> str:
    """SHA-256 over names and contents of the closure: a mended filter makes another build."""
    digest = hashlib.sha256()
    for module, path in sorted(import_closure(entries).items()):
        digest.update(module.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def import_closure(entries: tuple[str, ...]) -> dict[str, Path]:
    """Module -> file, for the entries and all modules of ours that they import, at any depth, inside functions too.

    Packages themselves are left out: their `__init__.py` hold a docstring.
    """
    found: dict[str, Path] = {}
    waiting = list(entries)
    while waiting:
        module = waiting.pop()
        path = _source_of(module)
        if path is None or module in found:
            continue
        found[module] = path
        waiting += _imported(path)
    return found


def _imported(path: Path) -> Iterator[str]:
    """Names that may be modules of ours: `from florenz.stores import files` names one, `import cache` does not."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith(f"{PACKAGE}."))
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == PACKAGE:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _source_of(module: str) -> Path | None:
    """The module's file, found without importing it; None for a package and for what is no module."""
    package, _, name = module.rpartition(".")
    spec = find_spec(package) if package else None
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (path := Path(folder) / f"{name}.py").is_file():
            return path
    return None
