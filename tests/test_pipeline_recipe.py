"""A recipe says what it means, and a wrong one says all that is wrong with it."""

import dataclasses
import json
import pickle
from pathlib import Path

import pytest

from florenz.pipeline.recipe import Recipe, load_recipe
from florenz.pipeline.variables import VARIABLES
from florenz.playground.scene import all_concepts
from florenz.recipes.recipe_file import RecipeError
from florenz.recipes.sections import convert, keys_of

CONFIGS = Path(__file__).resolve().parents[1] / "configs"

SMALLEST = """
languages = ["de", "fr", "es"]
out = "data/out"
[images]
source = "photos"
[captioner]
model = "org/captioner"
[translator]
model = "org/translator"
"""


def write(folder: Path, text: str) -> str:
    path = folder / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def problems(folder: Path, text: str, **overrides: str) -> list[str]:
    """The recipe's problems, without the path that each begins with."""
    path = write(folder, text)
    with pytest.raises(RecipeError) as caught:
        load_recipe(path, overrides)
    lines = str(caught.value).split("\n")
    assert tuple(lines) == caught.value.problems
    assert all(line.startswith(f"{path}: ") for line in lines)
    return [line.removeprefix(f"{path}: ") for line in lines]


def load(folder: Path, text: str = SMALLEST, **overrides: str) -> Recipe:
    return load_recipe(write(folder, text), overrides)


def test_what_is_left_out_has_the_documented_default(tmp_path: Path) -> None:
    recipe = load(tmp_path)
    assert (recipe.held_out, recipe.seed, recipe.workers) == (None, 0, 1)
    assert (recipe.images.count, recipe.images.max_bytes, recipe.images.max_pixels) == (None, 64 * 2**20, 100_000_000)
    assert recipe.images.num_scenes == 1000 and not recipe.images.is_playground
    assert dataclasses.asdict(recipe.captioner) == {
        "kind": "florence2",
        "model": "org/captioner",
        "revision": "",
        "styles": ("short", "detailed"),
        "prefix": "",
        "batch_size": 32,
        "reading_threads": None,
        "max_new_tokens": 128,
        "num_beams": 1,
        "dtype": "float32",
        "device": "auto",
        "cpu_threads": None,
    }
    assert recipe.translator.endpoint == "" and recipe.translator.settings.model == "org/translator"


def test_every_section_reaches_the_settings_it_describes(tmp_path: Path) -> None:
    recipe = load(
        tmp_path,
        "seed = 7\n"
        + SMALLEST
        + """
temperature = 1
server_args = ["--tensor-parallel-size", "2"]
max_model_len = 2048
endpoint = "http://gpu:8000/v1"
[filters]
max_repeats = 5
disabled = ["repetition"]
[shards]
val_fraction = 0.5
""",
    )
    assert recipe.seed == 7
    assert recipe.translator.settings.temperature == 1.0 and isinstance(recipe.translator.settings.temperature, float)
    assert recipe.translator.settings.server_args == ("--tensor-parallel-size", "2")
    assert recipe.translator.settings.max_model_len == 2048
    assert recipe.translator.endpoint == "http://gpu:8000/v1"
    assert recipe.filters.max_repeats == 5 and recipe.filters.disabled == ("repetition",)
    assert recipe.shards.val_fraction == 0.5


@pytest.mark.parametrize(
    ("line", "resolved"),
    [
        ("", ("fr", "es")),
        ("held_out = []", ()),
        ('held_out = ["es", "de"]', ("de", "es")),
        ('held_out = ["de", "fr", "es"]', ("de", "fr", "es")),
    ],
)
def test_held_out_languages_are_all_but_the_first_unless_named(tmp_path: Path, line: str, resolved: tuple) -> None:
    assert load(tmp_path, f"{line}\n{SMALLEST}").held_out_languages == resolved


def test_make_variables_win_over_the_file(tmp_path: Path) -> None:
    recipe = load(
        tmp_path,
        "held_out = ['fr']\nseed = 1\n" + SMALLEST,
        LANGS="it, ru",
        HELDOUT="it",
        IMAGES="gs://b/*.jpg",
        COUNT="12",
        OUT="s3://bucket/out",
        ENDPOINT="http://localhost:8000",
        WORKERS="3",
        SEED="-4",
    )
    assert (recipe.languages, recipe.held_out, recipe.out) == (("it", "ru"), ("it",), "s3://bucket/out")
    assert (recipe.images.source, recipe.images.count) == ("gs://b/*.jpg", 12)
    assert (recipe.translator.endpoint, recipe.workers, recipe.seed) == ("http://localhost:8000", 3, -4)


