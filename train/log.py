"""What a training says on the way: a JSON line per logged step, curves for TensorBoard, a bar on the screen.

OUT/metrics.jsonl is the record, of steps and of validations. A training that goes on first cuts what was logged after
its checkpoint, so the file reads as if nothing had happened; only the rates per second tell that it did. TensorBoard is
asked to do the same.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from tqdm import tqdm

from florenz.stores import files
from florenz.train.validation import ValidationRecord

METRICS = "metrics.jsonl"
TENSORBOARD = "tensorboard"
BAR = "{desc}{percentage:.0f}%|{bar}| {n_fmt}/{total_fmt} steps, {remaining} left{postfix}"
CURVES = (
    "loss", "learning_rate", "gradient_norm", "tokens_per_s", "images_per_s", "tflops_per_s", "utilisation",
    "data_wait", "peak_memory_gib",
)  # fmt: skip
VALIDATION_CURVES = ("cross_entropy", "exact")


@dataclass(frozen=True, kw_only=True)
class StepRecord:
    """One line of the log, over all ranks.

    step: counted through all stages, from 1. epoch: how often the data of this stage was seen. loss: mean cross-entropy
    of the step's target tokens, in nats. gradient_norm: before clipping. tokens: target tokens in the step.
    images: pictures in the step. The rates are means since the line before (`speed.Rates` says of what).
    peak_memory_gib: of the rank that needed most, since the process began. Lines of before they were kept lack the
    last four.
    """

    step: int
    stage: str
    epoch: float
    loss: float
    learning_rate: float
    gradient_norm: float
    tokens: int
    images: int
    tokens_per_s: float
    images_per_s: float
    tflops_per_s: float
    utilisation: float | None
    data_wait: float
    peak_memory_gib: float


class TrainingLog:
    """The three places that hear of a step. For rank 0; closed at the end of the `with`."""

    def __init__(self, out: str, *, first_step: int, total_steps: int, tensorboard: bool) -> None:
        """first_step: steps that are done already; what was logged beyond them is cut."""
        path = Path(out) / METRICS
        cut_log(path, first_step)
        self._file = path.open("a")
        self._writer = _summary_writer(out, first_step) if tensorboard else None
        is_seen = sys.stderr.isatty()
        size = {"ncols": _columns(), "nrows": 20} if is_seen else {}  # for one bar, any number of rows but 0 will do
        self._bar = tqdm(
            total=total_steps, initial=first_step, file=sys.stderr, bar_format=BAR, disable=not is_seen, **size
        )

    def __enter__(self) -> TrainingLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()
        self._file.close()
        if self._writer is not None:
            self._writer.close()

    def advance(self, stage: str) -> None:
        """One more step is done."""
        self._bar.set_description(stage, refresh=False)
        self._bar.update()

    def write(self, record: StepRecord) -> None:
        self._file.write(json.dumps(asdict(record)) + "\n")
        self._file.flush()
        rates = f"{record.tokens_per_s:,.0f} tokens/s, {record.images_per_s:,.0f} images/s"
        if record.utilisation is not None:
            rates += f", {record.utilisation:.0%} of the peak"
        self._bar.set_postfix_str(f"loss {record.loss:.3f}, {rates}", refresh=False)
        if self._writer is not None:
            for name in CURVES:
                if (value := getattr(record, name)) is not None:
                    self._writer.add_scalar(name, value, record.step)

    def write_validation(self, record: ValidationRecord) -> None:
        self._file.write(json.dumps(asdict(record)) + "\n")
        self._file.flush()
        if self._writer is not None:
            self._writer.add_scalar("validation/chosen_by", record.chosen_by, record.step)
            for pair, figures in record.pairs.items():
                for name in VALIDATION_CURVES:
                    self._writer.add_scalar(f"validation/{name}/{pair}", getattr(figures, name), record.step)

    def sync(self) -> None:
        """Onto the disk: a checkpoint may not outlive the lines before it."""
        os.fsync(self._file.fileno())


def cut_log(path: Path, last_step: int) -> None:
    """Leave the lines of steps up to this one; a line that a killed run left unfinished is none."""
    if path.exists():
        kept = [line for line in path.read_bytes().splitlines(keepends=True) if (_step_of(line) or 0) <= last_step]
        with files.atomic_write(str(path)) as file:
            file.writelines(line for line in kept if _step_of(line) is not None)


def has_tensorboard() -> bool:
    """Whether its package is installed; the training needs it for nothing else."""
    import importlib.util

    return importlib.util.find_spec("tensorboard") is not None


def _step_of(line: bytes) -> int | None:
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return None


def _summary_writer(out: str, first_step: int) -> Any:
    from torch.utils.tensorboard import SummaryWriter  # takes a second to import

    return SummaryWriter(str(Path(out) / TENSORBOARD), purge_step=first_step + 1)


def _columns() -> int:
    """Of the terminal; 80 for one that does not know, where tqdm by itself would draw nothing."""
    return os.get_terminal_size(sys.stderr.fileno()).columns or 80
