"""The recipe of a training: one TOML file, read into frozen dataclasses; the Make variables override some keys.

All faults that show without a look at the dataset or at the machine are told together, one line each. Nothing here
needs torch, so that a wrong word costs no second of waiting.
"""

from __future__ import annotations

import dataclasses
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from florenz.languages.codes import SOURCE, language_problems
from florenz.recipes.checks import below_1, raise_if
from florenz.recipes.recipe_file import RecipeError, read_recipe_file
from florenz.recipes.sections import SectionReader, keys_of, nearest, plain_fields, show
from florenz.train.data.prompts import PrefixKind

# Make variable -> the key it overrides. STEPS is not a key: it scales the stages.
VARIABLES = {
    "DATA": "data",
    "OUT": "out",
    "SIZE": "model.size",
    "SEED": "seed",
    "WORKERS": "workers",
    "DEVICE": "device",
}
STEPS = "STEPS"
NUMBERS = ("SEED", "WORKERS", STEPS)

PRECISIONS = ("auto", "float32", "bfloat16")
PARALLELS = ("ddp", "fsdp")
PREFIXES = get_args(PrefixKind)
PICTURE_PARTS = ("vision", "projector")
PAIR = re.compile(r"(caption|translation)/[a-z]{2,3}")


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """[model]: which Florenz is trained, and what it starts from."""

    size: str
    """A name from `train/sizes.py`, which says what the rest of this section is by default."""

    florence: str | None = None
    """Folder or hub name of the Florence-2 to start from."""

    gemma: str | None = None
    """Folder or hub name of the Gemma-2 to start from, for sizes that have one."""

    tokenizer: str | None = None
    """Folder or hub name of the decoder's tokenizer."""

    image_px: int | None = None
    """Side of the square that pictures are scaled to."""

    num_latents: int | None = None
    """Learned queries between encoder and decoder; 0 for none."""

    prefix: str | None = None
    """How texts are made to begin in their language: token or words."""

    def __post_init__(self) -> None:
        problems = below_1(image_px=self.image_px)
        if self.num_latents is not None and self.num_latents < 0:
            problems.append(f"num_latents is {self.num_latents}: choose 0 for none, or more")
        if self.prefix not in (None, *PREFIXES):
            problems.append(f"prefix is '{self.prefix}': choose {' or '.join(PREFIXES)}")
        raise_if(problems)


@dataclass(frozen=True, kw_only=True)
class StageSettings:
    """[[stages]]: what is trained for how long, on what. Each stage has its own optimizer, warm-up and cosine."""

    name: str
    """Stands in the log; no two stages share one."""

    steps: int
    """Optimizer steps."""

    parts: tuple[str, ...]
    """The parts of the model that are trained (`train/parts.py` lists them); all others are frozen."""

    images: bool
    """Whether the encoder sees the pictures. Without them, there are translations only and no JPEG is read."""

    batch_size: int
    """Examples in one step, over all ranks."""

    micro_batch_size: int | None = None
    """Examples that one device takes at once; the gradients of a step's micro-batches are added up. None: all."""

    peak_rate: float
    """Learning rate at the end of the warm-up."""

    warmup: float = 0.1
    """Share of the steps in which the rate rises to its peak."""

    def __post_init__(self) -> None:
        problems = below_1(steps=self.steps, batch_size=self.batch_size, micro_batch_size=self.micro_batch_size)
        if not self.name.strip():
            problems.append("name is empty: give each stage one, like text")
        if not self.parts:
            problems.append("parts is empty: name what this stage trains, like decoder")
        if not self.images and (parts := [part for part in self.parts if part in PICTURE_PARTS]):
            problems.append(f"parts has {' and '.join(parts)}, which see nothing: set images = true or leave them out")
        if not problems and self.batch_size % self.size_of_micro_batch:
            problems.append(
                f"batch_size {self.batch_size} is no multiple of micro_batch_size {self.micro_batch_size}: "
                "choose two that divide"
            )
        if self.peak_rate <= 0:
            problems.append(f"peak_rate is {self.peak_rate}: choose one above 0")
        if not 0 <= self.warmup < 1:
            problems.append(f"warmup is {self.warmup}: it is a share of the steps, choose 0 to 0.99")
        raise_if(problems)

    @property
    def size_of_micro_batch(self) -> int:
        return self.micro_batch_size or self.batch_size

    @property
    def num_micro_batches(self) -> int:
        """Micro-batches in one step, over all ranks."""
        return self.batch_size // self.size_of_micro_batch


@dataclass(frozen=True, kw_only=True)
class Stage(StageSettings):
    """A stage with the mix that [stages.mix] gives it."""

    mix: dict[str, float]
    """"task/language" -> weight. Empty: the same share for every pair that the dataset has and the stage can use."""


