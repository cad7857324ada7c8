"""One sample of the dataset, and the three files that it becomes in a shard.

    <key>.jpg    the image
    <key>.json   everything about it, UTF-8, keys sorted: the same sample gives the same bytes
    <key>.txt    one English caption, which every reader of image-text tars understands without being told

The JSON repeats the English caption in each translation example. That costs some bytes and lets an example be read
on its own. Reading is strict: a field that is missing or of another type is an error and gets no default.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, cast

SCHEMA_VERSION = 1
KEY = re.compile(r"[0-9a-f]{32}")
STYLE_ORDER = ("short", "detailed")  # other styles follow, by name

ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True)  # made once: json.dumps makes one for each call

Task = Literal["caption", "translation"]
TASKS: tuple[Task, ...] = ("caption", "translation")

Value = TypeVar("Value")


class SchemaError(ValueError):
    """A sample that does not follow the schema; the message names the sample and the field."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """One thing to learn from an image: say what it shows, or translate what is said about it.

    A translation has source_language and source_text, a caption has neither (`ValueError`).
    """

    task: Task
    language: str
    style: str
    text: str
    source_language: str | None = None
    source_text: str | None = None

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise ValueError(f"task is '{self.task}', not one of {', '.join(TASKS)}")
        has_source = self.source_language is not None and self.source_text is not None
        has_no_source = self.source_language is None and self.source_text is None
        if not (has_source if self.task == "translation" else has_no_source):
            raise ValueError(
                f"a {self.task} example {'needs' if self.task == 'translation' else 'has no'} "
                "source_language and source_text"
            )

    def to_json(self) -> dict[str, str]:
        record = {"task": self.task, "language": self.language, "style": self.style, "text": self.text}
        if self.source_language is not None and self.source_text is not None:
            record |= {"source_language": self.source_language, "source_text": self.source_text}
        return record


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """One image with its texts.

    key: 32 lower-case hex digits, from the SHA-256 of the original image bytes. jpeg: the bytes that go into the
    shard, `width` by `height` pixels. source: URI of the original. captions: style -> English text, at least one.
    provenance: what made it, any JSON object. `ValueError` for a key of another form or no captions.
    """

    key: str
    jpeg: bytes
    width: int
    height: int
    source: str
    captions: dict[str, str]
    examples: tuple[Example, ...]
    provenance: dict[str, Any]

    def __post_init__(self) -> None:
        if not KEY.fullmatch(self.key):
            raise ValueError(f"key '{self.key}' is not 32 lower-case hex digits")
        if not self.captions:
            raise ValueError(f"sample {self.key} has no English caption: leave it out and count it as a reject")

    @property
    def text(self) -> str:
        """The English caption that becomes <key>.txt."""
        return self.captions[min(self.captions, key=_style_rank)]

    def members(self) -> list[tuple[str, bytes]]:
        """(file name, content) in the order in which they stand in the shard."""
        return [
            (f"{self.key}.jpg", self.jpeg),
            (f"{self.key}.json", self._json()),
            (f"{self.key}.txt", self.text.encode()),
        ]

    @classmethod
    def from_members(cls, key: str, members: Mapping[str, bytes]) -> "Sample":
        """The sample from its files, extension -> content. `SchemaError` if they do not follow the schema.

        The caption in <key>.txt is not compared with the JSON; `shards.verify` does that.
        """
        absent = [name for name in ("jpg", "json", "txt") if name not in members]
        if absent:
            raise SchemaError(f"sample {key}: {key}.{absent[0]} is missing")
        record = _parse(key, members["json"])
        if (version := record.get("schema_version")) != SCHEMA_VERSION:
            raise SchemaError(f"sample {key}: schema version {version!r}, this program reads {SCHEMA_VERSION}")
        if record.get("key") != key:
            raise SchemaError(f"sample {key}: its JSON says it is {record.get('key')!r}")
        try:
            return cls(
                key=key,
                jpeg=members["jpg"],
                width=_field(record, "width", int),
                height=_field(record, "height", int),
                source=_field(record, "source", str),
                captions=_texts(record, "captions"),
                examples=tuple(_example(entry) for entry in _field(record, "examples", list)),
                provenance=_field(record, "provenance", dict),
            )
        except ValueError as problem:
            raise SchemaError(f"sample {key}: {problem}") from problem

    def _json(self) -> bytes:
        record = {
            "schema_version": SCHEMA_VERSION,
            "key": self.key,
            "width": self.width,
            "height": self.height,
            "source": self.source,
            "captions": self.captions,
            "examples": [example.to_json() for example in self.examples],
            "provenance": self.provenance,
        }
        return (ENCODER.encode(record) + "\n").encode()


def _style_rank(style: str) -> tuple[int, str]:
    return (STYLE_ORDER.index(style) if style in STYLE_ORDER else len(STYLE_ORDER), style)


def _parse(key: str, content: bytes) -> dict[str, Any]:
    try:
        text = content.decode()
        record = json.loads(text)
        if "\\u" in text:  # JSON can spell half a character, as \ud800, which no file or tokenizer can take
            json.dumps(record, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as problem:
        raise SchemaError(f"sample {key}: {key}.json is not JSON in UTF-8: {problem}") from problem
    if not isinstance(record, dict):
        raise SchemaError(f"sample {key}: {key}.json holds a {type(record).__name__}, not an object")
    return record


def _field(record: Mapping[str, Any], name: str, kind: type[Value]) -> Value:
    if name not in record:
        raise ValueError(f"field '{name}' is missing")
    value = record[name]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(f"field '{name}' is a {type(value).__name__}, not a {kind.__name__}")
    return value


def _texts(record: Mapping[str, Any], name: str) -> dict[str, str]:
    texts = _field(record, name, dict)
    return {style: _field(texts, style, str) for style in texts}


def _example(entry: Any) -> Example:
    if not isinstance(entry, dict):
        raise ValueError(f"an example is a {type(entry).__name__}, not an object")
    source = ("source_language", "source_text")
    return Example(
        task=cast(Task, _field(entry, "task", str)),
        language=_field(entry, "language", str),
        style=_field(entry, "style", str),
        text=_field(entry, "text", str),
        **{name: _field(entry, name, str) for name in source if name in entry},
    )