@pytest.mark.parametrize("line", ["", 'endpoint = "http://x:1/v1"', 'endpoints = ["http://x:1/v1", "http://y:1/v1"]'])
def test_one_endpoint_or_several_win_over_either_form_in_the_file(tmp_path: Path, line: str) -> None:
    text = SMALLEST.replace("[translator]", f"[translator]\n{line}")
    assert text != SMALLEST or not line
    one = load(tmp_path, text, ENDPOINT="http://a:8000/v1")
    assert one.translator.running_servers == ("http://a:8000/v1",)
    several = load(tmp_path, text, ENDPOINT="http://a:8000/v1, http://b:8000/v1")
    assert several.translator.running_servers == ("http://a:8000/v1", "http://b:8000/v1")
    (problem,) = problems(tmp_path, text, ENDPOINT="http://a:8000/v1,")
    assert "endpoints has an empty one: leave it out" in problem


def test_an_empty_make_variable_counts_as_not_given(tmp_path: Path) -> None:
    variables = dict.fromkeys(VARIABLES, " ")
    del variables["LANGS"]
    assert load(tmp_path, SMALLEST, **variables) == load(tmp_path)


@pytest.mark.parametrize("empty", ["", " "])
def test_an_empty_langs_is_refused(tmp_path: Path, empty: str) -> None:
    (problem,) = problems(tmp_path, SMALLEST, LANGS=empty)
    assert problem == "languages (LANGS): no language given: name at least one, like de"


def test_a_tilde_in_out_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert load(tmp_path, OUT="~/data").out == "/home/me/data"


def test_heldout_none_withholds_nothing(tmp_path: Path) -> None:
    assert load(tmp_path, HELDOUT="none").held_out_languages == ()


def test_new_languages_take_the_default_held_out_with_them(tmp_path: Path) -> None:
    assert load(tmp_path, LANGS="ru,zh").held_out_languages == ("zh",)


def test_the_number_of_scenes_does_not_limit_somebodys_photos() -> None:
    playground = str(CONFIGS / "playground.toml")
    assert load_recipe(playground, {"IMAGES": "photos"}).images.count is None
    assert load_recipe(playground, {"IMAGES": "photos", "COUNT": "5"}).images.count == 5
    assert load_recipe(playground, {"IMAGES": "playground"}).images.num_scenes == 4000
    assert load_recipe(playground, {"COUNT": "30"}).images.num_scenes == 30


def test_what_the_playground_withholds_is_asked_of_its_own_scenes_alone(tmp_path: Path) -> None:
    playground = str(CONFIGS / "playground.toml")
    withheld = load_recipe(playground, {}).coverage.withheld
    assert withheld and set(withheld) <= all_concepts()
    assert load_recipe(playground, {"IMAGES": "playground"}).coverage.withheld == withheld
    assert load_recipe(playground, {"IMAGES": "photos"}).coverage.withheld == ()
    with_table = Path(playground).read_text().replace("[coverage]", '[coverage]\nconcepts = "shows.parquet"')
    assert load(tmp_path, with_table, IMAGES="photos").coverage.withheld == withheld


def test_a_variable_can_supply_what_the_file_lacks(tmp_path: Path) -> None:
    without_source = SMALLEST.replace('[images]\nsource = "photos"\n', "")
    assert problems(tmp_path, without_source) == [
        "[images] source (IMAGES) is missing: add source = ... or give IMAGES=..."
    ]
    assert load(tmp_path, without_source, IMAGES="photos").images.source == "photos"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("image_per_shard = 3", "unknown key 'image_per_shard' in [shards]: did you mean 'images_per_shard'?"),
        ("seed = 3", "unknown key 'seed' in [shards]: it belongs at the top, above the first [section]"),
        ("num_beams = 3", "unknown key 'num_beams' in [shards]: it belongs into [captioner]"),
        ("endpoint = 'x'", "unknown key 'endpoint' in [shards]: it belongs into [translator]"),
        (
            "revision = 'x'",
            "unknown key 'revision' in [shards]: known are images_per_shard, val_fraction, "
            "choose_fraction, jpeg_quality, max_side_px, strip_exif",
        ),  # two sections have one
        (
            "q = 3",
            "unknown key 'q' in [shards]: known are images_per_shard, val_fraction, "
            "choose_fraction, jpeg_quality, max_side_px, strip_exif",
        ),
    ],
)
def test_an_unknown_key_is_named_with_its_section_and_what_was_meant(tmp_path: Path, line: str, message: str) -> None:
    assert problems(tmp_path, f"{SMALLEST}\n[shards]\n{line}") == [message]


