"""One sample of the dataset, and the three files that it becomes in a shard.

    <key>.jpg    the image
    <key>.json   everything about it, UTF-8, keys sorted: the same sample gives the same bytes
    <key>.txt    one English caption, which every reader of image-text tars understands without being told

Every sample has the same fields, and so has every text; what a text lacks is "", never absent or null. Readers that
make columns (`datasets`, Arrow) take the columns' types from a few samples, and an object keyed by language or an
empty list would lose whatever these few don't show. For the same reason scores and notes are strings.

The JSON repeats the English caption in each translation example. That costs some bytes and lets an example be read
on its own. `records.py` reads the files back.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal

SCHEMA_VERSION = 2
HELDOUT_SUFFIX = "-heldout"
WITHHELD_NOTE = "withheld concepts: "  # in the notes of an image that shows what nobody may learn to caption
KEY = re.compile(rf"[0-9a-f]{{32}}({HELDOUT_SUFFIX})?")
STYLE_ORDER = ("short", "detailed")  # other styles follow, by name

ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True)  # made once: json.dumps makes one for each call

Task = Literal["caption", "translation"]
TASKS: tuple[Task, ...] = ("caption", "translation")


class SchemaError(ValueError):
    """A sample that does not follow the schema; the message names the sample and the field."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Caption:
    """An English caption of the image.

    made_by: the model with its fingerprint, "" where nobody knows. way: how it made the text, a word of its own step
    ("captioned", "translated"). scores: "name=value name=value", by name (`scores_text`, `parse_scores`). notes: what
    a reader should know of this text, for people.
    """

    style: str
    text: str
    made_by: str = ""
    way: str = ""
    scores: str = ""
    notes: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """One thing to learn from an image: say what it shows, or translate what is said about it.

    A translation has source_language and source_text, a caption has neither (`ValueError`). The other fields are those
    of `Caption`: who made `text`, and how.
    """

    task: Task
    language: str
    style: str
    text: str
    source_language: str = ""
    source_text: str = ""
    made_by: str = ""
    way: str = ""
    scores: str = ""
    notes: str = ""

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise ValueError(f"task is '{self.task}', not one of {', '.join(TASKS)}")
        is_translation = self.task == "translation"
        if is_translation and not self.source_language:
            raise ValueError("a translation example needs source_language and source_text")
        if not is_translation and (self.source_language or self.source_text):
            raise ValueError(f"a {self.task} example has no source_language and no source_text")


CAPTION_FIELDS = tuple(field.name for field in fields(Caption))
EXAMPLE_FIELDS = tuple(field.name for field in fields(Example))


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """One image with its texts.

    key: 32 lower-case hex digits, from the SHA-256 of the original image bytes; with `HELDOUT_SUFFIX` where the
    examples are the captions that are withheld from training, so that no key stands in two shards. jpeg: the bytes that
    go into the shard, `width` by `height` pixels. source: the original, relative to IMAGES. licence, url: of the image,
    as its source gave them. notes: what a reader should know of the image, for people. captions: English, one for each
    style, at least one. `ValueError` for a key of another form, no captions, or two of one style.
    """

    key: str
    jpeg: bytes
    width: int
    height: int
    source: str
    captions: tuple[Caption, ...]
    examples: tuple[Example, ...]
    licence: str = ""
    url: str = ""
    notes: str = ""

    def __post_init__(self) -> None:
        if not KEY.fullmatch(self.key):
            raise ValueError(f"key '{self.key}' is not 32 lower-case hex digits")
        if not self.captions:
            raise ValueError(f"sample {self.key} has no English caption: leave it out and count it as a reject")
        if len(self.caption_texts) < len(self.captions):
            raise ValueError(f"sample {self.key} has two captions of one style")

    @property
    def image(self) -> str:
        """The image's key, whichever texts of it this sample holds."""
        return self.key.removesuffix(HELDOUT_SUFFIX)

    @property
    def shows_withheld(self) -> bool:
        """Whether captions of this image are withheld in every language, for what it shows."""
        return self.notes.startswith(WITHHELD_NOTE)

    @property
    def caption_texts(self) -> dict[str, str]:
        """Style -> English caption."""
        return {caption.style: caption.text for caption in self.captions}

    @property
    def text(self) -> str:
        """The English caption that becomes <key>.txt."""
        return min(self.captions, key=lambda caption: style_rank(caption.style)).text

    def members(self) -> list[tuple[str, bytes]]:
        """(file name, content) in the order in which they stand in the shard."""
        return [
            (f"{self.key}.jpg", self.jpeg),
            (f"{self.key}.json", self._json()),
            (f"{self.key}.txt", self.text.encode()),
        ]

    def _json(self) -> bytes:
        record = {
            "schema_version": SCHEMA_VERSION,
            "key": self.key,
            "width": self.width,
            "height": self.height,
            "source": self.source,
            "licence": self.licence,
            "url": self.url,
            "notes": self.notes,
            "captions": [
                {name: getattr(caption, name) for name in CAPTION_FIELDS}
                for caption in sorted(self.captions, key=lambda one: style_rank(one.style))
            ],
            "examples": [{name: getattr(example, name) for name in EXAMPLE_FIELDS} for example in self.examples],
        }
        return (ENCODER.encode(record) + "\n").encode()


def style_rank(style: str) -> tuple[int, str]:
    """Sorts styles: short, detailed, then others by name."""
    return (STYLE_ORDER.index(style) if style in STYLE_ORDER else len(STYLE_ORDER), style)


def scores_text(scores: Mapping[str, float]) -> str:
    """Scores as they stand in a sample: by name, four digits behind the point.

    Raises:
        ValueError: a name with a space or "=", or a value that is no finite number.
    """
    for name, value in scores.items():
        if not re.fullmatch(r"[^\s=]+", name) or not math.isfinite(value):
            raise ValueError(f"score {name!r} is {value}: names have no spaces and no '=', values are finite numbers")
    return " ".join(f"{name}={value:.4f}" for name, value in sorted(scores.items()))


def parse_scores(text: str) -> dict[str, float]:
    """What `scores_text` wrote. `ValueError` for anything else."""
    pairs = (pair.partition("=") for pair in text.split())
    return {name: float(value) for name, _, value in pairs}
