"""Withheld concepts: whose pictures show one are translated and never captioned, whatever the language."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pipeline_examples import jpeg_of, key_of, published, recipe_for, samples_of, text_of, write_ledger, write_pictures

from benchmarks.stand_in_server import StandInServer
from florenz.pipeline import preflight
from florenz.pipeline.assemble.concepts import UNKNOWN, CoverageSettings, read_withholding
from florenz.pipeline.recipe import load_recipe
from florenz.pipeline.report import screen_table
from florenz.pipeline.run import run
from florenz.playground.scene import concepts_of
from florenz.playground.world import TRUTH, draw_world, read_truth
from florenz.recipes.recipe_file import RecipeError
from florenz.shards.manifest import read_manifest
from florenz.shards.reader import iter_samples
from florenz.shards.schema import WITHHELD_NOTE, Example
from florenz.shards.verify import verify
from florenz.shards.verify_sample import sample_problems

COUNT = 16
KEYS = [key_of(jpeg_of(number)) for number in range(COUNT)]
SHOWS = {key: ["turtle", "red"] if number % 3 == 2 else ["car", "red"] for number, key in enumerate(KEYS)}
TURTLES = {key for key, concepts in SHOWS.items() if "turtle" in concepts}


def write_table(path: Path, **columns: Any) -> str:
    pq.write_table(pa.table(columns), path)
    return str(path)


def made(folder: Path, *withheld: str) -> Path:
    """The whole run over a hand-written ledger; nobody is asked anything."""
    write_pictures(folder / "pictures", COUNT)
    table = write_table(folder / "shown.parquet", key=list(SHOWS), concepts=list(SHOWS.values()))
    recipe = recipe_for(
        folder / "out", folder / "pictures", coverage=CoverageSettings(withheld=withheld, concepts=table)
    )
    write_ledger(recipe, KEYS)
    published(recipe)
    return folder / "out"


def pairs_of(sample: dict[str, Any]) -> set[tuple[str, str]]:
    return {(example["task"], example["language"]) for example in sample["examples"]}


def test_pictures_of_a_withheld_concept_are_translated_and_not_captioned(tmp_path: Path) -> None:
    out = made(tmp_path, "turtle")
    train, choose, val, heldout = (samples_of(out, split) for split in ("train", "choose", "val", "heldout"))
    assert {*train, *choose, *val} == set(KEYS) and TURTLES & set(train) and TURTLES & set(val)
    for key, sample in {**train, **choose, **val}.items():
        captions = set() if key in TURTLES else {("caption", "en"), ("caption", "de")}
        assert pairs_of(sample) == captions | {("translation", "de"), ("translation", "fr")}
        assert sample["notes"] == ("withheld concepts: turtle" if key in TURTLES else "")
    for key in val:
        languages = {"en", "de", "fr"} if key in TURTLES else {"fr"}
        assert pairs_of(heldout[f"{key}-heldout"]) == {("caption", language) for language in languages}
    assert set(heldout) == {f"{key}-heldout" for key in val}


def test_the_books_balance_and_verification_counts_the_pictures(tmp_path: Path) -> None:
    findings = verify(str(made(tmp_path, "turtle")))  # publishing has checked the books
    assert findings.problems == ()
    assert f"withheld: {len(TURTLES)} images show a withheld concept and have no caption example" in findings.proofs


def test_verification_finds_a_caption_that_leaked(tmp_path: Path) -> None:
    out = made(tmp_path, "turtle")
    (path, *_) = (
        str(path) for path in out.glob("shards/*/*.tar") if any(one.shows_withheld for one in iter_samples(str(path)))
    )
    turtle = next(sample for sample in iter_samples(path) if sample.shows_withheld)
    text = Example(task="caption", language="de", style="short", text="Eine Schildkröte.")
    leaked = replace(turtle, examples=(text, *turtle.examples))
    members = {name.rpartition(".")[2]: content for name, content in leaked.members()}
    for sample, problems in ((turtle, 0), (leaked, 1)):
        found = list(sample_problems(sample, members, "train", read_manifest(str(out))))
        assert len(found) == problems and all("shows what is withheld" in problem for problem in found)


def test_nothing_withheld_is_the_build_that_it_always_was(tmp_path: Path) -> None:
    plain, named, other = (made(tmp_path / name, *withheld) for name, *withheld in (("a",), ("b",), ("c", "turtle")))
    builds = [next((out / "shards").iterdir()).name for out in (plain, named, other)]
    assert builds[0] == builds[1] != builds[2]


def test_a_run_tells_concepts_that_no_picture_shows_and_an_alternative_text_withholds_nothing(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", 4)
    for number in range(4):
        alt = f"{WITHHELD_NOTE}all" if number == 3 else text_of(number, "en")
        (tmp_path / "pictures" / f"{number:03d}.json").write_text(json.dumps({"alt": alt}))
    shown = [["turtle"], [], [], []]
    table = write_table(tmp_path / "shown.parquet", source=[f"{number:03d}.jpg" for number in range(4)], concepts=shown)
    (tmp_path / "recipe.toml").write_text(f"""
