"""Nothing is read whole without a limit: the code itself is walked, and the readers are given too much."""

import ast
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from florenz.limits.errors import TooLarge, excess
from florenz.limits.printable import printable, printable_lines
from florenz.limits.reading import depth_of, read_whole
from florenz.limits.table import Limits
from florenz.pipeline.recipe import RecipeError, load_recipe

ROOT = Path(__file__).resolve().parents[1]
ROOMS = sorted(path.parent.name for path in ROOT.glob("*/__init__.py") if path.parent.name not in (
    "tests", "installation", "benchmarks"))  # fmt: skip
# Whole files that may be read as they are, and why.
OWN = {
    "stores/schemes/local.py": "the layer itself: it is told what to read",
    "stores/files.py": "the layer itself",
    "pipeline/assemble/code.py": "the sources of this program",
    "playground/world.py": "the truth beside our own pictures",
    "pipeline/answers/busy.py": "what the workers of the same run have noted",
    "pipeline/index.py": "our own index, written by the same run",
    "pipeline/image_index.py": "our own index, under its seal and the hashes of its parts",
    "pipeline/answers/each_range.py": "our own counts, written by the same run",
    "pipeline/answers/survey.py": "parts of our ledger, whose names are hashes of their bytes",
    "pipeline/answers/surveyed.py": "our own counts, under their seal",
    "pipeline/assemble/texts.py": "texts that the same assembly has just left",
    "pipeline/assemble/rejects.py": "rejects that the same assembly has just left",
    "pipeline/known_sources.py": "our own record of what was read, beside the index",
    "pipeline/tombstones.py": "our own list of keys, and tables of our own that lose rows",
    "pipeline/removal.py": "our own note of what a removal has begun",
    "exports/publish.py": "our own manifest, once it was read and checked",
    "pipeline/rates.py": "our own rates of earlier runs",
    "pipeline/assemble/build.py": "our own summaries, and the language ID model of the installation",
    "pipeline/workers/agreement.py": "the sources of this program, and a mark of our own",
    "translators/shared_server.py": "a record of our own in a folder that only its user can write",
    "exports/run.py": "our own records of an export",
    "exports/formats/energon.py": "what this export has just written",
    "exports/formats/mds.py": "what this export has just written",
    "florenz/progress.py": "the end of our own log",
    "reports/page.py": "templates of this program, and our own report",
    "reports/entries.py": "our own rejects and index",
    "reports/judging.py": "our own samples and verdicts",
    "reports/server.py": "our own page",
    "train/log.py": "our own log of the same training",
}
WHOLE = {"read_bytes", "read_text", "readlines", "readall", "getvalue"}


