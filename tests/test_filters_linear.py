"""Every check takes time in proportion to the text, whatever stands in it: four times the text, no ten times the time;
and a megabyte of what it is slowest with takes under a second.

CPU time, of a process of its own, so that what else a machine does changes little and a check that hangs ends.
"""

import subprocess
import sys
import textwrap

import pytest

from florenz.filters.order import REASONS, TEXT_CHECKS

WORST = {
    "line ends": "\n", "spaces": " ", "hashes": "#", "tabs and hashes": "\t#", "stars": "*", "brackets": "(",
    "quotes": '"', "letters": "a", "two letters": "ab", "words": "the ", "slashes": "a/", "pipes": "|", "digits": "1",
    "separated": "1,", "accents": "Ã", "misread": "Ã¼", "angle": "<a ", "ampersand": "&a", "han": "中",
    "colon": "in German", "note": "note ", "twins": "Hаus ",
    "underscores": "_", "backticks": "`a ", "braces": '{"', "emphasis": "*a ",
    "underscored": "_a ", "at": "a@", "addresses": "a.b", "escapes": "\\n",
    "language bars": "<｜a",
}  # fmt: skip
MAX_RATIO = 12  # of four times the text; squares give 16, and a fixed cost or a cache makes ratios small

# What each is slowest with, of all above and of what once took the square of its length.
SLOWEST = {
    "empty": ["spaces"], "truncated": ["spaces"], "control_characters": ["line ends"], "mojibake": ["misread"],
    "chat_markup": ["pipes"], "commentary": ["line ends", "underscores"], "markup": ["stars", "backticks", "at"],
    "copied_source": ["misread"], "length_ratio": ["han"], "said_twice": ["words"], "alternatives": ["slashes"],
    "number_conflict": ["separated"], "copied_tail": ["words"], "copied_head": ["words"],
    "repetition": ["misread", "slashes"], "added_brackets": ["brackets"], "foreign_word": ["han"],
    "mixed_letters": ["twins", "misread"],
    "wrong_language": ["separated"], "mixed_language": ["words"], "misaligned": ["words"],
    "cut_word": ["words"], "untranslated_word": ["words"],
}  # fmt: skip
MEGABYTE = 1_000_000
MAX_SECONDS = 1.0

PROGRAM = """
import time
from florenz.filters.alignment import FOLDS, NUM_LEXICONS, learn_pair_model
from florenz.filters.alignment_check import AlignmentTable, check_misaligned
from florenz.filters.evidence import learn_weights, prior_weights, rows_of
from florenz.filters.chain import FilterChain, text_checks
from florenz.filters.cut_word import check_cut_word
from florenz.filters.order import LANGUAGE_CHECKS, REASONS, TEXT_CHECKS
from florenz.filters.settings import FilterSettings
from florenz.filters.untranslated_word import check_untranslated_word
from florenz.filters.verdict import Candidate
def seconds(check, unit, num_bytes):
    text = unit * (num_bytes // len(unit.encode()) + 1) + "x"
    best = 1e9
    for trial in range(2):
        candidate = Candidate(source=text[:-1] + "y" * (trial + 1), text=text, language="de")
        start = time.process_time()
        check(candidate)
        best = min(best, time.process_time() - start)
        if best < 0.02:
            break
    return best
def alone(reason):
    chain = FilterChain(FilterSettings(disabled=tuple(other for other in REASONS if other != reason)))
    chain([Candidate(source="a", text="ein Haus am See", language="de")])
    return lambda candidate: chain([candidate])
pairs = [("the house", "das Haus"), ("the tree", "der Baum")]
model = learn_pair_model(pairs, "de")
rows = rows_of(model.features(pairs), NUM_LEXICONS, len(pairs))
weights = (learn_weights(rows, rows, prior_weights(NUM_LEXICONS, rows.shape[1])),) * FOLDS
tables = {{"de": AlignmentTable("de", (model,) * FOLDS, weights, 0.0, 2, "")}}
names = [reason for reason, _ in TEXT_CHECKS]
checks = {{name: lambda one, check=check: check(one, FilterSettings()) for name, check in zip(names, text_checks())}}
checks |= {{name: alone(name) for name in LANGUAGE_CHECKS}}
checks["misaligned"] = lambda candidate: check_misaligned([candidate], tables)
checks["cut_word"] = lambda candidate: check_cut_word([candidate], tables)
checks["untranslated_word"] = lambda candidate: check_untranslated_word([candidate], tables)
for reason, unit, *sizes in {asked!r}:
    print(reason, *(seconds(checks[reason], unit, size) for size in sizes), flush=True)
"""


def measured(asked: list[tuple[object, ...]]) -> list[tuple[str, list[float]]]:
    """(reason, seconds for each size), for each (reason, unit of the text, sizes in bytes)."""
    program = textwrap.dedent(PROGRAM.format(asked=asked))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    return [(reason, [float(seconds) for seconds in rest]) for reason, *rest in lines]


@pytest.fixture(scope="module")
def growth() -> dict[str, list[tuple[str, float, float]]]:
    """Unit -> (reason, seconds for 12,500 bytes, for 50,000): in one process, whose start takes longer than all."""
    names = [name for name in WORST for _ in TEXT_CHECKS]
    asked = [(reason, WORST[name], 12_500, 50_000) for name in WORST for reason, _ in TEXT_CHECKS]
    found: dict[str, list[tuple[str, float, float]]] = {name: [] for name in WORST}
    for name, (reason, (small, large)) in zip(names, measured(asked), strict=True):
        found[name].append((reason, small, large))
    return found


@pytest.mark.parametrize("name", list(WORST))
def test_four_times_the_text_takes_no_square_of_the_time(
    growth: dict[str, list[tuple[str, float, float]]], name: str
) -> None:
    assert [reason for reason, *_ in growth[name]] == [reason for reason, _ in TEXT_CHECKS]
    assert not [line for line in growth[name] if line[2] > MAX_RATIO * max(line[1], 0.02)]


def test_a_megabyte_of_the_worst_takes_each_check_under_a_second() -> None:
    assert list(SLOWEST) == list(REASONS), "each check has its worst case"
    pairs = [(reason, name) for reason, names in SLOWEST.items() for name in names]
    found = measured([(reason, WORST[name], MEGABYTE) for reason, name in pairs])
    slow = [(reason, name, seconds) for (_, name), (reason, (seconds,)) in zip(pairs, found, strict=True)
            if seconds >= MAX_SECONDS]  # fmt: skip
    assert not slow
