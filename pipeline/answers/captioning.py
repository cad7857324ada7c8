"""Step 2, caption: image -> English caption per style, by any captioner through Beam's RunInference.

An image that can't be decoded costs its own captions and no others', which Beam's own handlers don't give. Every batch
of answers is in the ledger before RunInference hands it on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from apache_beam.ml.inference.base import ModelHandler
from PIL.Image import Image
from safetensors import SafetensorError

from florenz.captioners.contract import Captioner, CaptionerError, CaptionerSettings, kind_of
from florenz.images.decoding import BadImage, decode
from florenz.images.sources import DEFAULTS, ImageRef, read_image_bytes
from florenz.limits.table import SIDE_RATIO, Limits
from florenz.pipeline.answers.ledger import CaptionRow, Ledger
from florenz.pipeline.answers.questions import CaptionTask
from florenz.pipeline.progress import ProgressAddress, advance, count


@cache
def load_captioner(settings: CaptionerSettings) -> Captioner:
    """The captioner, once per process: a run loads it before anything is asked, and its graph finds it loaded.

    Raises:
        CaptionerError: files are missing or damaged, or a library that it needs.
    """
    try:
        return kind_of(settings).load(settings)
    except CaptionerError:
        raise
    except (OSError, ValueError, RuntimeError, KeyError, ImportError, SafetensorError) as problem:
        first_line = str(problem).strip().partition("\n")[0]
        is_package = isinstance(problem, ModuleNotFoundError)
        advice = "install what is missing" if is_package else "copy the model anew, or name another"
        raise CaptionerError(
            f"captioner {settings.model!r} can't be loaded ({type(problem).__name__}: {first_line}): {advice}"
        ) from problem


class CaptionHandler(ModelHandler[CaptionTask, CaptionRow, Captioner]):
    """What RunInference needs to know about captioning."""

    def __init__(
        self,
        settings: CaptionerSettings,
        *,
        out: str,
        fingerprint: str,
        max_bytes: int,
        max_pixels: int,
        progress: ProgressAddress,
        max_side_ratio: float = SIDE_RATIO,
        limits: Limits = DEFAULTS,
    ) -> None:
        super().__init__()
        self._settings, self._out, self._fingerprint = settings, out, fingerprint
        self._max_bytes, self._max_pixels, self._progress = max_bytes, max_pixels, progress
        self._max_side_ratio, self._limits = max_side_ratio, limits

    def load_model(self) -> Captioner:
        return load_captioner(self._settings)

    def batch_elements_kwargs(self) -> Mapping[str, Any]:
        return {"min_batch_size": self._settings.batch_size, "max_batch_size": self._settings.batch_size}

    def run_inference(
        self, batch: Sequence[CaptionTask], model: Captioner, inference_args: dict[str, Any] | None = None
    ) -> Iterable[CaptionRow]:
        rows: list[CaptionRow] = []
        readable: list[CaptionTask] = []
        prepared: list[Any] = []
        for task in batch:
            try:
                prepared.append(model.prepare(self._picture(task.source)))
                readable.append(task)
            except BadImage as bad:
                rows += [
                    CaptionRow(key=task.key, style=style, text=None, reason=bad.reason, detail=bad.detail)
                    for style in task.styles
                ]
        if readable:
            rows += _captions(readable, prepared, model)
        Ledger(self._out).append_captions(self._fingerprint, rows)
        advance(self._progress, "caption", len(batch))
        count("caption", len(batch))
        return rows

    def _picture(self, source: str) -> Image:
        """Raises BadImage."""
        data = read_image_bytes(ImageRef(uri=source), max_bytes=self._max_bytes, limits=self._limits)
        return decode(data, max_pixels=self._max_pixels, max_side_ratio=self._max_side_ratio)


def _captions(tasks: Sequence[CaptionTask], prepared: Sequence[Any], model: Captioner) -> list[CaptionRow]:
    """Captions in those styles that each image lacks."""
    answers = model.caption(prepared, [task.styles for task in tasks])
    return [
        CaptionRow(
            key=task.key,
            style=style,
            text=None if answer.reason else answer.text,
            finish_reason=answer.finish_reason,
            reason=answer.reason,
            detail=answer.detail,
        )
        for task, answer_of in zip(tasks, answers, strict=True)
        for style, answer in answer_of.items()
    ]
