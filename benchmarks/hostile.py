"""Everything that is known to have got through, as a file or a server, in the run that a user would start.

`python -m benchmarks.hostile [NAME ...]`. Each case is a process of its own, whose exit code, words and peak memory are
looked at: no traceback, at most 1 GiB above an ordinary run, and what the case asks besides.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import re
import signal
import struct
import subprocess
import sys
import tarfile
import tempfile
import threading
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from benchmarks.stand_in_server import Fault, Request, Rule, StandInServer, completions, list_models, no_fault
from florenz.images.jpeg_segments import SOS, segments
from florenz.pipeline.assemble.rejects import Reject, read_rejects
from florenz.playground.world import draw_world
from florenz.shards.manifest import read_manifest
from florenz.shards.reader import iter_samples

MODEL = "playground/models/translator"
NUM_PICTURES = 4
MEMORY_GOAL = 1 << 30  # above an ordinary run
TIMEOUT_S = 300.0
# A process's peak counts what it was forked from: ours is large where a case has just made a bomb, this one is not.
LAUNCHER = """
import json, os, subprocess, sys
_, status, usage = os.wait4(subprocess.Popen(sys.argv[2:]).pid, 0)
open(sys.argv[1], "w").write(json.dumps([status, usage.ru_maxrss]))
"""
RECIPE = """
languages = [{languages}]
out = {out}
{top}
[images]
source = {images}
{image_keys}
[captioner]
model = "playground/models/captioner"
cpu_threads = 1
{captioner_keys}
[translator]
model = "playground/models/translator"
prompt = "playground"
endpoint = {endpoint}
max_retries = 1
backoff_s = 0.01
request_timeout_s = 20.0
[shards]
val_fraction = 0.3
"""


@dataclass(frozen=True, kw_only=True)
class Done:
    """A run that has ended. said: both streams, as bytes became text."""

    code: int
    said: str
    peak_bytes: int
    out: str

    @property
    def rejects(self) -> list[Reject]:
        return read_rejects(f"{self.out}/rejects/{read_manifest(self.out).build}.parquet")

    def pictures(self) -> dict[str, bytes]:
        """Source -> JPEG, over all shards."""
        manifest = read_manifest(self.out)
        paths = [f"{self.out}/shards/{manifest.build}/{shard.path}" for shard in manifest.shards]
        return {sample.source: sample.jpeg for path in paths for sample in iter_samples(path)}


class Place:
    """A folder for one case: good pictures in `images`, and what the case adds."""

    def __init__(self, folder: Path, server: StandInServer) -> None:
        self.folder, self.server = folder, server
        self.images, self.out = folder / "images", str(folder / "out")
        draw_world(str(self.images), count=NUM_PICTURES, seed=5)
        (self.images / "scenes.parquet").unlink()
        server.rule, server.describe = no_fault, list_models
        server.model = MODEL

    def run(self, *variables: str, recipe: str | None = None, **keys: str) -> Done:
        path = self.folder / "recipe.toml"
        values = {
            "languages": '"de"', "out": json.dumps(self.out), "images": json.dumps(str(self.images)),
            "endpoint": json.dumps(self.server.endpoint), "top": "", "image_keys": "", "captioner_keys": "", **keys,
        }  # fmt: skip
        path.write_text(RECIPE.format(**values))
        command = [sys.executable, "-m", "florenz.pipeline", recipe or str(path), *variables]
        with tempfile.TemporaryFile() as screen:
            measures = self.folder / "measures.json"
            words = [sys.executable, "-c", LAUNCHER, str(measures), *command]
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=screen, stderr=screen,
                                       start_new_session=True)  # fmt: skip
            with contextlib.closing(Watch(process)):
                process.wait()
            status, peak_kib = json.loads(measures.read_text()) if measures.is_file() else (signal.SIGKILL, 0)
            measures.unlink(missing_ok=True)
            screen.seek(0)
            said = screen.read(1 << 22).decode(errors="surrogateescape")
        out = next((word[4:] for word in variables if word.startswith("OUT=")), self.out)
        return Done(code=os.waitstatus_to_exitcode(status), said=said, peak_bytes=peak_kib << 10, out=out)


class Watch:
    """Ends a run that never ends; close it when the run has ended."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._timer = threading.Timer(TIMEOUT_S, os.killpg, (process.pid, signal.SIGKILL))
        self._timer.daemon = True
        self._timer.start()

    def close(self) -> None:
        self._timer.cancel()


