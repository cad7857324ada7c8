"""Recipes of a training: every fault is named with its place and what to do, all in one go."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from florenz.recipes.recipe_file import RecipeError
from florenz.train.model.family import warning_of_parts
from florenz.train.model.parts import PARTS
from florenz.train.preflight import problems_of_recipe
from florenz.train.recipe import load_recipe

ROOT = Path(__file__).resolve().parents[1]
DEFAULT = ROOT / "configs" / "train.toml"
STAGED = ROOT / "configs" / "train_staged.toml"
RECIPE = """
data = "dataset"
out = "training"
[model]
size = "playground"
[optimizer]
weight_decay = 0.1
[[stages]]
name = "text"
steps = 30
images = false
parts = ["decoder"]
batch_size = 8
micro_batch_size = 4
peak_rate = 1e-3
mix = { "translation/de" = 2, "translation/fr" = 1.0 }
[[stages]]
name = "vision"
steps = 10
images = true
parts = ["vision", "projector"]
batch_size = 8
peak_rate = 1e-3
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "recipe.toml").write_text(RECIPE)
    return tmp_path / "recipe.toml"


def problems(path: Path, *changes: tuple[str, str], **variables: str) -> list[str]:
    """What is said about the recipe above with these changes, without the file's name."""
    text = RECIPE
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    path.write_text(text)
    with pytest.raises(RecipeError) as caught:
        load_recipe(str(path), variables)
    assert all(line.startswith(f"{path}: ") for line in caught.value.problems)
    return [line.removeprefix(f"{path}: ") for line in caught.value.problems]


def test_the_default_recipe_trains_all_but_the_eyes_on_all_pairs() -> None:
    """The projector stays with the vision tower, so that what both make of a picture is kept."""
    recipe = load_recipe(str(DEFAULT))
    (stage,) = recipe.stages
    assert stage.images and stage.mix == {} and set(stage.parts) == set(PARTS) - {"vision", "projector"}
    assert recipe.model.size == "playground"


def test_the_staged_recipe_trains_text_before_vision_and_freezes_the_decoder() -> None:
    text, vision = load_recipe(str(STAGED)).stages
    assert (text.images, vision.images) == (False, True)
    assert "decoder" in text.parts and "decoder" not in vision.parts


def test_the_comments_of_the_default_recipe_name_every_variable() -> None:
    from florenz.train.recipe import STEPS, VARIABLES

    text = DEFAULT.read_text()
    assert all(f"{name}" in text for name in [*VARIABLES, STEPS])


def test_keys_and_stages_are_read_and_what_is_left_out_has_a_default(path: Path) -> None:
    recipe = load_recipe(str(path))
    assert (recipe.data, recipe.out, recipe.seed, recipe.device) == ("dataset", "training", 0, "auto")
    assert (recipe.optimizer.weight_decay, recipe.optimizer.clip_norm) == (0.1, 1.0)
    text, vision = recipe.stages
    assert text.mix == {"translation/de": 2.0, "translation/fr": 1.0} and vision.mix == {}
    assert (text.size_of_micro_batch, text.num_micro_batches) == (4, 2)
    assert (vision.size_of_micro_batch, vision.num_micro_batches) == (8, 1)
    assert recipe.total_steps == 40


def test_variables_override_keys_and_empty_ones_do_not(path: Path) -> None:
    recipe = load_recipe(str(path), {"DATA": "gs://b/d", "OUT": "~/x", "SIZE": "1.0b", "SEED": "7", "WORKERS": ""})
    assert recipe.data == "gs://b/d" and recipe.out == str(Path("~/x").expanduser())
    assert (recipe.model.size, recipe.seed, recipe.workers) == ("1.0b", 7, 1)


