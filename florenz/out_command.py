"""Reads the words of a command about one OUT: `florenz NAME OUT [VARIABLE=value ...]`."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from florenz.console import REFUSED, fail
from florenz.recipes.sections import nearest


def read_words(arguments: Sequence[str], usage: str, names: Collection[str]) -> tuple[str, dict[str, str]] | int:
    """OUT and the variables; or the exit code, after help was printed or one line about what is wrong."""
    if any(word in ("--help", "-h") for word in arguments):
        print(usage)
        return 0
    out, *words = arguments or [""]
    typed = dict(word.split("=", 1) for word in words if "=" in word)
    if not out or "=" in out or len(typed) != len(words):
        return fail(usage.splitlines()[0], REFUSED)
    if unknown := [name for name in typed if name not in names]:
        return fail(f"unknown variable {unknown[0]}: {nearest(unknown[0], names)}", REFUSED)
    return out.rstrip("/"), typed
