"""docs/models.md and the families say the same."""

from pathlib import Path

import pytest

from florenz.translators.family_files import family_named, family_names, read_family

TEXT = (Path(__file__).resolve().parents[1] / "docs" / "models.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", family_names())
def test_the_table_tells_each_family_with_models_languages_and_licence(name: str) -> None:
    family = family_named(name)
    models, languages = ", ".join(family.models) or "-", ", ".join(family.languages) or "any"
    assert f"| `{name}` | {models} | {languages} | {family.licence} |\n" in TEXT


def test_the_example_of_one_more_family_is_a_family() -> None:
    import tomllib

    example = TEXT.partition("```\n")[2].partition("```")[0]
    family, problems = read_family("one_more", tomllib.loads(example))
    assert family is not None and problems == []
