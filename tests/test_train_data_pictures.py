import io

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFilter
from transformers import CLIPImageProcessor

from florenz.images.formats import FORMATS
from florenz.images.pixels import ORIENTATION, TURN
from florenz.train.data import pictures
from florenz.train.data.pictures import decode_picture


def photo(width: int, height: int) -> Image.Image:
    """Not a photograph, but with edges, gradients and grain like one."""
    grain = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    picture = Image.fromarray(grain).filter(ImageFilter.GaussianBlur(2))
    pen = ImageDraw.Draw(picture)
    pen.ellipse((width // 8, height // 8, width // 2, height // 2), fill=(200, 40, 30))
    pen.rectangle((width // 2, height // 2, width - 5, height - 9), fill=(20, 90, 220))
    return picture


def encoded(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def pixels_of(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def mean_difference(one: torch.Tensor, other: torch.Tensor) -> float:
    return (one.float() - other.float()).abs().mean().item()


def as_the_captioner_saw_it(data: bytes, image_px: int) -> torch.Tensor:
    """Bytes of Hugging Face's processor with the settings of playground/models/captioner."""
    processor = CLIPImageProcessor(
        size={"height": image_px, "width": image_px}, resample=3, do_center_crop=False, do_normalize=False
    )
    picture = Image.open(io.BytesIO(data)).convert("RGB")
    return (processor(picture, return_tensors="pt")["pixel_values"][0] * 255).round().to(torch.uint8)


def test_a_picture_of_the_right_size_keeps_its_pixels() -> None:
    data = encoded(photo(96, 96))
    decoded = decode_picture(data, 96)
    assert (decoded.dtype, decoded.shape, decoded.is_contiguous()) == (torch.uint8, (3, 96, 96), True)
    assert torch.equal(decoded, pixels_of(Image.open(io.BytesIO(data))))
    assert torch.equal(decoded, as_the_captioner_saw_it(data, 96))


@pytest.mark.parametrize("size", [(128, 128), (150, 113), (60, 80)])
def test_resizing_is_the_captioners_bicubic_within_one_level(size: tuple[int, int]) -> None:
    data = encoded(photo(*size), "PNG")
    difference = decode_picture(data, 96).int() - as_the_captioner_saw_it(data, 96).int()
    assert difference.abs().max() <= 1


@pytest.mark.parametrize("size", [(640, 480), (1000, 700), (333, 1100)])
def test_a_jpeg_decoded_at_reduced_scale_looks_as_if_it_had_not_been(size: tuple[int, int]) -> None:
    data = encoded(photo(*size), quality=90)
    assert mean_difference(decode_picture(data, 96), as_the_captioner_saw_it(data, 96)) < 1.5


@given(st.integers(9, 700), st.integers(9, 700), st.integers(8, 100))
@settings(max_examples=40, deadline=None)
def test_a_jpeg_is_decoded_as_small_as_it_goes_but_not_smaller_than_wanted(width: int, height: int, side: int) -> None:
    decoded_sizes: list[tuple[int, int]] = []
    square = pictures._square
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(pictures, "_square", lambda image, px: decoded_sizes.append(image.size) or square(image, px))
        decode_picture(encoded(Image.new("RGB", (width, height))), side)
    scale = next(scale for scale in (8, 4, 2, 1) if scale == 1 or min(width, height) >= scale * side)
    assert decoded_sizes == [(-(-width // scale), -(-height // scale))]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_that_lies_on_its_side_is_stood_up(orientation: int) -> None:
    upright = Image.new("RGB", (64, 64))
    upright.paste((255, 0, 0), (0, 0, 32, 32))
    upright.paste((0, 255, 0), (32, 0, 64, 32))
    back = {5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    stored = upright.transpose(back.get(orientation, TURN.get(orientation))) if orientation > 1 else upright
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    decoded = decode_picture(encoded(stored, "PNG", exif=exif), 64)
    assert torch.equal(decoded, pixels_of(upright))


@pytest.mark.parametrize("mode", ["L", "CMYK", "1", "P"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    grey = Image.new("RGB", (20, 30), (255, 255, 255)).convert(mode)
    kind = "JPEG" if mode in ("L", "CMYK") else "PNG"
    assert torch.equal(decode_picture(encoded(grey, kind), 16), torch.full((3, 16, 16), 255, dtype=torch.uint8))


def test_sixteen_bit_greys_are_scaled_and_not_clipped() -> None:
    grey = Image.fromarray(np.full((16, 16), 0x4080, dtype=np.uint16))
    assert torch.equal(decode_picture(encoded(grey, "PNG"), 16), torch.full((3, 16, 16), 0x40, dtype=torch.uint8))


def test_the_deep_greys_of_a_pgm_are_scaled_and_not_clipped() -> None:
    data = b"P5 16 16 65535\n" + b"\x40\x40" * 256
    assert torch.equal(decode_picture(data, 16), torch.full((3, 16, 16), 0x40, dtype=torch.uint8))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_laid_on_white(mode: str) -> None:
    clear = Image.new(mode, (16, 16), 0)
    assert (decode_picture(encoded(clear, "PNG"), 16) == 255).all()


def test_the_pixel_limit_is_checked_before_decoding() -> None:
    data = encoded(Image.new("RGB", (100, 100)), "PNG")
    assert decode_picture(data, 8, max_pixels=10_000).shape == (3, 8, 8)
    with pytest.raises(ValueError, match="not a readable image: 100x100: 10,000 px, 1 more than the limit of 9,999"):
        decode_picture(data[:60], 8, max_pixels=9_999)  # cut off behind the header: decoding it would say so


@pytest.mark.parametrize("data", [b"", b"not an image", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"])
def test_what_is_no_image_is_one_line(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"\Anot a readable image: .+\Z"):
        decode_picture(data, 16)


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_of_the_pipeline_is_one_of_the_trainers(kind: str) -> None:
    data = encoded(Image.new("RGB", (96, 96), (255, 255, 255)), kind)
    assert torch.equal(decode_picture(data, 96), torch.full((3, 96, 96), 255, dtype=torch.uint8))


def test_a_format_that_is_not_listed_is_not_opened() -> None:
    with pytest.raises(ValueError, match="not a readable image"):
        decode_picture(encoded(Image.new("RGB", (16, 16)), "PCX"), 16)


def test_a_truncated_image_is_refused_at_reduced_scale_too() -> None:
    data = encoded(photo(400, 400))
    for image_px in (300, 100, 40):
        with pytest.raises(ValueError, match="truncated"):
            decode_picture(data[: len(data) // 2], image_px)


@given(st.data(), st.sampled_from(FORMATS))
@settings(max_examples=200, deadline=None)
def test_damaged_bytes_give_a_picture_or_a_value_error(data: st.DataObject, kind: str) -> None:
    content = bytearray(encoded(photo(48, 40), kind))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content) - 1))
        patch = data.draw(st.binary(min_size=1, max_size=30))
        content[start : start + len(patch)] = patch[: len(content) - start]
    try:
        decoded = decode_picture(bytes(content), 16, max_pixels=1_000_000)
    except ValueError as problem:
        assert "\n" not in str(problem)
    else:
        assert decoded.shape == (3, 16, 16)
