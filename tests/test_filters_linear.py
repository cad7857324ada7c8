"""Every check takes time in proportion to the text, whatever stands in it: four times the text, no ten times the time.

Measured as a ratio and in a process of its own, so that a loaded machine changes nothing and a check that hangs ends.
"""

import subprocess
import sys
import textwrap

import pytest

from florenz.filters.order import TEXT_CHECKS

WORST = {
    "line ends": "\n", "spaces": " ", "hashes": "#", "tabs and hashes": "\t#", "stars": "*", "brackets": "(",
    "quotes": '"', "letters": "a", "two letters": "ab", "words": "the ", "slashes": "a/", "pipes": "|", "digits": "1", 
    "separated": "1,", "accents": "Ã", "misread": "Ã¼", "angle": "<a ", "ampersand": "&a", "han": "中", 
    "colon": "in German", "note": "note ",
    "underscores": "_", "backticks": "`a ", "braces": '{"',
}  # fmt: skip
MAX_RATIO = 12  # of four times the text; squares give 16, and a fixed cost or a cache makes ratios small

PROGRAM = """
import time
from florenz.filters.chain import text_checks
from florenz.filters.order import TEXT_CHECKS
from florenz.filters.settings import FilterSettings
from florenz.filters.verdict import Candidate
unit = {unit!r}
def seconds(check, chars):
    text = (unit * (chars // len(unit) + 1))[:chars] + "x"
    best = 1e9
    for trial in range(2):
        candidate = Candidate(source=text[:-1] + "y" * (trial + 1), text=text, language="de")
        start = time.process_time()
        check(candidate, FilterSettings())
        best = min(best, time.process_time() - start)
    return best
for (reason, _), check in zip(TEXT_CHECKS, text_checks(), strict=True):
    print(reason, seconds(check, 12_500), seconds(check, 50_000))
"""


@pytest.mark.parametrize("unit", WORST.values(), ids=WORST.keys())
def test_four_times_the_text_takes_no_square_of_the_time(unit):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROGRAM.format(unit=unit))], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [reason for reason, *_ in lines] == [reason for reason, _ in TEXT_CHECKS]
    slow = {reason: (small, large) for reason, small, large in ((r, float(s), float(g)) for r, s, g in lines)
            if large > MAX_RATIO * max(small, 0.02)}  # fmt: skip
    assert not slow