@given(st.lists(st.integers(1, 500), min_size=1, max_size=5), st.integers(1, 1000))
def test_STEPS_keeps_the_shares_of_the_stages(
    tmp_path_factory: pytest.TempPathFactory, steps: list[int], total: int
) -> None:
    stage = RECIPE.split("[[stages]]")[2]
    head = RECIPE.split("[[stages]]")[0]
    tables = [
        "[[stages]]" + stage.replace('"vision"\n', f'"stage{place}"\n', 1).replace("steps = 10", f"steps = {number}")
        for place, number in enumerate(steps)
    ]
    path = tmp_path_factory.mktemp("recipe") / "recipe.toml"
    path.write_text(head + "\n".join(tables))
    scaled = [stage.steps for stage in load_recipe(str(path), {"STEPS": str(total)}).stages]
    assert all(abs(count - total * number / sum(steps)) <= 1 for count, number in zip(scaled, steps, strict=True))
    assert sum(scaled) == total or min(scaled) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("peak_rate = 1e-3\nmix", "peakrate = 1e-3\nmix"), ["[stages.text]", "'peakrate'", "mean 'peak_rate'"]),
        (("weight_decay", "weigth_decay"), ["'weigth_decay'", "[optimizer]", "did you mean 'weight_decay'?"]),
        (("[model]", "steps = 3\n[model]"), ["'steps' at the top level", "[[stages]]"]),
        (("[model]", "size = 3\n[model]"), ["'size' at the top level", "it belongs into [model]"]),
        (("[optimizer]", "[optimiser]"), ["'optimiser'", "did you mean 'optimizer'?"]),
        (("steps = 30", 'steps = "many"'), ["[stages.text] steps", "a whole number"]),
        (("steps = 30", "steps = 0"), ["[stages.text] steps is 0", "at least 1"]),
        (("batch_size = 8\nmicro", "batch_size = 9\nmicro"), ["9 is no multiple of micro_batch_size 4"]),
        (('["decoder"]', '["decoder", "vision"]'), ["vision", "images = true"]),
        (('["decoder"]', "[]"), ["parts is empty"]),
        (('"translation/fr"', '"caption/fr"'), ["[stages.text.mix]", "'caption/fr'", "without pictures"]),
        (('"translation/fr"', '"french"'), ["'french' is no pair of task and language"]),
        (("= 2,", "= 0,"), ["'translation/de' has the weight 0", "above 0"]),
        (('"vision"\n', '"text"\n'), ["[stages.text] is there twice"]),
        (("peak_rate = 1e-3\nmix", "peak_rate = -1.0\nmix"), ["peak_rate is -1.0", "above 0"]),
        (("weight_decay = 0.1", "weight_decay = -0.1"), ["[optimizer] weight_decay is -0.1"]),
        (("[optimizer]", '[compute]\nprecision = "float16"\n[optimizer]'), ["'float16'", "auto, float32, bfloat16"]),
        (("[optimizer]", "[records]\nkeep_checkpoints = 0\n[optimizer]"), ["keep_checkpoints is 0"]),
        (('out = "training"', 'out = "gs://bucket/x"'), ["out (OUT)", "local folder"]),
        (("data = ", "# data = "), ["data (DATA) is missing", "DATA=..."]),
    ],
    ids=lambda value: "",
)
def test_a_fault_is_one_line_with_its_place_and_what_to_do(
    path: Path, change: tuple[str, str], words: list[str]
) -> None:
    (line, *others) = problems(path, change)
    assert all(word in line for word in words), line
    assert all("is missing" in other for other in others)  # of a key whose name was changed


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"STEP": "3"}, ["unknown variable STEP", "STEPS"]),
        ({"SEED": "one"}, ["SEED must be a whole number", "'one'"]),
        ({"STEPS": "0"}, ["STEPS is 0", "at least 1"]),
        ({"WORKERS": "-1"}, ["workers (WORKERS) is -1"]),
        ({"DEVICE": "gpu"}, ["device (DEVICE) is 'gpu'", "cuda"]),
    ],
    ids=str,
)
def test_a_wrong_variable_is_one_line(path: Path, variables: dict[str, str], words: list[str]) -> None:
    (line,) = problems(path, **variables)
    assert all(word in line for word in words), line


def test_faults_in_several_places_are_told_together(path: Path) -> None:
    found = problems(path, ("steps = 30", "steps = 0"), ("weight_decay = 0.1", "weight_decay = -1.0"), SEED="x")
    assert len(found) == 3


def test_a_recipe_without_stages_is_refused(path: Path) -> None:
    (line,) = problems(path, (RECIPE[RECIPE.index("[[stages]]") :], ""))
    assert "no stage" in line and "[[stages]]" in line


def test_a_file_that_is_none_is_one_line(tmp_path: Path) -> None:
    for path, content in ((tmp_path / "none.toml", None), (tmp_path / "bad.toml", "data = ")):
        if content:
            path.write_text(content)
        with pytest.raises(RecipeError, match="cannot read this recipe") as caught:
            load_recipe(str(path))
        assert len(caught.value.problems) == 1


def test_the_identity_holds_what_decides_the_weights_and_nothing_else(path: Path) -> None:
    first = load_recipe(str(path)).identity()
    same = load_recipe(str(path), {"WORKERS": "4", "OUT": "elsewhere", "DEVICE": "cpu"}).identity()
    assert first == same
    for changed in ({"SEED": "1"}, {"SIZE": "0.4b"}, {"STEPS": "20"}):
        assert load_recipe(str(path), changed).identity() != first
    text = tomllib.loads(RECIPE)
    assert first["text.parts"] == text["stages"][0]["parts"]


def test_every_key_of_the_prompts_is_read_and_reaches_the_processor(path: Path) -> None:
    head = RECIPE.replace("[optimizer]", '[prompts]\nlanguage_in = "prefix"\ncaption = "look"\n[optimizer]')
    path.write_text(head.replace('caption = "look"', 'caption = "look"\nlearn_prefix = false\nwords.it = "Ecco"'))
    recipe = load_recipe(str(path))
    prompts = recipe.prompts.prompts(recipe.words)
    assert (prompts.language_in, prompts.caption, prompts.translation) == ("prefix", "look", "{text}")
    assert prompts.words == {"it": "Ecco"} and not prompts.learn_prefix


