"""One more of each kind, in a copy of the checkout: the files that are written here, and at most one line changed."""

import importlib
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from test_captioners_adding import MEAN_COLOUR
from test_stores_adding import SHELF
from test_train_scores_sets_adding import CARDS

ROOT = Path(__file__).resolve().parents[1]
NOT_COPIED = (".git", ".venv", ".uv", "data", "build", "tests")

SHOUTING = '''
"""A text all in capitals, whose source is not."""

from florenz.filters.settings import FilterSettings
from florenz.filters.verdict import KEEP, Candidate, Verdict, reject


def check_shouting(candidate: Candidate, settings: FilterSettings) -> Verdict:
    if candidate.text.isupper() and not candidate.source.isupper():
        return reject("shouting", "all in capitals")
    return KEEP
'''

WHISPER = """
form = "raw"
user = "Whisper this in {language} ({code}): {text} ->"
licence = "none"
source = "made for a test"

[example]
text = "A red car."
language = "de"
prompt = "Whisper this in German (de): A red car. ->"
"""


LETTERS = """
from dataclasses import dataclass

from florenz.recipes.fingerprints import deciding
from florenz.scorers.contract import Facts, ScorerSettings


@dataclass(frozen=True, kw_only=True)
class Settings(ScorerSettings):
    kind: str = "letters"


def facts(settings):
    return Facts(needs_image=False, lower_is_better=False, lowest=0.0, highest=1000.0)


def fingerprint_parts(settings):
    return deciding(settings)


def problems(settings):
    return []


def load(settings):
    return Letters()


class Letters:
    def prepare(self, picture):
        return None

    def score(self, questions):
        return [float(sum(map(str.isalpha, one.text))) for one in questions]
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    def left_out(folder: str, names: list[str]) -> list[str]:
        is_top = Path(folder) == ROOT
        return [name for name in names if name == "__pycache__" or (is_top and name in NOT_COPIED)]

    return Path(shutil.copytree(ROOT, tmp_path / "checkout", ignore=left_out, symlinks=True))


def python(copy: Path, code: str) -> str:
    """What a program prints that is started in the copy, whose rooms it then finds first."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=copy, env={**os.environ, "PYTHONPATH": str(copy)},
        capture_output=True, text=True, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def add(copy: Path, name: str, text: str) -> None:
    path = copy / name
    assert not path.exists()
    path.write_text(textwrap.dedent(text).lstrip("\n"))


def changed_lines(copy: Path) -> int:
    """Lines of files that were there before and are not in the copy, or the other way round."""
    count = 0
    for path in copy.rglob("*"):
        original = ROOT / path.relative_to(copy)
        if path.is_file() and "__pycache__" not in path.parts and original.is_file():
            here, there = path.read_bytes().splitlines(), original.read_bytes().splitlines()
            count += max(len(set(here) - set(there)), len(set(there) - set(here)))
    return count


def test_a_text_filter(copy: Path) -> None:
    before = python(copy, "from florenz.pipeline.assemble.code import code_checksum; print(code_checksum())")
    add(copy, "filters/shouting.py", SHOUTING)
    order = copy / "filters" / "order.py"
    last = '    ("repetition", "repetition"),\n'
    assert order.read_text().count(last) == 1
    order.write_text(order.read_text().replace(last, last + '    ("shouting", "shouting"),\n'))
    told = python(
        copy,
        """
        from florenz.filters.chain import FilterChain
        from florenz.filters.settings import FilterSettings
        from florenz.filters.verdict import Candidate
        loud = Candidate(source="A red car stands by the house.", text="EIN ROTES AUTO STEHT AM HAUS.", language="de")
        print(FilterChain()([loud])[0].reason)
        print(FilterChain(FilterSettings(disabled=("shouting",)))([loud])[0].reason or "kept")
        from florenz.pipeline.assemble.code import code_checksum
        print(code_checksum())
        """,
    ).split()
    assert told[:2] == ["shouting", "kept"]
    assert told[2] != before, "a build made with it has another name"
    assert changed_lines(copy) == 1


def test_a_translator_family(copy: Path) -> None:
    add(copy, "translators/families/whisper.toml", WHISPER)
    told = python(
        copy,
        """
        from florenz.translators.settings import TranslatorSettings
        from florenz.translators.prompts import render_problems
        from florenz.translators.family_files import family_named, family_names
        settings = TranslatorSettings(model="org/model", prompt="whisper")
        print("whisper" in family_names(), list(render_problems(settings, ["de", "fr"])))
        """,
    )
    assert told == "True []"
    assert changed_lines(copy) == 0


def test_a_captioner(copy: Path) -> None:
    add(copy, "captioners/mean_colour.py", MEAN_COLOUR)
    told = python(
        copy,
        """
        from PIL import Image
        from florenz.recipes.kinds import kinds_in, load_kind
        kind = load_kind("captioners", "mean_colour")
        settings = kind.Settings(styles=("short",))
        captioner = kind.load(settings)
        picture = captioner.prepare(Image.new("RGB", (8, 8), (255, 0, 0)))
        print(kinds_in("captioners"), captioner.caption([picture], [("short",)])[0]["short"].text)
        """,
    )
    assert told == "('florence2', 'mean_colour', 'original', 'vision_chat') rgb(255, 0, 0) all over."
    assert changed_lines(copy) == 0


def test_a_scorer(copy: Path) -> None:
    add(copy, "scorers/letters.py", LETTERS)
    told = python(
        copy,
        """
        from florenz.recipes.kinds import kinds_in, load_kind
        from florenz.scorers.contract import Question, threshold_problems
        kind = load_kind("scorers", "letters")
        settings = kind.Settings(model="none", threshold=3)
        ask = [Question(source="A cat.", text="Eine Katze", language="de")]
        print("letters" in kinds_in("scorers"), threshold_problems(settings), kind.load(settings).score(ask))
        """,
    )
    assert told == "True [] [9.0]"
    assert changed_lines(copy) == 0


def test_a_store(copy: Path) -> None:
    add(copy, "stores/schemes/shelf.py", SHELF)
    told = python(
        copy,
        """
        from florenz.stores import files
        with files.atomic_write("shelf://a/b") as file:
            file.write(b"kept")
        print(files.read_bytes("shelf://a/b"), files.list_files("shelf://a"))
        """,
    )
    assert told == "b'kept' ['shelf://a/b']"
    assert changed_lines(copy) == 0


def test_an_evaluation_set(copy: Path) -> None:
    add(copy, "train/scores/sets/cards.py", CARDS)
    told = python(copy, 'from florenz.recipes.kinds import kinds_in; print(kinds_in("train.scores.sets"))')
    assert "'cards'" in told and "'dataset'" in told
    assert changed_lines(copy) == 0


def test_this_checkout_is_as_it_was() -> None:
    importlib.invalidate_caches()
    for name in (
        "filters/shouting.py",
        "captioners/mean_colour.py",
        "scorers/letters.py",
        "stores/schemes/shelf.py",
        "train/scores/sets/cards.py",
    ):
        assert not (ROOT / name).exists()