def test_an_unknown_section_is_an_unknown_key_at_the_top(tmp_path: Path) -> None:
    assert problems(tmp_path, SMALLEST + "[filter]\n") == [
        "unknown key 'filter' at the top level: did you mean 'filters'?"
    ]


@pytest.mark.parametrize(
    ("section", "line", "message"),
    [
        ("shards", "images_per_shard = '3'", '[shards] images_per_shard: expected a whole number, got "3"'),
        ("shards", "images_per_shard = 3.0", "[shards] images_per_shard: expected a whole number, got 3.0"),
        ("shards", "images_per_shard = true", "[shards] images_per_shard: expected a whole number, got true"),
        ("shards", "val_fraction = true", "[shards] val_fraction: expected a number, got true"),
        ("shards", "val_fraction = nan", "[shards] val_fraction: expected a finite number, got NaN"),
        ("filters", "disabled = 'x'", '[filters] disabled: expected a list, each item a text in quotes, got "x"'),
        ("filters", "disabled = [1]", "[filters] disabled: expected a list, each item a text in quotes, got [1]"),
    ],
)
def test_a_wrong_type_is_told_what_was_expected(tmp_path: Path, section: str, line: str, message: str) -> None:
    assert problems(tmp_path, f"{SMALLEST}\n[{section}]\n{line}") == [message]


def test_optional_and_true_or_false_keys_are_checked_too(tmp_path: Path) -> None:
    assert problems(tmp_path, SMALLEST + "max_model_len = 'x'\nenforce_eager = 1") == [
        '[translator] max_model_len: expected a whole number, got "x"',
        "[translator] enforce_eager: expected true or false, got 1",
    ]


def test_an_annotation_that_no_recipe_uses_is_a_bug_not_a_users_fault() -> None:
    with pytest.raises(KeyError):
        convert("x", set[str])


def test_a_section_that_is_a_value_is_told_so(tmp_path: Path) -> None:
    text = SMALLEST.replace('[images]\nsource = "photos"\n', "").replace("out =", "images = 3\nout =")
    assert problems(tmp_path, text, IMAGES="photos") == ["[images] must be a section, got 3"]


def test_all_faults_are_told_together(tmp_path: Path) -> None:
    told = problems(
        tmp_path,
        """
languages = ["de", "xx", "de"]
held_out = ["it"]
workers = 0
colour = "red"
[images]
source = 3
max_bytes = 0
[captioner]
styles = ["Short", "a", "a"]
dtype = "int8"
model = ""
[translator]
max_tokens = "many"
[shards]
images_per_shard = 0
jpeg_quality = 100
""",
        SEED="x",
        LANG="de",
    )
    expected = [
        "SEED must be a whole number",
        "unknown variable LANG: did you mean 'LANGS'?",
        "unknown key 'colour'",
        "out (OUT) is missing",
        "[images] source (IMAGES): expected a text",
        "[captioner] model is empty",
        "[captioner] styles has 'Short'",
        "[captioner] styles has 'a' twice",
        "[captioner] dtype is 'int8'",
        "[translator] model is missing",
        "[translator] max_tokens: expected a whole number",
        "[shards] images_per_shard is 0",
        "[shards] jpeg_quality is 100",
        "languages (LANGS): unknown language 'xx'",
        "languages (LANGS): language 'de' is given 2 times",
        "held_out (HELDOUT): 'it' is not among",
        "workers (WORKERS) is 0",
    ]
    assert len(told) == len(expected)
    for begin in expected:
        assert sum(line.startswith(begin) for line in told) == 1, begin


@pytest.mark.parametrize(
    ("heldout", "message"),
    [
        (
            "it",
            "held_out (HELDOUT): 'it' is not among the languages de,fr,es: "
            "add it to LANGS or leave it out ('none' withholds nothing)",
        ),
        ("en", "held_out (HELDOUT): 'en' always has captions, all else is translated from them: leave it out"),
        ("fr,fr", "held_out (HELDOUT): 'fr' is named twice: keep one"),
    ],
)
def test_a_held_out_language_must_be_a_target_named_once(tmp_path: Path, heldout: str, message: str) -> None:
    assert problems(tmp_path, SMALLEST, HELDOUT=heldout) == [message]


def test_english_cannot_be_a_target(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, SMALLEST, LANGS="de,en")
    assert problem.startswith("languages (LANGS): 'en' is the source language")


@pytest.mark.parametrize("endpoint", ["localhost:8000", "http://", "ftp://host", "http://host:port", "http://[::1"])
def test_an_endpoint_that_is_no_url_is_refused(tmp_path: Path, endpoint: str) -> None:
    (problem,) = problems(tmp_path, SMALLEST, ENDPOINT=endpoint)
    assert problem.startswith("[translator] endpoint (ENDPOINT)")


