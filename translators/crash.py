"""Say in one line why a server died, out of a log that ends in pages of traceback.

vLLM prints the root cause first and then what followed from it ("Engine core initialization failed. See root cause
above"), each with its own traceback, so neither the first nor the very last line is the one to show.
"""

import re
from pathlib import Path

from florenz.translators.secrets import scrubbed

TAIL_BYTES = 256_000
MAX_CHARS = 300

_ERROR_LINE = re.compile(r"^(?:[\w.]*(?:Error|Exception|Exit|Interrupt)|error): \S.*|^\S+: error: \S.*")
_PREFIX = re.compile(r"^\(\w[^)]*pid=\d+\)\s*|^(?:ERROR|WARNING|INFO|CRITICAL) [\d-]+ [\d:]+ \[[^\]]*\]\s?")
_CONSEQUENCES = ("See root cause above", "Engine core initialization failed", "EngineDeadError")
_NOISE = ("nanobind:", "- leaked", "- ...", "See https://nanobind", "warnings.warn(", "resource_tracker", "nan_asserts")


def crash_reason(log_path: Path, *, start_byte: int = 0) -> str:
    """The line that names the root cause, else the last line that says anything; empty for an empty log.

    Scrubbed before it is cut; the log itself stays as the server wrote it.
    """
    lines = [line for line in map(_without_prefix, _tail(log_path, start_byte)) if _says_something(line)]
    errors = [line for line in lines if _ERROR_LINE.match(line)]
    causes = [line for line in errors if not any(word in line for word in _CONSEQUENCES)]
    best = (causes or errors or lines or [""])[-1]
    return scrubbed(best)[:MAX_CHARS]


def _tail(log_path: Path, start_byte: int) -> list[str]:
    """Whole lines: a line that lost its beginning could begin with half a key."""
    with log_path.open("rb") as log:
        size = log.seek(0, 2)
        start = log.seek(max(start_byte, size - TAIL_BYTES))
        lines = log.read(TAIL_BYTES).decode(errors="replace").splitlines()
    return lines if start == start_byte else lines[1:]


def _without_prefix(line: str) -> str:
    while shorter := _PREFIX.match(line):
        line = line[shorter.end() :]
    return line.strip()


def _says_something(line: str) -> bool:
    return bool(line) and not any(noise in line for noise in _NOISE)