Case = Callable[[Place], Iterator[tuple[Done, str]]]  # each run with what is wrong with it, "" for nothing
CASES: dict[str, Case] = {}


def case(function: Case) -> Case:
    CASES[function.__name__] = function
    return function


def fault(done: Done, code: int, *words: str) -> str:
    """What is wrong with an end: another exit code, a word that was not said, more than a line of complaint."""
    if done.code != code:
        return f"exit code {done.code}, not {code}: {done.said[-300:]}"
    missing = [word for word in words if word not in done.said]
    return f"says nothing of {missing[0]!r}: {done.said[-300:]}" if missing else ""


def reasons(done: Done, *wanted: tuple[str, str]) -> str:
    """Each of these (part of the source, reason) among the rejects of a run that has ended well."""
    if done.code:
        return fault(done, 0)
    found = [(reject.source, reject.reason) for reject in done.rejects]
    for name, reason in wanted:
        if not any(name in source and reason == because for source, because in found):
            return f"{name} is not rejected as {reason}: {found[:6]}"
    return ""


# -- replies ----------------------------------------------------------------------------------------------------------


def reply_with(content: bytes, status: int = 200, **headers: str) -> Fault:
    return lambda request: request.send(content, status, **headers)


def always(fault: Fault) -> Rule:
    return lambda request: fault