@pytest.mark.parametrize(
    ("variable", "uri"),
    [
        ("ENDPOINT", "http://user:hunter2@host/v1"),
        ("ENDPOINT", "http://host/v1?api_key=hunter2"),
        ("ENDPOINT", "http://hunter2@host"),
        ("IMAGES", "s3://id:hunter2@bucket/x"),
        ("OUT", "s3://id:hunter2@bucket/x"),
    ],
)
def test_a_password_is_refused_without_repeating_it(tmp_path: Path, variable: str, uri: str) -> None:
    (problem,) = problems(tmp_path, SMALLEST, **{variable: uri})
    assert "environment" in problem and variable in problem and "hunter2" not in problem


def test_an_at_sign_in_a_path_is_no_password(tmp_path: Path) -> None:
    assert load(tmp_path, IMAGES="gs://bucket/me@home/x.jpg").images.source == "gs://bucket/me@home/x.jpg"


def test_an_unknown_prompt_family_is_found_before_the_first_translation(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, SMALLEST + 'prompt = "poem"')
    assert problem.startswith("[translator]") and "poem" in problem and "chat" in problem


def test_a_problem_stays_on_its_line(tmp_path: Path) -> None:
    assert len(problems(tmp_path, SMALLEST.replace('"es"', '"e\\ns"'))) == 1


