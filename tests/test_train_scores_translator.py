"""The dataset's translator as a baseline: it is asked over HTTP, and its answers stand in the table."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import test_train_scores_sets_commute as commute_files
import test_train_scores_sets_xm3600 as xm3600_files
from model_examples import miniature
from training_examples import write_recipe

from benchmarks.stand_in_server import StandInServer, status
from florenz.recipes.recipe_file import RecipeError
from florenz.train.evaluate import main
from florenz.train.recipe import load_recipe
from florenz.train.scores.asking import Asking, written_by
from florenz.train.scores.items import example_of, picture_of
from florenz.train.scores.scoring import evaluate
from florenz.train.scores.sets import commute, xm3600
from florenz.train.scores.texts import score_texts
from florenz.train.scores.translator import BaselineTranslator, problems, translate_with

SECTION = '[translator]\nmodel = "m"\nprompt = "playground"\nmax_retries = 0\nendpoint = "{endpoint}"\n[compute]'


def shout(prompt: str) -> str:
    """Translates "<s>x<|de|>" to "DE X"."""
    text, _, language = prompt.removeprefix("<s>").partition("<|")
    return f"{language[:2]} {text}".upper()


@pytest.fixture
def server() -> Iterator[StandInServer]:
    with StandInServer("m", shout) as running:
        yield running


def settings_for(server: StandInServer, **others: Any) -> BaselineTranslator:
    return BaselineTranslator(model="m", prompt="playground", endpoint=server.endpoint, **others)


def test_it_translates_the_models_own_english_and_the_sources(server: StandInServer, tmp_path: Path) -> None:
    (tmp_path / "captions").mkdir()
    (tmp_path / "sentences").mkdir()
    xm3600_files.write_set(tmp_path / "captions")
    commute_files.write_set(tmp_path / "sentences")
    model, processor = miniature("florence")
    asking = Asking(max_new_tokens=6, is_benchmark=True, translate=translate_with(settings_for(server)))
    captions = xm3600.Set(folder=str(tmp_path / "captions"))
    english, french = evaluate(model, processor, captions, asking=asking).pairs
    assert english.by_translator is None
    items = [item for item in captions.items("test") if item.language == "fr"]
    in_english = [
        next(one for one in captions.items("test") if one.image == item.image and one.language == "en")
        for item in items
    ]
    examples = [example_of(item, picture_of(item, processor.image_px)) for item in in_english]
    answers = [f"fr {text or '-'}".upper() for text in written_by(model, processor, examples, asking)]
    references, metrics = [item.references for item in items], captions.metrics
    assert french.by_translator == score_texts(answers, references, "fr", metrics, with_intervals=True)
    sentences = commute.Set(folder=str(tmp_path / "sentences"))
    (german,) = evaluate(model, processor, sentences, asking=asking).pairs
    asked = list(sentences.items("en-de"))
    answers = [f"de {item.source_text}".upper() for item in asked]
    references = [item.references for item in asked]
    assert german.by_translator == score_texts(answers, references, "de", sentences.metrics, with_intervals=True)
    assert german.by_translator != german.copied


def test_a_language_that_its_family_lacks_is_left_out(server: StandInServer) -> None:
    settings = BaselineTranslator(model="m", prompt="alma", endpoint=server.endpoint)
    assert translate_with(settings)(["a car"], "fr") == [] and not server.asked


def test_a_language_of_another_model_of_its_family_is_left_out_too() -> None:
    with StandInServer("haoranxu/X-ALMA-13B-Group6", shout) as server:
        settings = BaselineTranslator(model=server.model, prompt="x_alma", api="chat", endpoint=server.endpoint)
        assert problems(settings) == []
        assert translate_with(settings)(["a car"], "de") == [] and not server.asked
        assert len(translate_with(settings)(["a car"], "zh")) == 1 and server.asked


def test_a_text_that_it_refuses_is_an_empty_answer(server: StandInServer) -> None:
    server.rule = lambda request: status(400) if "poison" in "".join(request.prompts) else None
    assert translate_with(settings_for(server))(["a car", "poison"], "de") == ["DE A CAR", ""]


def scored(tmp_path: Path, endpoint: str, *variables: str) -> int:
    recipe = write_recipe(tmp_path, ("[compute]", SECTION.format(endpoint=endpoint)))
    if not (tmp_path / "bench").exists():
        (tmp_path / "bench").mkdir()
        commute_files.write_set(tmp_path / "bench")
        model, processor = miniature("florence")
        model.save_pretrained(tmp_path / "out" / "model")
        processor.save_pretrained(tmp_path / "out" / "model")
    return main([str(recipe), "BENCHMARK=commute", f"BENCHMARK_DATA={tmp_path}/bench", "BEAMS=1", *variables])


def test_the_command_has_a_row_for_it_and_says_which_it_was(
    server: StandInServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert scored(tmp_path, "http://127.0.0.1:9/v1", f"ENDPOINT={server.endpoint}") == 0
    said = capsys.readouterr().out
    assert "English, by translator" in said and "The translator is m." in said
    numbers = json.loads((tmp_path / "out" / "evaluation-commute.json").read_text())
    assert numbers["translator"] == "m" and numbers["pairs"][0]["by_translator"]["bleu"] is not None


def test_a_server_that_is_lost_on_the_way_is_one_line(
    server: StandInServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    server.rule = lambda request: status(503)
    assert scored(tmp_path, server.endpoint) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"florenz: [translator] {server.endpoint}: HTTP 503") and "then score anew" in line
    assert "kept" not in line and not caplog.records and not list((tmp_path / "out").glob("eval*"))


def test_one_that_does_not_answer_is_refused_before_a_model_is_loaded(
    server: StandInServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("florenz.train.scores.finished.load", pytest.fail)
    assert scored(tmp_path, "http://127.0.0.1:9/v1") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "[translator] http://127.0.0.1:9/v1 is out of reach" in line
    server.model = "another"
    assert scored(tmp_path, server.endpoint) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "serves another, not 'm'" in line


def test_the_section_is_read_like_the_datasets_and_changes_no_training(tmp_path: Path) -> None:
    with_one = load_recipe(str(write_recipe(tmp_path, ("[compute]", SECTION.format(endpoint="http://host/v1")))))
    without = load_recipe(str(write_recipe(tmp_path)))
    assert with_one.translator is not None and with_one.translator.endpoint == "http://host/v1"
    assert without.translator is None and with_one.identity() == without.identity()
    wrong = SECTION.replace("max_retries", "max_retrys").format(endpoint="http://host/v1")
    with pytest.raises(RecipeError, match=r"unknown key 'max_retrys' in \[translator\]: did you mean 'max_retries'"):
        load_recipe(str(write_recipe(tmp_path, ("[compute]", wrong))))
    with pytest.raises(RecipeError, match=r"\[translator\] model is missing"):
        load_recipe(str(write_recipe(tmp_path)), {"ENDPOINT": "http://host/v1"})