@case
def gzip_bomb(place: Place) -> Iterator[tuple[Done, str]]:
    """2 GiB of zeros in 2 MB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    zeros = bytes(1 << 24)
    bomb = b"".join([*(packer.compress(zeros) for _ in range(128)), packer.flush()])
    for encoding, word in (("gzip", "reply_bytes"), ("br", "packed as")):
        faulty = reply_with(bomb, Content_Encoding=encoding)
        place.server.rule = always(faulty)
        done = place.run()
        yield done, fault(done, 1, word)


@case
def endless_body(place: Place) -> Iterator[tuple[Done, str]]:
    def endless(request: Request) -> None:
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        piece = b"100000\r\n" + b" " * (1 << 20) + b"\r\n"
        with contextlib.suppress(OSError):
            for _ in range(8192):
                request.wfile.write(piece)
        request.close_connection = True

    place.server.rule = lambda request: endless
    done = place.run()
    yield done, fault(done, 1, "more than 8,388,608 bytes", "raise [limits] reply_bytes")


@case
def endless_list_of_models(place: Place) -> Iterator[tuple[Done, str]]:
    place.server.describe = reply_with(b'{"data": [' + b'{"id": "x"},' * (1 << 22) + b"]}")
    done = place.run()
    yield done, fault(done, 2, "raise [limits] reply_bytes")


@case
def deep_json(place: Place) -> Iterator[tuple[Done, str]]:
    for depth, status in ((900, 200), (900, 400)):
        body = (
            b'{"error": {"message": ' + b"[" * depth + b"]" * depth + b'}, "choices": ' + b"[" * 50 + b"]" * 50 + b"}"
        )
        place.server.rule = always(reply_with(body, status))
        done = place.run()
        yield done, fault(done, 1, "fails on a harmless prompt too")


@case
def wild_numbers(place: Place) -> Iterator[tuple[Done, str]]:
    for number in ("1e999", "9" * 5000):
        body = '{"choices": [{"index": 0, "text": "x"}], "usage": {"completion_tokens": ' + number + "}}"
        faulty = reply_with(body.encode(), Retry_After=number[:200])
        place.server.rule = always(faulty)
        done = place.run()
        yield done, fault(done, 1, "fails on a harmless prompt too")


@case
def models_without_names(place: Place) -> Iterator[tuple[Done, str]]:
    for models in ('[{"id": 1}]', '[{"id": null}]'):
        place.server.describe = reply_with(b'{"data": ' + models.encode() + b"}")
        done = place.run()
        yield done, fault(done, 2, "is no list of models")


@case
def endpoints_that_are_none(place: Place) -> Iterator[tuple[Done, str]]:
    for endpoint in ("http://127.0.0.1:1\x7f/v1", "http://a\x1b[2Jb/v1"):
        done = place.run(f"ENDPOINT={endpoint}")
        yield done, fault(done, 2, "is no URL") or ("\x1b" in done.said and "an escape code reached the screen" or "")


@case
def escape_codes(place: Place) -> Iterator[tuple[Done, str]]:
    """In an error's words, a model's name and a translation."""
    code = "\x1b[2J\x1b]0;owned\x07\u202e\r\nflorenz: all is well\x9b"
    place.server.rule = lambda request: lambda one: one.send_json({"error": {"message": code}}, 400)
    done = place.run()
    yield done, fault(done, 1, "owned") or unescaped(done)
    place.server.rule = no_fault
    place.server.model = code
    done = place.run()
    yield done, fault(done, 2, "owned") or unescaped(done)
    place.server.model = MODEL
    place.server.rule = lambda request: lambda one: one.send_json(completions([code for _ in one.prompts]))
    done = place.run()
    yield done, fault(done, 0) or unescaped(done, Path(done.out, "REPORT.md").read_text())


def unescaped(done: Done, report: str = "") -> str:
    found = re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", done.said + report)
    if found:
        return f"{found.group()!r} reached the screen"
    return "a server's line end made a message of its own" if "\nflorenz: all is well" in done.said else ""


# -- pictures ---------------------------------------------------------------------------------------------------------


def photo_like(rng: random.Random, size: tuple[int, int] = (640, 480)) -> bytes:
    """A JPEG with as much in it as a photograph: soft shapes and grain."""
    noise = np.random.default_rng(rng.randrange(1 << 30))
    coarse = Image.fromarray(noise.integers(0, 256, (9, 12, 3), dtype=np.uint8)).resize(size, Image.Resampling.BICUBIC)
    grain = noise.normal(0, 8, (size[1], size[0], 3))
    pixels = np.clip(np.asarray(coarse) + grain, 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


def scan_of(jpeg: bytes) -> tuple[int, int]:
    """Where the entropy-coded bytes of the first scan begin, and where the last one ends."""
    scans = [one for one in segments(jpeg) if one.marker == SOS]
    return scans[0].start + 2 + int.from_bytes(jpeg[scans[0].start + 2 : scans[0].start + 4], "big"), scans[-1].end


def damaged(jpeg: bytes, kind: str, rng: random.Random, size: int) -> bytes:
    """size: bytes that are zeroed or dropped, bits that are flipped; a cut is anywhere in the scan."""
    start, end = scan_of(jpeg)
    if kind == "flipped":
        flipped = bytearray(jpeg)
        for _ in range(size):
            flipped[rng.randrange(start, end)] ^= 1 << rng.randrange(8)
        return bytes(flipped)
    size = min(size, (end - start) // 2)
    at = rng.randrange(start, end - size)
    return jpeg[:at] + {"zeroed": bytes(size), "dropped": b"", "cut": b""}[kind] + (jpeg[at + size :] * (kind != "cut"))


@case
def damaged_jpegs(place: Place) -> Iterator[tuple[Done, str]]:
    rng = random.Random(3)
    whole = next(iter(sorted(place.images.glob("*.jpg"))))
    names = [f"{kind}-{number}.jpg" for kind in ("zeroed", "dropped", "cut") for number in range(3)]
    for name in names:
        (place.images / name).write_bytes(damaged(whole.read_bytes(), name.partition("-")[0], rng, 2000))
    done = place.run()
    wrong = reasons(done, *((name, "damaged_image") for name in names))
    yield done, wrong or kept_bytes(done, whole.name, whole.read_bytes())
    done = place.run("REPLACE=1", image_keys='on_damage = "reencode"')
    written = {Path(source).name: jpeg for source, jpeg in done.pictures().items()} if not done.code else {}
    as_they_were = [name for name in names if written.get(name) == (place.images / name).read_bytes()]
    wrong = f"{as_they_were} went through as they were" if as_they_were else ""
    yield done, fault(done, 0) or wrong or ("" if set(written) & set(names) else "none of them was written anew")


def kept_bytes(done: Done, name: str, data: bytes) -> str:
    found = {Path(source).name: jpeg for source, jpeg in done.pictures().items()}
    return "" if found.get(name) == data else f"{name} did not go through as it was"


@case
def dictionary_of_one_value(place: Place) -> Iterator[tuple[Done, str]]:
    """2 KB that unpack to 2.4 GiB."""
    schema = pa.schema([("image", pa.binary())])
    with pq.ParquetWriter(place.images / "bomb.parquet", schema, compression="zstd", store_schema=False,
                          dictionary_pagesize_limit=1 << 30) as writer:  # fmt: skip
        writer.write_table(pa.table({"image": [bytes(64_000_000)] * 40}, schema=schema))
    done = place.run()
    yield done, reasons(done)


@case
def page_of_two_gigabytes(place: Place) -> Iterator[tuple[Done, str]]:
    """200 KB of zstd, in a single page."""
    column = pa.array([bytes(1_000_000_000)], pa.binary())
    pq.write_table(pa.table({"image": column}), place.images / "page.parquet", compression="zstd", use_dictionary=False)
    del column
    done = place.run()
    yield done, reasons(done, ("page.parquet", "unreadable_source"))


@case
def long_names_in_a_tar(place: Place) -> Iterator[tuple[Done, str]]:
    """A thousand members whose names have a megabyte each."""
    jpeg = next(place.images.glob("*.jpg")).read_bytes()
    with tarfile.open(place.images / "names.tar", "w", format=tarfile.GNU_FORMAT) as tar:
        for number in range(1000):
            info = tarfile.TarInfo(f"{number:04d}" + "n" * ((1 << 20) - 10) + ".jpg")
            info.size = len(jpeg)
            tar.addfile(info, io.BytesIO(jpeg))
    done = place.run()
    yield done, reasons(done, ("names.tar", "name_too_long"))


@case
def deep_folder(place: Place) -> Iterator[tuple[Done, str]]:
    """1,500 folders in each other, as a package of strangers' files may bring along."""
    before = os.getcwd()
    try:
        os.chdir(place.images)
        for _ in range(1500):
            os.mkdir("d")
            os.chdir("d")
        Path("deep.jpg").write_bytes(photo_like(random.Random(1)))
    finally:
        os.chdir(before)
    done = place.run()
    yield done, fault(done, 2, "folder_depth")
    subprocess.run(["rm", "-rf", str(place.images / "d")], check=False)


