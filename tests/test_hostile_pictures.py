"""Pictures are proved: damage is found that decoders pass over, and nothing sound is called damaged."""

import io
import random
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pipeline_examples import (
    bytes_of,
    damaged_in,
    jpeg_of,
    published,
    recipe_for,
    rejects_of,
    write_ledger,
    write_pictures,
)

from benchmarks.hostile.damaged_jpegs import damaged, photo_like, scan_of
from florenz.images import proof
from florenz.images.decoding import is_whole_baseline
from florenz.images.proof import prove
from florenz.images.sources import key_of
from florenz.limits.table import Limits
from florenz.pipeline import hashing
from florenz.pipeline.image_settings import Images
from florenz.pipeline.index import build_index
from florenz.pipeline.listing import listing_of
from florenz.pipeline.proofs import proofs_path, read_proofs, write_proofs

LIMITS = list(Limits.__dataclass_fields__)
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the shared test data is not beside this checkout")


def encoded(image: Image.Image, format: str = "JPEG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def picture(mode: str = "RGB") -> Image.Image:
    return Image.open(io.BytesIO(photo_like(random.Random(7), (320, 240)))).convert(mode)


# -- sound ones -------------------------------------------------------------------------------------------------------


@needs_data
def test_photographs_are_sound() -> None:
    found = {path.name: prove(path.read_bytes()).damage for path in (DATA / "photos").glob("*.jpg")}
    assert len(found) == 57 and not any(found.values())


OPTIONS = [
    {"quality": 1}, {"quality": 35}, {"quality": 75}, {"quality": 95}, {"quality": 100, "subsampling": 0},
    {"subsampling": 0}, {"subsampling": 1}, {"subsampling": 2}, {"progressive": True},
    {"progressive": True, "quality": 20}, {"optimize": True}, {"restart_marker_rows": 1}, {"restart_marker_blocks": 3},
    {"progressive": True, "restart_marker_rows": 2}, {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0"},
    {"comment": b"x" * 60000},
    {"dpi": (300, 300)}, {"streamtype": 0}, {"smooth": 50}, {"icc_profile": b"none" * 30000},
]  # fmt: skip


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK", "YCbCr"])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_jpegs_of_every_kind_are_sound(mode: str, options: dict[str, object]) -> None:
    for size in ((8, 8), (17, 31), (320, 240)):
        assert prove(encoded(picture(mode).resize(size), **options)).damage == ""


def with_segment(jpeg: bytes, marker: int, content: bytes) -> bytes:
    return jpeg[:2] + bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, "big") + content + jpeg[2:]


@pytest.mark.parametrize(
    "odd",
    [
        lambda jpeg: jpeg + b"film" * 5000,  # a motion photo
        lambda jpeg: jpeg + jpeg,  # MPF: a second picture
        lambda jpeg: jpeg + bytes(1000),
        lambda jpeg: with_segment(jpeg, 0xEE, b"Adobe\0\x64\0\0\0\0\x07"),  # an unknown transform
        lambda jpeg: with_segment(jpeg, 0xE0, b"JFIF\0\x07\x01\0\0\1\0\1\0\0"),  # an unknown revision
        lambda jpeg: with_segment(jpeg, 0xE1, b"Exif\0\0" + jpeg[:3000]),  # a thumbnail
        lambda jpeg: with_segment(jpeg, 0xE2, b"MPF\0" + bytes(50)),
        lambda jpeg: with_segment(jpeg, 0xFE, b"\xff\xd9\xff\xda"),
        lambda jpeg: jpeg[:2] + b"\xff\xff\xff" + jpeg[2:],  # fill before a marker
        lambda jpeg: jpeg[:-2] + b"\0\0\0" + jpeg[-2:],  # padding that some cameras leave
        lambda jpeg: jpeg[:-2] + bytes(12) + jpeg[-2:],
        lambda jpeg: jpeg[:-2] + b"\xff" * 8 + jpeg[-2:],
        lambda jpeg: jpeg[:-2],  # all of the picture, without its end
    ],
)  # fmt: skip
def test_what_cameras_and_editors_leave_around_a_picture_is_no_damage(odd) -> None:
    jpeg = photo_like(random.Random(5))
    assert prove(odd(jpeg)).damage == ""


@needs_data
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_of_the_corpus_of_odd_files_only_damaged_ones_are_called_so() -> None:
    """All of it is run. Three that Pillow decodes without a word are damaged: see for yourself."""
    from florenz.images.bad_image import BadImage
    from florenz.images.decoding import decode

    named = []
    paths = [path for path in sorted((DATA / "bad_images").rglob("*")) if path.is_file()]
    assert len(paths) > 490
    for path in paths:
        data = path.read_bytes()
        if not prove(data).damage:
            continue
        try:
            decode(data, max_pixels=40_000_000)
            named.append(path.name)
        except BadImage:
            pass
    assert named == ["x_interlaced_chck.png", "xcsn0g01.png", "hopper_bad_exif.jpg"]


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_whatever_the_bytes_a_proof_never_raises(data: bytes) -> None:
    for head in (b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\x10\0\0\0WEBP"):
        prove(head + data)


# -- damaged ones -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind, size, wanted", [("zeroed", 2000, 39), ("dropped", 2000, 40), ("flipped", 32, 36), ("cut", 0, 40)]
)
def test_damage_in_a_scan_is_found(kind: str, size: int, wanted: int) -> None:
    """Of 40; `make bench-pictures` has the figures for 2,000."""
    rng = random.Random(11)
    sound = [photo_like(random.Random(number)) for number in range(8)]
    found = sum(bool(prove(damaged(sound[number % 8], kind, rng, size)).damage) for number in range(40))
    assert found >= wanted


def test_a_cut_is_found_wherever_it_is() -> None:
    for options in ({}, {"progressive": True}, {"restart_marker_rows": 1}):
        jpeg = encoded(picture(), **options)
        start, end = scan_of(jpeg)
        assert all(prove(jpeg[:cut]).damage for cut in range(start + 1, end - 1, (end - start) // 60))


def test_every_byte_of_a_pngs_pixels_is_vouched_for() -> None:
    png = encoded(picture().resize((40, 30)), "PNG")
    assert prove(png).damage == ""
    start = png.index(b"IDAT") + 4
    for at in range(start, len(png) - 20, 37):
        wrong = bytearray(png)
        wrong[at] ^= 1
        assert "'IDAT'" in prove(bytes(wrong)).damage
    for cut in range(start, len(png) - 1, 301):
        assert prove(png[:cut]).damage


def test_a_png_with_a_wrong_checksum_where_no_pixels_are_is_sound() -> None:
    png = encoded(picture(), "PNG", dpi=(72, 72))
    at = png.index(b"pHYs") + 5
    assert prove(png[:at] + b"\x99" + png[at + 1 :]).damage == ""


@pytest.mark.parametrize("format, options", [("GIF", {}), ("WEBP", {}), ("WEBP", {"lossless": True})], ids=str)
def test_a_gif_and_a_webp_that_are_cut_are_found(format: str, options: dict[str, object]) -> None:
    data = encoded(picture(), format, **options)
    assert prove(data).damage == ""
    for cut in range(40, len(data) - 3, 97):
        assert prove(data[:cut]).damage, cut


def test_animations_are_sound() -> None:
    frames = [picture().resize((32, 24)).rotate(angle) for angle in (0, 90, 180)]
    for format in ("GIF", "WEBP", "PNG"):
        assert prove(encoded(frames[0], format, save_all=True, append_images=frames[1:])).damage == ""


# -- in the index -----------------------------------------------------------------------------------------------------


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    write_pictures(folder, 3)
    whole = photo_like(random.Random(1))
    (folder / "damaged.jpg").write_bytes(damaged(whole, "dropped", random.Random(1), 2000))
    return folder


def index_with(tmp_path: Path, folder: Path, **images: object):
    recipe = recipe_for(tmp_path / "out", images=Images(source=str(folder), **images))
    return build_index(recipe, listing_of(recipe), None)


def test_a_damaged_picture_is_a_reject_with_its_key(tmp_path: Path, pictures: Path) -> None:
    index = index_with(tmp_path, pictures)
    assert sorted(index.images) == sorted(key_of(jpeg_of(number)) for number in range(3)) and not damaged_in(index)
    (reject,) = rejects_of(index)
    assert (reject.step, reject.reason) == ("read", "damaged_image") and "Corrupt JPEG data" in reject.detail
    assert reject.key == key_of((pictures / "damaged.jpg").read_bytes())


def test_or_it_stays_and_is_noted(tmp_path: Path, pictures: Path) -> None:
    index = index_with(tmp_path, pictures, on_damage="reencode")
    assert len(index.images) == 4 and not rejects_of(index)
    assert list(damaged_in(index)) == [key_of((pictures / "damaged.jpg").read_bytes())]


def test_each_picture_is_proved_once(tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    proved: list[str] = []
    monkeypatch.setattr(hashing, "prove", lambda data: proved.append(key_of(data)) or prove(data))
    first = index_with(tmp_path, pictures)
    assert len(proved) == 4
    assert index_with(tmp_path, pictures) == first and len(proved) == 4
    (pictures / "new.jpg").write_bytes(jpeg_of(9))
    index_with(tmp_path, pictures, on_damage="reencode")
    assert len(proved) == 5, "the new one alone"
    (pictures / "new.jpg").unlink()
    index_with(tmp_path, pictures)
    assert len(read_proofs(str(tmp_path / "out"))) == 5, "a verdict outlives its source"


def test_the_shards_of_good_pictures_are_the_same_bytes_with_and_without_proofs_and_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is sound goes through untouched: nothing but rejects tells a run that proves from one that trusts."""
    sound = [jpeg_of(number) for number in range(6)]
    sound += [encoded(picture().resize((120 + number, 90)), **options) for number, options in enumerate(OPTIONS)]
    sound += [encoded(picture(), format) for format in ("PNG", "WEBP", "GIF", "TIFF")]
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, data in enumerate(sound):
        (folder / f"{number:03d}").write_bytes(data)
    trusting = {"max_bytes": 1 << 40, "max_pixels": 1 << 40, "max_side_ratio": 1e9}
    proved = published_shards(tmp_path / "proved", sound, Images(source=str(folder)), Limits())
    monkeypatch.setattr(hashing, "prove", lambda data: proof.Proof())
    no_limits = Limits(**dict.fromkeys(LIMITS, 1 << 30))
    trusted = published_shards(tmp_path / "trusted", sound, Images(source=str(folder), **trusting), no_limits)
    assert len(proved) > 3 and proved == trusted


def published_shards(out: Path, pictures: list[bytes], images: Images, limits: Limits) -> dict[str, bytes]:
    """Name -> bytes of the shards that a run writes from full ledgers; all pictures are in them."""
    recipe = recipe_for(out, images=images, limits=limits)
    write_ledger(recipe, [key_of(data) for data in pictures])
    manifest = published(recipe)
    assert sum(shard.samples for shard in manifest.shards if not shard.path.startswith("heldout")) == len(pictures)
    return {Path(name).name: data for name, data in bytes_of(out).items() if name.endswith(".tar")}


def test_verdicts_of_other_checks_or_in_a_damaged_table_are_not_believed(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = str(tmp_path / "out")
    index_with(tmp_path, pictures)
    path = Path(proofs_path(out))
    whole, sound = path.read_bytes(), read_proofs(out)
    assert sound
    for at in range(4, len(whole) - 8, 29):
        wrong = bytearray(whole)
        wrong[at] ^= 0x10
        path.write_bytes(bytes(wrong))
        assert read_proofs(out) in ({}, sound), at
    path.write_bytes(whole[: len(whole) // 2])
    assert read_proofs(out) == {} and len(rejects_of(index_with(tmp_path, pictures))) == 1
    other = pq.read_schema(path).with_metadata({"proof": "0"})
    monkeypatch.setattr("florenz.pipeline.proofs._SCHEMA", other)
    write_proofs(out, {"k": ""})
    monkeypatch.undo()
    assert read_proofs(out) == {}


def test_originals_of_sound_pictures_go_on_as_they_are(tmp_path: Path) -> None:
    assert is_whole_baseline(photo_like(random.Random(2)))
    assert proof.PROOF >= 1 and np.asarray(picture()).shape == (240, 320, 3)
