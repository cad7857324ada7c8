"""One more captioner is one more file: this one says which colour a picture has, and nothing else changes."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import apache_beam as beam
import pytest
from contracts.captioner import CaptionerContract
from PIL import Image
from pipeline_examples import key_of

import florenz.captioners
from florenz.captioners.contract import CaptionerSettings
from florenz.pipeline import preflight
from florenz.pipeline.answers.captioning import CaptionerError, forget_captioner, load_captioner
from florenz.pipeline.answers.graphs import run_captioning
from florenz.pipeline.answers.ledger import CaptionRow, Ledger
from florenz.pipeline.answers.makers import caption_fingerprint
from florenz.pipeline.answers.questions import CaptionTask
from florenz.pipeline.recipe import Recipe, load_recipe
from florenz.recipes.recipe_file import RecipeError

MEAN_COLOUR = '''
"""Says which colour a picture has on average; pictures that are all black it refuses."""

from dataclasses import dataclass

from PIL import Image

from florenz.captioners.contract import Answer, CaptionerSettings
from florenz.recipes.fingerprints import deciding, effort

SENTENCES = {"short": "{} all over.", "detailed": "This picture is {} all over."}


@dataclass(frozen=True, kw_only=True)
class Settings(CaptionerSettings):
    kind: str = "mean_colour"
    model: str = "mean-colour"
    colour_words: str = "rgb({}, {}, {})"
    patience_s: float = effort(1.0)


def known_styles(settings):
    return tuple(SENTENCES)


def fingerprint_parts(settings):
    return deciding(settings) | {"sentences": SENTENCES}


def problems(settings):
    if "{}" not in settings.colour_words:
        yield "colour_words has no {} for a number: write one, like rgb({}, {}, {})"


def load(settings):
    return MeanColour(settings)


class MeanColour:
    def __init__(self, settings):
        self._words = settings.colour_words

    def prepare(self, picture):
        return picture.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))

    def caption(self, prepared, styles):
        return [{style: self._answer(pixel, style) for style in wanted} for pixel, wanted in zip(prepared, styles)]

    def _answer(self, pixel, style):
        if pixel == (0, 0, 0):
            return Answer(reason="captioner_refused", detail="all black")
        return Answer(text=SENTENCES[style].format(self._words.format(*pixel)), finish_reason="stop")
'''

RECIPE = """
languages = ["de"]
out = "{out}"
[images]
source = "{images}"
[captioner]
kind = "mean_colour"
styles = ["short", "detailed"]
batch_size = 2
colour_words = "colour {{}}/{{}}/{{}}"
{more}
[translator]
model = "org/translator"
prompt = "playground"
"""


@pytest.fixture
def one_more(tmp_path: Path) -> Iterator[Path]:
    """A folder beside captioners/ whose files are captioners too, with this one in it."""
    folder = tmp_path / "captioners"
    folder.mkdir()
    (folder / "mean_colour.py").write_text(MEAN_COLOUR)
    florenz.captioners.__path__.append(str(folder))
    before = set(sys.modules)
    importlib.invalidate_caches()
    yield folder
    florenz.captioners.__path__.remove(str(folder))
    for name in set(sys.modules) - before:
        if name.startswith("florenz.captioners."):
            delattr(florenz.captioners, name.rpartition(".")[2])
            del sys.modules[name]
    forget_captioner()
    caption_fingerprint.cache_clear()


class TestMeanColour(CaptionerContract):
    other_values = {"prefix": "own_", 
        "kind": "other", "model": "org/other", "revision": "abc", "styles": ("short",), "batch_size": 7,
        "reading_threads": 3,
        "colour_words": "{}-{}-{}", "patience_s": 9.0,
    }  # fmt: skip

    @pytest.fixture
    def module(self, one_more: Path) -> ModuleType:
        return importlib.import_module("florenz.captioners.mean_colour")

    @pytest.fixture
    def settings(self, module: ModuleType) -> CaptionerSettings:
        return module.Settings()

    @pytest.fixture
    def cutting_settings(self) -> None:
        return None


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, colour in {"red": (255, 0, 0), "blue": (0, 0, 250), "black": (0, 0, 0)}.items():
        Image.new("RGB", (20, 16), colour).save(folder / f"{name}.png")
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    return folder


def recipe_with(tmp_path: Path, pictures: Path, more: str = "", kind: str = "mean_colour") -> Recipe:
    path = tmp_path / "recipe.toml"
    text = RECIPE.format(out=tmp_path / "out", images=pictures, more=more)
    path.write_text(text.replace('"mean_colour"', f'"{kind}"'))
    return load_recipe(str(path))


def the_problem(tmp_path: Path, pictures: Path, more: str = "", kind: str = "mean_colour") -> str:
    with pytest.raises(RecipeError) as caught:
        recipe_with(tmp_path, pictures, more, kind)
    (problem,) = caught.value.problems
    return problem.removeprefix(f"{tmp_path / 'recipe.toml'}: ")


@pytest.mark.usefixtures("one_more")
def test_its_captions_reach_the_ledger_through_the_caption_graph(tmp_path: Path, pictures: Path) -> None:
    recipe = recipe_with(tmp_path, pictures)
    tasks = [
        CaptionTask(key=key_of(path.read_bytes()), source=str(path), styles=recipe.captioner.styles)
        for path in sorted(pictures.iterdir())
    ]
    run_captioning(recipe, beam.Create(tasks), None)
    rows = Ledger(recipe.out).read_captions(caption_fingerprint(recipe.captioner))
    of_picture = {Path(task.source).stem: [rows[task.key, style] for style in task.styles] for task in tasks}
    assert len(rows) == 8 and told(of_picture["red"]) == [
        "colour 255/0/0 all over.",
        "This picture is colour 255/0/0 all over.",
    ]
    assert told(of_picture["blue"])[0] == "colour 0/0/250 all over."
    assert {(row.text, row.reason, row.detail) for row in of_picture["black"]} == {
        (None, "captioner_refused", "all black")
    }
    assert {row.reason for row in of_picture["broken"]} == {"broken_image"}


def told(rows: list[CaptionRow]) -> list[str | None]:
    assert all(row.finish_reason == "stop" for row in rows)
    return [row.text for row in rows]


@pytest.mark.usefixtures("one_more")
def test_its_keys_are_read_and_checked_like_any(tmp_path: Path, pictures: Path) -> None:
    recipe = recipe_with(tmp_path, pictures, "patience_s = 3")
    assert recipe.captioner.patience_s == 3.0 and recipe.captioner.model == "mean-colour"  # type: ignore[attr-defined]
    assert recipe.to_dict()["captioner"]["colour_words"] == "colour {}/{}/{}"
    for more, expected in {
        "patiense_s = 3": "unknown key 'patiense_s' in [captioner]: did you mean 'patience_s'?",
        "num_beams = 3": "unknown key 'num_beams' in [captioner]: known are ",  # a key of another captioner
        "patience_s = 'long'": '[captioner] patience_s: expected a number, got "long"',
        "images_per_shard = 3": "unknown key 'images_per_shard' in [captioner]: it belongs into [shards]",
    }.items():
        assert the_problem(tmp_path, pictures, more).startswith(expected), more


@pytest.mark.usefixtures("one_more")
def test_what_it_says_before_a_run_is_told_with_everything_else(tmp_path: Path, pictures: Path) -> None:
    recipe = recipe_with(tmp_path, pictures)
    assert [*preflight._captioner(recipe), *preflight._styles(recipe)] == []
    module = importlib.import_module("florenz.captioners.mean_colour")
    wrong = {"styles": ("short", "haiku"), "colour_words": "grey"}
    with pytest.raises(RecipeError) as caught:
        preflight.check(Recipe(languages=("de",), out=recipe.out, images=recipe.images,
                               captioner=module.Settings(**wrong), translator=recipe.translator))  # fmt: skip
    assert "captioner: colour_words has no {} for a number" in str(caught.value)
    assert "captioner: a mean_colour knows no style 'haiku': choose from short, detailed" in str(caught.value)


@pytest.mark.usefixtures("one_more")
def test_a_kind_that_is_not_there_is_told_with_the_nearest(tmp_path: Path, pictures: Path) -> None:
    told = the_problem(tmp_path, pictures, kind="mean_color")
    assert told == (
        "[captioner] kind = 'mean_color': there is no such kind in captioners/: did you mean 'mean_colour'?"
    )


def test_a_kind_that_is_no_text_is_told(tmp_path: Path, pictures: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE.format(out=tmp_path, images=pictures, more="").replace('"mean_colour"', "3"))
    with pytest.raises(RecipeError, match=r"\[captioner\] kind: expected a text in quotes, got 3"):
        load_recipe(str(path))


def test_a_package_that_it_needs_and_lacks_is_told(tmp_path: Path, pictures: Path, one_more: Path) -> None:
    (one_more / "needy.py").write_text("import no_such_package\n" + MEAN_COLOUR)
    assert the_problem(tmp_path, pictures, kind="needy") == (
        "[captioner] kind = 'needy' needs the package 'no_such_package', which is missing: install it"
    )


def test_a_package_that_only_its_heavy_half_lacks_is_told_when_it_is_loaded(
    tmp_path: Path, pictures: Path, one_more: Path
) -> None:
    heavy = MEAN_COLOUR.replace("    return MeanColour(settings)", "    import no_such_package")
    (one_more / "mean_colour.py").write_text(heavy)
    with pytest.raises(CaptionerError, match=r"No module named 'no_such_package'\): install what is missing"):
        load_captioner(recipe_with(tmp_path, pictures).captioner)
