"""The whole table of a benchmark, end to end: a Florenz that was trained, the playground's translator, its scenes."""

import json
from pathlib import Path

import pytest
from training_examples import recipe_in, train_quietly, write_recipe

from florenz.pipeline.recipe import load_recipe as load_dataset_recipe
from florenz.playground.captions import LANGUAGES, STYLES
from florenz.playground.world import draw_world
from florenz.train.evaluate import main
from florenz.train.scores.benchmark_table import WAYS

COUNT, SEED = 3, 7
TRANSLATED = ("de", "fr", "es", "ru", "zh")
SECTION = """[translator]
model = "{model}"
prompt = "{prompt}"
endpoint = "http://127.0.0.1:9/v1"
[compute]"""


def test_every_row_of_the_table_comes_from_models_that_are_real(
    translation_endpoint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A training of some steps knows nothing yet; what the translator makes of English that is true is known."""
    settings = load_dataset_recipe("configs/playground.toml").translator.settings
    section = ("[compute]", SECTION.format(model=settings.model, prompt=settings.prompt))
    train_quietly(recipe_in(tmp_path, section))
    draw_world(str(tmp_path / "scenes"), count=COUNT, seed=SEED)
    variables = ["BENCHMARK=playground", f"BENCHMARK_DATA={tmp_path / 'scenes'}", f"ENDPOINT={translation_endpoint}"]
    capsys.readouterr()
    assert main([str(write_recipe(tmp_path, section)), *variables]) == 0
    said = capsys.readouterr().out
    found = json.loads((tmp_path / "out" / "evaluation-playground.json").read_text())
    assert found["translator"] == settings.model and found["model"]["step"] == 6
    assert found["model"]["samples_seen"] == 24 and found["model"]["num_beams"] == 1
    pairs = {(pair["task"], pair["language"]): pair for pair in found["pairs"]}
    assert set(pairs) == {("caption", one) for one in LANGUAGES} | {("translation", one) for one in TRANSLATED}
    for (task, language), pair in pairs.items():
        assert pair["num_texts"] == COUNT * len(STYLES) and pair["chance"]["chrf"] > 0
        is_english = language == "en"
        assert (pair["copied"] is None) == (pair["by_translator"] is None) == is_english
        assert (pair["translated"] is None) == (is_english or task == "translation")
        assert (pair["without_prefix"] is None) == (task == "translation")
        assert set(pair["with_prefix"]["intervals"]) == {"chrf", "exact_match", "meaning"}
    for language in TRANSLATED:
        of_pair = pairs["translation", language]
        assert of_pair["by_translator"]["meaning"] >= 0.8 and of_pair["copied"]["meaning"] == 0
        assert of_pair["by_translator"]["chrf"] > of_pair["chance"]["chrf"] + 20
        low, high = of_pair["by_translator"]["intervals"]["meaning"]
        assert low <= of_pair["by_translator"]["meaning"] <= high
    assert all(title in said for _, title in WAYS)
    assert f"The translator is {settings.model}." in said and "meaning" in said
