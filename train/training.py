"""What all stages of a running training share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from florenz.shards.manifest import Manifest
from florenz.train import preflight
from florenz.train.distributed import Place, has_bfloat16
from florenz.train.log import StepRecord, TrainingLog
from florenz.train.recipe import Recipe
from florenz.train.settings.stages import Stage
from florenz.train.writing import Writer

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Training:
    """What all stages share. log: None on all ranks but the first. writer: None where nothing is kept."""

    recipe: Recipe
    manifest: Manifest
    place: Place
    log: TrainingLog | None
    say: Say
    writer: Writer | None = None

    @property
    def is_bfloat16(self) -> bool:
        precision = self.recipe.compute.precision
        return has_bfloat16(self.place.device) if precision == "auto" else precision == "bfloat16"

    def write(self, record: StepRecord) -> None:
        if self.log is not None:
            self.log.write(record)

    def advance(self, stage: Stage) -> None:
        if self.log is not None:
            self.log.advance(stage.name)

    @property
    def identity(self) -> dict[str, object]:
        return preflight.identity_of(self.recipe, self.manifest)
