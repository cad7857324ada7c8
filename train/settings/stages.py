"""[[stages]] and [optimizer]: what is trained for how long, on what, with which steps."""

from __future__ import annotations

from dataclasses import dataclass

from florenz.recipes.checks import below_1, raise_if
from florenz.train.settings.datasets import data_problems
from florenz.train.settings.later import later

PICTURE_PARTS = ("vision", "projector")


@dataclass(frozen=True, kw_only=True)
class StageSettings:
    """[[stages]]: what is trained for how long, on what. Each stage has its own optimizer, warm-up and cosine."""

    name: str
    """Stands in the log; no two stages share one."""

    steps: int
    """Optimizer steps."""

    parts: tuple[str, ...] | None = None
    """The parts of the model that are trained (`train/model/parts.py` lists them); all others are frozen. None:
    what the size trains (`train/model/family.py`), for the paper's sizes what the paper trained."""

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

    data: str | None = later(None)
    """OUT of another dataset, or of several, that this stage alone learns from. None: that of the training, which is
    validated and scored on either way."""

    data_weights: tuple[float, ...] = later(())
    """Of several datasets of this stage, as of those of the training."""

    image_px: int | None = later(None)
    """Side of the pictures in this stage. None: that of [model]."""

    weight_decay: float | None = later(None)
    """Of this stage. None: that of [optimizer]."""

    styles: tuple[str, ...] = later(())
    """Texts of these styles alone, like ["short"]. Empty: of all styles."""

    max_images: int | None = later(None)
    """Pictures of the training split that are used, the first in the order of its shards. None: all."""

    leave_out: tuple[str, ...] = later(())
    """Pairs that are not learned, like ["caption/de"], where no mix says which are."""

    copy_english: bool = later(False)
    """One more pair, translation/en: English captions to be written down again from themselves."""

    shuffle_pictures: bool = later(False)
    """Show each text with the picture of another image: a control, which must learn nothing from pictures."""

    even_lengths: bool = later(False)
    """Whether the micro-batches of a step are of like length, so that ranks do not wait for each other. An epoch has
    the same samples, in another order."""

    lanes: int = later(16)
    """Places of an epoch that are read at the same time, in turn. No window of texts is planned twice where the
    loaders, ranks times workers, divide it: 64 for 8 GPUs with 8 workers each. Another number gives another order."""

    source_dropout: float = later(0.0)
    """Chance of each word of a text to be translated to be lost, so that the picture has to say it (data/noise.py)."""

    unigram_noise: float = later(0.0)
    """Chance of each token that the decoder has written so far to be replaced by one of the batch's (data/noise.py)."""

    def __post_init__(self) -> None:
        problems = below_1(
            steps=self.steps,
            batch_size=self.batch_size,
            micro_batch_size=self.micro_batch_size,
            max_images=self.max_images,
            image_px=self.image_px,
            lanes=self.lanes,
        )
        if self.weight_decay is not None and self.weight_decay < 0:
            problems.append(f"weight_decay is {self.weight_decay}: choose 0 or more")
        problems += data_problems(self.data, self.data_weights) if self.data is not None else []
        if self.data is None and self.data_weights:
            problems.append("data_weights are of this stage's own data, and it names none: add data, or leave them out")
        if not self.name.strip():
            problems.append("name is empty: give each stage one, like text")
        if self.parts is not None and not self.parts:
            problems.append("parts is empty: name what this stage trains, like decoder, or leave it out")
        if not self.images and (parts := [part for part in self.parts or () if part in PICTURE_PARTS]):
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
        if self.shuffle_pictures and not self.images:
            problems.append("shuffle_pictures has nothing to shuffle: set images = true or leave it out")
        for name, chance in (("source_dropout", self.source_dropout), ("unigram_noise", self.unigram_noise)):
            if not 0 <= chance < 1:
                problems.append(f"{name} is {chance}: it is a chance, choose 0 to 0.99")
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
    """A stage with the mix that [stages.mix] gives it, and with its parts, those of its size if it names none."""

    parts: tuple[str, ...]

    mix: dict[str, float]
    """"task/language" -> weight. Empty: the same share for every pair that the dataset has and the stage can use."""

    def learns(self, pair: str) -> bool:
        """Whether it learns this one, "task/language", where the dataset has it."""
        is_usable = self.images or pair.startswith("translation/")
        return is_usable and pair not in self.leave_out and (not self.mix or pair in self.mix)


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
