"""Decoding: real damaged files, and small pictures of every mode made here."""

import csv
import io
import pickle
import struct
import zlib
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageOps
from PIL.PngImagePlugin import PngInfo

from florenz.images.bad_image import REASONS, BadImage
from florenz.images.decoding import MAX_JPEG_SCANS, MIN_SIDE_PX, decode, shard_jpeg
from florenz.images.formats import FORMATS, sniff

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the shared test data is not beside this checkout")
MAX_PIXELS = 40_000_000
RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)
NO_MAGIC = {"IM", "FLI", "PCX", "TGA", "XBM", "SPIDER", "MSP"}  # formats that decode() lacks and can't name


def encoded(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=format, **options)
    return buffer.getvalue()


def two_colours(left: float | tuple = RED, right: float | tuple = BLUE, mode: str = "RGB") -> Image.Image:
    image = Image.new(mode, (32, 16), left)
    image.paste(right, (16, 0, 32, 16))
    return image


def sides(image: Image.Image) -> tuple[object, object]:
    return image.getpixel((4, 8)), image.getpixel((28, 8))


def near(pixel: object, wanted: tuple[int, ...], within: int = 6) -> bool:
    return isinstance(pixel, tuple) and all(abs(a - b) <= within for a, b in zip(pixel, wanted, strict=True))


def reason_of(data: bytes, max_pixels: int = MAX_PIXELS) -> str:
    with pytest.raises(BadImage) as caught:
        decode(data, max_pixels=max_pixels)
    return caught.value.reason


def to_shard(data: bytes, max_side_px: int = 2048):
    return shard_jpeg(data, max_side_px=max_side_px, quality=90, max_pixels=MAX_PIXELS)