def whole_reads(source: str) -> Iterator[int]:
    """Lines in which something is read to its end, however long it is."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        name = node.func.attr
        if name in WHOLE - {"getvalue"} or (name == "read" and not node.args and not node.keywords):
            yield node.lineno


@pytest.mark.parametrize("room", ROOMS)
def test_every_read_has_a_limit(room: str) -> None:
    found = {}
    for path in (ROOT / room).rglob("*.py"):
        name = path.relative_to(ROOT).as_posix()
        if lines := list(whole_reads(path.read_text())):
            found[name] = lines
    assert not {name: lines for name, lines in found.items() if name not in OWN}


def test_what_may_be_read_whole_is_still_there() -> None:
    known = [name for name in OWN if (ROOT / name).is_file()]
    assert all(list(whole_reads((ROOT / name).read_text())) for name in known)


@pytest.mark.parametrize("line", ["x = file.read()", "Path(p).read_bytes()", "files.read_bytes(p)", "p.read_text()"])
def test_a_read_without_a_limit_is_noticed(line: str) -> None:
    assert list(whole_reads(line)) and not list(whole_reads("x = file.read(10)\ny = read_whole(file, 10, 'it')"))


class Endless:
    """Counts what is taken of it."""

    taken = 0

    def read(self, size: int, /) -> bytes:
        self.taken += size
        return bytes(size)


def test_reading_stops_right_behind_the_limit() -> None:
    endless = Endless()
    with pytest.raises(TooLarge, match=r"^it has more than 3,000,000 bytes, the limit \(raise \[limits\] x in the rec"):
        read_whole(endless, 3_000_000, "it", "[limits] x")
    assert endless.taken <= 3_000_001
    assert read_whole(io.BytesIO(b"abc"), 3, "it") == b"abc"


@pytest.mark.parametrize("size", range(4))
def test_what_just_fits_is_read(size: int) -> None:
    assert read_whole(io.BytesIO(bytes(size)), size, "it") == bytes(size)
    if size:
        with pytest.raises(TooLarge):
            read_whole(io.BytesIO(bytes(size)), size - 1, "it")


def test_a_message_says_how_large_and_by_how_much() -> None:
    assert excess(1500, 1000, "bytes") == "1,500 bytes, 500 more than the limit of 1,000"
    assert excess(52.25, 50.0, "times") == "52.2 times, 2.2 more than the limit of 50"


def nested(depth: int) -> Any:
    value: Any = 1
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


@pytest.mark.parametrize("depth", [0, 1, 5, 31, 32, 33, 50_000])
def test_depth_is_counted_without_going_deep(depth: int) -> None:
    assert depth_of(nested(depth), 32) == min(depth, 33)


@given(st.text())
def test_nothing_unprintable_is_printed(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable() and printable(shown) == shown
    assert all(line.isprintable() for line in printable_lines(text).split("\n"))
    assert shown == text or not text.isprintable()


RECIPE = """
languages = ["de"]
out = "out"
[images]
source = "pictures"
[captioner]
model = "org/captioner"
[translator]
model = "org/translator"
"""


def recipe_with(tmp_path: Path, extra: str) -> Any:
    (tmp_path / "recipe.toml").write_text(RECIPE + extra)
    return load_recipe(str(tmp_path / "recipe.toml"))


@pytest.mark.parametrize("name", list(Limits.__dataclass_fields__))
def test_each_limit_is_raised_in_the_recipe_and_stands_in_the_readme(tmp_path: Path, name: str) -> None:
    default = getattr(Limits(), name)
    recipe = recipe_with(tmp_path, f"[limits]\n{name} = {default * 2}\n")
    assert getattr(recipe.limits, name) == default * 2
    assert re.search(rf"\| `{name}` +\|.*\b{default:,}\b", (ROOT / "README.md").read_text()), "not in README's table"


def test_a_limit_below_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="reply_bytes is 0: choose at least 1"):
        recipe_with(tmp_path, "[limits]\nreply_bytes = 0\n")


@pytest.mark.parametrize(
    "extra, word",
    [
        ("", ""),
        ("[limits]\nbeams = 99\n", ""),
        ("[captioner2]\n", "unknown key"),
    ],
)
def test_counts_have_an_upper_bound_that_can_be_raised(tmp_path: Path, extra: str, word: str) -> None:
    text = RECIPE.replace('model = "org/captioner"', 'model = "org/captioner"\nnum_beams = 99') + extra
    (tmp_path / "recipe.toml").write_text(text)
    if "beams = 99" in extra:
        assert load_recipe(str(tmp_path / "recipe.toml")).captioner.num_beams == 99  # type: ignore[attr-defined]
        return
    with pytest.raises(RecipeError, match=word or r"num_beams: 99 beams, 67 more than the limit of 32 \(raise \[lim"):
        load_recipe(str(tmp_path / "recipe.toml"))


@pytest.mark.parametrize("content", [b" " * 2_000_000, b"x = " + b"[" * 5000, b"x = " + b"[" * 40 + b"]" * 40, b"\xff"])
def test_a_recipe_that_is_none_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "recipe.toml"
    path.write_bytes(content)
    with pytest.raises(RecipeError, match="cannot read this recipe") as caught:
        load_recipe(str(path))
    assert len(caught.value.problems) == 1 and "\n" not in str(caught.value)


def test_a_recipe_that_never_ends_is_left_at_the_limit() -> None:
    with pytest.raises(RecipeError, match="more than 1,048,576 bytes, the limit"):
        load_recipe("/dev/zero")
