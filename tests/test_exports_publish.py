"""Publishing: what goes and what never does, the card, and uploads to a stand-in of the Hub that are cut off."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import huggingface_hub.constants as hub_constants
import pytest
import yaml
from pipeline_examples import published, published_pictures

from benchmarks.stand_in_hub import TOKEN, StandInHub
from florenz.exports.card import Facts, card, facts_of
from florenz.exports.licences import hub_word
from florenz.exports.publish import plan
from florenz.exports.publish_command import main
from florenz.pipeline.recipe import Recipe
from florenz.shards.manifest import read_manifest

ROOT = Path(__file__).resolve().parents[1]
REPO = "me/captions"
TOP = {"README.md", "croissant.json", "manifest.json"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    return published_pictures(tmp_path_factory.mktemp("publish"), 14)


@pytest.fixture
def recipe(world: Recipe, tmp_path: Path) -> Recipe:
    shutil.copytree(world.out, tmp_path / "out")
    return replace(world, out=str(tmp_path / "out"))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandInHub]:
    """The Hub for this process, by git-LFS: hf_xet keeps a session for the life of its process."""
    with StandInHub() as found:
        monkeypatch.setattr(hub_constants, "ENDPOINT", found.endpoint)
        monkeypatch.setattr(hub_constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(hub_constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield found


def expected(out: str) -> dict[str, str]:
    """Path in the repository -> SHA-256 of the large files, from the folders alone."""
    build = read_manifest(out).build
    patterns = (f"shards/{build}/*.tar", f"heldout/{build}/*.tar", "index/*.parquet", "heldout/index/*.parquet")
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for pattern in patterns
        for path in Path(out).glob(pattern)
    }


def check(hub: StandInHub, out: str) -> None:
    large = {path: found for path, found in hub.files.items() if path not in TOP}
    assert large == expected(out) and len(large) > 6
    assert hub.files["manifest.json"] == Path(out, "manifest.json").read_bytes()
    assert set(hub.files) - set(large) == TOP


def test_a_dry_run_is_the_default_and_asks_nobody(
    recipe: Recipe, hub: StandInHub, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([recipe.out, f"REPO={REPO}"]) == 0
    said = capsys.readouterr().out
    assert hub.requests == [] and "dry run" in said and "licence of 14 images is not known" in said
    assert {path.name for path in Path(recipe.out, "publish").iterdir()} == TOP


def test_an_upload_holds_shards_index_card_and_manifest_and_nothing_else(
    recipe: Recipe, hub: StandInHub, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([recipe.out, f"REPO={REPO}", "UPLOAD=1"]) == 0, capsys.readouterr().err
    check(hub, recipe.out)
    assert not [path for path in hub.files if "ledger" in path or "reject" in path or "report" in path]
    assert hub.repos[REPO]["type"] == "dataset" and hub.repos[REPO]["visibility"] == "private"
    assert {name[1:] for name in hub.commits[-1]} == TOP, "the card comes when what it names is there"
    num_commits = len(hub.commits)
    assert main([recipe.out, f"REPO={REPO}", "UPLOAD=1"]) == 0
    check(hub, recipe.out)
    assert hub.num_uploads == len(set(expected(recipe.out).values())) and len(hub.commits) == num_commits


def test_public_is_asked_for(recipe: Recipe, hub: StandInHub) -> None:
    assert main([recipe.out, f"REPO={REPO}", "UPLOAD=1", "PUBLIC=1"]) == 0
    assert hub.repos[REPO]["visibility"] == "public"


def test_an_upload_that_was_cut_off_goes_on(
    recipe: Recipe, hub: StandInHub, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.fail_after = 3
    assert main([recipe.out, f"REPO={REPO}", "UPLOAD=1"]) == 1
    error = capsys.readouterr().err
    what, then = error.splitlines()[-2:]
    assert what.startswith("florenz: ") and "403" in what and then.endswith("run the same command to go on")
    assert TOKEN not in error
    assert "README.md" not in hub.files and 0 < len(hub.objects) <= 3
    before, hub.fail_after, hub.num_uploads = len(hub.objects), None, 0
    assert main([recipe.out, f"REPO={REPO}", "UPLOAD=1"]) == 0
    check(hub, recipe.out)
    assert hub.num_uploads == len(set(expected(recipe.out).values())) - before, "what was uploaded is not sent again"


def test_another_build_takes_the_place_of_the_one_before(recipe: Recipe, hub: StandInHub) -> None:
    assert main([recipe.out, f"REPO={REPO}", "UPLOAD=1"]) == 0
    first = read_manifest(recipe.out).build
    hub.files["notes.md"] = b"of the user"
    published(replace(recipe, seed=1))
    assert main([recipe.out, f"REPO={REPO}", "UPLOAD=1"]) == 0
    assert hub.files.pop("notes.md") == b"of the user"
    check(hub, recipe.out)
    assert not [path for path in hub.files if first in path]
    assert any(name.startswith("-") for name in hub.commits[-1]) and "+README.md" in hub.commits[-1]


@pytest.mark.slow
def test_the_clients_own_way_for_large_folders_works(recipe: Recipe, tmp_path: Path) -> None:
    """By Xet, as the client does it when nobody tells it otherwise; in a process of its own."""
    with StandInHub() as hub:
        env = {**os.environ, "HF_ENDPOINT": hub.endpoint, "HF_TOKEN": TOKEN, "HF_HOME": str(tmp_path / "hf")}
        env |= {"HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "0"}
        command = [sys.executable, "-m", "florenz", "publish", recipe.out, f"REPO={REPO}", "UPLOAD=1"]
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        check(hub, recipe.out)
        assert hub.xorbs and not hub.objects, "content went by Xet"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["REPO=captions"], "name it as owner/name"),
        (["REPO=a/b/c"], "name it as owner/name"),
        (["REPO=../x"], "name it as owner/name"),
        ([], "usage: florenz publish"),
        ([f"REPO={REPO}", "UPLOAD=yes"], "UPLOAD is 'yes'"),
        ([f"REPO={REPO}", "PRIVATE=1"], "unknown variable PRIVATE"),
    ],
)
def test_bad_input_is_one_line(
    recipe: Recipe, hub: StandInHub, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([recipe.out, *words]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1 and hub.requests == []


def test_without_a_token_nothing_begins(
    recipe: Recipe, hub: StandInHub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(hub_constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    assert main([recipe.out, f"REPO={REPO}", "UPLOAD=1"]) == 2
    assert "no token" in capsys.readouterr().err and hub.requests == []


def test_a_wrong_token_is_told_and_not_shown(
    recipe: Recipe, hub: StandInHub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_AnotherSecret")
    assert main([recipe.out, f"REPO={REPO}", "UPLOAD=1"]) == 1
    error = capsys.readouterr().err
    assert "401" in error and "AnotherSecret" not in error and hub.files == {}


def test_what_is_not_as_the_manifest_says_is_not_published(
    recipe: Recipe, hub: StandInHub, capsys: pytest.CaptureFixture[str]
) -> None:
    build = read_manifest(recipe.out).build
    stray = Path(recipe.out, "shards", build, "private.tar")
    stray.write_bytes(b"x")
    assert main([recipe.out, f"REPO={REPO}", "UPLOAD=1"]) == 2
    assert "private.tar is not in the manifest" in capsys.readouterr().err
    stray.unlink()
    (Path(recipe.out, "builds") / f"{build}.removal.json").write_text("{}")
    assert main([recipe.out, f"REPO={REPO}", "UPLOAD=1"]) == 2
    assert "make remove" in capsys.readouterr().err
    (Path(recipe.out, "builds") / f"{build}.removal.json").unlink()
    shard = next(Path(recipe.out, "shards", build).glob("train-*.tar"))
    shard.write_bytes(shard.read_bytes()[:-512])
    assert main([recipe.out, f"REPO={REPO}", "UPLOAD=1"]) == 2
    assert "is not as the manifest says" in capsys.readouterr().err and hub.requests == []


def test_a_dataset_of_version_1_and_none_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(ROOT / "tests" / "data" / "version_1", tmp_path / "old")
    assert main([str(tmp_path / "old"), f"REPO={REPO}"]) == 2
    assert "schema version 1" in capsys.readouterr().err
    assert main([str(tmp_path / "none"), f"REPO={REPO}"]) == 2
    assert "does not exist" in capsys.readouterr().err and not (tmp_path / "none").exists()


def front_matter(text: str) -> dict:
    return yaml.safe_load(text.split("---\n")[1])


def test_the_card_says_what_the_manifest_says(recipe: Recipe) -> None:
    manifest = read_manifest(recipe.out)
    text = Path(plan(recipe.out, REPO).stage, "README.md").read_text()
    head = front_matter(text)
    assert head["language"] == ["en", "de", "fr"] and head["license"] == "unknown"
    assert head["size_categories"] == ["n<1K"] and head["task_categories"] == ["image-to-text", "translation"]
    default, heldout = head["configs"]
    assert (default["config_name"], default["default"], heldout["config_name"]) == ("default", True, "heldout")
    assert [one["split"] for one in default["data_files"]] == ["train", "choose", "validation"][
        :: 1 if manifest.shards_of("choose") else 2
    ]
    assert not [one for one in default["data_files"] if "heldout" in one["path"]]
    for by_task in manifest.counts.values():
        assert all(f" {number} |" in text for languages in by_task.values() for number in languages.values())
    assert "org/captioner (cccccccccccccccc)" in text and "are withheld" in text


def test_the_card_names_every_model_with_its_prompt(recipe: Recipe) -> None:
    manifest = read_manifest(recipe.out)
    given = dict(manifest.recipe)
    one, captioner = given.pop("translator"), given.pop("captioner")
    assert (
        f"{one['model']} was asked in the words of `{one['prompt']}`"
        in Path(plan(recipe.out, REPO).stage, "README.md").read_text()
    )
    several = {"translators": [one, {**one, "model": "org/<b>", "prompt": "tower_plus"}], "captioners": [captioner] * 2}
    text = card(replace(manifest, recipe={**given, **several}), facts_of(recipe.out, manifest), repo=REPO)
    assert f"{one['model']} was asked in the words of `{one['prompt']}`" in text
    assert "org/&lt;b&gt; was asked in the words of `tower_plus`" in text


def test_strangers_words_break_neither_card_nor_yaml(recipe: Recipe) -> None:
    evil = "<script>alert(1)</script> | ---\n---\nlicense: mit"
    facts = Facts(licences={evil: 3, "": 1}, makers={("de", evil): 2}, positions=5)
    text = card(read_manifest(recipe.out), facts, repo=REPO)
    assert front_matter(text)["license"] == "other" and "<script>" not in text and "5 pictures say where" in text


@pytest.mark.parametrize(
    ("licences", "word"),
    [
        ({"CC BY 4.0": 2}, "cc-by-4.0"),
        ({"https://creativecommons.org/licenses/by-sa/4.0/": 1}, "cc-by-sa-4.0"),
        ({"http://creativecommons.org/licenses/by/2.0/": 1, "CC-BY-2.0": 4}, "cc-by-2.0"),
        ({"": 2}, "unknown"),
        ({"mit": 1, "": 1}, "other"),
        ({"All rights reserved": 1}, "other"),
    ],
)
def test_a_licence_has_the_hubs_word_where_all_images_have_it(licences: dict[str, int], word: str) -> None:
    assert hub_word(licences) == word


def test_croissant_keeps_what_is_withheld_apart(recipe: Recipe) -> None:
    record = json.loads(Path(plan(recipe.out, REPO).stage, "croissant.json").read_text())
    sets = {one["@id"]: one["includes"] for one in record["distribution"] if "includes" in one}
    assert not [path for name, path in sets.items() if path.startswith("heldout") and "withheld" not in name]
    texts, withheld = record["recordSet"]
    assert {field["source"]["fileSet"]["@id"] for field in texts["field"]} == {"index"}
    assert {field["source"]["fileSet"]["@id"] for field in withheld["field"]} == {"index-withheld"}