@case
def pictures_like_rulers(place: Place) -> Iterator[tuple[Done, str]]:
    for name, size in (("a.png", (1, 4096)), ("b.png", (8, 4096)), ("c.png", (65_000, 10))):
        Image.new("RGB", size, (200, 10, 10)).save(place.images / name)
    done = place.run()
    yield done, reasons(done, ("a.png", "too_small"), ("b.png", "too_narrow"), ("c.png", "too_narrow"))


@case
def sound_but_unsupported(place: Place) -> Iterator[tuple[Done, str]]:
    pixels = bytes(32 * 16 * 4)
    head = struct.pack("<IiiHHIIiiII", 40, 32, 16, 1, 0, 4, len(pixels), 0, 0, 0, 0)
    bmp = b"BM" + struct.pack("<IHHI", 54 + len(pixels), 0, 0, 54) + head + pixels
    tags = [(256, 32), (257, 16), (258, 8), (259, 50001), (262, 1), (273, 8), (277, 1), (278, 16), (279, 512)]
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    tiff = b"II*\0" + struct.pack("<I", 8 + 512) + bytes(512) + directory + bytes(4)
    (place.images / "sound.bmp").write_bytes(bmp)
    (place.images / "sound.tif").write_bytes(tiff)
    done = place.run()
    yield done, reasons(done, ("sound.bmp", "unsupported_format"), ("sound.tif", "unsupported_format"))


# -- what is typed ----------------------------------------------------------------------------------------------------