@dataclass(frozen=True, kw_only=True)
class OptimizerSettings:
    """[optimizer]: AdamW, the same in all stages."""

    weight_decay: float = 0.01
    """Of matrices; biases, norms and gates are left alone."""

    beta2: float = 0.999
    """Memory of the squared gradients."""

    clip_norm: float = 1.0
    """The gradient of a step is scaled down to this norm if it is longer."""

    def __post_init__(self) -> None:
        problems = []
        if self.weight_decay < 0:
            problems.append(f"weight_decay is {self.weight_decay}: choose 0 or more")
        if not 0 < self.beta2 < 1:
            problems.append(f"beta2 is {self.beta2}: choose one between 0 and 1, like 0.999")
        if self.clip_norm <= 0:
            problems.append(f"clip_norm is {self.clip_norm}: choose one above 0")
        raise_if(problems)


@dataclass(frozen=True, kw_only=True)
class Compute:
    """[compute]: how the machine is used."""

    precision: str = "auto"
    """float32, or bfloat16 for the arithmetic; weights, optimizer and sums of gradients are float32 either way. auto:
    bfloat16 on hardware that has it. A CPU without took 60 times as long for a matrix product as in float32."""

    cpu_threads: int | None = None
    """Threads of each rank on a CPU; None leaves it to torch. The same number gives the same losses, bit for bit."""

    parallel: str = "ddp"
    """With more than one rank: ddp (a whole model each) or fsdp (weights, gradients and optimizer split up)."""

    compile: bool = False
    """torch.compile: minutes at the start, faster steps."""

    activation_checkpointing: bool = False
    """Compute activations again instead of keeping them: less memory, a third more time."""

    def __post_init__(self) -> None:
        problems = below_1(cpu_threads=self.cpu_threads)
        for name, known in (("precision", PRECISIONS), ("parallel", PARALLELS)):
            value = getattr(self, name)
            if value not in known:
                problems.append(f"{name} is '{value}': choose {', '.join(known)}")
        raise_if(problems)


@dataclass(frozen=True, kw_only=True)
class Records:
    """[records]: what is written on the way."""

    log_every_steps: int = 20
    """A line in OUT/metrics.jsonl, and a point in TensorBoard."""

    checkpoint_every_steps: int = 500
    """A checkpoint below OUT/checkpoints; there is one at the end of each stage too."""

    keep_checkpoints: int = 2
    """The newest so many stay; more than one, so that a damaged one costs little."""

    tensorboard: bool = True
    """Curves below OUT/tensorboard."""

    def __post_init__(self) -> None:
        raise_if(
            below_1(
                log_every_steps=self.log_every_steps,
                checkpoint_every_steps=self.checkpoint_every_steps,
                keep_checkpoints=self.keep_checkpoints,
            )
        )


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """What stands above the first [section], and the sections."""

    data: str
    """OUT of `make dataset`: the folder or URI with manifest.json."""

    out: str
    """Local folder that checkpoints, metrics and the model are written below."""

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
    compute: Compute = field(default_factory=Compute)
    records: Records = field(default_factory=Records)


@dataclass(frozen=True, kw_only=True)
class Recipe(TrainingSettings):
    """One training."""

    stages: tuple[Stage, ...]

    @property
    def total_steps(self) -> int:
        return sum(stage.steps for stage in self.stages)

    def identity(self) -> dict[str, Any]:
        """What decides the weights besides the dataset; a checkpoint of another identity is no use to this recipe."""
        return {
            **dataclasses.asdict(self.model),
            "seed": self.seed,
            **dataclasses.asdict(self.optimizer),
            **{
                f"{stage.name}.{key}": list(value) if isinstance(value, tuple) else value
                for stage in self.stages
                for key, value in dataclasses.asdict(stage).items()
            },
        }


SECTIONS: dict[str, type] = {
    "model": ModelSettings, "optimizer": OptimizerSettings, "compute": Compute, "records": Records,
}  # fmt: skip


def load_recipe(path: str, overrides: Mapping[str, str] | None = None) -> Recipe:
    """Read a recipe; `overrides` holds Make variables as the user gave them, an empty one as not given.

    `RecipeError` names every fault: one for a file that is no TOML, else unknown, missing and wrong keys together.
    """
    table = read_recipe_file(path)
    reader = SectionReader(homes=_homes(), variables={key: name for name, key in VARIABLES.items()})
    num_steps = _override(table, overrides or {}, reader.problems)
    top_level = [one.name for one in plain_fields(TrainingSettings)]
    reader.check_keys(table, [*top_level, *SECTIONS, "stages"], "")
    values = reader.values(TrainingSettings, table, "")
    sections: dict[str, Any] = {name: reader.read(kind, table.get(name, {}), name) for name, kind in SECTIONS.items()}
    stages = _read_stages(reader, table.get("stages", []))
    if problems := reader.problems + _problems(values):
        raise RecipeError([f"{path}: {problem}" for problem in problems])
    if num_steps is not None:
        stages = _scaled(stages, num_steps)
    values |= {name: os.path.expanduser(values[name]) for name in ("data", "out")}  # `make OUT=~/x` comes as typed
    return Recipe(**values, **sections, stages=tuple(stages))


