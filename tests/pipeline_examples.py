"""A small world for the tests of pipeline/: pictures, a recipe, a full ledger, a translator that answers at once."""

import hashlib
import io
import json
import re
import tarfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from PIL import Image

from florenz.images.sources import list_sources
from florenz.pipeline.answers.ledger import CaptionRow, Ledger, TranslationRow
from florenz.pipeline.assemble.build import build_name, publish, read_summary
from florenz.pipeline.assemble.graph import Assembly, run_assembly
from florenz.pipeline.index import Index, build_index
from florenz.pipeline.recipe import Captioner, Images, Recipe, Translator
from florenz.shards.manifest import Manifest, read_manifest
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
        with tarfile.open(out / "shards" / manifest.build / shard.path) as tar:
            for member in tar.getnames():
                if member.endswith(".json"):
                    found[member.removesuffix(".json")] = json.load(tar.extractfile(member))  # type: ignore[arg-type]
    return found


def assemble(recipe: Recipe) -> tuple[str, Index]:
    """Read and assemble; the build's name, and the index that it was made from."""
    index = build_index(recipe, list_sources(recipe.images.source), None)
    build = build_name(recipe, index, Ledger(recipe.out), CAPTION_PRINT, TRANSLATION_PRINT)
    assembly = Assembly(
        recipe=recipe,
        build=build,
        caption_fingerprint=CAPTION_PRINT,
        translation_fingerprint=TRANSLATION_PRINT,
        provenance={"captioner": "c", "translators": {"de": "t", "fr": "t"}},
    )
    run_assembly(assembly, None)
    return build, index


def published(recipe: Recipe) -> Manifest:
    build, index = assemble(recipe)
    return publish(recipe, build, read_summary(recipe.out, build), index, {}, recipe.images.source)


def bytes_of(out: Path) -> dict[str, bytes]:
    """Shards, rejects and summaries, by name."""
    patterns = ("shards/*/*", "rejects/*", "builds/*")
    files = [path for pattern in patterns for path in sorted(out.glob(pattern)) if path.name != "published.json"]
    return {str(path.relative_to(out)): path.read_bytes() for path in files}


def instant_answer(prompt: str) -> str:
    """The same sentence for every prompt in a language; "?" for a language that has none here."""
    found = re.search(r"<\|(\w+)\|>", prompt)
    return text_of(0, found.group(1)) if found and found.group(1) in COLOURS else "?"


class InstantTranslator(ThreadingHTTPServer):
    """Stands in for a vLLM server, which takes half a minute to come up: one sentence per language, whatever is asked.

    `prompts` is all that was asked, `answer` decides what is said. While `is_broken`, it answers 503; `on_prompts` is
    called before each reply. Used as a context manager it serves in a thread of its own.
    """

    daemon_threads = True

    def __init__(self, model: str, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.model = model
        self.prompts: list[str] = []
        self.is_broken = False
        self.on_prompts: Callable[[], None] = lambda: None
        self.answer: Callable[[str], str] = instant_answer

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def __enter__(self) -> "InstantTranslator":
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: InstantTranslator
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._send({"data": [{"id": self.server.model}]} if self.path == "/v1/models" else {})

    def do_POST(self) -> None:
        prompts = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["prompt"]
        self.server.on_prompts()
        if self.server.is_broken:
            return self._send({}, status=503)
        self.server.prompts += prompts
        answers = [self.server.answer(prompt) for prompt in prompts]
        choices = [{"index": i, "text": text, "finish_reason": "stop"} for i, text in enumerate(answers)]
        self._send({"choices": choices, "usage": {"completion_tokens": len(choices)}})

    def _send(self, record: dict[str, Any], status: int = 200) -> None:
        body = json.dumps(record).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass
