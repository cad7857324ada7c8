"""A sample from its files, of this schema version or of one before: datasets outlive the programs that wrote them.

Reading is strict: a field that is missing or of another type is an error and gets no default.

Version 1 kept captions as an object keyed by style, left fields out that had nothing to say, and named the models once
for the whole sample, under `provenance`. Its withheld captions stand under the image's own key, in val-heldout shards.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from florenz.languages.codes import SOURCE
from florenz.shards.schema import CAPTION_FIELDS, EXAMPLE_FIELDS, Caption, Example, Sample, SchemaError, Task

Value = TypeVar("Value")


def sample_from(key: str, members: Mapping[str, bytes]) -> Sample:
    """The sample from its files, extension -> content. `SchemaError` if they do not follow the schema.

    The caption in <key>.txt is not compared with the JSON; `shards.verify` does that.
    """
    absent = [name for name in ("jpg", "json", "txt") if name not in members]
    if absent:
        raise SchemaError(f"sample {key}: {key}.{absent[0]} is missing")
    record = _parse(key, members["json"])
    version = record.get("schema_version")
    read = READERS.get(version) if isinstance(version, int) and not isinstance(version, bool) else None
    if read is None:
        known = " and ".join(map(str, READERS))
        raise SchemaError(f"sample {key}: schema version {version!r}, this program reads {known}")
    if record.get("key") != key:
        raise SchemaError(f"sample {key}: its JSON says it is {record.get('key')!r}")
    try:
        return read(record, members["jpg"])
    except ValueError as problem:
        raise SchemaError(f"sample {key}: {problem}") from problem


def _version_2(record: Mapping[str, Any], jpeg: bytes) -> Sample:
    return Sample(
        jpeg=jpeg,
        captions=tuple(
            Caption(**_strings("a caption", entry, CAPTION_FIELDS)) for entry in _field(record, "captions", list)
        ),
        examples=tuple(
            _example(_strings("an example", entry, EXAMPLE_FIELDS)) for entry in _field(record, "examples", list)
        ),
        key=_field(record, "key", str),
        width=_field(record, "width", int),
        height=_field(record, "height", int),
        source=_field(record, "source", str),
        licence=_field(record, "licence", str),
        url=_field(record, "url", str),
        notes=_field(record, "notes", str),
    )


def _version_1(record: Mapping[str, Any], jpeg: bytes) -> Sample:
    provenance = _field(record, "provenance", dict)
    translators = provenance.get("translators")
    makers = dict(translators) if isinstance(translators, dict) else {}
    makers[SOURCE] = provenance.get("captioner")
    captions = _field(record, "captions", dict)
    examples = _field(record, "examples", list)
    return Sample(
        jpeg=jpeg,
        captions=tuple(
            Caption(style=style, text=_field(captions, style, str), made_by=str(makers[SOURCE] or ""))
            for style in captions
        ),
        examples=tuple(_example_1(entry, makers) for entry in examples),
        key=_field(record, "key", str),
        width=_field(record, "width", int),
        height=_field(record, "height", int),
        source=_field(record, "source", str),
    )


def _example_1(entry: Any, makers: Mapping[str, Any]) -> Example:
    texts = _strings("an example", entry, ("task", "language", "style", "text"))
    texts |= {name: _field(entry, name, str) for name in ("source_language", "source_text") if name in entry}
    return _example({**texts, "made_by": str(makers.get(texts["language"]) or "")})


READERS: dict[int, Callable[[Mapping[str, Any], bytes], Sample]] = {1: _version_1, 2: _version_2}


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


def _strings(what: str, entry: Any, names: tuple[str, ...]) -> dict[str, str]:
    if not isinstance(entry, dict):
        raise ValueError(f"{what} is a {type(entry).__name__}, not an object")
    return {name: _field(entry, name, str) for name in names}


def _example(texts: Mapping[str, str]) -> Example:
    return Example(task=cast(Task, texts["task"]), **{name: texts[name] for name in texts if name != "task"})