def test_a_recipe_of_before_has_the_identity_that_its_checkpoints_were_saved_with(path: Path) -> None:
    """Keys that came later are in it only off their default."""
    keys = set(load_recipe(str(path)).identity())
    model = {"size", "florence", "gemma", "tokenizer", "image_px", "num_latents", "prefix"}
    stage = {
        "name", "steps", "parts", "images", "batch_size", "micro_batch_size", "peak_rate", "warmup", "mix",
    }  # fmt: skip
    of_stages = {f"{name}.{key}" for name in ("text", "vision") for key in stage}
    assert keys == {*model, "seed", "weight_decay", "beta2", "clip_norm", *of_stages}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[optimizer]", '[prompts]\nlanguage_in = "prefix"\n[optimizer]'),
        ("[optimizer]", "[prompts]\nlearn_prefix = false\n[optimizer]"),
        ("[optimizer]", '[validation]\nevery_steps = 5\nkeep = "best"\n[optimizer]'),
        ('size = "playground"', 'size = "playground"\nrandom_parts = ["vision"]'),
        ("images = true", 'images = true\nstyles = ["short"]'),
        ("images = true", "images = true\nmax_images = 5"),
        ("images = true", "images = true\nshuffle_pictures = true"),
        ("images = true", "images = true\ncopy_english = true"),
        ("images = true", "images = true\nunigram_noise = 0.1"),
        ("images = true", "images = true\nsource_dropout = 0.1"),
        ("images = true", 'images = true\nleave_out = ["caption/de"]'),
    ],
)
def test_what_decides_the_weights_is_in_the_identity(path: Path, old: str, new: str) -> None:
    before = load_recipe(str(path)).identity()
    path.write_text(RECIPE.replace(old, new))
    assert load_recipe(str(path)).identity() != before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("[optimizer]", '[prompts]\nlanguage_in = "decoder"\n[optimizer]'), ["[prompts]", "both, encoder, prefix"]),
        (("[optimizer]", '[prompts]\ncaption = "Say it."\n[optimizer]'), ["[prompts]", "does not name the {language}"]),
        (("[optimizer]", '[prompts.words]\nxx = "Xx"\n[optimizer]'), ["[prompts.words]", "xx"]),
        (("images = false", "images = false\nshuffle_pictures = true"), ["[stages.text]", "nothing to shuffle"]),
        (("images = true", "images = true\nmax_images = 0"), ["[stages.vision]", "max_images is 0"]),
        (("images = true", "images = true\nunigram_noise = 1.5"), ["[stages.vision]", "unigram_noise is 1.5"]),
        (("images = true", "images = true\nsource_dropout = -1.0"), ["[stages.vision]", "source_dropout is -1.0"]),
        (('size = "playground"', 'size = "playground"\ndecoder_width = 100'), ["decoder_width is 100", "of 64"]),
    ],
)
def test_new_keys_that_make_no_sense_are_refused(path: Path, change: tuple[str, str], words: list[str]) -> None:
    (line,) = problems(path, change)
    assert all(word in line for word in words), line


@pytest.mark.parametrize("size", ["0.4b", "1.0b", "3.5b", "11.2b"])
def test_a_stage_without_parts_trains_what_the_paper_trained(path: Path, size: str) -> None:
    path.write_text(RECIPE.replace('parts = ["decoder"]\n', "").replace('size = "playground"', f'size = "{size}"'))
    text, vision = load_recipe(str(path)).stages
    assert ("decoder" in text.parts) == (size in ("0.4b", "1.0b"))  # Gemma-2 stays as it is
    assert {"text_encoder", "cross_attention", "decoder_embeddings"} <= set(text.parts) <= set(PARTS)
    assert vision.parts == ("vision", "projector")


def test_no_shipped_recipe_trains_the_frozen_decoder_of_the_paper() -> None:
    """Or it is refused, or says so: the staged one means to train the decoder first."""
    for path in sorted((ROOT / "configs").glob("*train*.toml")):
        recipe = load_recipe(str(path), {"SIZE": "11.2b"})
        lines = [warning_of_parts("11.2b", stage.name, stage.parts) for stage in recipe.stages]
        trains_it = any("decoder" in stage.parts or "vision" in stage.parts for stage in recipe.stages)
        is_refused = bool(problems_of_recipe(recipe, world_size=8))
        assert (path.stem, trains_it, is_refused) in {
            ("train", True, True), ("train_both", False, False), ("train_staged", True, False),
        }  # fmt: skip
        assert any(lines) or not trains_it
    assert "stage text trains decoder too" in lines[0] and "projector" in lines[1]  # of the last one, train_staged
    assert not any(warning_of_parts("playground-gemma", one.name, one.parts) for one in recipe.stages)
