"""[[rephrasers]]: a second pass over translations, through the same ledger; a translation is never lost to it."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pipeline_examples import samples_of
from test_run_several_models import CAPTIONER, HEAD, SENTENCES, run_with, translator

from benchmarks.stand_in_server import StandInServer, from_request, status
from florenz.pipeline.__main__ import main
from florenz.pipeline.assemble.graph import rejects_path
from florenz.pipeline.assemble.rejects import read_rejects
from florenz.pipeline.recipe import load_recipe
from florenz.pipeline.run import run
from florenz.recipes.recipe_file import RecipeError
from florenz.translators.endpoint import ServerError

GERMAN = SENTENCES["org/a"]["de"]
BETTER, WRONG = "Am Fluss steht ein rotes Auto.", "The red car is standing beside the river."
NUM_GERMAN = 12  # six images in two styles


def rephrased(prompt: str) -> str:
    """Better where the translation ends in a dot, else in another language, which a filter drops."""
    return BETTER if prompt.endswith(".") else WRONG


@pytest.fixture
def servers() -> Iterator[tuple[StandInServer, StandInServer]]:
    def translated(prompt: str) -> str:
        return SENTENCES["org/a"][prompt[-4:-2]][: -1 if sum(prompt.encode()) % 2 else None]

    with ExitStack() as stack:
        yield (
            stack.enter_context(StandInServer("org/a", translated)),
            stack.enter_context(StandInServer("org/r", rephrased)),
        )


def rephraser(endpoint: str, more: str = 'languages = ["de"]') -> str:
    return f'[[rephrasers]]\nmodel = "org/r"\napi = "chat"\nendpoint = "{endpoint}"\nmax_retries = 0\n{more}\n'


def sections(servers: tuple[StandInServer, StandInServer], more: str = 'languages = ["de"]') -> list[str]:
    a, r = servers
    return [CAPTIONER, translator("org/a", a.endpoint, section="[translator]"), rephraser(r.endpoint, more)]


def examples_in(tmp_path: Path, language: str) -> list[dict[str, str]]:
    splits = ("train", "choose", "val")
    samples = [sample for split in splits for sample in samples_of(tmp_path / "out", split).values()]
    return [one for sample in samples for one in sample["examples"] if one["language"] == language]


def test_a_rephrasing_stands_for_its_translation_and_says_who_made_both(
    servers: tuple[StandInServer, StandInServer], tmp_path: Path
) -> None:
    a, r = servers
    facts = run_with(tmp_path, *sections(servers))
    assert facts.asked["rephrasings"] == len(r.asked) == NUM_GERMAN
    assert all("in German" in prompt and GERMAN[:-1] in prompt for prompt in r.asked), "the family's own words"
    german = examples_in(tmp_path, "de")
    better = [one for one in german if one["text"] == BETTER]
    assert better and all(one["way"] == "rephrased" and one["made_by"].startswith("org/r (") for one in better)
    assert all(one["notes"].startswith("translated by org/a (") for one in better)
    kept = [one for one in german if one["text"] != BETTER]
    assert kept and all(one["text"] == GERMAN[:-1] and one["made_by"].startswith("org/a (") for one in kept)
    assert all(one["way"] == "translated" and one["notes"] == "" for one in kept)
    assert len(better) + len(kept) == 2 * NUM_GERMAN, "as a caption and as a translation, and none is lost"
    assert {one["made_by"].partition(" (")[0] for one in examples_in(tmp_path, "fr")} == {"org/a"}
    assert facts.manifest.models["rephrasers"]["de"]["model"] == "org/r"


def test_what_the_filters_drop_falls_back_to_the_translation_and_is_in_the_books(
    servers: tuple[StandInServer, StandInServer], tmp_path: Path
) -> None:
    facts = run_with(tmp_path, *sections(servers))
    fallen = sum(not one["text"].endswith(".") for one in examples_in(tmp_path, "de")) // 2
    books = {outcome: number for (step, language, outcome), number in facts.books.items() if step == "rephrase"}
    assert books["in"] == NUM_GERMAN and books["kept"] == NUM_GERMAN - fallen and 0 < fallen < NUM_GERMAN
    rejects = read_rejects(rejects_path(str(tmp_path / "out"), facts.manifest.build))
    dropped = [reject for reject in rejects if reject.step == "rephrase"]
    assert len(dropped) == fallen and {reject.text for reject in dropped} == {WRONG}
    assert facts.books["filter", "de", "in"] == facts.books["filter", "de", "kept"] == NUM_GERMAN
    loads = json.loads((tmp_path / "out" / "report.json").read_text())["loads"]
    assert loads[-1]["step"] == "rephrase" and loads[-1]["model"] == "org/r"


def test_a_rerun_asks_nothing_and_without_rephrasers_the_translations_are_back(
    servers: tuple[StandInServer, StandInServer], tmp_path: Path
) -> None:
    a, r = servers
    first = run_with(tmp_path, *sections(servers))
    a.forget(), r.forget()
    again = run_with(tmp_path, *sections(servers))
    assert again.asked == {"captions": 0, "translations": 0, "rephrasings": 0}
    assert a.asked == r.asked == [] and again.manifest.build == first.manifest.build
    without = run_with(tmp_path, *sections(servers)[:2])
    assert a.asked == [] and without.manifest.build != first.manifest.build
    assert {one["made_by"].partition(" (")[0] for one in examples_in(tmp_path, "de")} == {"org/a"}


def test_one_that_was_paid_for_without_rephrasers_asks_for_rephrasings_alone(
    servers: tuple[StandInServer, StandInServer], tmp_path: Path
) -> None:
    a, r = servers
    run_with(tmp_path, *sections(servers)[:2])
    a.forget()
    facts = run_with(tmp_path, *sections(servers))
    assert a.asked == [] and len(r.asked) == NUM_GERMAN
    assert facts.asked == {"captions": 0, "translations": 0, "rephrasings": NUM_GERMAN}


def test_a_refused_translation_stays_as_it_was(servers: tuple[StandInServer, StandInServer], tmp_path: Path) -> None:
    def refuse(request: object) -> object:
        return status(400) if request.prompts[0].endswith(".") else None  # type: ignore[attr-defined]

    servers[1].rule = refuse  # type: ignore[assignment]
    servers[1].answer = lambda prompt: BETTER
    facts = run_with(tmp_path, *sections(servers))
    books = {outcome: number for (step, _, outcome), number in facts.books.items() if step == "rephrase"}
    assert books["rejected:translator_refused"] > 0 and books["kept"] > 0
    refused = [one for one in examples_in(tmp_path, "de") if one["text"] == GERMAN]
    assert refused and all(one["made_by"].startswith("org/a") for one in refused)


def test_a_server_that_dies_stops_the_run_and_the_same_command_goes_on(
    servers: tuple[StandInServer, StandInServer], tmp_path: Path
) -> None:
    r = servers[1]
    r.rule = from_request(5, status(503))
    with pytest.raises(ServerError):
        run_with(tmp_path, *sections(servers, 'languages = ["de"]\nmax_in_flight = 1'))
    assert len(r.answered) == 4 and not (tmp_path / "out" / "manifest.json").exists()
    r.recover()
    facts = run_with(tmp_path, *sections(servers))
    assert facts.asked["rephrasings"] == NUM_GERMAN - 4 == len(r.asked)


def test_retry_asks_again_for_rephrasings_that_a_filter_dropped(
    servers: tuple[StandInServer, StandInServer], tmp_path: Path
) -> None:
    facts = run_with(tmp_path, *sections(servers))
    books = {outcome: number for (step, _, outcome), number in facts.books.items() if step == "rephrase"}
    (reason,) = [outcome.removeprefix("rejected:") for outcome in books if outcome.startswith("rejected:")]
    servers[1].forget()
    servers[1].answer = lambda prompt: BETTER
    again = run(load_recipe(str(tmp_path / "recipe.toml")), say=print, retry=reason)
    assert len(servers[1].asked) == books[f"rejected:{reason}"] == again.asked["rephrasings"]
    assert {one["text"] for one in examples_in(tmp_path, "de")} == {BETTER}


def test_a_plan_counts_rephrasings_to_come(
    servers: tuple[StandInServer, StandInServer], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(HEAD.format(out=tmp_path / "out") + "".join(sections(servers)))
    assert main([str(path), "PLAN=1"]) == 0
    assert f"missing    {NUM_GERMAN} rephrasings of org/r, de (German)" in capsys.readouterr().out
    assert servers[1].asked == []


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ('languages = ["es"]', "org/r serves none of the languages de,fr"),
        ('prompt = "chat"', "prompt = 'chat' translates: name one that rephrases, as rephrase"),
        ('context = "detailed"', "a rephraser is shown the translation alone"),
        ('keep = "all"', "a language has one rephraser"),
        ('[[rephrasers]]\nmodel = "org/other"', "org/r, org/other all serve de, fr: name it"),
        ("modle = 1", "unknown key 'modle' in [rephrasers 1]: did you mean 'model'?"),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, more: str, told: str) -> None:
    path = tmp_path / "recipe.toml"
    one = translator("org/a", "http://127.0.0.1:9/v1", section="[translator]")
    path.write_text(HEAD.format(out=tmp_path / "out") + CAPTIONER + one + rephraser("http://127.0.0.1:9/v1", more))
    with pytest.raises(RecipeError) as refused:
        load_recipe(str(path))
    assert len(refused.value.problems) == 1 and told in str(refused.value)


def test_a_family_that_rephrases_is_for_no_translator(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    one = translator("org/a", "http://127.0.0.1:9/v1", section="[translator]").replace("playground", "rephrase")
    path.write_text(HEAD.format(out=tmp_path / "out") + CAPTIONER + one)
    with pytest.raises(RecipeError, match="prompt = 'rephrase' rephrases: it is for"):
        load_recipe(str(path))


def test_a_recipe_with_rephrasers_comes_back_from_the_manifest_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    one = translator("org/a", "http://127.0.0.1:9/v1", section="[translator]")
    path.write_text(HEAD.format(out=tmp_path / "out") + CAPTIONER + one + rephraser("http://127.0.0.1:9/v1"))
    record = load_recipe(str(path)).to_dict()
    assert record["rephrasers"][0]["model"] == "org/r" and record["rephrasers"][0]["languages"] == ["de"]
    path.write_text(HEAD.format(out=tmp_path / "out") + CAPTIONER + one)
    assert "rephrasers" not in load_recipe(str(path)).to_dict()
