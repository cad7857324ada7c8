"""MetricX in miniature: an mT5 with random weights, against transformers' own way of asking it, text by text."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from contracts.scorer import TEXTS, ScorerContract
from safetensors.torch import load_file, save_file
from scorer_examples import metricx_settings, save_metricx
from transformers import MT5Model, T5Tokenizer

from florenz.recipes.fingerprints import fingerprint
from florenz.scorers import metricx
from florenz.scorers.contract import Question, ScorerError
from florenz.scorers.metricx import Settings
from florenz.scorers.metricx.model import MetricX

QUESTIONS = [Question(source=source, text=text, language=language) for source, text, language in TEXTS]


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_metricx(tmp_path_factory.mktemp("scorer"))


@pytest.fixture
def settings(model_folder: Path) -> Settings:
    return metricx_settings(model_folder)


@pytest.fixture
def copied(model_folder: Path, tmp_path: Path) -> Path:
    """A model that may be spoiled."""
    return Path(shutil.copytree(model_folder, tmp_path / "copied"))


class TestMetricX(ScorerContract):
    other_values = {
        "kind": "other", "model": "org/other", "revision": "abc", "threshold": 3.0, "candidates": 2, "temperature": 0.5,
        "batch_size": 7, "device": "cpu",
        "cpu_threads": 2, "tokenizer": "org/words", "dtype": "bfloat16", "score_token_id": 3, "max_tokens": 9,
    }  # fmt: skip

    @pytest.fixture
    def settings(self, model_folder: Path) -> Settings:
        return metricx_settings(model_folder)


def test_the_score_is_one_logit_of_the_first_step_without_an_end_token(settings: Settings) -> None:
    """By hand, from the last layer that is in the file: transformers 5 would put the word embeddings there."""
    tokenizer = T5Tokenizer.from_pretrained(settings.model)
    body = MT5Model.from_pretrained(settings.model).eval()
    head = load_file(f"{settings.model}/model.safetensors")["lm_head.weight"]
    row = head[tokenizer.convert_tokens_to_ids("<extra_id_10>")]
    expected = []
    for source, text, _ in TEXTS:
        ids = tokenizer(f"source: {source} candidate: {text}")["input_ids"]
        assert ids[-1] == tokenizer.eos_token_id
        with torch.no_grad():
            state = body(input_ids=torch.tensor([ids[:-1]]), decoder_input_ids=torch.tensor([[0]])).last_hidden_state
        expected.append(min(25.0, max(0.0, float(state[0, 0] @ row))))
    found = MetricX(settings).score(QUESTIONS)
    assert found == pytest.approx(expected, abs=1e-4)
    assert min(found) < max(found) - 1, "all alike would prove nothing"


def test_scores_end_at_0_and_at_25(settings: Settings) -> None:
    scorer = MetricX(settings)
    row = scorer.model.lm_head.weight[settings.score_token_id]
    with torch.no_grad():
        row *= 100
    assert set(scorer.score(QUESTIONS)) <= {0.0, 25.0}
    with torch.no_grad():
        row *= -1
    assert {0.0} <= set(scorer.score(QUESTIONS)) <= {0.0, 25.0}


def test_what_is_too_long_is_cut_and_nothing_before(settings: Settings) -> None:
    short = MetricX(replace(settings, max_tokens=11))
    same_start = [Question(source="", text=text, language="de") for text in ("Ein Haus", "Ein Baum")]
    one, other = short.score(same_start)
    assert one == other, "both were cut within the prompt"
    one, other = MetricX(settings).score(same_start)
    assert one != other


def test_a_tokenizer_of_its_own(settings: Settings, copied: Path, tmp_path: Path) -> None:
    words = tmp_path / "words"
    words.mkdir()
    for path in copied.glob("*token*"):
        path.rename(words / path.name)
    alone = replace(settings, model=str(copied))
    (told,) = metricx.problems(alone)
    assert "has no tokenizer" in told and 'tokenizer = "google/mt5-large"' in told
    apart = replace(alone, tokenizer=str(words))
    assert list(metricx.problems(apart)) == []
    assert MetricX(apart).score(QUESTIONS) == MetricX(settings).score(QUESTIONS)
    before = fingerprint(metricx.fingerprint_parts(apart))
    (words / "tokenizer_config.json").write_text("{}")
    assert fingerprint(metricx.fingerprint_parts(apart)) != before, "other words are other scores"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"model_type": "t5"}, "is a t5, not an mT5"),
        ({"vocab_size": 10}, "has 10 words"),
        ({"vocab_size": "many"}, "has many words"),
    ],
)
def test_another_model_is_told_in_one_line(settings: Settings, copied: Path, change: dict, told: str) -> None:
    config = json.loads((copied / "config.json").read_text())
    (copied / "config.json").write_text(json.dumps(config | change))
    (line,) = metricx.problems(replace(settings, model=str(copied)))
    assert told in line and "google/metricx-24-hybrid-large-v2p6" in line and "\n" not in line


def test_a_folder_that_is_not_there_and_one_without_weights_are_told(settings: Settings, copied: Path) -> None:
    (line,) = metricx.problems(replace(settings, model=str(copied / "nowhere")))
    assert "there is no model folder" in line
    (copied / "model.safetensors").rename(copied / "pytorch_model.bin")
    (line,) = metricx.problems(replace(settings, model=str(copied)))
    assert "has no weights (*.safetensors)" in line
    with pytest.raises(OSError):
        MetricX(replace(settings, model=str(copied)))


@pytest.mark.parametrize(("fault", "told"), [("missing", "1 missing (lm_head.weight)"), ("more", "1 unexpected")])
def test_weights_that_are_not_those_of_the_architecture_are_refused(
    settings: Settings, copied: Path, fault: str, told: str
) -> None:
    weights = load_file(copied / "model.safetensors")
    if fault == "missing":
        del weights["lm_head.weight"]
    else:
        weights["decoder.head.weight"] = torch.zeros(2)
    save_file(weights, copied / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ScorerError) as refused:
        MetricX(replace(settings, model=str(copied)))
    assert told in str(refused.value) and "copy the model anew" in str(refused.value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"model": " "}, "model is empty"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"dtype": "float16"}, "dtype is 'float16': choose float32 or bfloat16"),
        ({"device": "gpu"}, "device is 'gpu'"),
        ({"score_token_id": -1}, "score_token_id is -1"),
    ],
)
def test_settings_that_can_not_be_are_refused(change: dict, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Settings(**{"model": "org/model", **change})
