"""The folder is the table."""

import subprocess
import sys
from pathlib import Path

import pytest

from florenz.translators import family_files
from florenz.translators.family_files import FamilyError, family_named, family_names

WHOLE = """
form = "raw"
user = "{text} ={code}="
licence = "MIT"
source = "a paper"
temperature = 1
[example]
text = "a"
language = "de"
prompt = "a =de="
"""


def the_fault(folder: Path, content: str) -> str:
    """The one line that a family with this file is refused with."""
    (folder / "mine.toml").write_text(content)
    with pytest.raises(FamilyError) as caught:
        family_named("mine", folder)
    line = str(caught.value)
    assert line.startswith("prompt = 'mine': ") and str(folder / "mine.toml") in line and "\n" not in line
    return line


def test_one_more_file_is_one_more_family(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(WHOLE)
    (tmp_path / "_draft.toml").write_text("")
    (tmp_path / "README.md").write_text("")
    assert family_names(tmp_path) == ("mine",)
    family = family_named("mine", tmp_path)
    assert family.name == "mine" and family.prompts(["x"], "fr", {}) == ["x =fr="]
    assert family.request() == {"temperature": 1.0, "add_special_tokens": False}


def test_those_that_are_shipped() -> None:
    assert {"alma", "chat", "gemmax2", "hunyuan_mt", "playground", "seed_x", "tower_plus"} <= {*family_names()}


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(FamilyError, match="prompt = 'gemma2': there is no such family.*did you mean 'gemmax2'"):
        family_named("gemma2")
    with pytest.raises(FamilyError, match="'nllb'.*known are .*chat.*playground"):
        family_named("nllb")


@pytest.mark.parametrize("name", ["", "../chat", "chat.toml", "CHAT", "_draft"])
def test_only_names_of_the_folder_are_files(name: str) -> None:
    with pytest.raises(FamilyError):
        family_named(name)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (("form", "from"), "unknown key 'from' at the top level: did you mean 'form'?"),
        (("form", "from"), "form is missing: add form = ..."),
        (('"raw"', "3"), "form: expected a text in quotes, got 3"),
        (('form = "raw"', 'name = "x"\nform = "raw"'), "unknown key 'name'"),
        (("[example]", "[exmple]"), "unknown key 'exmple' at the top level: did you mean 'example'?"),
        (("prompt =", "promt ="), "unknown key 'promt' in [example]: did you mean 'prompt'?"),
        (("[example]", "[names]\nde = 3\n[example]"), "[names] de: expected a text in quotes, got 3"),
        (("[example]", "[template]\nx = [1]\n[example]"), "[template] x: expected a text, a number, or true or false"),
        (('form = "raw"', 'form = "raw"\nturns = 1'), "[turns] must be a section, got 1"),
        (("{text}", "{txt}"), "'txt': did you mean 'text'?"),
        (('licence = "MIT"', 'licence = "MIT'), "can't be read: "),
    ],
)
def test_a_broken_file_is_one_line_that_says_what_to_do(tmp_path: Path, change: tuple[str, str], line: str) -> None:
    assert line in the_fault(tmp_path, WHOLE.replace(*change, 1))


def test_a_file_that_is_no_text_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(FamilyError, match="mine.toml can't be read: "):
        family_named("mine", tmp_path)


def test_listing_and_reading_take_no_model_library() -> None:
    code = (
        "import sys; from florenz.translators.family_files import family_names, family_named\n"
        "[family_named(name) for name in family_names()]\n"
        "assert not {'torch', 'transformers', 'jinja2', 'apache_beam'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(family_files.__file__).parents[1], timeout=600)
