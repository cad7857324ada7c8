"""A family of one's own in a recipe: asked in exactly its words, cleaned its way, and known by what it says."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from test_run_several_models import CAPTIONER, HEAD, SENTENCES, made_by, run_with

from benchmarks.stand_in_server import StandInServer
from florenz.pipeline.recipe import load_recipe
from florenz.recipes.recipe_file import RecipeError

FAMILY = """
[translator.family]
form = "raw"
bos = "<s>"
user = "{source_language}: {text} -> {language} ({code}):"
stop = ["\\n\\n"]
cleaning = ["quotes.1"]
[translator.family.names]
de = "Swiss German"
[translator.family.codes]
de = "gsw"
"""
TRANSLATOR = '\n[translator]\nmodel = "org/a"\nprompt = "mine"\nendpoint = "{endpoint}"\n'


@pytest.fixture
def server() -> Iterator[StandInServer]:
    def answer(prompt: str) -> str:
        language = "de" if "(gsw)" in prompt else "fr"
        return f'"{SENTENCES["org/a"][language][: -1 if sum(prompt.encode()) % 2 else None]}"'

    with StandInServer("org/a", answer) as running:
        yield running


def test_it_is_asked_in_its_own_words_and_a_change_of_them_asks_anew(server: StandInServer, tmp_path: Path) -> None:
    section = TRANSLATOR.format(endpoint=server.endpoint)
    facts = run_with(tmp_path, CAPTIONER, section, FAMILY)
    assert len(server.asked) == facts.asked["translations"] > 0
    for prompt in server.asked:
        assert prompt.startswith("<s>English: ") and prompt.endswith((" -> Swiss German (gsw):", " -> French (fr):"))
    assert all(body["stop"] == ["\n\n"] and not body["add_special_tokens"] for body in server.bodies)
    made = made_by(tmp_path)
    assert {model for task, _, _, model in made if task == "translation"} == {"org/a"}

    server.forget()
    again = run_with(tmp_path, CAPTIONER, section, FAMILY)
    assert server.asked == [] and again.manifest.build == facts.manifest.build
    remarked = FAMILY.replace('form = "raw"', 'form = "raw"\nlicence = "MIT"')
    assert run_with(tmp_path, CAPTIONER, section, remarked).asked["translations"] == 0
    other = run_with(tmp_path, CAPTIONER, section, FAMILY.replace("{source_language}: ", ""))
    assert other.asked["translations"] == len(server.asked) == facts.asked["translations"]


def test_it_stands_in_the_manifest_as_in_the_recipe(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(HEAD.format(out=tmp_path / "out") + CAPTIONER + TRANSLATOR.format(endpoint="") + FAMILY)
    record = load_recipe(str(path)).to_dict()["translator"]
    assert record["prompt"] == "mine" and record["family"]["names"] == {"de": "Swiss German"}
    path.write_text(
        HEAD.format(out=tmp_path / "out") + CAPTIONER + TRANSLATOR.format(endpoint="").replace("mine", "alma")
    )
    assert "family" not in load_recipe(str(path)).to_dict()["translator"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (('prompt = "mine"', 'prompt = "alma"'), "prompt = 'alma' is a family of Florenz"),
        (('prompt = "mine"', ""), "prompt = 'chat' is a family of Florenz"),
        (('form = "raw"', 'from = "raw"'), "unknown key 'from' at the top level: did you mean 'form'?"),
        (("{text}", "{txet}"), "did you mean 'text'?"),
        (('de = "gsw"', 'dee = "gsw"'), "codes has 'dee'"),
        (('cleaning = ["quotes.1"]', 'cleaning = ["qoutes.1"]'), "did you mean 'quotes.1'?"),
        (
            ("[translator.family.names]", '[translator.family.example]\ntext = "a"\nlanguage = "fr"\nprompt = "b"\n'
             "[translator.family.names]"),
            'its example is asked as "<s>English: a -> French (fr):", not as "b"',
        ),
    ],
)  # fmt: skip
def test_a_family_that_is_none_is_told_in_lines_that_name_it(
    tmp_path: Path, change: tuple[str, str], told: str
) -> None:
    path = tmp_path / "recipe.toml"
    text = TRANSLATOR.format(endpoint="") + FAMILY
    assert text.count(change[0]) == 1
    path.write_text(HEAD.format(out=tmp_path / "out") + CAPTIONER + text.replace(*change))
    with pytest.raises(RecipeError) as refused:
        load_recipe(str(path))
    assert told in str(refused.value), str(refused.value)


def test_a_family_that_is_no_section_is_told_so(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(
        HEAD.format(out=tmp_path / "out") + CAPTIONER + TRANSLATOR.format(endpoint="") + 'family = "mine.toml"\n'
    )
    with pytest.raises(RecipeError, match=r"write it as a section of its own, \[translator.family\]"):
        load_recipe(str(path))