languages = ["de"]
held_out = []
out = "{tmp_path / "out"}"
[images]
source = "{tmp_path / "pictures"}"
[captioner]
kind = "original"
[translator]
model = "org/m"
prompt = "playground"
endpoint = "ENDPOINT"
[coverage]
withheld = ["turtel", "turtle"]
concepts = "{table}"
""")
    said: list[str] = []
    with StandInServer("org/m", lambda prompt: text_of(sum(prompt.encode()), "de")) as server:
        text = (tmp_path / "recipe.toml").read_text().replace("ENDPOINT", server.endpoint)
        (tmp_path / "recipe.toml").write_text(text)
        facts = run(load_recipe(str(tmp_path / "recipe.toml")), say=said.append)
    assert "warning: [coverage] withheld: no image of the table shows 'turtel'" in said
    assert "\nwithheld   1 images show" in screen_table(facts)
    withheld = [
        key
        for key, sample in samples_of(tmp_path / "out", "train").items()
        if not pairs_of(sample) & {("caption", "en")}
    ]
    assert withheld == [KEYS[0]] and facts.manifest.counts["train"]["translation"]["de"] >= 3
    assert (
        "withheld: 1 images show a withheld concept and have no caption example" in verify(str(tmp_path / "out")).proofs
    )


def test_pictures_are_named_by_key_or_by_file_and_strangers_get_no_captions(tmp_path: Path) -> None:
    images = {"k1": "/photos/a/one.jpg", "k2": "/photos/two.jpg", "k3": "/photos/three.jpg"}
    by_file = write_table(tmp_path / "f.parquet", source=["a/one.jpg", "two.jpg"], concepts=[["x", "y"], []])
    by_key = write_table(tmp_path / "k.parquet", key=["k1", "k2"], concepts=[["y", "x"], None])
    for table in (by_file, by_key):
        withholding = read_withholding(table, ("x", "y", "z"))
        assert withholding is not None
        found = [withholding.of(key, source, "/photos") for key, source in images.items()]
        assert found == ["x, y", "", UNKNOWN]
        assert list(withholding.warnings()) == ["[coverage] withheld: no image of the table shows 'z'"]


def test_without_withheld_concepts_no_table_is_read() -> None:
    assert read_withholding("no/such/table", ()) is None


@pytest.mark.parametrize("columns", [{"key": ["a"]}, {"concepts": [["x"]]}, {"key": ["a"], "concepts": ["x"]}])
def test_another_table_is_refused_in_one_line(tmp_path: Path, columns: dict[str, Any]) -> None:
    table = write_table(tmp_path / "t.parquet", **columns)
    with pytest.raises(RecipeError) as refused:
        read_withholding(table, ("x",))
    (line,) = refused.value.problems
    assert table in line and "\n" not in line


@pytest.mark.parametrize("content", [b"", b"PAR1", b"key,concepts\n"])
def test_a_table_that_is_none_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "t.parquet").write_bytes(content)
    with pytest.raises(RecipeError) as refused:
        read_withholding(str(tmp_path / "t.parquet"), ("x",))
    assert "can't be read" in refused.value.problems[0]


def test_withholding_without_a_table_is_said_before_the_work(tmp_path: Path) -> None:
    for settings, wanted in (
        (CoverageSettings(withheld=("x",)), "name the table"),
        (CoverageSettings(withheld=("x",), concepts=str(tmp_path / "none")), "can't be read"),
    ):
        recipe = recipe_for(tmp_path / "out", tmp_path, coverage=settings)
        assert any(wanted in problem for problem in preflight._coverage(recipe))
    assert not list(preflight._coverage(recipe_for(tmp_path / "out", coverage=CoverageSettings(withheld=("x",)))))


def test_the_playgrounds_truth_is_such_a_table(tmp_path: Path) -> None:
    draw_world(str(tmp_path), count=12, seed=3)
    rows = pq.read_table(tmp_path / TRUTH).to_pylist()
    images = {row["key"]: str(tmp_path / row["file"]) for row in rows}
    truth = read_truth(str(tmp_path))
    concept = concepts_of(truth[rows[0]["file"]])[0]
    withholding = read_withholding(str(tmp_path / TRUTH), (concept,))
    assert withholding is not None
    found = {key for key, source in images.items() if withholding.of(key, source, str(tmp_path))}
    assert found == {row["key"] for row in rows if concept in concepts_of(truth[row["file"]])} != set()


def test_a_recipe_names_concepts_and_an_empty_one_is_refused(tmp_path: Path) -> None:
    text = Path("configs/florence2.toml").read_text()
    (tmp_path / "r.toml").write_text(text + '\n[coverage]\nwithheld = ["turtle", "red car"]\n')
    assert load_recipe(str(tmp_path / "r.toml"), {"IMAGES": "photos"}).coverage.withheld == ("turtle", "red car")
    (tmp_path / "r.toml").write_text(text + '\n[coverage]\nwithheld = [" "]\n')
    with pytest.raises(RecipeError, match="withheld"):
        load_recipe(str(tmp_path / "r.toml"), {"IMAGES": "photos"})
