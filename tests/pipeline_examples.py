"""A small world for the tests of pipeline/: pictures, a recipe, a full ledger, what a translator answers."""

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image

from florenz.captioners.florence2 import Settings as Captioner
from florenz.pipeline.answers.current import CurrentAnswers
from florenz.pipeline.answers.ledger import CaptionRow, Ledger, TranslationRow
from florenz.pipeline.answers.makers import Maker, Makers
from florenz.pipeline.answers.survey import survey
from florenz.pipeline.assemble.ahead import LearnedAhead
from florenz.pipeline.assemble.build import assembly_of, build_name, publish, read_summary
from florenz.pipeline.assemble.graph import run_assembly
from florenz.pipeline.assemble.rejects import Reject
from florenz.pipeline.image_index import Index
from florenz.pipeline.image_settings import Images
from florenz.pipeline.index import build_index
from florenz.pipeline.listing import listing_of
from florenz.pipeline.recipe import Recipe, Translator
from florenz.shards.manifest import Manifest, read_manifest, shard_path
from florenz.shards.settings import ShardSettings
from florenz.translators.settings import TranslatorSettings

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
MODELS = ROOT / "playground" / "models"

CAPTION_PRINT, TRANSLATION_PRINT = "c" * 16, "t" * 16
COLOURS = {"en": ("red", "blue", "green", "white"), "de": ("rotes", "blaues", "grünes", "weißes"),
           "fr": ("rouge", "bleue", "verte", "blanche")}  # fmt: skip
SENTENCES = {
    ("short", "en"): "A {} car stands beside an old house near the river.",
    ("short", "de"): "Ein {} Auto steht neben einem alten Haus am Fluss.",
    ("short", "fr"): "Une voiture {} est garée à côté d'une vieille maison près de la rivière.",
    ("detailed", "en"): "A {} car stands beside an old house. It is night, and a small dog is sleeping there.",
    ("detailed", "de"): "Ein {} Auto steht neben einem alten Haus. Es ist Nacht, und ein kleiner Hund schläft dort.",
    ("detailed", "fr"): "Une voiture {} est garée à côté d'une vieille maison. Il fait nuit, et un petit chien y dort.",
}  # fmt: skip


def text_of(number: int, language: str, style: str = "short") -> str:
    """What picture `number` shows: four different texts in each language."""
    return SENTENCES[style, language].format(COLOURS[language][number % 4])


