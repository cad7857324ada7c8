"""[records], [validation] and [evaluation]: what is written on the way, and how the model is scored."""

from __future__ import annotations

from dataclasses import dataclass

from florenz.recipes.checks import below_1, raise_if
from florenz.train.settings.later import later

STOPS = ("last", "best")


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

    watch_held_out: bool = later(False)
    """Held-out captions of images of val are measured on the way too, where the split for choosing has none. They
    choose nothing; but whoever looks at their curves has looked at what is reported."""

    def __post_init__(self) -> None:
        problems = below_1(max_images=self.max_images)
        if self.every_steps < 0:
            problems.append(f"every_steps is {self.every_steps}: choose 0 for never, or more")
        if self.keep not in STOPS:
            problems.append(f"keep is '{self.keep}': choose {' or '.join(STOPS)}")
        if self.watch_held_out and not self.every_steps:
            problems.append("watch_held_out is for validation on the way: set every_steps")
        if self.keep == "best" and not self.every_steps:
            problems.append('keep = "best" needs something to choose from: set every_steps')
        if not self.split.strip() or self.split in ("train", "val"):
            problems.append(f"split is '{self.split}': choose one that is neither trained on nor reported, like choose")
        raise_if(problems)


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings:
    """[evaluation]: how the finished model is scored; nothing that is learned."""

    generate: bool = True
    """Whether the model writes texts when its training ends, which takes longer than their cross-entropy. Without, that
    is all that is known: enough for `make law`. Published sets are answered in texts all the same."""

    comet: str | None = None
    """Hub name of a COMET model for translations, like Unbabel/wmt22-comet-da. It is asked of published sets by the
    program comet-score, which is installed apart (train/scores/comet.py)."""

    def __post_init__(self) -> None:
        if self.comet is not None and not self.comet.strip():
            raise ValueError("comet is empty: name a model, or leave it out")
