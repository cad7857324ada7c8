"""The readers of strangers' bytes as functions of bytes, for `fuzz.py` and `tests/test_hostile_fuzz.py`."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from florenz.images.bad_image import BadImage
from florenz.images.decoding import decode
from florenz.images.folders import SourceFile
from florenz.images.parquet_pages import NotThrift, read_struct
from florenz.images.proof import prove
from florenz.images.references import ImageRef
from florenz.images.sources import read_image_bytes, read_source
from florenz.limits.table import Limits
from florenz.pipeline.answers.ledger import SCHEMAS
from florenz.pipeline.answers.parts import DamagedPart, parse_part
from florenz.pipeline.recipe import load_recipe
from florenz.recipes.recipe_file import RecipeError
from florenz.shards.manifest import ManifestError, read_manifest
from florenz.shards.reader import iter_members
from florenz.shards.records import sample_from
from florenz.shards.schema import SchemaError
from florenz.shards.tar import ShardError
from florenz.translators.answered import ItemFault, read_reply
from florenz.translators.api import api_named
from florenz.translators.endpoint import normal_endpoint

FINDS = Path(__file__).resolve().parents[1] / "tests" / "fuzz_finds"

KEY = "0" * 32
SCRATCH = tempfile.TemporaryDirectory(prefix="fuzz-")  # readers that want a path find the bytes here


@dataclass(frozen=True, kw_only=True)
class Target:
    """run: returns, or raises one of `may_raise`. seeds: sound inputs to start from."""

    run: Callable[[bytes], None]
    may_raise: tuple[type[Exception], ...]
    seeds: Callable[[], Iterator[bytes]]

    def survives(self, data: bytes) -> None:
        """Raises what should not have come."""
        try:
            self.run(data)
        except self.may_raise as problem:
            str(problem).encode("utf-8", "backslashreplace")  # it can be said


def written(data: bytes, name: str) -> str:
    path = Path(SCRATCH.name, name)
    path.write_bytes(data)
    return str(path)


# -- replies and recipes ----------------------------------------------------------------------------------------------


def run_reply(data: bytes) -> None:
    for answer in read_reply(httpx.Response(200, content=data), 2, Limits(), api_named("completions"))[0]:
        answer.text.encode()


def reply_seeds() -> Iterator[bytes]:
    choices = [{"index": place, "text": "gut \u00fc", "finish_reason": "stop"} for place in range(2)]
    yield json.dumps({"choices": choices, "usage": {"completion_tokens": 3}}).encode()
    yield b'{"error": {"message": "no", "code": 400}}'
    yield b"[" * 40 + b"1e999" + b"]" * 40


def run_recipe(data: bytes) -> None:
    load_recipe(written(data, "recipe.toml"), {"LANGS": "de", "OUT": "out"})


def recipe_seeds() -> Iterator[bytes]:
    for path in sorted(Path(__file__).resolve().parents[1].glob("configs/*.toml")):
        yield path.read_bytes()
    yield b"[limits]\nreply_bytes = 1\n[images]\nmax_side_ratio = nan\n"


def run_endpoint(data: bytes) -> None:
    normal_endpoint(data.decode("utf-8", "surrogateescape"))


def endpoint_seeds() -> Iterator[bytes]:
    yield from (b"http://127.0.0.1:8000/v1", b"https://[::1]:1/", b"http://a\x7f")


# -- images -----------------------------------------------------------------------------------------------------------


def drain(path: str, kind: str) -> None:
    """Whatever stands in a source, up to a hundred images of it."""
    refs = read_source(SourceFile(path=path, kind=kind))  # type: ignore[arg-type]
    for ref in islice(refs, 100):
        if isinstance(ref, ImageRef):
            read_image_bytes(ref, max_bytes=1 << 20)


def run_tar(data: bytes) -> None:
    drain(written(data, "a.tar"), "tar")


def tar_seeds() -> Iterator[bytes]:
    for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
            for name in ("a.jpg", "\u00fc" * 40 + ".png", "b" * (90 if form == tarfile.USTAR_FORMAT else 200) + ".jpg"):
                info = tarfile.TarInfo(name)
                info.size = 5
                tar.addfile(info, io.BytesIO(b"image"))
        yield buffer.getvalue()


def run_pages(data: bytes) -> None:
    read_struct(data, 0)


def run_parquet(data: bytes) -> None:
    drain(written(data, "a.parquet"), "parquet")


def parquet_seeds() -> Iterator[bytes]:
    for options in (
        {"compression": "zstd"},
        {"compression": "none", "use_dictionary": False},
        {"data_page_version": "2.0"},
    ):
        buffer = io.BytesIO()
        images = [{"bytes": b"image" * place, "path": "p"} for place in range(3)]
        pq.write_table(pa.table({"image": images, "n": [1, 2, 3]}), buffer, **options)
        yield buffer.getvalue()


def page_seeds() -> Iterator[bytes]:
    for parquet in parquet_seeds():
        footer_bytes = int.from_bytes(parquet[-8:-4], "little")
        yield parquet[-8 - footer_bytes : -8]


def run_picture(data: bytes) -> None:
    prove(data)
    decode(data, max_pixels=1_000_000)


def picture_seeds() -> Iterator[bytes]:
    for format in ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM"):
        buffer = io.BytesIO()
        Image.effect_mandelbrot((24, 16), (-2, -1, 1, 1), 20).convert("RGB").save(buffer, format)
        yield buffer.getvalue()


# -- what a run writes ------------------------------------------------------------------------------------------------


def run_ledger(data: bytes) -> None:
    digest = hashlib.sha256(data).hexdigest()[:32]
    parse_part(f"part-{digest}.parquet", data, SCHEMAS["captions"])


def ledger_seeds() -> Iterator[bytes]:
    buffer = io.BytesIO()
    rows = {name: ["x"] for name in SCHEMAS["captions"].names}
    pq.write_table(pa.table(rows, schema=SCHEMAS["captions"]), buffer, compression="zstd")
    yield buffer.getvalue()


def run_manifest(data: bytes) -> None:
    written(data, "manifest.json")
    read_manifest(SCRATCH.name)


def manifest_seeds() -> Iterator[bytes]:
    for path in sorted(FINDS.parent.glob("data/*/manifest.json")):
        yield path.read_bytes()
    yield b'{"schema_version": 2, "build": "x", "shards": []}'


def run_sample(data: bytes) -> None:
    sample_from(KEY, {"jpg": b"", "txt": b"", "json": data})


def sample_seeds() -> Iterator[bytes]:
    for path in sorted(FINDS.parent.glob("data/*/shards/*/train-*.tar")):
        for _, members in islice(iter_members(str(path)), 2):
            yield members["json"].replace(json.loads(members["json"])["key"].encode(), KEY.encode())


def run_shard(data: bytes) -> None:
    for _ in islice(iter_members(written(data, "train-000000.tar")), 100):
        pass


TARGETS = {
    "reply": Target(run=run_reply, may_raise=(ItemFault,), seeds=reply_seeds),
    "recipe": Target(run=run_recipe, may_raise=(RecipeError,), seeds=recipe_seeds),
    "endpoint": Target(run=run_endpoint, may_raise=(ValueError,), seeds=endpoint_seeds),
    "tar": Target(run=run_tar, may_raise=(BadImage,), seeds=tar_seeds),
    "pages": Target(run=run_pages, may_raise=(NotThrift,), seeds=page_seeds),
    "parquet": Target(run=run_parquet, may_raise=(BadImage,), seeds=parquet_seeds),
    "picture": Target(run=run_picture, may_raise=(BadImage,), seeds=picture_seeds),
    "ledger": Target(run=run_ledger, may_raise=(DamagedPart,), seeds=ledger_seeds),
    "manifest": Target(run=run_manifest, may_raise=(ManifestError,), seeds=manifest_seeds),
    "sample": Target(run=run_sample, may_raise=(SchemaError,), seeds=sample_seeds),
    "shard": Target(run=run_shard, may_raise=(ShardError,), seeds=tar_seeds),
}
