"""A proved JPEG is passed on without being decoded, and never otherwise than decoding would have passed it on."""

import io
import random
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.hostile.damaged_jpegs import photo_like
from florenz.images import passing
from florenz.images.bad_image import BadImage
from florenz.images.decoding import ShardImage, shard_jpeg
from florenz.images.passing import proved_jpeg
from florenz.images.proof import prove

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
BOUNDS = {"max_side_px": 400, "quality": 90, "max_pixels": 1_000_000, "max_side_ratio": 20.0, "is_damaged": False}
ENCODINGS = [
    {}, {"subsampling": 0}, {"subsampling": 1}, {"progressive": True}, {"optimize": True}, {"restart_marker_rows": 1},
    {"comment": b"x" * 60000}, {"icc_profile": b"none" * 30000}, {"quality": 100, "keep_rgb": True},
]  # fmt: skip


def jpeg_of(mode: str = "RGB", size: tuple[int, int] = (320, 240), **options: object) -> bytes:
    buffer = io.BytesIO()
    photo = Image.open(io.BytesIO(photo_like(random.Random(7), (320, 240))))
    photo.convert(mode).resize(size).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def turned_by(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return jpeg_of(exif=exif)


def all_pictures() -> Iterator[bytes]:
    for mode in ("RGB", "L", "CMYK", "YCbCr"):
        yield from (jpeg_of(mode, **options) for options in ENCODINGS)
    yield from (jpeg_of(size=size) for size in ((400, 300), (401, 300), (300, 401), (7, 300), (8, 300), (9, 300)))
    yield from map(turned_by, range(10))
    plain = jpeg_of()
    yield from (plain + b"a film", plain[:-2], plain[: len(plain) // 2], plain[:2], b"", b"no image")


def outcome(of: Callable[[bytes], ShardImage], data: bytes) -> ShardImage | tuple[str, str]:
    try:
        return of(data)
    except BadImage as bad:
        return bad.reason, bad.detail


def assert_the_same(data: bytes) -> None:
    if not prove(data).damage:
        assert outcome(partial(proved_jpeg, **BOUNDS), data) == outcome(partial(shard_jpeg, **BOUNDS), data)


def test_a_plain_photograph_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passing, "shard_jpeg", None)
    pictures = jpeg_of(), jpeg_of(subsampling=0), jpeg_of(subsampling=1), turned_by(1)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", None)
    for jpeg in pictures:
        assert proved_jpeg(jpeg, **BOUNDS) == ShardImage(jpeg=jpeg, width=320, height=240, is_original=True)


def test_what_is_passed_on_is_what_decoding_passes_on() -> None:
    pictures = list(all_pictures())
    assert sum(not prove(data).damage for data in pictures) > 40
    for data in pictures:
        assert_the_same(data)


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared test data is not beside this checkout")
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_so_it_is_with_photographs_and_odd_files() -> None:
    paths = [path for folder in ("photos", "bad_images") for path in (DATA / folder).rglob("*") if path.is_file()]
    assert len(paths) > 500
    for path in paths:
        assert_the_same(path.read_bytes())


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_so_it_is_with_bytes_that_are_wrong(seed: int) -> None:
    """In the header three times of four, where there are few bytes and most of them matter."""
    rng = random.Random(seed)
    plain = turned_by(1)
    for number in range(500):
        wrong = bytearray(plain)
        for _ in range(rng.randint(1, 3)):
            wrong[rng.randrange(len(plain) if number % 4 == 0 else 700)] = rng.randrange(256)
        assert_the_same(bytes(wrong))


def test_a_damaged_picture_is_written_anew() -> None:
    jpeg = jpeg_of()
    found = proved_jpeg(jpeg, **{**BOUNDS, "is_damaged": True})
    assert not found.is_original and found.jpeg != jpeg
