"""Step 2, caption: image -> English caption per style, by any captioner.

Images are read, decoded and resized by a few threads ahead of the model, which would otherwise wait for JPEGs: one core
makes 5 tensors a second of 12-megapixel photos. They stay in order, and so do the batches. An image that can't be
decoded costs its own captions and no others'; every batch of answers is in the ledger before the next is captioned.
A captioner at a server is asked image by image, and what comes back goes into the ledger some images at once.
"""

from __future__ import annotations

import contextlib
import os
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import apache_beam as beam

from florenz.captioners.contract import (
    Answer,
    Captioner,
    CaptionerError,
    CaptionerSettings,
    CaptionStream,
    OnAccelerator,
    Served,
    Streaming,
    kind_of,
)
from florenz.images.decoding import BadImage
from florenz.images.sources import DEFAULTS
from florenz.limits.table import SIDE_RATIO, Limits
from florenz.pipeline.answers.busy import Meter, leave
from florenz.pipeline.answers.captioned import Captioned
from florenz.pipeline.answers.first_batch import FirstCaptions, prove
from florenz.pipeline.answers.ledger import CaptionRow, Ledger
from florenz.pipeline.answers.loaded import LoadedModels
from florenz.pipeline.answers.pictures import PictureReader
from florenz.pipeline.answers.questions import CaptionTask
from florenz.pipeline.answers.whole_images import WholeImages, row_of, rows_without
from florenz.pipeline.budget import UNLIMITED, Budget
from florenz.pipeline.progress import ProgressAddress, advance, count
from florenz.translators.endpoint import ServerError

MAX_THREADS = 8  # each may hold a decoded picture, 300 MB at most


def load_captioner(settings: CaptionerSettings) -> Captioner:
    """The captioner, once per process: a run loads it before anything is asked, and its graph finds it loaded.

    Raises:
        CaptionerError: files are missing or damaged, or a library that it needs; or it can't caption a picture.
    """
    return _LOADED.load(settings)


def forget_captioner() -> None:
    """Its server ends, if it has one; its memory is free once nobody else holds it."""
    _LOADED.forget()


def free_on_gpu() -> int | None:
    """Bytes that the captioners of this process leave, or have to work in, on the fullest of their GPUs; None where no
    captioner is on one now.
    """
    found = [captioner.free_bytes for captioner in _LOADED.open() if isinstance(captioner, OnAccelerator)]
    return min((free for free in found if free is not None), default=None)


def _prove(captioner: Captioner, settings: CaptionerSettings) -> None:
    try:
        prove(captioner, settings)
    except ServerError as problem:
        raise CaptionerError(f"captioner {settings.model!r}: {problem}") from problem


def _make(settings: CaptionerSettings) -> Captioner:
    return kind_of(settings).load(settings)


_LOADED = LoadedModels("captioner", CaptionerError, make=_make, prove=_prove)


