"""The captioner on a miniature Florence-2 with random weights: what it says is noise, how it says it is not."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pipeline_examples import MODELS, key_of
from transformers import AutoProcessor, Florence2ForConditionalGeneration

from florenz.captioners.styles import TASK_OF_STYLE
from florenz.pipeline.answers.captioning import CaptionerError, CaptionHandler, Florence, load_captioner
from florenz.pipeline.answers.ledger import CaptionRow, Ledger
from florenz.pipeline.answers.questions import CaptionTask
from florenz.pipeline.recipe import Captioner
from florenz.playground.captioner_model import build_model, build_processor, build_tokenizer

STYLES = ("short", "detailed")
TEXTS = ["A red cat on the grass.", "Two blue cars in a room. It is night.", *("What does the image describe?",) * 3]


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights large enough that what comes out depends on picture and prompt."""
    folder = tmp_path_factory.mktemp("florence")
    torch.manual_seed(3)
    tokenizer = build_tokenizer(TEXTS)
    model = build_model(tokenizer)
    with torch.no_grad():
        for weights in model.parameters():
            if weights.dim() > 1:
                weights.normal_(std=0.4)
    model.tie_weights()
    model.save_pretrained(folder)
    build_processor(tokenizer).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("photos")
    noise = np.random.default_rng(0)
    paths = [folder / f"{number}.png" for number in range(5)]
    for number, path in enumerate(paths):
        pixels = noise.integers(0, 256, (40 + 30 * number, 60, 3), dtype=np.uint8)
        Image.fromarray(pixels // 4 + 48 * number).save(path)
    return paths


def settings_of(folder: Path, **changes: object) -> Captioner:
    return replace(Captioner(model=str(folder), max_new_tokens=12, cpu_threads=1), **changes)  # type: ignore[arg-type]


def handler_for(settings: Captioner, out: Path) -> CaptionHandler:
    return CaptionHandler(
        settings, out=str(out), fingerprint="f" * 16, max_bytes=10**7, max_pixels=10**7, progress=None
    )


def tasks_for(paths: Sequence[Path], styles: tuple[str, ...] = STYLES) -> list[CaptionTask]:
    return [CaptionTask(key=key_of(path.read_bytes()), source=str(path), styles=styles) for path in paths]


def captions_of(rows: Sequence[CaptionRow]) -> dict[tuple[str, str], str | None]:
    return {(row.key, row.style): row.text for row in rows}


def run(settings: Captioner, out: Path, tasks: list[CaptionTask]) -> list[CaptionRow]:
    handler = handler_for(settings, out)
    return list(handler.run_inference(tasks, handler.load_model()))


@pytest.mark.parametrize("num_beams", [1, 3])
def test_shared_vision_features_give_the_captions_of_a_plain_generate(
    model_folder: Path, photos: list[Path], num_beams: int
) -> None:
    settings = settings_of(model_folder, num_beams=num_beams)
    pictures = [Image.open(path).convert("RGB") for path in photos]
    florence = Florence(settings)
    features = florence.look([florence.pixels(picture) for picture in pictures])
    shared = {style: [text for text, _ in florence.caption(features, style)] for style in STYLES}

    processor = AutoProcessor.from_pretrained(model_folder)
    model = Florence2ForConditionalGeneration.from_pretrained(model_folder).eval()
    for style in STYLES:
        inputs = processor(images=pictures, text=[TASK_OF_STYLE[style]] * len(pictures), return_tensors="pt")
        ids = model.generate(**inputs, max_new_tokens=12, num_beams=num_beams, do_sample=False)
        plain = [text.strip() for text in processor.batch_decode(ids, skip_special_tokens=True)]
        assert shared[style] == plain
        assert len(set(plain)) > 2, "the miniature does not look at its pictures, so this proves nothing"
    assert shared["short"] != shared["detailed"]


def test_the_vision_tower_runs_once_for_all_styles(
    model_folder: Path, photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []
    look = Florence.look
    monkeypatch.setattr(
        Florence, "look", lambda florence, pictures: looks.append(len(pictures)) or look(florence, pictures)
    )
    run(settings_of(model_folder), tmp_path, tasks_for(photos))
    assert looks == [len(photos)]


def test_every_answer_of_the_batch_is_in_the_ledger(model_folder: Path, photos: list[Path], tmp_path: Path) -> None:
    rows = run(settings_of(model_folder), tmp_path, tasks_for(photos))
    assert len(rows) == len(photos) * len(STYLES)
    assert Ledger(str(tmp_path)).read_captions("f" * 16) == {(row.key, row.style): row for row in rows}


def test_a_bad_image_costs_its_own_captions_and_no_others(
    model_folder: Path, photos: list[Path], tmp_path: Path
) -> None:
    broken, gone = tmp_path / "broken.jpg", tmp_path / "gone.jpg"
    broken.write_bytes(b"\xff\xd8\xff\xe0" + bytes(50))
    (bad,) = tasks_for([broken])
    absent = CaptionTask(key="0" * 32, source=str(gone), styles=STYLES)
    good = tasks_for(photos)
    rows = run(settings_of(model_folder), tmp_path / "out", [*good[:2], bad, *good[2:], absent])
    rejected = {(row.key, row.style): row.reason for row in rows if row.text is None}
    assert rejected == {
        **{(bad.key, style): "broken_image" for style in STYLES},
        **{(absent.key, style): "unreadable_file" for style in STYLES},
    }
    alone = captions_of(run(settings_of(model_folder), tmp_path / "alone", good))
    assert {pair: text for pair, text in captions_of(rows).items() if text is not None} == alone


def test_a_batch_of_bad_images_alone_asks_the_model_nothing(model_folder: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty.jpg"
    empty.write_bytes(b"")
    (row,) = run(settings_of(model_folder), tmp_path / "out", tasks_for([empty], styles=("short",)))
    assert (row.text, row.reason) == (None, "empty_file")


def test_each_image_gets_the_styles_that_it_lacks(model_folder: Path, photos: list[Path], tmp_path: Path) -> None:
    both = captions_of(run(settings_of(model_folder), tmp_path / "both", tasks_for(photos)))
    wanted = (("short",), ("detailed",), STYLES, ("detailed",), ("short",))
    tasks = [replace(task, styles=styles) for task, styles in zip(tasks_for(photos), wanted, strict=True)]
    some = captions_of(run(settings_of(model_folder), tmp_path / "some", tasks))
    assert set(some) == {(task.key, style) for task in tasks for style in task.styles}
    assert some == {pair: both[pair] for pair in some}


@pytest.mark.parametrize("forced_eos_token_id", [None, 2])
def test_a_caption_that_is_cut_off_says_so(
    model_folder: Path, photos: list[Path], tmp_path: Path, forced_eos_token_id: int | None
) -> None:
    """Microsoft's Florence-2 forces an end onto the last token, and looks finished when it is not."""
    handler = handler_for(settings_of(model_folder, max_new_tokens=3), tmp_path)
    florence = handler.load_model()
    florence._model.generation_config.forced_eos_token_id = forced_eos_token_id
    rows = list(handler.run_inference(tasks_for(photos), florence))
    assert [row.finish_reason for row in rows] == ["length"] * len(photos) * len(STYLES)


def test_a_caption_that_ends_by_itself_says_so(model_folder: Path, photos: list[Path], tmp_path: Path) -> None:
    handler = handler_for(settings_of(model_folder), tmp_path)
    florence = handler.load_model()
    _say_nothing_but_the_end(florence)
    rows = list(handler.run_inference(tasks_for(photos), florence))
    assert {(row.text, row.finish_reason) for row in rows} == {("", "stop")}


def _say_nothing_but_the_end(florence: Florence) -> None:
    end = florence._model.config.text_config.eos_token_id
    last_norm = florence._model.model.language_model.decoder.layers[-1].final_layer_norm
    with torch.no_grad():
        last_norm.bias.copy_(100 * florence._model.lm_head.weight[end])


def test_the_recipe_says_how_many_threads_there_are(model_folder: Path) -> None:
    before = torch.get_num_threads()
    try:
        Florence(settings_of(model_folder, cpu_threads=3))
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_beam_is_told_to_make_batches_of_the_recipes_size(model_folder: Path, tmp_path: Path) -> None:
    sizes = handler_for(settings_of(model_folder, batch_size=7), tmp_path).batch_elements_kwargs()
    assert sizes == {"min_batch_size": 7, "max_batch_size": 7}


def test_a_captioner_whose_weights_are_damaged_is_told_in_one_line(tmp_path: Path) -> None:
    folder = shutil.copytree(MODELS / "captioner", tmp_path / "captioner")
    (folder / "model.safetensors").write_bytes(b"cut off")
    with pytest.raises(CaptionerError, match="can't be loaded .*: copy the model anew") as refused:
        load_captioner(Captioner(model=str(folder)))
    assert "\n" not in str(refused.value)


def test_a_captioner_is_loaded_once_in_a_process() -> None:
    settings = Captioner(model=str(MODELS / "captioner"))
    assert load_captioner(settings) is load_captioner(settings)
    load_captioner.cache_clear()
