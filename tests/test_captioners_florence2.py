"""Florence-2 in miniature: the real architecture with random weights, against transformers' own way of asking it."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from captioner_examples import STYLES, noise, save_miniature, settings_of
from contracts.captioner import CaptionerContract
from PIL import Image
from pipeline_examples import MODELS, ROOT
from safetensors.torch import load_file, save_file
from transformers import AutoProcessor, CLIPImageProcessorPil, Florence2ForConditionalGeneration

from florenz.captioners import florence2
from florenz.captioners.contract import Answer, CaptionerError
from florenz.captioners.florence2 import Settings
from florenz.captioners.florence2.model import Florence
from florenz.captioners.florence2.pixels import PixelTable, fits
from florenz.captioners.florence2.tasks import TASK_OF_STYLE
from florenz.pipeline.recipe import load_recipe
from florenz.recipes import kinds
from florenz.recipes.fingerprints import fingerprint

PICTURES = [noise(number) for number in range(5)]


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_miniature(tmp_path_factory.mktemp("florence"))


class TestFlorence2(CaptionerContract):
    other_values = {"prefix": "own_", 
        "kind": "other", "model": "org/other", "revision": "abc", "styles": ("short",), "batch_size": 7,
        "reading_threads": 3,
        "max_new_tokens": 9, "num_beams": 2, "dtype": "bfloat16", "device": "cpu", "cpu_threads": 2,
    }  # fmt: skip

    @pytest.fixture
    def settings(self, model_folder: Path) -> Settings:
        return settings_of(model_folder)

    @pytest.fixture
    def captioner(self, settings: Settings) -> Florence:
        """In double precision: in single, random weights blow a rounding up to another word."""
        florence = Florence(settings)
        florence._model.double()
        return florence

    @pytest.fixture
    def cutting_settings(self, settings: Settings) -> Settings:
        return replace(settings, max_new_tokens=3)


# -- identity: captions that were paid for outlive every change. These literals are never edited. ----------------------


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "a3f8ad38bf668c87"),
        ({"revision": "abc123", "max_new_tokens": 64, "num_beams": 3, "dtype": "float16"}, "ab9910a0a03cd332"),
        ({"styles": ("paragraph",), "batch_size": 1, "device": "cuda:1", "cpu_threads": 4}, "a3f8ad38bf668c87"),
    ],
)
def test_a_fingerprint_is_what_it_was_when_captions_were_paid_for(changes: dict, expected: str) -> None:
    assert fingerprint_of(Settings(model="org/captioner", **changes)) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "0d95b001e06b1c3e"),
        ({"max_new_tokens": 64}, "84a765260650016a"),
        ({"dtype": "float16"}, "28a34617c1a26551"),
        ({"revision": "abc123"}, "3e38ee741bbeef31"),
        ({"max_new_tokens": 256, "num_beams": 5, "dtype": "bfloat16", "revision": "0123"}, "bcc0e2148e8d35d7"),
    ],
)
def test_the_florence_recipes_fingerprint_is_what_it_was(changes: dict, expected: str) -> None:
    recipe = load_recipe(str(ROOT / "configs" / "florence2.toml"), {"IMAGES": "photos"})
    assert fingerprint_of(replace(recipe.captioner, **changes)) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "418b5195965a43ef"),
        ({"revision": "abc123"}, "418b5195965a43ef"),
        ({"num_beams": 3}, "11e31802b14c486d"),
        ({"max_new_tokens": 64}, "b9336985993fbfa9"),
        ({"dtype": "float16"}, "6bfae4d19578c0b1"),
    ],
)
def test_the_playgrounds_fingerprint_is_what_it_was(changes: dict, expected: str) -> None:
    """Of the weights in the repository: a captioner that was trained anew has another."""
    recipe = load_recipe(str(ROOT / "configs" / "playground.toml"))
    settings = replace(recipe.captioner, model=str(MODELS / "captioner"), **changes)
    assert fingerprint_of(settings) == expected


def fingerprint_of(settings: Settings) -> str:
    return fingerprint(florence2.fingerprint_parts(settings))


# -- captions ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("num_beams", [1, 3])
def test_shared_vision_features_give_the_captions_of_a_plain_generate(model_folder: Path, num_beams: int) -> None:
    florence = Florence(settings_of(model_folder, num_beams=num_beams))
    answers = florence.caption([florence.prepare(picture) for picture in PICTURES], [STYLES] * len(PICTURES))
    shared = {style: [answer_of[style].text for answer_of in answers] for style in STYLES}

    processor = AutoProcessor.from_pretrained(model_folder, backend="pil")
    model = Florence2ForConditionalGeneration.from_pretrained(model_folder).eval()
    for style in STYLES:
        inputs = processor(images=PICTURES, text=[TASK_OF_STYLE[style]] * len(PICTURES), return_tensors="pt")
        ids = model.generate(**inputs, max_new_tokens=12, num_beams=num_beams, do_sample=False)
        plain = [text.strip() for text in processor.batch_decode(ids, skip_special_tokens=True)]
        assert shared[style] == plain
        assert len(set(plain)) > 2, "the miniature does not look at its pictures, so this proves nothing"
    assert shared["short"] != shared["detailed"]


def test_the_vision_tower_runs_once_for_all_styles(model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    look = Florence.look
    monkeypatch.setattr(
        Florence, "look", lambda florence, pictures: looks.append(len(pictures)) or look(florence, pictures)
    )
    florence = Florence(settings_of(model_folder))
    florence.caption([florence.prepare(picture) for picture in PICTURES], [STYLES] * len(PICTURES))
    assert looks == [len(PICTURES)]


@pytest.mark.parametrize("forced_eos_token_id", [None, 2])
def test_a_caption_that_is_cut_off_says_so(model_folder: Path, forced_eos_token_id: int | None) -> None:
    """Microsoft's Florence-2 forces an end onto the last token, and looks finished when it is not."""
    florence = Florence(settings_of(model_folder, max_new_tokens=3))
    florence._model.generation_config.forced_eos_token_id = forced_eos_token_id
    assert {answer.finish_reason for answer in answers_of(florence)} == {"length"}


