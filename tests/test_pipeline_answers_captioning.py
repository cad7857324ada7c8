"""What the caption step adds to a captioner: files are read, answers are kept, a bad image costs itself alone."""

import shutil
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from captioner_examples import STYLES, noise, save_miniature, settings_of
from pipeline_examples import MODELS, key_of

from florenz.captioners import florence2
from florenz.captioners.contract import Answer
from florenz.captioners.florence2 import Settings
from florenz.images.sources import ImageRef
from florenz.pipeline.answers import captioning, pictures
from florenz.pipeline.answers.captioning import Caption, CaptionerError, forget_captioner, load_captioner
from florenz.pipeline.answers.ledger import CaptionRow, Ledger
from florenz.pipeline.answers.questions import CaptionTask


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return settings_of(save_miniature(tmp_path_factory.mktemp("florence")))


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("photos")
    paths = [folder / f"{number}.png" for number in range(5)]
    for number, path in enumerate(paths):
        noise(number).save(path)
    return paths


def step_for(settings: Settings, out: Path) -> Caption:
    return Caption(
        settings,
        out=str(out),
        fingerprints=dict.fromkeys(settings.styles, "f" * 16),
        max_bytes=10**7,
        max_pixels=10**7,
        progress=None,
    )


def tasks_for(paths: Sequence[Path], styles: tuple[str, ...] = STYLES) -> list[CaptionTask]:
    return [CaptionTask(key=key_of(path.read_bytes()), source=str(path), styles=styles) for path in paths]


def captions_of(rows: Sequence[CaptionRow]) -> dict[tuple[str, str], str | None]:
    return {(row.key, row.style): row.text for row in rows}


def run(settings: Settings, out: Path, tasks: list[CaptionTask]) -> list[CaptionRow]:
    """What the step leaves in the ledger."""
    step = step_for(settings, out)
    step.setup()
    step.start_bundle()
    for task in tasks:
        step.process(task)
    step.finish_bundle()
    step.teardown()
    return list(Ledger(str(out)).read_captions("f" * 16).values())


def test_every_answer_is_in_the_ledger(settings: Settings, photos: list[Path], tmp_path: Path) -> None:
    rows = run(settings, tmp_path, tasks_for(photos))
    assert {(row.key, row.style) for row in rows} == {
        (task.key, style) for task in tasks_for(photos) for style in STYLES
    }


@pytest.mark.parametrize("threads", [3, None])
def test_threads_change_no_caption(settings: Settings, photos: list[Path], tmp_path: Path, threads: int | None) -> None:
    one, many = (replace(settings, batch_size=2, reading_threads=number) for number in (1, threads))
    alone = captions_of(run(one, tmp_path / "one", tasks_for(photos)))
    assert captions_of(run(many, tmp_path / "many", tasks_for(photos))) == alone


def test_a_bad_image_costs_its_own_captions_and_no_others(
    settings: Settings, photos: list[Path], tmp_path: Path
) -> None:
    broken, gone = tmp_path / "broken.jpg", tmp_path / "gone.jpg"
    broken.write_bytes(b"\xff\xd8\xff\xe0" + bytes(50))
    (bad,) = tasks_for([broken])
    absent = CaptionTask(key="0" * 32, source=str(gone), styles=STYLES)
    good = tasks_for(photos)
    rows = run(settings, tmp_path / "out", [*good[:2], bad, *good[2:], absent])
    rejected = {(row.key, row.style): row.reason for row in rows if row.text is None}
    assert rejected == {
        **{(bad.key, style): "broken_image" for style in STYLES},
        **{(absent.key, style): "unreadable_file" for style in STYLES},
    }
    alone = captions_of(run(settings, tmp_path / "alone", good))
    assert {pair: text for pair, text in captions_of(rows).items() if text is not None} == alone


def test_a_batch_of_bad_images_alone_asks_the_model_nothing(settings: Settings, tmp_path: Path) -> None:
    empty = tmp_path / "empty.jpg"
    empty.write_bytes(b"")
    (row,) = run(settings, tmp_path / "out", tasks_for([empty], styles=("short",)))
    assert (row.text, row.reason) == (None, "empty_file")


def test_each_image_gets_the_styles_that_it_lacks(settings: Settings, photos: list[Path], tmp_path: Path) -> None:
    both = captions_of(run(settings, tmp_path / "both", tasks_for(photos)))
    wanted = (("short",), ("detailed",), STYLES, ("detailed",), ("short",))
    tasks = [replace(task, styles=styles) for task, styles in zip(tasks_for(photos), wanted, strict=True)]
    some = captions_of(run(settings, tmp_path / "some", tasks))
    assert set(some) == {(task.key, style) for task in tasks for style in task.styles}
    assert some == {pair: both[pair] for pair in some}


def test_a_caption_that_was_cut_off_is_marked_in_the_ledger(
    settings: Settings, photos: list[Path], tmp_path: Path
) -> None:
    rows = run(replace(settings, max_new_tokens=3), tmp_path, tasks_for(photos))
    assert [row.finish_reason for row in rows] == ["length"] * len(photos) * len(STYLES)


def test_images_of_the_next_batch_are_read_while_one_is_captioned(
    settings: Settings, photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model waits in its first batch until the second has been read, which a step without read-ahead never does."""
    was_read: dict[str, threading.Event] = {str(path): threading.Event() for path in photos[:4]}
    read = pictures.read_image_bytes

    def noted_read(ref: ImageRef, **limits: Any) -> bytes:
        data = read(ref, **limits)
        was_read[ref.uri].set()
        return data

    class Patient:
        def prepare(self, picture: Any) -> str:
            return "prepared"

        def caption(self, prepared: Sequence[Any], styles: Sequence[Sequence[str]]) -> list[dict[str, Answer]]:
            ahead = next((event for event in was_read.values() if not event.is_set()), None)
            assert len(prepared) == 1 or ahead is None or ahead.wait(60), "nobody reads ahead"
            return [{style: Answer(text=f"{style} text") for style in wanted} for wanted in styles]

    monkeypatch.setattr(pictures, "read_image_bytes", noted_read)
    monkeypatch.setattr(captioning, "load_captioner", lambda settings: Patient())
    rows = run(replace(settings, batch_size=2), tmp_path, tasks_for(photos[:4]))
    assert len(rows) == 4 * len(STYLES)


def test_a_captioner_whose_weights_are_damaged_is_told_in_one_line(tmp_path: Path) -> None:
    folder = shutil.copytree(MODELS / "captioner", tmp_path / "captioner")
    (folder / "model.safetensors").write_bytes(b"cut off")
    with pytest.raises(CaptionerError, match="can't be loaded .*: copy the model anew") as refused:
        load_captioner(Settings(model=str(folder)))
    assert "\n" not in str(refused.value)


def test_a_package_that_the_captioner_lacks_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(settings: Settings) -> None:
        raise ModuleNotFoundError("No module named 'transformers'")

    monkeypatch.setattr(florence2, "load", load)
    with pytest.raises(CaptionerError, match=r"\(ModuleNotFoundError: No module named 'transformers'\): install what"):
        load_captioner(Settings(model="org/captioner"))


def test_a_captioner_is_loaded_once_in_a_process() -> None:
    settings = Settings(model=str(MODELS / "captioner"))
    assert load_captioner(settings) is load_captioner(settings)
    forget_captioner()