@cache
def manifest() -> list[dict[str, str]]:
    with open(DATA / "bad_images" / "MANIFEST.tsv", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def size_of(row: dict[str, str]) -> tuple[int, ...]:
    return tuple(int(side) for side in row["size"].split("x"))


# -- real files -------------------------------------------------------------------------------------------------------


@needs_data
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_each_damaged_file_decodes_where_pillow_could_or_has_a_stated_reason():
    assert len(manifest()) > 490
    wrong = []
    for row in manifest():
        data = (DATA / "bad_images" / row["path"]).read_bytes()
        allowed = row["pil_format"].replace("MPO", "JPEG") in FORMATS
        if row["verdict"] == "ok" and allowed:
            wanted = {"too_small"} if min(size_of(row)) < MIN_SIDE_PX else {"ok"}
        elif row["pil_format"] and not allowed:
            wanted = {"not_an_image"} if row["pil_format"] in NO_MAGIC else {"unsupported_format"}
        else:
            wanted = {"not_an_image", "unsupported_format", "too_many_pixels", "truncated_image", "broken_image"}
        try:
            image = decode(data, max_pixels=MAX_PIXELS)
            got = "ok" if image.mode == "RGB" and sorted(image.size) == sorted(size_of(row)) else f"{image}"
        except BadImage as bad:
            got = bad.reason
            assert "0x" not in bad.detail, "a memory address makes two runs differ"
        if got not in wanted:
            wrong.append((row["path"], got, wanted))
    assert not wrong


@needs_data
@pytest.mark.filterwarnings("error")
def test_python_run_with_warnings_as_errors_still_gives_only_bad_image():
    for row in manifest():
        data = (DATA / "bad_images" / row["path"]).read_bytes()
        try:
            to_shard(data)
        except BadImage as bad:
            assert bad.reason in REASONS


@needs_data
def test_the_eight_exif_orientations_show_the_same_upright_picture():
    def small(path: Path) -> np.ndarray:
        image = decode(path.read_bytes(), max_pixels=MAX_PIXELS)
        assert image.size == (1800, 1200)
        return np.asarray(image.resize((45, 30)), dtype=np.float32)

    folder = DATA / "bad_images" / "exif-orientation"
    first = small(folder / "Landscape_1.jpg")
    differences = {n: np.abs(small(folder / f"Landscape_{n}.jpg") - first).mean() for n in range(9)}
    assert max(differences.values()) < 12, differences  # the digit drawn into each differs; a wrong turn is above 40


@needs_data
def test_photos_that_are_baseline_pass_through_byte_for_byte():
    paths = sorted((DATA / "photos").glob("*.jpg"))
    assert len(paths) == 57
    for path in paths:
        data = path.read_bytes()
        with Image.open(path) as image:
            is_rgb_baseline = image.mode == "RGB" and "progressive" not in image.info
        shard = to_shard(data)
        assert shard.is_original == is_rgb_baseline == (shard.jpeg == data), path.name
        with Image.open(io.BytesIO(shard.jpeg)) as image:
            assert (image.size, image.mode) == ((shard.width, shard.height), "RGB")


# -- modes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_laid_on_white(mode: str):
    clear, solid = ((255, 0, 0, 0), (0, 0, 255, 255)) if mode == "RGBA" else ((0, 0), (90, 255))
    image = decode(encoded(two_colours(clear, solid, mode)), max_pixels=MAX_PIXELS)
    assert sides(image) == (WHITE, BLUE if mode == "RGBA" else (90, 90, 90))


def test_half_transparency_mixes_with_white():
    image = decode(encoded(Image.new("RGBA", (16, 16), (0, 0, 0, 128))), max_pixels=MAX_PIXELS)
    assert near(image.getpixel((0, 0)), (127, 127, 127), within=1)


def test_a_palette_with_a_transparent_entry_is_laid_on_white():
    palette = two_colours().quantize(2)
    clear = palette.getpixel((0, 0))
    assert sides(decode(encoded(palette, transparency=clear), max_pixels=MAX_PIXELS)) == (WHITE, BLUE)
    assert sides(decode(encoded(palette, "GIF"), max_pixels=MAX_PIXELS)) == (RED, BLUE)


def test_one_bit_and_grey_become_rgb():
    assert sides(decode(encoded(two_colours(0, 1, "1")), max_pixels=MAX_PIXELS)) == ((0, 0, 0), WHITE)
    assert sides(decode(encoded(two_colours(0, 77, "L")), max_pixels=MAX_PIXELS)) == ((0, 0, 0), (77, 77, 77))


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_sixteen_bit_grey_is_scaled_and_not_clipped(format: str):
    samples = np.full((16, 32), 64 * 257, dtype=np.uint16)
    samples[:, 16:] = 192 * 257
    image = decode(encoded(Image.fromarray(samples), format), max_pixels=MAX_PIXELS)
    assert sides(image) == ((64, 64, 64), (192, 192, 192))


def test_sixteen_bit_pgm_is_scaled():
    data = b"P5 16 16 65535\n" + struct.pack(">H", 128 * 257) * 256
    assert decode(data, max_pixels=MAX_PIXELS).getpixel((3, 3)) == (128, 128, 128)


@pytest.mark.parametrize("low, high, wanted", [(0, 0.5, 128), (0, 51, 51), (0, 257 * 40, 40), (-3, 90000, 255)])
def test_float_grey_is_scaled_by_its_range(low: float, high: float, wanted: int):
    samples = np.full((16, 32), low, dtype=np.float32)
    samples[:, 16:] = high
    samples[0, 0] = np.nan
    assert sides(decode(encoded(Image.fromarray(samples), "TIFF"), max_pixels=MAX_PIXELS)) == ((0,) * 3, (wanted,) * 3)


@pytest.mark.parametrize("low, high, wanted", [(0, 257 * 40, (0, 40)), (-500, 500, (0, 255)), (0, 2**30, (0, 255))])
def test_integer_grey_outside_sixteen_bits_is_stretched(low: int, high: int, wanted: tuple[int, int]):
    samples = np.full((16, 32), low, dtype=np.int32)
    samples[:, 16:] = high
    image = decode(encoded(Image.fromarray(samples), "TIFF"), max_pixels=MAX_PIXELS)
    assert sides(image) == tuple((grey,) * 3 for grey in wanted)


def test_cmyk_jpeg_is_not_shown_as_its_negative():
    data = encoded(two_colours(RED, WHITE).convert("CMYK"), "JPEG", quality=95)
    left, right = sides(decode(data, max_pixels=MAX_PIXELS))
    assert near(left, RED) and near(right, WHITE)


def test_an_animation_shows_its_first_frame():
    frames = [Image.new("RGB", (16, 16), colour) for colour in (RED, BLUE, WHITE)]
    for format in ("GIF", "WEBP", "PNG", "TIFF"):
        data = encoded(frames[0], format, save_all=True, append_images=frames[1:])
        assert near(decode(data, max_pixels=MAX_PIXELS).getpixel((8, 8)), RED), format


def test_lab_is_unsupported_rather_than_wrong():
    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    lab = ImageCms.applyTransform(two_colours(), to_lab)
    assert lab is not None and reason_of(encoded(lab, "TIFF")) == "unsupported_format"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_orientation_is_applied_once_whatever_the_format(format: str, orientation: int):
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = two_colours()
    picture.paste(WHITE, (0, 0, 8, 8))  # one corner, so that all eight turns differ
    # Pillow's own transposition is the reference: the picture as shown by a viewer that knows EXIF.
    data = encoded(picture, format, exif=exif)
    with Image.open(io.BytesIO(data)) as opened:
        wanted = ImageOps.exif_transpose(opened).convert("RGB")
    image = decode(data, max_pixels=MAX_PIXELS)
    assert image.size == ((32, 16) if orientation < 5 else (16, 32))
    assert np.abs(np.asarray(image, dtype=int) - np.asarray(wanted, dtype=int)).max() == 0


def test_damaged_exif_costs_the_orientation_and_not_the_image():
    text = PngInfo()
    text.add_text("Raw profile type exif", "\nexif\n9\nno hex digits")
    assert sides(decode(encoded(two_colours(), pnginfo=text), max_pixels=MAX_PIXELS)) == (RED, BLUE)
    impossible = encoded(two_colours(), "JPEG", exif=oriented(9))
    assert to_shard(impossible).is_original


# -- limits -----------------------------------------------------------------------------------------------------------


def png_header(width: int, height: int) -> bytes:
    """A PNG whose header promises a size and whose data is absent."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    crc = zlib.crc32
    end = b"IDAT"
    return (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", crc(chunk))
        + struct.pack(">I", 0) + end + struct.pack(">I", crc(end))
    )  # fmt: skip


def test_size_is_checked_in_the_header_before_anything_is_decoded():
    assert reason_of(png_header(7000, 7000)) == "too_many_pixels"
    assert reason_of(png_header(60000, 60000)) == "too_many_pixels"  # beyond Pillow's own limit too
    assert reason_of(png_header(7, 4000)) == "too_small"
    assert reason_of(png_header(100, 100)) == "truncated_image"


def test_the_pixel_limit_itself_is_allowed():
    data = encoded(Image.new("RGB", (20, 10)))
    assert decode(data, max_pixels=200).size == (20, 10)
    assert reason_of(data, max_pixels=199) == "too_many_pixels"


def test_text_that_unpacks_to_too_much_is_refused():
    chunk = b"zTXtcomment\0\0" + zlib.compress(bytes(8 << 20))
    data = encoded(Image.new("RGB", (16, 16)))
    bomb = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    assert reason_of(data[:33] + bomb + data[33:]) == "broken_image"


def test_a_jpeg_with_endless_scans_is_refused_before_decoding():
    data = encoded(two_colours(), "JPEG", progressive=True)
    scan = data.index(b"\xff\xda")
    bomb = data[:scan] + data[scan:-2] * (MAX_JPEG_SCANS + 1) + data[-2:]
    with pytest.raises(BadImage, match="scans"):
        decode(bomb, max_pixels=MAX_PIXELS)


@pytest.mark.parametrize(
    "data, reason",
    [
        (b"", "empty_file"),
        (b"\0" * 4096, "not_an_image"),
        (b"BMW built the car in the picture", "not_an_image"),
        (b"P1 is the winner", "not_an_image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n", "unsupported_format"),
        (b"<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg'/>", "unsupported_format"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "unsupported_format"),
        (b"\xff\xd8\xff", "broken_image"),
    ],
)
def test_what_is_no_picture_says_which_kind_of_no(data: bytes, reason: str):
    assert reason_of(data) == reason


def test_every_format_that_is_decoded_is_known_by_its_first_bytes():
    for format in FORMATS:
        assert sniff(encoded(two_colours(), format)) == format


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_cut_or_altered_file_decodes_or_is_a_bad_image(data):
    original = bytearray(small_files()[data.draw(st.integers(0, len(small_files()) - 1))])
    for _ in range(data.draw(st.integers(0, 4))):
        original[data.draw(st.integers(0, len(original) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(original[: data.draw(st.integers(0, len(original)))])
    try:
        assert to_shard(cut).jpeg[:2] == b"\xff\xd8"
    except BadImage as bad:
        assert bad.reason in REASONS


@cache
def small_files() -> list[bytes]:
    return [encoded(two_colours(), format) for format in FORMATS]


@settings(max_examples=100, deadline=None)
@given(st.integers(min_value=0, max_value=10**6), st.booleans())
def test_a_jpeg_cut_anywhere_is_never_passed_through(cut: int, progressive: bool):
    data = encoded(two_colours(), "JPEG", progressive=progressive)
    try:
        shard = to_shard(data[: cut % len(data)])
    except BadImage as bad:
        assert bad.reason in {"empty_file", "not_an_image", "truncated_image", "broken_image"}
    else:
        assert not shard.is_original and shard.jpeg.endswith(b"\xff\xd9")


# -- what a shard stores ----------------------------------------------------------------------------------------------


def oriented(value: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


def test_a_baseline_jpeg_keeps_its_bytes_also_with_a_thumbnail_and_trailing_data():
    thumbnail = encoded(two_colours(), "JPEG", progressive=True)
    app = b"\xff\xe2" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    plain = encoded(two_colours(), "JPEG", exif=oriented(1))
    for data in (plain, plain[:2] + app + plain[2:], plain + b"a film behind the picture \xff\xda" * 200):
        shard = to_shard(data)
        assert shard.is_original and shard.jpeg == data and (shard.width, shard.height) == (32, 16)


@pytest.mark.parametrize(
    "data",
    [
        encoded(two_colours(), "JPEG", progressive=True),
        encoded(two_colours(0, 200, "L"), "JPEG"),
        encoded(two_colours().convert("CMYK"), "JPEG"),
        encoded(two_colours(), "JPEG", exif=oriented(3)),
        encoded(two_colours(), "JPEG")[:-2] + bytes(5000),
        encoded(two_colours(), "PNG"),
        encoded(two_colours(), "MPO", save_all=True, append_images=[two_colours()]),
    ],
    ids=["progressive", "grey", "cmyk", "turned", "without_end", "png", "mpo"],
)
def test_anything_else_becomes_a_bare_baseline_rgb_jpeg(data: bytes):
    shard = to_shard(data)
    assert not shard.is_original and shard == to_shard(data)
    with Image.open(io.BytesIO(shard.jpeg)) as image:
        assert (image.mode, image.size, image.format) == ("RGB", (32, 16), "JPEG")
        assert "progressive" not in image.info and not image.getexif()
    assert to_shard(shard.jpeg).is_original, "what we write is what we would pass through"


def test_metadata_does_not_reach_a_re_encoded_jpeg():
    comment = encoded(two_colours(), "JPEG", progressive=True, comment=b"taken at home", icc_profile=b"secret" * 9)
    shard = to_shard(comment)
    assert b"taken at home" in comment and b"taken at home" not in shard.jpeg and b"secret" not in shard.jpeg


def test_a_long_side_is_scaled_down_and_the_shape_kept():
    data = encoded(Image.new("RGB", (400, 100)), "JPEG")
    shard = to_shard(data, max_side_px=200)
    assert (shard.width, shard.height, shard.is_original) == (200, 50, False)
    assert to_shard(data, max_side_px=400).is_original
    assert to_shard(encoded(Image.new("L", (8, 400))), max_side_px=20).width == 1


@pytest.mark.parametrize("size", [(10, 520), (4096, 40), (8, 65000)])
def test_a_picture_many_times_longer_than_wide_is_rejected_and_says_by_how_much(size: tuple[int, int]):
    data = encoded(Image.new("L", size))
    assert reason_of(data) == "too_narrow"
    with pytest.raises(BadImage, match="more than the limit of 50"):
        to_shard(data)
    assert decode(data, max_pixels=MAX_PIXELS, max_side_ratio=10_000).size == size


@needs_data
@pytest.mark.parametrize("name", ["hopper_webp.tif", "hopper_unknown_pixel_mode.tif"])
def test_a_sound_tiff_of_a_kind_that_pillow_lacks_is_unsupported_and_not_broken(name: str):
    data = (DATA / "bad_images" / "pillow" / name).read_bytes()
    assert reason_of(data) == "unsupported_format"
    assert reason_of(data[: len(data) // 2]) != "unsupported_format", "cut, it is no sound one any more"


@pytest.mark.parametrize("header_bytes, compression, depth", [(40, 4, 0), (40, 5, 0), (16, 0, 24), (40, 3, 32)])
def test_a_sound_bmp_of_a_kind_that_pillow_lacks_is_unsupported_and_not_broken(
    header_bytes: int, compression: int, depth: int
):
    """JPEG and PNG within a BMP, OS/2's short header, and bit fields that nobody uses."""
    pixels = bytes(32 * 16 * 4)
    head = struct.pack("<IiiHHIIiiII", header_bytes, 32, 16, 1, depth, compression, len(pixels), 0, 0, 0, 0)
    head = head[:header_bytes] + struct.pack("<III", 7, 56, 448) * (compression == 3)
    start = 14 + len(head)
    data = b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start) + head + pixels
    assert reason_of(data) == "unsupported_format"
    assert reason_of(data[:-1000]) != "unsupported_format"


def test_bad_image_survives_the_way_between_workers():
    bad = pickle.loads(pickle.dumps(BadImage("broken_image", "why")))
    assert (bad.reason, bad.detail, str(bad)) == ("broken_image", "why", "broken_image: why")
