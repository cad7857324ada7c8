"""Several translators and captioners in one recipe: each is asked for its own, and each text says whose it is."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pipeline_examples import samples_of

from benchmarks.stand_in_server import StandInServer
from florenz.pipeline.recipe import load_recipe
from florenz.pipeline.report import RunFacts
from florenz.pipeline.run import run
from florenz.shards.verify import verify

NUM_IMAGES = 6
HEAD = """
languages = ["de", "fr"]
held_out = ["fr"]
out = "{out}"
[images]
source = "playground"
count = 6
[filters]
disabled = ["length_ratio", "repetition"]
[shards]
images_per_shard = 3
val_fraction = 0.3
"""
CAPTIONER = """
[captioner]
model = "playground/models/captioner"
cpu_threads = 1
"""
SENTENCES = {
    "org/a": {"de": "Ein rotes Auto steht am Fluss.", "fr": "Une voiture rouge est près de la rivière."},
    "org/b": {"de": "Ein kleiner Hund liegt neben dem Baum.", "fr": "Un petit chien est à côté de l'arbre."},
}


def translator(model: str, endpoint: str, more: str = "", section: str = "[[translators]]") -> str:
    return f'{section}\nmodel = "{model}"\nprompt = "playground"\nendpoint = "{endpoint}"\n{more}\n'


def run_with(tmp_path: Path, *sections: str) -> RunFacts:
    path = tmp_path / "recipe.toml"
    path.write_text(HEAD.format(out=tmp_path / "out") + "".join(sections))
    facts = run(load_recipe(str(path)), say=print)
    assert verify(str(tmp_path / "out")).problems == ()
    return facts


def made_by(tmp_path: Path) -> Counter[tuple[str, str, str, str]]:
    """(task, language, style, model) -> how many examples there are in all splits."""
    samples = [
        sample for split in ("train", "choose", "val") for sample in samples_of(tmp_path / "out", split).values()
    ]
    return Counter(
        (one["task"], one["language"], one["style"], one["made_by"].partition(" (")[0])
        for sample in samples
        for one in sample["examples"]
    )


@pytest.fixture
def servers() -> Iterator[dict[str, StandInServer]]:
    """One for each of two translators; each says its own sentence, sometimes without its dot."""
    with ExitStack() as stack:
        found = {}
        for model, sentences in SENTENCES.items():

            def answer(prompt: str, sentences: dict[str, str] = sentences) -> str:
                return sentences[prompt[-4:-2]][: -1 if sum(prompt.encode()) % 2 else None]

            found[model] = stack.enter_context(StandInServer(model, answer))
        yield found


def asked_for(server: StandInServer) -> set[str]:
    return {prompt[-4:-2] for prompt in server.asked}


def test_each_language_is_asked_of_its_own_translator(servers: dict[str, StandInServer], tmp_path: Path) -> None:
    a, b = servers.values()
    facts = run_with(
        tmp_path,
        CAPTIONER,
        translator("org/a", a.endpoint, 'languages = ["de"]'),
        translator("org/b", b.endpoint, 'languages = ["fr", "es"]'),
    )
    assert facts.asked["translations"] == len(a.asked) + len(b.asked) > 0
    assert (asked_for(a), asked_for(b)) == ({"de"}, {"fr"})
    loads = json.loads((tmp_path / "out" / "report.json").read_text())["loads"]
    assert [(one["step"], one["model"]) for one in loads] == [
        ("caption", "playground/models/captioner"),
        ("translate", "org/a"),
        ("translate", "org/b"),
    ]
    assert all(one["in_flight"] > 0 and 0 <= one["idle"] <= 1 for one in loads)
    assert [one["tokens_per_s"] is None for one in loads] == [True, False, False]
    assert not list((tmp_path / "out" / "ledger" / "busy").iterdir()), "notes are added up and gone"
    made = made_by(tmp_path)
    assert {(language, model) for task, language, _, model in made if task == "translation"} == {
        ("de", "org/a"),
        ("fr", "org/b"),
    }
    assert facts.manifest.models["translators"]["fr"][0]["model"] == "org/b"


def test_what_one_translator_was_paid_for_is_not_asked_again_of_several(
    servers: dict[str, StandInServer], tmp_path: Path
) -> None:
    a, b = servers.values()
    before = run_with(tmp_path, CAPTIONER, translator("org/a", a.endpoint, section="[translator]"))
    assert before.asked["translations"] > 0
    a.forget()
    facts = run_with(
        tmp_path,
        CAPTIONER,
        translator("org/a", a.endpoint, 'languages = ["de"]'),
        translator("org/b", b.endpoint, 'languages = ["fr"]'),
    )
    assert a.asked == [] and asked_for(b) == {"fr"} and facts.asked["captions"] == 0


def test_where_all_is_kept_each_text_stands_beside_the_others_with_its_maker(
    servers: dict[str, StandInServer], tmp_path: Path
) -> None:
    a, b = servers.values()
    sections = [
        CAPTIONER,
        translator("org/a", a.endpoint, 'keep = "all"'),
        translator("org/b", b.endpoint, 'keep = "all"\nlanguages = ["de"]'),
    ]
    facts = run_with(tmp_path, *sections)
    assert len(a.asked) == 2 * len(b.asked) and facts.asked["translations"] == 3 * len(b.asked)
    made = made_by(tmp_path)
    for task in ("translation", "caption"):
        of_a, of_b = (made[task, "de", "short", model] for model in ("org/a", "org/b"))
        assert of_a == of_b == NUM_IMAGES, made
    assert made["translation", "fr", "short", "org/a"] and not made["translation", "fr", "short", "org/b"]
    assert not any(task == "caption" and language == "fr" for task, language, _, _ in made), "French is held out"
    a.forget(), b.forget()
    again = run_with(tmp_path, *sections)
    assert again.asked == {"captions": 0, "translations": 0} and again.manifest.build == facts.manifest.build


def test_two_captioners_write_beside_each_other(servers: dict[str, StandInServer], tmp_path: Path) -> None:
    a = servers["org/a"]
    second = CAPTIONER.replace("[captioner]", "[[captioners]]")
    facts = run_with(
        tmp_path,
        second,
        second + 'prefix = "long_"\nmax_new_tokens = 100\nstyles = ["short"]\n',
        translator("org/a", a.endpoint, section="[translator]"),
    )
    assert facts.asked["captions"] == NUM_IMAGES * 3
    made = made_by(tmp_path)
    assert {style for task, language, style, _ in made if language == "en"} == {"short", "detailed", "long_short"}
    samples = [sample for split in ("train", "val") for sample in samples_of(tmp_path / "out", split).values()]
    makers = [{one["style"]: one["made_by"] for one in sample["captions"]} for sample in samples]
    assert all(maker["short"] != maker["long_short"] for maker in makers)
    renamed = run_with(
        tmp_path,
        second,
        second + 'prefix = "other_"\nmax_new_tokens = 100\nstyles = ["short"]\n',
        translator("org/a", a.endpoint, section="[translator]"),
    )
    assert renamed.asked["captions"] == 0, "a prefix is a name, and not paid for"


def test_a_vision_language_model_captions_beside_florence(servers: dict[str, StandInServer], tmp_path: Path) -> None:
    def describe(prompt: str) -> str:
        number = sum(prompt.encode()) % 2
        return f"{('A red car', 'An old house')[number]} stands near the {'river' if 'sentence' in prompt else 'wood'}."

    with StandInServer("org/sees", describe) as sees:
        facts = run_with(
            tmp_path,
            CAPTIONER.replace("[captioner]", "[[captioners]]") + 'styles = ["short"]\n',
            f'[[captioners]]\nkind = "vision_chat"\nmodel = "org/sees"\nendpoint = "{sees.endpoint}"\n'
            'styles = ["seen"]\nprompts = ["Say it in a sentence."]\n',
            translator("org/a", servers["org/a"].endpoint, 'context = "seen"', section="[translator]"),
        )
        assert len({prompt for prompt in sees.asked if "sentence" in prompt}) >= NUM_IMAGES
    assert facts.asked["captions"] == NUM_IMAGES * 2
    made = made_by(tmp_path)
    assert made["caption", "en", "seen", "org/sees"] and made["caption", "en", "short", "playground/models/captioner"]
    assert any("### (" in prompt for prompt in servers["org/a"].asked), "what was seen rides along"
