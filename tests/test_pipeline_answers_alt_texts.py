"""Alt texts are captions of a style of their own: read with the images, filtered and translated like the rest."""

import json
from pathlib import Path

from pipeline_examples import jpeg_of, key_of, samples_of, text_of, write_pictures

from benchmarks.stand_in_server import StandInServer
from florenz.captioners.original import Settings, fingerprint_parts
from florenz.images.sidecars import About
from florenz.pipeline.answers.alt_texts import take_alt_texts
from florenz.pipeline.answers.ledger import Ledger
from florenz.pipeline.answers.makers import style_fingerprints
from florenz.pipeline.image_index import RangeOfImages
from florenz.pipeline.recipe import load_recipe
from florenz.pipeline.run import run
from florenz.shards.verify import verify

KEYS = [key_of(jpeg_of(number)) for number in range(3)]


def taken(out: Path, alts: dict[str, str]) -> dict[str, tuple[str | None, str]]:
    ledger = Ledger(str(out))
    about = {key: About(alt=alt) for key, alt in alts.items()}
    take_alt_texts(ledger, [Settings()], [RangeOfImages(images=dict.fromkeys(KEYS, ""), about=about)])
    (fingerprint,) = style_fingerprints(Settings()).values()
    return {key: (row.text, row.reason) for (key, _), row in ledger.read_captions(fingerprint).items()}


def test_each_image_has_its_alt_text_or_a_reason_and_what_changed_is_taken_anew(tmp_path: Path) -> None:
    first = taken(tmp_path, {KEYS[0]: "A red car.", KEYS[1]: "  "})
    assert first == {KEYS[0]: ("A red car.", ""), KEYS[1]: (None, "no_alt_text"), KEYS[2]: (None, "no_alt_text")}
    parts = len(list(tmp_path.rglob("*.parquet")))
    assert taken(tmp_path, {KEYS[0]: "A red car."}) == first and len(list(tmp_path.rglob("*.parquet"))) == parts
    second = taken(tmp_path, {KEYS[0]: "A zebra.", KEYS[1]: "A house."})
    assert second == {KEYS[0]: ("A zebra.", ""), KEYS[1]: ("A house.", ""), KEYS[2]: (None, "no_alt_text")}
    assert fingerprint_parts(Settings()) == fingerprint_parts(Settings(prefix="web_"))


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
