"""What can be wrong with one sample of a shard, whatever else the dataset holds: its files, its image, its examples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from PIL import UnidentifiedImageError

from florenz.images.bad_image import BadImage
from florenz.images.opening import MAX_PIXELS, PILLOW_ERRORS, open_image
from florenz.languages.codes import SOURCE
from florenz.shards.manifest import Manifest
from florenz.shards.plan import HELDOUT
from florenz.shards.schema import Example, Sample

EXTENSIONS = {"jpg", "json", "txt"}
JPEGS = ("JPEG", "MPO")  # a phone's JPEG with more than one picture is one too


def sample_problems(sample: Sample, members: Mapping[str, bytes], split: str, manifest: Manifest) -> Iterator[str]:
    """A line for each thing that is wrong. members: of the tar, by extension. split: where the sample stands."""
    for extension in sorted(set(members) - EXTENSIONS):
        yield f"unexpected file {sample.key}.{extension}"
    if members["txt"] != sample.text.encode():
        yield f"{sample.key}.txt is not its English caption {sample.text!r}"
    yield from _image_problems(sample)
    for example in sample.examples:
        about = f"{example.task} example in {example.language}, style {example.style}"
        yield from (f"{about}: {problem}" for problem in _coverage_problems(example, sample, split, manifest))
        yield from (f"{about}: {problem}" for problem in _source_problems(example, sample.caption_texts))


def _image_problems(sample: Sample) -> Iterator[str]:
    try:
        image = open_image(sample.jpeg, max_pixels=MAX_PIXELS)
    except UnidentifiedImageError:
        yield "its image is not a readable JPEG"
    except (BadImage, *PILLOW_ERRORS) as problem:
        yield f"its image cannot be read: {problem}"
    else:
        if image.format not in JPEGS:
            yield "its image is not a readable JPEG"
        elif image.size != (sample.width, sample.height):
            width, height = image.size
            yield f"its image is {width} x {height}, the JSON says {sample.width} x {sample.height}"


def _coverage_problems(example: Example, sample: Sample, split: str, manifest: Manifest) -> Iterator[str]:
    is_english_caption = example.task == "caption" and example.language == SOURCE
    if example.language not in manifest.languages and not is_english_caption:
        yield "the manifest does not name this language"
    is_held_out = example.task == "caption" and example.language in manifest.held_out
    is_withheld = is_held_out or (example.task == "caption" and sample.shows_withheld)
    if is_held_out and split != HELDOUT:
        yield f"captioning in this language is held out, it may not be in {split}"
    elif is_withheld and split != HELDOUT:
        yield f"its image shows what is withheld ({sample.notes}), it may not be in {split}"
    if not is_withheld and split == HELDOUT:
        yield f"{HELDOUT} may hold withheld captions only"


def _source_problems(example: Example, captions: Mapping[str, str]) -> Iterator[str]:
    if example.style not in captions:
        yield "the image has no English caption of this style"
        return
    if example.task == "translation":
        if example.source_language != SOURCE:
            yield f"translated from {example.source_language}, not from {SOURCE}"
        if example.source_text != captions[example.style]:
            yield f"its source {example.source_text!r} is not the image's caption {captions[example.style]!r}"
    elif example.language == SOURCE and example.text != captions[example.style]:
        yield f"its text {example.text!r} is not the image's caption {captions[example.style]!r}"