@case
def out_with_signs_of_a_glob(place: Place) -> Iterator[tuple[Done, str]]:
    out = str(place.folder / "a[x]*?")
    (place.folder / "ax").mkdir()
    done = place.run(f"OUT={out}", "COUNT=4", images='"playground"')
    yield done, fault(done, 0) or ("" if Path(out, "manifest.json").is_file() else "no manifest in it")


@case
def out_that_is_no_utf8(place: Place) -> Iterator[tuple[Done, str]]:
    out = str(place.folder / os.fsdecode(b"b\xffc"))
    done = place.run(f"OUT={out}")
    yield done, fault(done, 0, "udcff") or ("" if Path(out, "manifest.json").is_file() else "no manifest in it")


@case
def out_that_is_the_disk(place: Place) -> Iterator[tuple[Done, str]]:
    for out in ("/", str(Path.home())):
        done = place.run(f"OUT={out}")
        yield done, fault(done, 2, "name a folder of its own")


@case
def recipe_without_end(place: Place) -> Iterator[tuple[Done, str]]:
    done = place.run(recipe="/dev/zero")
    yield done, fault(done, 2, "more than 1,048,576 bytes")
    deep = place.folder / "deep.toml"
    deep.write_text("x = " + "[" * 5000 + "]" * 5000)
    done = place.run(recipe=str(deep))
    yield done, fault(done, 2, "cannot read this recipe")


@case
def counts_without_bound(place: Place) -> Iterator[tuple[Done, str]]:
    done = place.run("WORKERS=100000")
    yield done, fault(done, 2, "99,744 more than the limit of 256", "[limits] workers")
    done = place.run(captioner_keys="num_beams = 5000")
    yield done, fault(done, 2, "4,968 more than the limit of 32", "[limits] beams")


# -- texts ------------------------------------------------------------------------------------------------------------

MALTESE = ("Il-kelb il-kbir jiġri fil-ġnien.", "Ġurnata sabiħa ħdejn il-baħar.", "Raġel xiħ jistenna ħdejn il-ġonna.")


@case
def maltese(place: Place) -> Iterator[tuple[Done, str]]:
    """Its letter is also a mark that broken tokenizers leave."""
    place.server.rule = lambda request: (
        lambda one: one.send_json(completions([MALTESE[len(prompt) % len(MALTESE)] for prompt in one.prompts]))
    )
    done = place.run(languages='"mt"')
    found = [] if done.code else [r.detail for r in done.rejects if r.step == "filter" and "markup" in r.reason]
    yield done, fault(done, 0) or (f"rejected as markup: {found[:3]}" if found else "")


@case
def line_breaks(place: Place) -> Iterator[tuple[Done, str]]:
    """20,000 of them in an answer took a quadratic pattern 41 s."""
    text = "Ein Haus." + "\n" * 20_000 + "Ein Baum."
    place.server.rule = lambda request: lambda one: one.send_json(completions([text for _ in one.prompts]))
    done = place.run()
    seconds = re.search(r"assemble ([\d.]+) s", done.said)
    is_slow = seconds is None or float(seconds.group(1)) > 30
    yield done, fault(done, 0) or ("filtering took longer than 30 s" if is_slow else "")


def main(names: list[str]) -> int:
    chosen = names or list(CASES)
    good = 0
    with tempfile.TemporaryDirectory() as folder, StandInServer(MODEL, remembers=False) as server:
        ordinary = Place(Path(folder) / "ordinary", server).run()
        assert ordinary.code == 0, ordinary.said
        print(f"an ordinary run: peak {ordinary.peak_bytes / 2**30:.2f} GiB", flush=True)
        for name in chosen:
            problems, peak = [], 0
            for done, problem in CASES[name](Place(Path(folder) / name, server)):
                peak = max(peak, done.peak_bytes)
                problems += [problem] if problem else []
                problems += ["a traceback"] if "Traceback" in done.said else []
            if peak > ordinary.peak_bytes + MEMORY_GOAL:
                problems.append("too much memory")
            good += not problems
            print(f"{name:<26} peak {peak / 2**30:.2f} GiB  {'; '.join(problems) or 'good'}", flush=True)
    print(f"bench-hostile: {good} of {len(chosen)} (goal all)")
    return 0 if good == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
