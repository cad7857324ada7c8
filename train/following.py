"""A dataset that grows while it is trained on: `FOLLOW=1` takes up a newer build of the same OUT at an epoch's end.

The build that a stage is in, and the micro-batch at which it began, stand in every checkpoint, so a training that goes
on reads what it read before; what comes after is decided by which build is the current one when an epoch ends. Without
FOLLOW there is one build, that of the manifest.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import asdict, dataclass
from typing import Any, cast

from florenz.shards.manifest import read_manifest
from florenz.train.building import make_stream
from florenz.train.checkpoint import Checkpoint, Position
from florenz.train.data.processor import Processor
from florenz.train.distributed import text_of_first
from florenz.train.settings.stages import Stage
from florenz.train.step import Batch
from florenz.train.training import Training


@dataclass(frozen=True, kw_only=True)
class Segment:
    """Micro-batches of one build. build: "" for the manifest's. first: of the stage, the segment's number 0. epochs:
    how often data was seen before it."""

    build: str = ""
    first: int = 0
    epochs: float = 0.0


class Feed:
    """The micro-batches of a stage for one rank, from one build after the other; to be closed."""

    def __init__(
        self, this: Training, stage: Stage, processor: Processor, position: Position, checkpoint: Checkpoint | None
    ) -> None:
        """position: of what comes next. checkpoint: None at the beginning of the stage."""
        self._this, self._stage, self._processor = this, stage, processor
        self.segment = Segment()
        if this.recipe.follow:
            self.segment = Segment(build=this.manifest.build)
            begun = checkpoint is not None and checkpoint.segment
            self.segment = Segment(**begun) if begun else Segment(build=self._current())
        self.stream = make_stream(this, stage, processor, build=self.segment.build)
        self._position = position
        self._batches: Generator[Batch, None, None] | None = None

    def take(self, number: int) -> list[Batch]:
        """The next so many."""
        if self._batches is None:
            batches = self.stream.batches(self._position.micro_batch - self.segment.first)
            self._batches = cast(Generator[Batch, None, None], batches)
        return [next(self._batches) for _ in range(number)]

    def move(self, position: Position) -> None:
        """A step was done; all ranks tell. At the end of an epoch a newer build is taken up, if there is one."""
        epochs = [self._epochs_of(one) for one in (self._position, position)]
        self._position = position
        if not self._this.recipe.follow or int(epochs[0]) == int(epochs[1]):
            return
        build = self._current()
        if build == self.segment.build:
            return
        self.close()
        skipped = self.stream.skipped
        self.segment = Segment(build=build, first=position.micro_batch, epochs=self.epoch)
        self.stream = make_stream(self._this, self._stage, self._processor, build=build)
        self.stream.skipped = skipped
        self._this.say(
            f"stage {self._stage.name}: from step {position.stage_step} on with build {build} of "
            f"{self.stream.num_samples:,} images"
        )

    @property
    def record(self) -> dict[str, Any]:
        """For a checkpoint; empty where nothing is followed."""
        return asdict(self.segment) if self._this.recipe.follow else {}

    @property
    def epoch(self) -> float:
        """How often the data of this stage was seen."""
        return self.segment.epochs + self._epochs_of(self._position)

    def close(self) -> None:
        if self._batches is not None:
            self._batches.close()
            self._batches = None

    def _epochs_of(self, position: Position) -> float:
        return (position.micro_batch - self.segment.first) / self.stream.batches_per_epoch

    def _current(self) -> str:
        """What the first rank finds, for all of them. A build in other languages is left alone: the model's vocabulary
        was made for those of the first."""
        place, wanted = self._this.place, self._this.manifest
        if not place.is_first:
            return text_of_first("", place)
        found = read_manifest(self._this.recipe.folders[0])
        if found.languages != wanted.languages:
            self._this.say(
                f"warning: build {found.build} is in {', '.join(found.languages)}, this training in "
                f"{', '.join(wanted.languages)}: it stays with the build it has"
            )
            return text_of_first(self.segment.build, place)
        return text_of_first(found.build, place)
