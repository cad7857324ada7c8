import json
from dataclasses import replace
from typing import Any

import pytest
from shards_dataset import COVERED, ENGLISH, caption, key_of, make_sample

from florenz.shards.records import sample_from
from florenz.shards.schema import Caption, Example, Sample, SchemaError, parse_scores, scores_text


def contents(sample: Sample) -> dict[str, bytes]:
    return {name.partition(".")[2]: content for name, content in sample.members()}


def with_json(**changes: Any) -> dict[str, bytes]:
    members = contents(make_sample())
    record = json.loads(members["json"]) | changes
    return members | {"json": json.dumps({name: value for name, value in record.items() if value is not ...}).encode()}


def example_record(**changes: Any) -> dict[str, Any]:
    record = json.loads(contents(make_sample())["json"])["examples"][0] | changes
    return {name: value for name, value in record.items() if value is not ...}


def captions_of(texts: dict[str, str]) -> tuple[Caption, ...]:
    return tuple(Caption(style=style, text=text) for style, text in texts.items())


def test_a_sample_comes_back_from_its_members() -> None:
    sample = make_sample()
    assert sample_from(sample.key, contents(sample)) == sample


def test_members_stand_in_a_fixed_order_under_the_key() -> None:
    key = key_of(0)
    assert [name for name, _ in make_sample().members()] == [f"{key}.jpg", f"{key}.json", f"{key}.txt"]


def test_the_json_is_the_documented_one() -> None:
    sample = make_sample(examples=(caption("zh", "一辆红色的车"), COVERED[2]))
    content = contents(sample)["json"]
    assert json.loads(content) == {
        "schema_version": 2,
        "key": sample.key,
        "width": 32,
        "height": 24,
        "source": "0.jpg",
        "licence": "",
        "url": "",
        "notes": "",
        "captions": [
            {
                "style": "short",
                "text": ENGLISH,
                "made_by": "org/captioner (c)",
                "way": "captioned",
                "scores": "",
                "notes": "",
            }
        ],
        "examples": [
            {
                "task": "caption",
                "language": "zh",
                "style": "short",
                "text": "一辆红色的车",
                "source_language": "",
                "source_text": "",
                "made_by": "",
                "way": "",
                "scores": "",
                "notes": "",
            },
            {
                "task": "translation",
                "source_language": "en",
                "language": "de",
                "style": "short",
                "source_text": ENGLISH,
                "text": COVERED[2].text,
                "made_by": "",
                "way": "",
                "scores": "",
                "notes": "",
            },
        ],
    }
    assert "一辆红色的车".encode() in content
    assert content.endswith(b"}\n")


def test_the_json_does_not_depend_on_the_order_in_which_things_were_put_in() -> None:
    one = replace(make_sample(), captions=captions_of({"short": "a", "detailed": "b"}))
    two = replace(make_sample(), captions=captions_of({"detailed": "b", "short": "a"}))
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
    assert contents(replace(make_sample(), captions=captions_of(captions)))["txt"] == text.encode()


def test_a_sample_without_captions_is_refused() -> None:
    with pytest.raises(ValueError, match=f"{key_of(0)} has no English caption"):
        replace(make_sample(), captions=())


@pytest.mark.parametrize("key", ["", "a.b", "A" * 32, "a" * 31, "../" + "a" * 29, "a" * 32 + "\n", "a" * 32 + "-val"])
def test_a_key_that_is_not_32_lower_case_hex_digits_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="not 32 lower-case hex digits"):
        replace(make_sample(), key=key)


def test_a_translation_needs_its_source_and_a_caption_has_none() -> None:
    with pytest.raises(ValueError, match="translation example needs source"):
        Example(task="translation", language="de", style="short", text="x", source_text="y")
    with pytest.raises(ValueError, match="caption example has no source"):
        Example(task="caption", language="de", style="short", text="x", source_text="y")


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (with_json(schema_version=3), "schema version 3, this program reads 1 and 2"),
        (with_json(schema_version=True), "schema version True"),
        (with_json(licence=None), "field 'licence' is a NoneType, not a str"),
        (with_json(schema_version=...), "schema version None"),
        (with_json(key=key_of(1)), f"its JSON says it is '{key_of(1)}'"),
        (with_json(width=...), "field 'width' is missing"),
        (with_json(width="32"), "field 'width' is a str, not a int"),
        (with_json(width=True), "field 'width' is a bool, not a int"),
        (with_json(captions={"short": "a"}), "field 'captions' is a dict, not a list"),
        (with_json(captions=["a"]), "a caption is a str, not an object"),
        (with_json(captions=[]), "no English caption"),
        (with_json(captions=2 * json.loads(contents(make_sample())["json"])["captions"]), "two captions of one style"),
        (with_json(examples=[1]), "an example is a int"),
        (with_json(examples=[example_record(task="answer")]), "task is 'answer'"),
        (with_json(examples=[example_record(text=...)]), "field 'text' is missing"),
        (with_json(examples=[example_record(made_by=None)]), "field 'made_by' is a NoneType, not a str"),
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
        sample_from(key_of(0), members)
    assert message in str(problem.value)


def test_every_sample_has_the_same_fields_whatever_it_holds() -> None:
    """Readers that make columns take their types from a few samples: nothing may be absent, null, or an empty list."""

    def shape(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: shape(one) for name, one in value.items()}
        if isinstance(value, list):
            (one,) = {json.dumps(shape(one)) for one in value}
            return [json.loads(one)]
        return type(value).__name__

    covered = make_sample()
    withheld = make_sample(1, (caption("fr", "Une voiture."),), suffix="-heldout")
    assert shape(json.loads(contents(covered)["json"])) == shape(json.loads(contents(withheld)["json"]))


def test_a_withheld_sample_has_a_key_of_its_own_and_knows_its_image() -> None:
    covered, withheld = make_sample(3), make_sample(3, suffix="-heldout")
    assert covered.key != withheld.key and covered.image == withheld.image == covered.key
    assert sample_from(withheld.key, contents(withheld)) == withheld


def test_scores_come_back_and_are_the_same_text_in_any_order() -> None:
    text = scores_text({"quality": 0.81251, "image_text": -3})
    assert text == "image_text=-3.0000 quality=0.8125" == scores_text({"image_text": -3, "quality": 0.81251})
    assert parse_scores(text) == {"image_text": -3.0, "quality": 0.8125} and parse_scores("") == {}
    for wrong in ({"a b": 1.0}, {"a=b": 1.0}, {"": 1.0}, {"a": float("nan")}):
        with pytest.raises(ValueError, match="names have no spaces"):
            scores_text(wrong)
