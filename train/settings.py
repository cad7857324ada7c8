"""The keys of a training's recipe: one frozen dataclass for each section, each key with a line of documentation.

`recipe.py` reads them from TOML. Nothing here needs torch.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast, get_args

from florenz.recipes.checks import below_1, raise_if
from florenz.train.data.prompts import LanguageIn, PrefixKind, Prompts, Wording, prompts_for

PRECISIONS = ("auto", "float32", "bfloat16")
PARALLELS = ("ddp", "fsdp")
LOSSES = ("auto", "plain", "liger")
FROZEN = ("float32", "bfloat16")
ATTENTIONS = ("auto", "eager", "blocks", "sdpa")
PREFIXES = get_args(PrefixKind)
WHERE_NAMED = get_args(LanguageIn)
WORDINGS = get_args(Wording)
STOPS = ("last", "best")
PICTURE_PARTS = ("vision", "projector")
LATER = "later"  # marks a key that recipes did not always have: it enters a training's identity only off its default


def later(default: Any) -> Any:
    """A field that came later, so that checkpoints from before it still fit the recipes that they were made with."""
    return field(default=default, metadata={LATER: True})


def folders_in(data: str) -> tuple[str, ...]:
    """Of the datasets that a key names."""
    return tuple(os.path.expanduser(folder.strip()) for folder in data.split(","))


def data_problems(data: str, weights: Sequence[float], *, typed: tuple[str, str] = ("", "")) -> list[str]:
    """What is wrong with datasets and their weights. typed: the Make variables that they may come from."""
    names = [f"{key}{typed_as}" for key, typed_as in zip(("data", "data_weights"), typed, strict=True)]
    if not data.strip():
        return [f"{names[0]} is empty: name the OUT of make dataset"]
    folders, problems = data.split(","), []
    if not all(folder.strip() for folder in folders):
        problems.append(f"{names[0]} is '{data}': there is no name between two commas")
    if weights and (len(weights) != len(folders) or not all(weight > 0 for weight in weights)):
        problems.append(
            f"{names[1]} is {', '.join(map(str, weights))} for {len(folders)} datasets: give each one a number "
            "above 0, or leave it out"
        )
    return problems


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

    decoder_width: int | None = later(None)
    """Width of a Gemma-2 decoder that no weights are loaded for, a multiple of 64; its other sizes follow."""

    decoder_layers: int | None = later(None)
    """Its layers."""

    image_px: int | None = None
    """Side of the square that pictures are scaled to."""

    num_latents: int | None = None
    """Learned queries between encoder and decoder; 0 for none."""

    prefix: str | None = None
    """How texts are made to begin in their language: token or words."""

    init: str | None = later(None)
    """Folder of a finished Florenz (OUT/model) to start from instead, as fine-tuning does; of the same size."""

    random_parts: tuple[str, ...] = later(())
    """Parts (`train/model/parts.py` lists them) that start from random weights although there are trained ones."""

    def __post_init__(self) -> None:
        problems = below_1(image_px=self.image_px, decoder_layers=self.decoder_layers)
        if self.decoder_width is not None and (self.decoder_width < 64 or self.decoder_width % 64):
            problems.append(f"decoder_width is {self.decoder_width}: choose a multiple of 64")
        if self.num_latents is not None and self.num_latents < 0:
            problems.append(f"num_latents is {self.num_latents}: choose 0 for none, or more")
        if self.prefix not in (None, *PREFIXES):
            problems.append(f"prefix is '{self.prefix}': choose {' or '.join(PREFIXES)}")
        raise_if(problems)


@dataclass(frozen=True, kw_only=True)
class PromptSettings:
    """[prompts]: what the encoder is told, and where the language is named; the words stand in [prompts.words]."""

    language_in: str = "both"
    """Where the language is named: prefix (what the decoder is forced to begin with), encoder (its sentence), both."""

    caption: str | None = None
    """The encoder's sentence for captions, in which {language} and {style} are filled in. None: that of language_in."""

    translation: str | None = None
    """The same for translations, with {language} and {text}."""

    wording: str = "florenz"
    """Whose sentences and forced words: florenz, or paper for those of the paper's released code (data/prompts.py)."""

    learn_prefix: bool = True
    """Whether language tokens are learned too. Then a model that is asked without prefix begins with the token of the
    language that it would go on in; but it also learns which languages captions come in."""

    def __post_init__(self) -> None:
        if self.language_in not in WHERE_NAMED:
            raise ValueError(f"language_in is '{self.language_in}': choose {', '.join(WHERE_NAMED)}")
        if self.wording not in WORDINGS:
            raise ValueError(f"wording is '{self.wording}': choose {' or '.join(WORDINGS)}")
        self.prompts({})

    def prompts(self, words: Mapping[str, str]) -> Prompts:
        """What a processor takes. `ValueError` with a line for each fault."""
        where = cast(LanguageIn, self.language_in)
        return prompts_for(
            where,
            caption=self.caption,
            translation=self.translation,
            words=words,
            learn_prefix=self.learn_prefix,
            wording=cast(Wording, self.wording),
        )


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

    frozen_weights: str = "float32"
    """float32, or bfloat16 for the matrices of parts that no stage trains: half of their memory. They are rounded once,
    which is nothing new to those published so, as Gemma-2's; checkpoints hold what they were rounded to, as float32."""

    cpu_threads: int | None = None
    """Threads of each rank on a CPU; None leaves it to torch. The same number gives the same losses, bit for bit."""

    parallel: str = "ddp"
    """With more than one rank: ddp (a whole model each) or fsdp (weights, gradients and optimizer split up)."""

    attention: str = "auto"
    """How the decoder attends: eager (exact, all scores at once), blocks (exact, a block of queries at a time, for long
    inputs) or sdpa (fused; it leaves out the soft cap of Gemma-2's scores). auto: for Gemma-2 eager up to 384 px and
    blocks above, else sdpa."""

    loss: str = "plain"
    """How the loss over a large vocabulary is taken: plain (torch), or liger (a fused kernel, for GPUs; pip install
    liger-kernel), which leaves Gemma-2's capped logits to plain. auto: liger on a GPU where it is installed, else
    plain. They agree to 1e-5. Not the default: nobody has run the kernel on a GPU here."""

    compile: bool = False
    """torch.compile: minutes at the start, faster steps."""

    activation_checkpointing: bool = False
    """Compute activations again instead of keeping them: less memory, a third more time."""

    picture_cache_gib: float = 0.0
    """Memory of each rank for what a frozen vision tower sees in a picture, so that each picture is looked at once;
    what does not fit is looked at each time. Changes no result."""

    def __post_init__(self) -> None:
        problems = below_1(cpu_threads=self.cpu_threads)
        if self.picture_cache_gib < 0:
            problems.append(f"picture_cache_gib is {self.picture_cache_gib}: choose 0 for none, or more")
        known_values = {
            "precision": PRECISIONS, "parallel": PARALLELS, "attention": ATTENTIONS, "frozen_weights": FROZEN,
            "loss": LOSSES,
        }  # fmt: skip
        for name, known in known_values.items():
            value = getattr(self, name)
            if value not in known:
                problems.append(f"{name} is '{value}': choose {', '.join(known)}")
        if self.frozen_weights == "bfloat16" and self.precision != "bfloat16":
            problems.append(
                f"frozen_weights is bfloat16 and precision {self.precision}: "
                'set precision = "bfloat16" too, or leave it out'
            )
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
class ValidationSettings:
    """[validation]: how each pair does on the way, on images that are neither trained on nor reported."""

    every_steps: int = 0
    """Cross-entropy and exact texts of each pair, as lines of OUT/metrics.jsonl and TensorBoard's curves. 0: never."""

    max_images: int = 200
    """The first so many of them are asked about."""

    split: str = "choose"
    """The split that they come from. A dataset of version 1 has no choose: a quarter of its val, which then is not
    reported, takes its place."""

    keep: str = later("last")
    """Which weights become the model: last, or best, those with the lowest mean cross-entropy of the covered pairs.
    Held-out pairs never have a say in it."""

    def __post_init__(self) -> None:
        problems = below_1(max_images=self.max_images)
        if self.every_steps < 0:
            problems.append(f"every_steps is {self.every_steps}: choose 0 for never, or more")
        if self.keep not in STOPS:
            problems.append(f"keep is '{self.keep}': choose {' or '.join(STOPS)}")
        if self.keep == "best" and not self.every_steps:
            problems.append('keep = "best" needs something to choose from: set every_steps')
        if not self.split.strip() or self.split in ("train", "val"):
            problems.append(f"split is '{self.split}': choose one that is neither trained on nor reported, like choose")
        raise_if(problems)


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings:
    """[evaluation]: how the finished model is scored on published sets; nothing that is learned."""

    comet: str | None = None
    """Hub name of a COMET model for translations, like Unbabel/wmt22-comet-da. It is asked by the program comet-score,
    which is installed apart (train/scores/comet.py)."""

    def __post_init__(self) -> None:
        if self.comet is not None and not self.comet.strip():
            raise ValueError("comet is empty: name a model, or leave it out")


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