def test_a_caption_that_ends_by_itself_says_so(model_folder: Path) -> None:
    florence = Florence(settings_of(model_folder))
    end = florence._model.config.text_config.eos_token_id
    last_norm = florence._model.model.language_model.decoder.layers[-1].final_layer_norm
    with torch.no_grad():
        last_norm.bias.copy_(100 * florence._model.lm_head.weight[end])
    assert set(answers_of(florence)) == {Answer(text="", finish_reason="stop")}


def answers_of(florence: Florence) -> list[Answer]:
    answers = florence.caption([florence.prepare(picture) for picture in PICTURES], [STYLES] * len(PICTURES))
    return [answer for answer_of in answers for answer in answer_of.values()]


def test_the_recipe_says_how_many_threads_there_are(model_folder: Path) -> None:
    Florence(settings_of(model_folder, cpu_threads=3))
    assert torch.get_num_threads() == 3


# -- a model that is none, or not whole --------------------------------------------------------------------------------


def changed_weights(folder: Path, to: Path, change: Callable[[dict], dict]) -> Settings:
    copy = shutil.copytree(folder, to)
    weights = copy / "model.safetensors"
    save_file(change(load_file(weights)), weights, metadata={"format": "pt"})
    return settings_of(copy)


def with_original_names(weights: dict) -> dict:
    """As in microsoft/Florence-2-large: no model. in front, and the language model's names in another order."""
    new = {"language_model.model.shared.weight": weights.pop("model.language_model.shared.weight")}
    return new | {name.removeprefix("model."): tensor for name, tensor in weights.items()}


def without_projection(weights: dict) -> dict:
    return {name: tensor for name, tensor in weights.items() if "image_projection" not in name}


def with_one_more(weights: dict) -> dict:
    return weights | {"model.adapter.weight": torch.zeros(2)}


def with_a_narrow_projection(weights: dict) -> dict:
    name = "model.multi_modal_projector.image_projection.weight"
    return weights | {name: weights[name][:, :-1].contiguous()}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (with_original_names, ["missing (lm_head.weight, model.", ", ...)", "unexpected (language_model."]),
        (without_projection, ["1 missing (model.multi_modal_projector.image_projection.weight)"]),
        (with_one_more, ["1 unexpected (model.adapter.weight)"]),
        (with_a_narrow_projection, ["1 of another shape (model.multi_modal_projector.image_projection.weight)"]),
    ],
)
def test_weights_that_are_not_those_of_the_configuration_stop_the_run(
    model_folder: Path, tmp_path: Path, change: Callable[[dict], dict], words: list[str]
) -> None:
    settings = changed_weights(model_folder, tmp_path / "model", change)
    with pytest.raises(CaptionerError) as refused:
        florence2.load(settings)
    line = str(refused.value)
    assert "\n" not in line and all(word in line for word in words), line
    assert line.startswith(f"captioner {settings.model!r}") and "copy the model anew" in line


def test_tied_weights_are_not_missing(model_folder: Path) -> None:
    assert "lm_head.weight" not in load_file(model_folder / "model.safetensors")
    florence2.load(settings_of(model_folder))


def test_the_originals_weights_are_told_before_anything_is_loaded(model_folder: Path, tmp_path: Path) -> None:
    settings = changed_weights(model_folder, tmp_path / "model", with_original_names)
    (line,) = florence2.problems(settings)
    assert "other names than transformers' ('language_model.decoder.embed_positions.weight')" in line
    assert "choose one like florence-community/Florence-2-large" in line