def jpeg_of(number: int, size: tuple[int, int] = (32, 24)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, (number * 20 % 256, number // 12, 160)).save(buffer, "JPEG")
    return buffer.getvalue()


def key_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def write_pictures(folder: Path, count: int) -> list[str]:
    """JPEGs in a folder; their keys, by number."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (folder / f"{number:03d}.jpg").write_bytes(jpeg_of(number))
    return [key_of(jpeg_of(number)) for number in range(count)]


def recipe_for(out: Path, source: Path | str = "playground", **changes: Any) -> Recipe:
    """Small shards and a large validation split, so that a dozen pictures fill several shards of each kind."""
    values = {
        "languages": ("de", "fr"),
        "out": str(out),
        "images": Images(source=str(source)),
        "captioner": Captioner(model="org/captioner", styles=("short", "detailed")),
        "translator": Translator(settings=TranslatorSettings(model="org/translator", prompt="playground")),
        "shards": ShardSettings(images_per_shard=4, val_fraction=0.3),
    }
    return Recipe(**{**values, **changes})


def caption_row(key: str, number: int, style: str = "short", **changes: Any) -> CaptionRow:
    row = CaptionRow(key=key, style=style, text=text_of(number, "en", style), finish_reason="stop")
    return replace(row, **changes)


def translation_row(key: str, number: int, language: str, style: str = "short", **changes: Any) -> TranslationRow:
    row = TranslationRow(
        key=key,
        style=style,
        language=language,
        source_text=text_of(number, "en", style),
        text=text_of(number, language, style),
        finish_reason="stop",
    )
    return replace(row, **changes)


def write_ledger(recipe: Recipe, keys: Sequence[str], rows_per_part: int = 1000) -> None:
    """Good answers for every picture, in the order of `keys`, in parts of so many rows."""
    ledger = Ledger(recipe.out)
    captions = [caption_row(key, number_of(key), style) for key in keys for style in recipe.captioner.styles]
    for rows in _parts(captions, rows_per_part):
        ledger.append_captions(CAPTION_PRINT, rows)
    for language in recipe.languages:
        translations = [translation_row(row.key, number_of(row.key), language, row.style) for row in captions]
        for rows in _parts(translations, rows_per_part):
            ledger.append_translations(language, TRANSLATION_PRINT, rows)


def number_of(key: str) -> int:
    """Which of the four texts is written down for this picture."""
    return int(key, 16) % 4


def _parts(rows: list[Any], size: int) -> list[list[Any]]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def samples_of(out: Path, split: str) -> dict[str, dict]:
    """key -> the JSON of each sample, as plain tarfile gives them."""
    manifest = read_manifest(str(out))
    found = {}
    for shard in manifest.shards_of(split):
        with tarfile.open(shard_path(str(out), manifest.build, shard.path)) as tar:
            for member in tar.getnames():
                if member.endswith(".json"):
                    found[member.removesuffix(".json")] = json.load(tar.extractfile(member))  # type: ignore[arg-type]
    return found


def assemble(recipe: Recipe, ahead: LearnedAhead | None = None) -> tuple[str, Index]:
    """Read and assemble; the build's name, and the index that it was made from."""
    index = index_of(recipe)
    build = name_of(recipe, index)
    assembly = replace(assembly_of(recipe, makers_for(recipe)), build=build)
    run_assembly(assembly, index, answers_for(recipe).fitted(index.digits), None, recipe.running, ahead)
    return build, index


def index_of(recipe: Recipe) -> Index:
    return build_index(recipe, listing_of(recipe), None)


def rejects_of(index: Index) -> list[Reject]:
    return [reject for found in index.ranges() for reject in found.rejects]


def damaged_in(index: Index) -> dict[str, str]:
    return {key: why for found in index.ranges() for key, why in found.damaged.items()}


def makers_for(recipe: Recipe) -> Makers:
    """Under whose names `write_ledger` writes; there are no such models."""
    translator = Maker(model=recipe.translator.settings.model, fingerprint=TRANSLATION_PRINT)
    return Makers(
        captioners=dict.fromkeys(recipe.styles, Maker(model=recipe.captioner.model, fingerprint=CAPTION_PRINT)),
        translators=dict.fromkeys(recipe.languages, (translator,)),
    )


def answers_for(recipe: Recipe) -> CurrentAnswers:
    return CurrentAnswers(Ledger(recipe.out), makers_for(recipe), styles=recipe.styles)


def name_of(recipe: Recipe, index: Index) -> str:
    found = survey(recipe, index, answers_for(recipe).fitted(index.digits))
    return build_name(assembly_of(recipe, makers_for(recipe)), found)


def published(recipe: Recipe, ahead: LearnedAhead | None = None) -> Manifest:
    build, index = assemble(recipe, ahead)
    return publish(recipe, build, read_summary(recipe.out, build), index, {})


def published_pictures(folder: Path, count: int, out: str = "out") -> Recipe:
    """The recipe of a published build of so many pictures below `folder`."""
    write_pictures(folder / "pictures", count)
    recipe = recipe_for(folder / out, folder / "pictures")
    write_ledger(recipe, [key_of(jpeg_of(number)) for number in range(count)])
    published(recipe)
    return recipe


def bytes_of(out: Path) -> dict[str, bytes]:
    """Shards, rejects and summaries, by name."""
    patterns = ("shards/*/*", "heldout/*/*.tar", "rejects/*", "builds/*")
    files = [path for pattern in patterns for path in sorted(out.glob(pattern)) if path.name != "published.json"]
    return {str(path.relative_to(out)): path.read_bytes() for path in files}


def instant_answer(prompt: str) -> str:
    """The same sentence for every prompt in a language; "?" for a language that has none here."""
    found = re.search(r"<\|(\w+)\|>", prompt)
    return text_of(0, found.group(1)) if found and found.group(1) in COLOURS else "?"
