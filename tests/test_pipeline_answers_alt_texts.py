"""Alt texts are captions of a style of their own: read with the images, filtered and translated like the rest."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pipeline_examples import (
    index_of,
    jpeg_of,
    key_of,
    makers_for,
    recipe_for,
    samples_of,
    text_of,
    write_pictures,
)

from benchmarks.stand_in_server import StandInServer
from florenz.captioners.original import Settings, fingerprint_parts
from florenz.pipeline.answers import alt_texts, each_range
from florenz.pipeline.answers.alt_texts import take_alt_texts
from florenz.pipeline.answers.current import CurrentAnswers
from florenz.pipeline.answers.ledger import CaptionRow, Ledger
from florenz.pipeline.answers.makers import Maker, style_fingerprints
from florenz.pipeline.answers.parts import part_range
from florenz.pipeline.answers.ranges import RangeWork
from florenz.pipeline.recipe import Recipe, load_recipe
from florenz.pipeline.run import run
from florenz.shards.verify import verify

KEYS = [key_of(jpeg_of(number)) for number in range(3)]
SETTINGS = Settings()
((STYLE, PRINT),) = style_fingerprints(SETTINGS).items()


def recipe_of(folder: Path, alts: dict[int, str], count: int = 3) -> Recipe:
    """So many pictures below `folder`, some with a sidecar that says this."""
    write_pictures(folder / "pictures", count)
    for number in range(count):
        beside = folder / "pictures" / f"{number:03d}.json"
        beside.write_text(json.dumps({"alt": alts[number]} if number in alts else {}))
    return recipe_for(folder / "out", folder / "pictures", captioner=SETTINGS)


def taken(recipe: Recipe) -> dict[str, tuple[str | None, str]]:
    index = index_of(recipe)
    makers = replace(makers_for(recipe), captioners={STYLE: Maker(model=SETTINGS.model, fingerprint=PRINT)})
    answers = CurrentAnswers(Ledger(recipe.out, index.digits), makers, styles=(STYLE,))
    take_alt_texts(recipe, index, answers)
    assert answers.ledger.damaged == []
    return {key: (row.text, row.reason) for (key, _), row in Ledger(recipe.out).read_captions(PRINT).items()}


def parts_folder(recipe: Recipe) -> str:
    return Ledger(recipe.out).folder_of_captions(PRINT)


def parts_of(recipe: Recipe) -> list[Path]:
    return sorted(Path(parts_folder(recipe)).glob("*.parquet"))


def test_each_image_has_its_alt_text_or_a_reason_and_what_changed_is_taken_anew(tmp_path: Path) -> None:
    first = taken(recipe_of(tmp_path, {0: "A red car.", 1: "  "}))
    assert first == {KEYS[0]: ("A red car.", ""), KEYS[1]: (None, "no_alt_text"), KEYS[2]: (None, "no_alt_text")}
    recipe = recipe_of(tmp_path, {0: "A red car."})
    parts = parts_of(recipe)
    assert taken(recipe) == first and parts_of(recipe) == parts
    second = taken(recipe_of(tmp_path, {0: "A zebra.", 1: "A house."}))
    assert second == {KEYS[0]: ("A zebra.", ""), KEYS[1]: ("A house.", ""), KEYS[2]: (None, "no_alt_text")}
    assert fingerprint_parts(Settings()) == fingerprint_parts(Settings(prefix="web_"))


def test_workers_take_them_range_by_range(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the launcher does where they are few; each worker reads its range of the index, and writes that range."""
    here = taken(recipe_of(tmp_path / "here", dict.fromkeys(range(0, 40, 2), "A red car."), count=40))
    monkeypatch.setattr(each_range, "FEW", 0)
    recipe = recipe_of(tmp_path / "workers", dict.fromkeys(range(0, 40, 2), "A red car."), count=40)
    assert taken(recipe) == here and len(here) == 40
    ranges = {part_range(path.name) for path in parts_of(recipe)}
    assert len(ranges) > 1 and all(len(one) == 1 for one in ranges)
    assert list((Path(recipe.out) / "ledger").glob("*.new.json")) == []


def test_what_earlier_versions_wrote_about_all_images_is_split_before_workers_change_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two workers that rewrite the same part would each leave what the other has forgotten."""
    recipe = recipe_of(tmp_path, dict.fromkeys(range(40), "A zebra."), count=40)
    old = [CaptionRow(key=key_of(jpeg_of(number)), style=STYLE, text="A red car.") for number in range(40)]
    Ledger(recipe.out).append_captions(PRINT, old)
    handed_out: list[RangeWork] = []

    def noted(recipe: Recipe, what: str, items: Sequence[RangeWork], do: Callable[..., Any]) -> list[dict[str, Any]]:
        handed_out.extend(items)
        return each_range.for_each(recipe, what, items, do)

    monkeypatch.setattr(alt_texts, "for_each", noted)
    assert set(taken(recipe).values()) == {("A zebra.", "")}
    parts = [(work.range, part_range(path)) for work in handed_out for path in work.listed[parts_folder(recipe)]]
    assert parts and all(its_range == of_part for its_range, of_part in parts)


def test_a_run_filters_and_translates_alt_texts_and_asks_no_captioner(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", 6)
    for number in range(5):
        alt = "Das ist ein kleines Haus am Fluss bei Nacht." if number == 4 else text_of(number, "en")
        (tmp_path / "pictures" / f"{number:03d}.json").write_text(json.dumps({"alt": alt}))
    path = tmp_path / "recipe.toml"
    with StandInServer("org/m", lambda prompt: text_of(sum(prompt.encode()), "de")) as server:
        path.write_text(f"""
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
endpoint = "{server.endpoint}"
[shards]
val_fraction = 0.3
""")
        facts = run(load_recipe(str(path)), say=print)
        again = run(load_recipe(str(path)), say=print)
    assert facts.asked == {"captions": 0, "translations": 5} and again.asked["translations"] == 0
    assert verify(str(tmp_path / "out")).problems == ()
    rejected = facts.manifest.rejected
    assert rejected["caption"]["no_alt_text"] and "wrong_language" in json.dumps(rejected["filter"]), rejected
    samples = [sample for split in ("train", "val") for sample in samples_of(tmp_path / "out", split).values()]
    assert len(samples) == 4
    assert all(caption["made_by"].startswith("alt text (") for sample in samples for caption in sample["captions"])
    assert {caption["style"] for sample in samples for caption in sample["captions"]} == {"original"}
