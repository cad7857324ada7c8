"""What stands above the first [section] of a training's recipe, and the sections."""

from __future__ import annotations

from dataclasses import dataclass, field

from florenz.train.settings.compute import Compute
from florenz.train.settings.later import later
from florenz.train.settings.model import ModelSettings, PromptSettings
from florenz.train.settings.records import EvaluationSettings, Records, ValidationSettings
from florenz.train.settings.stages import OptimizerSettings


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """What stands above the first [section], and the sections."""

    data: str
    """OUT of `make dataset`: the folder or URI with manifest.json; several with commas between them."""

    out: str
    """Local folder that checkpoints, metrics and the model are written below."""

    data_weights: tuple[float, ...] = later(())
    """Of several datasets, how their micro-batches share the turns. Empty: each image comes as often as any other."""

    follow: bool = later(False)
    """Take up a newer build of the dataset at an epoch's end, so that a training can begin while it still grows. The
    dataset is made with KEEP_BUILDS=2 then: a training that goes on begins in the build that it stood in."""

    seed: int = 0
    """Decides the new weights, the order of the samples, the mix and the dropout."""

    workers: int = 1
    """Processes of each rank that read and decode; 0 reads between the steps. Changes nothing in what is learned."""

    device: str = "auto"
    """auto (the GPU if there is one), cpu, cuda, or one of several GPUs as in cuda:1."""

    max_skips: int = 0
    """Samples that may be unreadable before the training stops; they are counted and left out."""

    model: ModelSettings
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    prompts: PromptSettings = field(default_factory=PromptSettings)
    compute: Compute = field(default_factory=Compute)
    records: Records = field(default_factory=Records)
    validation: ValidationSettings = field(default_factory=ValidationSettings)
    evaluation: EvaluationSettings = field(default_factory=EvaluationSettings)
