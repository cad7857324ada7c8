"""SigLIP in miniature: the real architecture with random weights, against transformers' own way of asking it."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from captioner_examples import noise
from contracts.scorer import ScorerContract
from safetensors.torch import load_file, save_file
from scorer_examples import save_siglip, siglip_settings
from transformers import AutoImageProcessor, AutoTokenizer, SiglipModel

from florenz.pipeline.answers.ledger import Ledger
from florenz.pipeline.answers.pictures import PictureReader
from florenz.pipeline.answers.questions import ScoreTask
from florenz.pipeline.answers.scoring import Score, forget_scorers
from florenz.scorers import siglip
from florenz.scorers.contract import Question, ScorerError
from florenz.scorers.siglip import Settings
from florenz.scorers.siglip.model import SigLIP


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_siglip(tmp_path_factory.mktemp("scorer"))


@pytest.fixture
def settings(model_folder: Path) -> Settings:
    return siglip_settings(model_folder)


@pytest.fixture
def copied(model_folder: Path, tmp_path: Path) -> Path:
    """A model that may be spoiled."""
    return Path(shutil.copytree(model_folder, tmp_path / "copied"))


class TestSigLIP(ScorerContract):
    other_values = {
        "kind": "other", "model": "org/other", "revision": "abc", "threshold": 0.3, "candidates": 2,
        "temperature": 0.5, "batch_size": 7, "device": "cpu", "cpu_threads": 2, "dtype": "bfloat16",
    }  # fmt: skip

    @pytest.fixture
    def settings(self, model_folder: Path) -> Settings:
        return siglip_settings(model_folder)


def test_the_score_is_the_cosine_behind_the_models_own_logit(settings: Settings) -> None:
    name = settings.model
    model, tokenizer = SiglipModel.from_pretrained(name).eval(), AutoTokenizer.from_pretrained(name)
    pixels = AutoImageProcessor.from_pretrained(name, backend="pil")([noise(0), noise(3)], return_tensors="pt")
    texts = ["a red car.", "zwei vögel auf einer sehr alten mauer am fluss"]
    ids = tokenizer(texts, padding="max_length", max_length=16, truncation=True, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        logits = model(input_ids=ids, pixel_values=pixels["pixel_values"]).logits_per_image
        expected = ((logits - model.logit_bias) / model.logit_scale.exp()).flatten().tolist()
    scorer = SigLIP(settings)
    pictures = [scorer.prepare(noise(0)), scorer.prepare(noise(3))]
    asked = [Question(source="", text=text, language="en", picture=one) for one in pictures for text in texts]
    assert scorer.score(asked) == pytest.approx(expected, abs=1e-4)
    capitals = [replace(one, text=one.text.upper()) for one in asked]
    assert scorer.score(capitals)[0] == pytest.approx(expected[0], abs=1e-4), "it was trained with small letters"
    assert max(expected) - min(expected) > 0.01, "all alike would prove nothing"


def test_a_picture_goes_through_its_tower_once_for_all_its_texts(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer, seen, images = SigLIP(settings), [], SigLIP._images
    monkeypatch.setattr(SigLIP, "_images", lambda self, some: (seen.append(len(some)), images(self, some))[1])
    picture = scorer.prepare(noise(1))
    scorer.score([Question(source="", text=text, language="en", picture=picture) for text in "abc"])
    assert seen == [1]


def test_a_picture_that_can_not_be_read_costs_its_own_scores_alone(settings: Settings, tmp_path: Path) -> None:
    noise(2).save(tmp_path / "there.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    out = str(tmp_path / "out")
    reader = PictureReader(max_bytes=1 << 20, max_pixels=1 << 20)
    score = Score(settings, what="image_text", out=out, fingerprint="f" * 16, progress=None, reader=reader)
    score.setup()
    score.start_bundle()
    for number, name in enumerate(("there", "broken", "gone")):
        source, key = str(tmp_path / f"{name}.png"), f"{number}" * 32
        score.process(ScoreTask(key=key, source=source, style="short", language="en", source_text="", text="A cat."))
    score.finish_bundle()
    score.teardown()
    forget_scorers()
    rows = {row.key[0]: row for row in Ledger(out).read_scores("image_text", "f" * 16).values()}
    assert rows["0"].score is not None and -1 <= rows["0"].score <= 1
    assert rows["1"].score is None and rows["1"].reason and rows["2"].reason == "unreadable_file"


def test_another_model_and_missing_files_are_told_in_one_line(settings: Settings, copied: Path) -> None:
    spoiled = replace(settings, model=str(copied))
    config = json.loads((copied / "config.json").read_text())
    (copied / "config.json").write_text(json.dumps(config | {"model_type": "siglip2"}))
    (line,) = siglip.problems(spoiled)
    assert "is a siglip2, not a siglip: choose one of fixed resolution" in line
    (copied / "config.json").write_text(json.dumps(config))
    (copied / "preprocessor_config.json").rename(copied / "elsewhere.json")
    (line,) = siglip.problems(spoiled)
    assert "has no preprocessor_config.json" in line
    (copied / "elsewhere.json").rename(copied / "preprocessor_config.json")
    weights = load_file(copied / "model.safetensors")
    del weights["logit_scale"]
    save_file(weights, copied / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ScorerError, match="1 missing .logit_scale."):
        SigLIP(spoiled)
