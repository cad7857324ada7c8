"""Say in one line why a server died, out of a log that ends in pages of traceback.

vLLM prints the root cause first and then what followed from it ("Engine core initialization failed. See root cause
above"), each with its own traceback, so neither the first nor the very last line is the one to show.
"""

import re
from pathlib import Path

TAIL_BYTES = 256_000
MAX_CHARS = 300

_ERROR_LINE = re.compile(r"^(?:[\w.]*(?:Error|Exception|Exit|Interrupt)|error): \S.*|^\S+: error: \S.*")
_PREFIX = re.compile(r"^\(\w[^)]*pid=\d+\)\s*|^(?:ERROR|WARNING|INFO|CRITICAL) [\d-]+ [\d:]+ \[[^\]]*\]\s?")
_CONSEQUENCES = ("See root cause above", "Engine core initialization failed", "EngineDeadError")
_NOISE = ("nanobind:", "- leaked", "- ...", "See https://nanobind", "warnings.warn(", "resource_tracker", "nan_asserts")


def crash_reason(log_path: Path, *, start_byte: int = 0) -> str:
    """The line that names the root cause, else the last line that says anything; empty for an empty log."""
    lines = [line for line in map(_without_prefix, _tail(log_path, start_byte).splitlines()) if _says_something(line)]
    errors = [line for line in lines if _ERROR_LINE.match(line)]
    causes = [line for line in errors if not any(word in line for word in _CONSEQUENCES)]
    best = (causes or errors or lines or [""])[-1]
    return best[:MAX_CHARS]


def _tail(log_path: Path, start_byte: int) -> str:
    with log_path.open("rb") as log:
        size = log.seek(0, 2)
        log.seek(max(start_byte, size - TAIL_BYTES))
        return log.read().decode(errors="replace")


def _without_prefix(line: str) -> str:
    while shorter := _PREFIX.match(line):
        line = line[shorter.end() :]
    return line.strip()


def _says_something(line: str) -> bool:
    return bool(line) and not any(noise in line for noise in _NOISE)
