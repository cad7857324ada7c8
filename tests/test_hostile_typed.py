"""What may be typed or lie in the way: names of OUT that mean something else elsewhere, recipes without end, counts."""

import os
from pathlib import Path

import pytest
from pipeline_examples import MODELS, bytes_of, published_pictures

from florenz.__main__ import main as florenz
from florenz.pipeline.__main__ import main
from florenz.shards.manifest import read_manifest, shard_path
from florenz.shards.reader import iter_members
from florenz.shards.verify import main as verify_main

RECIPE = f"""
languages = ["de"]
out = "out"
[images]
source = "playground"
[captioner]
model = "{MODELS / "captioner"}"
[translator]
model = "{MODELS / "translator"}"
prompt = "playground"
"""


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    return str(path)


def refusal(capfd: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line that a run says which is refused with exit code 2."""
    assert main(list(words)) == 2
    said = capfd.readouterr().err
    assert said.count("\n") == 1 and said.startswith("florenz: ") and said.rstrip("\n").isprintable(), said
    return said


@pytest.mark.parametrize("name", ["a[x]*?", os.fsdecode(b"b\xffc"), "line\nend", "\x1b[2Jcleared", " "], ids=ascii)
def test_out_is_taken_literally_and_shown_escaped(tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "ax").mkdir()
    out = published_pictures(tmp_path, 6, out=name).out
    assert Path(out, "manifest.json").is_file() and not any((tmp_path / "ax").iterdir())
    assert read_manifest(out).build and any(path.endswith(".tar") for path in bytes_of(Path(out)))
    assert verify_main([out]) == 0
    assert all(line.isprintable() for line in capfd.readouterr().out.split("\n"))


def test_images_and_out_below_a_folder_that_is_no_utf8_are_read_and_written(tmp_path: Path) -> None:
    out = published_pictures(tmp_path / os.fsdecode(b"b\xffc"), 6).out
    assert read_manifest(out).build and verify_main([out]) == 0


def test_commands_about_an_out_that_is_no_utf8_say_where_it_lies(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Escaped: Python's own print fails for a name that is none, and obeys one with control codes."""
    out = published_pictures(tmp_path, 6, out=os.fsdecode(b"b\xff\x1b[2Jc")).out
    manifest = read_manifest(out)
    key, _ = next(iter_members(shard_path(out, manifest.build, manifest.shards[0].path)))
    (tmp_path / "keys").write_text(key)
    commands = [
        ["report", out], ["preview", out, f"KEY={key}"], ["sample", out, "LANGS=de", "SERVE=0"],
        ["export", out, "FORMAT=webdataset"], ["publish", out, "REPO=a/b"],
        ["remove", out, f"KEYS={tmp_path / 'keys'}"],
    ]  # fmt: skip
    for words in commands:
        assert florenz(words) == 0, words
        said = capfd.readouterr().out
        assert "\\udcff\\x1b[2Jc" in said and all(line.isprintable() for line in said.split("\n")), words


@pytest.mark.parametrize("out", ["/", "//", "/tmp/..", str(Path.home())])
def test_an_out_that_holds_everything_else_is_refused(recipe: str, out: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert "name a folder of its own" in refusal(capfd, recipe, f"OUT={out}")


def test_a_recipe_without_end_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    assert "more than 1,048,576 bytes, the limit" in refusal(capfd, "/dev/zero")


def test_more_workers_than_the_limit_are_refused_with_the_key(
    recipe: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    said = refusal(capfd, recipe, "WORKERS=100000", f"OUT={tmp_path / 'out'}")
    assert "99,744 more than the limit of 256" in said and "[limits] workers" in said


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:1\x7f/v1", "http://a\x1b[2Jb/v1"])
def test_an_endpoint_with_control_codes_is_refused_and_shown_escaped(
    recipe: str, tmp_path: Path, endpoint: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert "is no URL" in refusal(capfd, recipe, f"ENDPOINT={endpoint}", f"OUT={tmp_path / 'out'}")