def test_the_original_on_the_hub_is_told_before_it_is_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    config = {"model_type": "florence2", "auto_map": {"AutoConfig": "configuration_florence2.Florence2Config"}}
    monkeypatch.setattr(florence2, "read_config", lambda name, revision: config)
    (line,) = florence2.problems(Settings(model="microsoft/Florence-2-large"))
    assert "'microsoft/Florence-2-large' is for code of its own" in line
    assert line.endswith("choose one like florence-community/Florence-2-large")
    del config["auto_map"]
    assert list(florence2.problems(Settings(model="florence-community/Florence-2-large"))) == []


def full(*_: object, **__: object) -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 1 GiB")


def test_a_gpu_that_is_too_small_for_the_model_is_one_line(model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Florence2ForConditionalGeneration, "to", full)
    with pytest.raises(CaptionerError) as refused:
        florence2.load(settings_of(model_folder))
    line = str(refused.value)
    assert (
        line.startswith(f"captioner {str(model_folder)!r}: cpu has too little memory for the model")
        and "\n" not in line
    )
    assert "(CUDA out of memory)" in line and 'dtype = "bfloat16"' in line


def test_a_gpu_that_is_too_small_for_a_batch_is_one_line(model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    florence = Florence(settings_of(model_folder))
    prepared = [florence.prepare(picture) for picture in PICTURES]
    monkeypatch.setattr(florence._model, "generate", full)
    with pytest.raises(CaptionerError) as refused:
        florence.caption(prepared, [STYLES] * len(prepared))
    line = str(refused.value)
    assert "too little memory for 5 pictures at once (CUDA out of memory): set batch_size lower" in line


@pytest.mark.parametrize("size_px", [32, 96, 768])
def test_pixel_values_are_the_processor_s_bit_for_bit(size_px: int) -> None:
    processor = CLIPImageProcessorPil(
        size={"height": size_px, "width": size_px}, resample=3, do_center_crop=False,
        image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225],
    )  # fmt: skip
    assert fits(processor)
    table = PixelTable(processor)
    for width, height in ((300, 200), (33, 97), (1, 1), (size_px, size_px), (2000, 31)):
        picture = Image.effect_noise((width, height), 90).convert("RGB")
        assert np.array_equal(table.values(picture), processor(picture, return_tensors="np")["pixel_values"][0])


@pytest.mark.parametrize(
    "change",
    [{"do_center_crop": True}, {"do_normalize": False}, {"do_resize": False}, {"size": {"shortest_edge": 64}}],
)
def test_a_processor_that_does_more_is_asked_itself(model_folder: Path, change: dict[str, object]) -> None:
    florence = Florence(settings_of(model_folder))
    processor = florence._processor.image_processor
    assert florence._pixels is not None
    for name, value in change.items():
        setattr(processor, name, value)
    assert not fits(processor)


def test_pictures_wait_in_the_precision_of_the_model(model_folder: Path) -> None:
    """Half of the bytes, and the rounding is the reading threads' work."""
    half = Florence(replace(settings_of(model_folder), dtype="bfloat16"))
    whole = Florence(settings_of(model_folder))
    assert half.prepare(PICTURES[0]).dtype == torch.bfloat16
    assert torch.equal(half.prepare(PICTURES[0]), whole.prepare(PICTURES[0]).to(torch.bfloat16))


def test_weights_that_were_cut_off_are_told_before_anything_is_loaded(model_folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(model_folder, tmp_path / "model")
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    (line,) = florence2.problems(settings_of(copy))
    assert "are damaged" in line and line.endswith("copy the model anew") and "\n" not in line


def test_another_architecture_is_told(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    (line,) = florence2.problems(settings_of(tmp_path))
    assert "is a llama, not a Florence-2" in line


def test_a_missing_package_is_told(model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds.importlib.util, "find_spec", lambda name: None if name == "transformers" else object())
    (line,) = florence2.problems(settings_of(model_folder))
    assert line == "kind = 'florence2' needs the package 'transformers', which is missing: install it"


def test_pictures_are_scaled_by_pillow_whatever_else_is_installed(model_folder: Path) -> None:
    """torchvision's processor gives other pixels: a picture's caption must not depend on whether it is there."""
    import torchvision

    assert torchvision.__version__
    captioner = florence2.load(florence2.Settings(model=str(model_folder)))
    picture = Image.effect_noise((90, 60), 80).convert("RGB")
    pil = AutoProcessor.from_pretrained(model_folder, backend="pil").image_processor
    torchvisions = AutoProcessor.from_pretrained(model_folder, backend="torchvision").image_processor
    ours = captioner.prepare(picture)
    assert torch.equal(ours, pil(picture, return_tensors="pt")["pixel_values"][0])
    assert not torch.equal(ours, torchvisions(picture, return_tensors="pt")["pixel_values"][0])