@pytest.mark.parametrize("content", [b"languages = [", b"\xff\xfe", b"out = 1\nout = 2"])
def test_a_file_that_is_no_toml_is_one_problem(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    with pytest.raises(RecipeError, match="broken.toml: cannot read this recipe: ") as caught:
        load_recipe(str(path))
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize("path", ["nowhere.toml", ".", "nosuchstore://a/b.toml"])
def test_a_recipe_that_is_not_there_is_one_problem(path: str) -> None:
    with pytest.raises(RecipeError, match="cannot read this recipe: ") as caught:
        load_recipe(path)
    assert len(caught.value.problems) == 1


def test_a_recipe_made_in_code_is_checked_too(tmp_path: Path) -> None:
    recipe = load(tmp_path)
    with pytest.raises(RecipeError, match="'it' is not among"):
        dataclasses.replace(recipe, held_out=("it",))


def test_the_dict_survives_json_and_reads_like_the_file(tmp_path: Path) -> None:
    record = load(tmp_path, ENDPOINT="http://localhost:8000").to_dict()
    assert json.loads(json.dumps(record)) == record
    assert record["languages"] == ["de", "fr", "es"] and record["held_out"] is None
    assert record["translator"]["endpoint"] == "http://localhost:8000"
    assert record["translator"]["model"] == "org/translator" and record["translator"]["server_args"] == []
    assert record["shards"]["images_per_shard"] == 1000 and "settings" not in record["translator"]


def test_the_endpoint_is_no_part_of_what_decides_the_answers(tmp_path: Path) -> None:
    here, there = load(tmp_path), load(tmp_path, ENDPOINT="http://elsewhere:8000")
    assert here.translator.settings == there.translator.settings
    assert "endpoint" not in here.translator.settings.sampling()


def test_recipes_and_their_errors_travel_to_workers(tmp_path: Path) -> None:
    recipe = load(tmp_path)
    assert pickle.loads(pickle.dumps(recipe)) == recipe
    assert pickle.loads(pickle.dumps(RecipeError(["a", "b"]))).problems == ("a", "b")


def test_the_playground_recipe_is_what_the_readme_says() -> None:
    recipe = load_recipe(str(CONFIGS / "playground.toml"))
    assert (recipe.languages, recipe.held_out_languages) == (("de", "fr", "es"), ("fr", "es"))
    assert recipe.out == "data/playground" and recipe.images.is_playground and recipe.images.num_scenes == 4000
    assert recipe.captioner.model == "playground/models/captioner"
    assert recipe.translator.settings.model == "playground/models/translator"
    assert recipe.translator.settings.prompt == "playground" and recipe.shards.images_per_shard == 250


def test_the_florence_recipe_asks_for_images() -> None:
    path = str(CONFIGS / "florence2.toml")
    with pytest.raises(RecipeError, match="IMAGES=") as caught:
        load_recipe(path)
    assert len(caught.value.problems) == 1
    recipe = load_recipe(path, {"IMAGES": "photos"})
    assert recipe.captioner.model == "florence-community/Florence-2-large"
    assert recipe.translator.settings.prompt == "chat" and recipe.out == "data/florence2"
    assert recipe.held_out_languages == ("fr", "es", "ru", "zh")


def test_every_variable_overrides_a_key_that_exists(tmp_path: Path) -> None:
    recipe = load(tmp_path)
    for key in VARIABLES.values():
        section, _, name = key.rpartition(".")
        assert name in keys_of(type(getattr(recipe, section)) if section else Recipe)


SEVERAL = """
languages = ["de", "fr"]
out = "data/out"
[images]
source = "photos"
[[captioners]]
model = "org/one"
[[captioners]]
model = "org/two"
prefix = "large_"
num_beams = 3
styles = ["short"]
[[translators]]
model = "org/a"
languages = ["de"]
[[translators]]
model = "org/b"
prompt = "alma"
languages = ["fr", "ru"]
endpoint = "http://b:8000/v1"
"""


def test_several_captioners_and_translators_each_with_their_own_settings(tmp_path: Path) -> None:
    recipe = load(tmp_path, SEVERAL)
    assert recipe.styles == ("short", "detailed", "large_short")
    assert [one.num_beams for one in recipe.captioners] == [1, 3]  # type: ignore[attr-defined]
    assert [one.settings.prompt for one in recipe.translators] == ["chat", "alma"]
    assert [one.settings.model for one in recipe.translators_of("fr")] == ["org/b"]
    assert recipe.translators_of("fr")[0].running_servers == ("http://b:8000/v1",)
    record = recipe.to_dict()
    assert [one["model"] for one in record["captioners"]] == ["org/one", "org/two"]
    assert [one["model"] for one in record["translators"]] == ["org/a", "org/b"]
    assert "captioner" not in record and "translator" not in record and "more_translators" not in record
    json.dumps(record)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"fr", "ru"', '"ru"', "no translator serves 'fr': add it to the languages of one in [[translators]]"),
        ('"fr", "ru"', '"fr", "de"', "2 translators serve 'de' (org/a, org/b)"),
        ('languages = ["de"]', 'keep = "all"', "2 translators serve 'fr' (org/a, org/b)"),
        ('prompt = "alma"', 'keep = "some"', "[translators 2] keep is 'some': choose one or all"),
        ('languages = ["de"]', 'languages = ["xx"]', "[translators 1] languages: unknown language 'xx'"),
        ('prompt = "alma"', "promt = 1", "unknown key 'promt' in [translators 2]: did you mean 'prompt'?"),
        ('prefix = "large_"', "", "two captioners write style 'short' (org/one, org/two)"),
        ('prefix = "large_"', 'prefix = "Large"', "[captioners 2] prefix has 'Large'"),
        ('prefix = "large_"', 'kind = "florense2"', "[captioner] kind = 'florense2'"),
        (
            "[[captioners]]",
            '[captioner]\nmodel = "org/x"\n[[captioners]]',
            "[captioner] and [[captioners]] are both given",
        ),
    ],
)
def test_models_that_nobody_can_tell_apart_are_refused(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in SEVERAL
    lines = problems(tmp_path, SEVERAL.replace(old, new, 1))
    assert any(told in line for line in lines), lines


def test_every_output_is_kept_where_each_says_so(tmp_path: Path) -> None:
    both = SEVERAL.replace('languages = ["de"]', 'keep = "all"').replace('"fr", "ru"]', '"fr"]\nkeep = "all"')
    recipe = load(tmp_path, both)
    assert [len(recipe.translators_of(language)) for language in ("de", "fr")] == [1, 2]
    twice = both.replace('model = "org/b"\nprompt = "alma"', 'model = "org/a"')
    assert "the same translator serves 'fr' twice" in problems(tmp_path, twice)[0]
    elsewhere = twice + "max_in_flight = 3\nrequest_timeout_s = 60.0\n"
    assert "the same translator serves 'fr' twice" in problems(tmp_path, elsewhere)[0], "it would be paid for twice"


def test_a_variable_for_one_translator_is_refused_where_there_are_several(tmp_path: Path) -> None:
    (line,) = problems(tmp_path, SEVERAL, ENDPOINT="http://c:8000/v1")
    assert "ENDPOINT is for a recipe with one [translator]" in line


@pytest.mark.parametrize("value", ["3", "[]", "[3]", '"org/a"'])
def test_a_list_of_translators_that_is_none_is_told(tmp_path: Path, value: str) -> None:
    text = f"translators = {value}\n" + SMALLEST.partition("[translator]")[0]
    assert any("translators" in line for line in problems(tmp_path, text))


def test_the_names_of_fields_behind_a_list_are_no_keys(tmp_path: Path) -> None:
    assert "unknown key 'more_translators'" in problems(tmp_path, 'more_translators = ["x"]\n' + SMALLEST)[0]
