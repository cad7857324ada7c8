import json
from dataclasses import replace
from typing import Any

import pytest
from shards_dataset import COVERED, ENGLISH, caption, key_of, make_sample

from florenz.shards.schema import Example, Sample, SchemaError


def contents(sample: Sample) -> dict[str, bytes]:
    return {name.partition(".")[2]: content for name, content in sample.members()}


def with_json(**changes: Any) -> dict[str, bytes]:
    members = contents(make_sample())
    record = json.loads(members["json"]) | changes
    return members | {"json": json.dumps({name: value for name, value in record.items() if value is not ...}).encode()}


def test_a_sample_comes_back_from_its_members() -> None:
    sample = make_sample()
    assert Sample.from_members(sample.key, contents(sample)) == sample


def test_members_stand_in_a_fixed_order_under_the_key() -> None:
    key = key_of(0)
    assert [name for name, _ in make_sample().members()] == [f"{key}.jpg", f"{key}.json", f"{key}.txt"]


def test_the_json_is_the_documented_one() -> None:
    sample = make_sample(examples=(caption("zh", "一辆红色的车"), COVERED[2]))
    content = contents(sample)["json"]
    assert json.loads(content) == {
        "schema_version": 1,
        "key": sample.key,
        "width": 32,
        "height": 24,
        "source": "file:///images/0.jpg",
        "captions": {"short": ENGLISH},
        "examples": [
            {"task": "caption", "language": "zh", "style": "short", "text": "一辆红色的车"},
            {
                "task": "translation",
                "source_language": "en",
                "language": "de",
                "style": "short",
                "source_text": ENGLISH,
                "text": COVERED[2].text,
            },
        ],
        "provenance": sample.provenance,
    }
    assert "一辆红色的车".encode() in content
    assert content.endswith(b"}\n")


def test_the_json_does_not_depend_on_the_order_in_which_things_were_put_in() -> None:
    one = replace(make_sample(), captions={"short": "a", "detailed": "b"}, provenance={"x": 1, "y": 2})
    two = replace(make_sample(), captions={"detailed": "b", "short": "a"}, provenance={"y": 2, "x": 1})
    assert one.members() == two.members()


@pytest.mark.parametrize(
    ("captions", "text"),
    [
        ({"detailed": "long", "short": "brief"}, "brief"),
        ({"zoo": "z", "art": "a", "detailed": "long"}, "long"),
        ({"zoo": "z", "art": "a"}, "a"),
    ],
)
def test_the_txt_is_the_short_caption_then_the_detailed_one_then_by_name(captions: dict[str, str], text: str) -> None:
    assert contents(replace(make_sample(), captions=captions))["txt"] == text.encode()


def test_a_sample_without_captions_is_refused() -> None:
    with pytest.raises(ValueError, match=f"{key_of(0)} has no English caption"):
        replace(make_sample(), captions={})


@pytest.mark.parametrize("key", ["", "a.b", "A" * 32, "a" * 31, "../" + "a" * 29, "a" * 32 + "\n"])
def test_a_key_that_is_not_32_lower_case_hex_digits_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="not 32 lower-case hex digits"):
        replace(make_sample(), key=key)


def test_a_translation_needs_its_source_and_a_caption_has_none() -> None:
    with pytest.raises(ValueError, match="translation example needs source"):
        Example(task="translation", language="de", style="short", text="x", source_language="en")
    with pytest.raises(ValueError, match="caption example has no source"):
        Example(task="caption", language="de", style="short", text="x", source_text="y")


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (with_json(schema_version=2), "schema version 2, this program reads 1"),
        (with_json(schema_version=...), "schema version None"),
        (with_json(key=key_of(1)), f"its JSON says it is '{key_of(1)}'"),
        (with_json(width=...), "field 'width' is missing"),
        (with_json(width="32"), "field 'width' is a str, not a int"),
        (with_json(width=True), "field 'width' is a bool, not a int"),
        (with_json(captions={"short": 1}), "field 'short' is a int, not a str"),
        (with_json(captions={}), "no English caption"),
        (with_json(examples=[1]), "an example is a int"),
        (with_json(examples=[{"task": "answer", "language": "de", "style": "short", "text": "x"}]), "task is 'answer'"),
        (with_json(examples=[{"task": "caption", "language": "de", "style": "short"}]), "field 'text' is missing"),
        (with_json(source="\ud800"), "not JSON in UTF-8"),
        (contents(make_sample()) | {"json": b"{"}, "not JSON in UTF-8"),
        (contents(make_sample()) | {"json": b"\xff"}, "not JSON in UTF-8"),
        (contents(make_sample()) | {"json": b"[" * 100_000}, "not JSON in UTF-8"),
        (contents(make_sample()) | {"json": b"[]"}, "holds a list"),
        ({"jpg": b"", "json": b"{}"}, f"{key_of(0)}.txt is missing"),
    ],
)
def test_a_sample_that_breaks_the_schema_is_an_error_that_names_it(members: dict[str, bytes], message: str) -> None:
    with pytest.raises(SchemaError, match=f"sample {key_of(0)}: ") as problem:
        Sample.from_members(key_of(0), members)
    assert message in str(problem.value)