class Caption(beam.DoFn):
    """Captions each task's image; what comes back is in the ledger, at the latest when Beam's bundle ends.

    fingerprints: style -> that of its captions. digits: of the ranges that the ledger is written for. captioned: told
    of what is in the ledger, where a translator works beside.
    """

    def __init__(
        self,
        settings: CaptionerSettings,
        *,
        out: str,
        fingerprints: Mapping[str, str],
        max_bytes: int,
        max_pixels: int,
        progress: ProgressAddress,
        max_side_ratio: float = SIDE_RATIO,
        limits: Limits = DEFAULTS,
        budget: Budget = UNLIMITED,
        digits: int = 0,
        captioned: Captioned | None = None,
    ) -> None:
        super().__init__()
        self._budget, self._digits, self._captioned = budget, digits, captioned
        self._settings, self._out, self._fingerprints = settings, out, dict(fingerprints)
        self._progress = progress
        self._reader = PictureReader(
            max_bytes=max_bytes, max_pixels=max_pixels, max_side_ratio=max_side_ratio, limits=limits
        )

    def setup(self) -> None:
        self._captioner = load_captioner(self._settings)
        self._first = FirstCaptions(self._captioner, self._settings)
        self._readers = ThreadPoolExecutor(_num_threads(self._settings), "images")

    def start_bundle(self) -> None:
        self._ahead: deque[tuple[CaptionTask, Future[Any]]] = deque()
        self._meter, self._counted_before = Meter(), _counted(self._captioner)
        self._num_kept = self._num_counted = 0
        self._whole, self._stream = WholeImages(self._keep_images), None
        if isinstance(self._captioner, Streaming):
            self._stream = self._captioner.stream(self._keep_answer, self._meter.add)

    def process(self, task: CaptionTask) -> None:
        """One batch is captioned while the images of the next are read; what no budget is left for is not asked."""
        if self._budget.is_used_up(sum(_counted(self._captioner).values())) or self._is_stopped:
            return
        self._ahead.append((task, self._readers.submit(self._prepared, task.source)))
        if self._stream is None and len(self._ahead) >= 2 * self._settings.batch_size:
            self._caption_batch()
        elif self._stream is not None and len(self._ahead) >= self._settings.batch_size:
            self._put_next(self._stream)
        self._count()

    def finish_bundle(self) -> None:
        while self._ahead and not self._is_stopped:
            if self._stream is None:
                self._caption_batch()
            else:
                self._put_next(self._stream)
        if self._stream is not None:
            self._end(self._stream)
        self._count()
        counted = {name: number - self._counted_before[name] for name, number in _counted(self._captioner).items()}
        leave(self._out, "caption", self._meter.busy(**counted))

    @property
    def _is_stopped(self) -> bool:
        return self._captioned is not None and self._captioned.is_stopped

    def teardown(self) -> None:
        self._readers.shutdown(wait=False, cancel_futures=True)

    def _caption_batch(self) -> None:
        batch = [self._ahead.popleft() for _ in range(min(self._settings.batch_size, len(self._ahead)))]
        rows: list[CaptionRow] = []
        readable: list[CaptionTask] = []
        prepared: list[Any] = []
        for task, picture in batch:
            try:
                prepared.append(picture.result())
                readable.append(task)
            except BadImage as bad:
                rows += rows_without(task, bad.reason, bad.detail)
        if readable:
            with self._meter.asking(len(readable)):
                rows += _captions(readable, prepared, self._captioner)
        self._keep_images([task for task, _ in batch], rows)

    def _put_next(self, stream: CaptionStream) -> None:
        """The next image goes on its way, as soon as it is read."""
        task, picture = self._ahead.popleft()
        try:
            prepared = picture.result()
        except BadImage as bad:
            self._whole.add(task, rows_without(task, bad.reason, bad.detail))
            return
        with contextlib.ExitStack() as at_fault:
            at_fault.callback(self._close, stream)
            stream.put(task, prepared, task.styles)
            at_fault.pop_all()

    def _end(self, stream: CaptionStream) -> None:
        try:
            stream.drain()
        finally:
            self._close(stream)

    def _close(self, stream: CaptionStream) -> None:
        """What has come back is paid for, also before an error."""
        stream.close()
        self._whole.flush()

    def _keep_answer(self, task: CaptionTask, style: str, answer: Answer) -> None:
        """In a thread of the stream."""
        self._whole.add(task, [row_of(task, style, answer)])

    def _keep_images(self, tasks: Sequence[CaptionTask], rows: Sequence[CaptionRow]) -> None:
        """All rows of these images: into the ledger, and then everybody may know. Raises CaptionerError."""
        self._first.check(rows)
        parts = self._keep(rows)
        if self._captioned is not None:
            self._captioned.note([task.key for task in tasks], parts, self._digits)
        advance(self._progress, "caption", len(tasks))
        self._num_kept += len(tasks)

    def _count(self) -> None:
        """In Beam's metrics, which only Beam's own thread may."""
        done = self._num_kept
        count("caption", done - self._num_counted)
        self._num_counted = done

    def _keep(self, rows: Sequence[CaptionRow]) -> list[str]:
        """Into the ledger, each under what decides its style; the parts that it gained."""
        rows_of: dict[str, list[CaptionRow]] = defaultdict(list)
        for row in rows:
            rows_of[self._fingerprints[row.style]].append(row)
        ledger = Ledger(self._out, self._digits)
        return [part for fingerprint, of_one in rows_of.items() for part in ledger.append_captions(fingerprint, of_one)]

    def _prepared(self, source: str) -> Any:
        """Raises BadImage."""
        return self._captioner.prepare(self._reader.read(source))


def _counted(captioner: Captioner) -> dict[str, int]:
    """Tokens so far, of one that counts them."""
    return dict(captioner.counted()) if isinstance(captioner, Served) else {}


def _num_threads(settings: CaptionerSettings) -> int:
    """One for each core that this process may use, unless the recipe says."""
    return settings.reading_threads or min(MAX_THREADS, len(os.sched_getaffinity(0)))


def _captions(tasks: Sequence[CaptionTask], prepared: Sequence[Any], model: Captioner) -> list[CaptionRow]:
    """Captions in those styles that each image lacks."""
    answers = model.caption(prepared, [task.styles for task in tasks])
    return [
        row_of(task, style, answer)
        for task, answer_of in zip(tasks, answers, strict=True)
        for style, answer in answer_of.items()
    ]
