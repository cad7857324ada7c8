"""Tests in two processes at once, which are what two cores do in half of the time.

    python tests/side_by_side.py quick      # the quick tests, in two halves: what `make test` calls
    python tests/side_by_side.py            # the quick ones beside the slow ones: what `make check` ends with

What the second process says comes when the first has ended. A half is made of whole files, the largest first and each
to the half that is smaller so far: the size of a file is near enough to the time that it takes.
"""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

QUICK, SLOW = "not slow", "slow and not engines"


def halves(sizes: dict[str, int]) -> tuple[list[str], list[str]]:
    """sizes: name -> size of a file. Both halves in the order of the names."""
    parts: tuple[list[str], list[str]] = ([], [])
    totals = [0, 0]
    for name in sorted(sizes, key=lambda name: (-sizes[name], name)):
        lighter = totals.index(min(totals))
        parts[lighter].append(name)
        totals[lighter] += sizes[name]
    return sorted(parts[0]), sorted(parts[1])


def both(first: Sequence[str], second: Sequence[str]) -> int:
    """Runs pytest with these words at once; exit code of what failed. Only the first keeps pytest's cache."""
    pytest = [sys.executable, "-m", "pytest", "-q"]
    with tempfile.TemporaryFile("w+") as said:
        command = [*pytest, "-p", "no:cacheprovider", *second]
        beside = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        failed = subprocess.run([*pytest, *first], check=False).returncode
        failed = beside.wait() or failed
        said.seek(0)
        print(said.read())
    return failed


def main(words: Sequence[str]) -> int:
    if words == ["quick"]:
        sizes = {str(path): path.stat().st_size for path in Path("tests").glob("test_*.py")}
        first, second = ([*half, "-m", QUICK] for half in halves(sizes))
    elif not words:
        first, second = ["-m", SLOW], ["-m", QUICK]
    else:
        print(__doc__, file=sys.stderr)
        return 2
    return both(first, second)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
