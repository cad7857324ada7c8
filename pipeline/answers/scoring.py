"""A score for each text that has none, by any scorer: a pass of its own after translating.

Texts are scored some batches at once, which a scorer sorts by length, and each lot is in the ledger before the next is
scored: a kill loses one. Nothing of what is learned here depends on a threshold.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import apache_beam as beam
from PIL import Image

from florenz.images.decoding import BadImage
from florenz.pipeline.answers.busy import Meter, leave
from florenz.pipeline.answers.ledger import Ledger
from florenz.pipeline.answers.loaded import LoadedModels
from florenz.pipeline.answers.pictures import PictureReader
from florenz.pipeline.answers.questions import ScoreTask
from florenz.pipeline.answers.score_rows import ScoreRow
from florenz.pipeline.budget import UNLIMITED, Budget
from florenz.pipeline.progress import ProgressAddress, advance, count
from florenz.scorers.contract import Question, Scorer, ScorerError, ScorerSettings, kind_of

BATCHES_AT_ONCE = 4
PLACES = 4  # behind the point, as samples have them: what is beyond depends on the batch
PROBES = (("A dog is sleeping.", "Ein Hund schläft."), ("A dog is sleeping.", "Steuern steigen um drei Prozent."))
SIDE_PX = 64
MAX_THREADS = 8  # each may hold a decoded picture, 300 MB at most


def load_scorer(settings: ScorerSettings) -> Scorer:
    """The scorer, once per process. Raises ScorerError: files are missing or damaged, or it tells no texts apart."""
    return _LOADED.load(settings)


def forget_scorers() -> None:
    """Their memory is free once nobody else holds them."""
    _LOADED.forget()


def _make(settings: ScorerSettings) -> Scorer:
    return kind_of(settings).load(settings)


def _prove(scorer: Scorer, settings: ScorerSettings) -> None:
    """Two texts of which one is right, before the first that counts. Raises ScorerError."""
    needs_image = kind_of(settings).facts(settings).needs_image
    picture = scorer.prepare(Image.new("RGB", (SIDE_PX, SIDE_PX), (200, 120, 40))) if needs_image else None
    probes = [Question(source=source, text=text, language="de", picture=picture) for source, text in PROBES]
    scores = scorer.score(probes)
    if not all(map(math.isfinite, scores)) or len(set(scores)) < len(probes):
        raise ScorerError(
            f"scorer {settings.model!r} does not tell a right text from a wrong one (it says {list(scores)}): "
            "copy the model anew, or name another"
        )


_LOADED = LoadedModels("scorer", ScorerError, make=_make, prove=_prove)


class Score(beam.DoFn):
    """Scores each task's text; what comes back is in the ledger, at the latest when Beam's bundle ends.

    what: is scored, a folder of the ledger. digits: of the ranges that the ledger is written for. reader: of pictures,
    for a scorer that needs them.
    """

    def __init__(
        self,
        settings: ScorerSettings,
        *,
        what: str,
        out: str,
        fingerprint: str,
        progress: ProgressAddress,
        reader: PictureReader,
        budget: Budget = UNLIMITED,
        digits: int = 0,
    ) -> None:
        super().__init__()
        self._reader = reader
        self._settings, self._what, self._fingerprint = settings, what, fingerprint
        self._out, self._digits, self._budget, self._progress = out, digits, budget, progress

    def setup(self) -> None:
        self._scorer = load_scorer(self._settings)
        self._needs_image = kind_of(self._settings).facts(self._settings).needs_image
        self._threads = ThreadPoolExecutor(min(MAX_THREADS, len(os.sched_getaffinity(0))), "images")

    def teardown(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def start_bundle(self) -> None:
        self._waiting: list[ScoreTask] = []
        self._meter = Meter()

    def process(self, task: ScoreTask) -> None:
        if self._budget.is_used_up():
            return  # unasked, and so missing when the same command runs again
        self._waiting.append(task)
        if len(self._waiting) >= BATCHES_AT_ONCE * self._settings.batch_size:
            self._score()

    def finish_bundle(self) -> None:
        self._score()
        leave(self._out, "score", self._meter.busy())

    def _score(self) -> None:
        tasks, self._waiting = self._waiting, []
        if not tasks:
            return
        with self._meter.asking(len(tasks)):
            rows = self._rows(tasks)
        Ledger(self._out, self._digits).append_scores(self._what, self._fingerprint, rows)
        advance(self._progress, "score", len(tasks))
        count("score", len(tasks))

    def _rows(self, tasks: Sequence[ScoreTask]) -> list[ScoreRow]:
        pictures = self._pictures(tasks) if self._needs_image else {}
        rows, seen = [], []
        for task in tasks:
            picture = pictures.get(task.source)
            if isinstance(picture, BadImage):
                rows.append(_row(task, None, reason=picture.reason, detail=picture.detail))
            else:
                seen.append((task, picture))
        questions = [
            Question(source=task.source_text, text=task.text, language=task.language, picture=picture)
            for task, picture in seen
        ]
        scores = self._scorer.score(questions)
        return rows + [_row(task, self._finite(score, task)) for (task, _), score in zip(seen, scores, strict=True)]

    def _finite(self, score: float, task: ScoreTask) -> float:
        if not math.isfinite(score):
            said = f"scorer {self._settings.model!r} says {score} of {task.text[:60]!r}"
            raise ScorerError(f"{said}: choose another dtype, or another model")
        return round(score, PLACES)

    def _pictures(self, tasks: Sequence[ScoreTask]) -> dict[str, Any]:
        """Each picture once, as the scorer wants it, or what is wrong with it."""
        sources = list(dict.fromkeys(task.source for task in tasks))
        return dict(zip(sources, self._threads.map(self._picture, sources), strict=True))

    def _picture(self, source: str) -> Any:
        try:
            return self._scorer.prepare(self._reader.read(source))
        except BadImage as bad:
            return bad


def _row(task: ScoreTask, score: float | None, *, reason: str = "", detail: str = "") -> ScoreRow:
    return ScoreRow(
        key=task.key,
        style=task.style,
        language=task.language,
        source_text=task.source_text,
        text=task.text,
        score=score,
        reason=reason,
        detail=detail,
    )