def _homes() -> dict[str, str]:
    """Key -> its section; every key of a recipe stands in one place only."""
    homes = {key: section for section, kind in SECTIONS.items() for key in keys_of(kind)}
    homes |= {key: "[stages]" for key in keys_of(StageSettings)}
    return homes | {one.name: "" for one in plain_fields(TrainingSettings)}


def _override(table: dict[str, Any], overrides: Mapping[str, str], problems: list[str]) -> int | None:
    """Put what the Make variables say into the table, in the types that TOML would give; return STEPS."""
    num_steps = None
    for name, text in overrides.items():
        if not (text := text.strip()):
            continue
        if name not in (*VARIABLES, STEPS):
            problems.append(f"unknown variable {name}: {nearest(name, (*VARIABLES, STEPS))}")
            continue
        value: str | int = text
        if name in NUMBERS:
            if not re.fullmatch(r"-?\d+", text):
                problems.append(f"{name} must be a whole number, got '{text}'")
                continue
            value = int(text)
        if name == STEPS:
            num_steps = int(value)
            problems += below_1(STEPS=num_steps)
            continue
        section, _, key = VARIABLES[name].rpartition(".")
        target = table.setdefault(section, {}) if section else table
        if isinstance(target, dict):  # if not, reading the section will say so
            target[key] = value
    return num_steps


def _read_stages(reader: SectionReader, tables: Any) -> list[Stage]:
    """The stages that could be read; what is wrong with the others stands in the reader's problems."""
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        reader.problems.append("there is no stage: add one under [[stages]]")
        return []
    stages = []
    for number, table in enumerate(tables, 1):
        section = f"stages.{table.get('name', number)}"
        settings = reader.read(StageSettings, {key: table[key] for key in table if key != "mix"}, section)
        mix = table.get("mix", {})
        problems = _mix_problems(mix, has_images=settings is None or settings.images)
        reader.problems += [f"[{section}.mix] {problem}" for problem in problems]
        if settings is not None and not problems:
            weights = {pair: float(weight) for pair, weight in mix.items()}
            stages.append(Stage(**dataclasses.asdict(settings), mix=weights))
    names = [stage.name for stage in stages]
    reader.problems += [f"[stages.{name}] is there twice: rename one" for name in names if names.count(name) > 1][:1]
    return stages


def _mix_problems(mix: Any, *, has_images: bool) -> list[str]:
    if not isinstance(mix, dict):
        return [f'must be a table like mix = {{ "caption/en" = 1.0 }}, got {show(mix)}']
    problems = []
    for pair, weight in mix.items():
        language = pair.partition("/")[2]
        if not PAIR.fullmatch(pair):
            problems.append(f"'{pair}' is no pair of task and language: write it like \"caption/en\"")
        elif pair != f"caption/{SOURCE}" and (wrong := language_problems((language,))):
            problems += [f"'{pair}': {problem}" for problem in wrong]
        elif not has_images and pair.startswith("caption/"):
            problems.append(f"'{pair}' cannot be learned without pictures: set images = true or leave it out")
        if type(weight) not in (int, float) or not 0 < weight < math.inf:
            problems.append(f"'{pair}' has the weight {show(weight)}: choose a number above 0, or leave it out")
    return problems


def _scaled(stages: Sequence[Stage], num_steps: int) -> list[Stage]:
    """The same stages in `num_steps` steps together, as near to their shares as whole steps allow; none gets 0."""
    total = sum(stage.steps for stage in stages)
    ends = [
        round(num_steps * sum(stage.steps for stage in stages[: place + 1]) / total) for place in range(len(stages))
    ]
    steps = [end - start for start, end in zip([0, *ends], ends, strict=False)]
    return [dataclasses.replace(stage, steps=max(count, 1)) for stage, count in zip(stages, steps, strict=True)]


def _problems(values: Mapping[str, Any]) -> list[str]:
    """What is wrong with the top-level values that are there; those that could not be read are left to the reader."""
    problems = []
    for name, advice in (("data", "name the OUT of make dataset"), ("out", "name the folder to write into")):
        if not values.get(name, "?").strip():
            problems.append(f"{name} ({name.upper()}) is empty: {advice}")
    if "://" in values.get("out", ""):
        problems.append(f"out (OUT) is {values['out']}: a training needs a local folder, for its lock and its log")
    if values.get("workers", 0) < 0:
        problems.append(f"workers (WORKERS) is {values['workers']}: choose 0 or more")
    if values.get("max_skips", 0) < 0:
        problems.append(f"max_skips is {values['max_skips']}: choose 0 or more")
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", device := values.get("device", "auto")):
        problems.append(f"device (DEVICE) is '{device}': choose auto, cpu, cuda or cuda:1")
    return problems
