"""What a scorer is: a module or package of this room with the five names of `ScorerKind`.

`kind = "metricx"` in a recipe's [filters.quality] selects `scorers/metricx`; one more scorer is one more file here. A
kind is imported wherever its recipe is read, so it imports neither torch nor Beam: what is heavy waits behind `load`,
for the processes that score. It knows pictures and texts, and neither ledger nor threshold: what a score is good for
is for others to say, and which way is better is a fact of the scorer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

from florenz.recipes.checks import below_1, blank, no_device, not_above_0, raise_if
from florenz.recipes.fingerprints import effort
from florenz.recipes.kinds import load_kind

if TYPE_CHECKING:
    from PIL import Image

ROOM = "scorers"
MAX_CANDIDATES = 32


class ScorerError(ValueError):
    """The scorer can't be loaded; one line with what to do."""


@dataclass(frozen=True, kw_only=True)
class ScorerSettings:
    """[filters.quality] and its like: the keys that every kind has. A kind's own `Settings` extends them, and gives
    `kind` its default.
    """

    kind: str
    """The scorer's module in scorers/."""

    model: str
    """A folder with the model's files, or a name on the hub."""

    revision: str = ""
    """Commit of a hub model; empty means its main branch, which can move."""

    threshold: float | None = effort(None)
    """Texts with a worse score are dropped, those that have just this one are kept; None: scores are written down and
    nothing is dropped. Which scores are worse is the kind's to say."""

    candidates: int = effort(1)
    """Texts among which the best one by score is kept, the first included, where that one is worse than the threshold.
    1: nothing is asked again."""

    temperature: float = effort(0.7)
    """Of the translator's sampling for the candidates after the first; each has a seed of its own."""

    batch_size: int = effort(32)
    """Texts that are scored together."""

    device: str = effort("auto")
    """auto (a GPU if there is one), cpu, cuda, or one of several GPUs as in cuda:1. Of several that it is not told
    apart, each worker process takes one that no other has."""

    cpu_threads: int | None = effort(None)
    """Threads on a CPU, for each worker; None takes all cores."""

    def __post_init__(self) -> None:
        raise_if(self.faults())

    def faults(self) -> list[str]:
        """What is wrong with these values, one line each; a kind adds its own."""
        return (
            blank("model", self.model, "name a model folder or a model on the hub")
            + below_1(batch_size=self.batch_size, cpu_threads=self.cpu_threads)
            + no_device("device", self.device)
            + self._faults_of_asking_again()
        )

    def _faults_of_asking_again(self) -> list[str]:
        faults = not_above_0(temperature=self.temperature) + below_1(candidates=self.candidates)
        if self.candidates > MAX_CANDIDATES:
            faults.append(f"candidates is {self.candidates}: choose at most {MAX_CANDIDATES}")
        if self.candidates > 1 and self.threshold is None:
            faults.append(f"candidates is {self.candidates}, and there is no threshold to ask again below: set one")
        return faults


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is true of every score of a kind. lowest, highest: what a score can be."""

    needs_image: bool
    lower_is_better: bool
    lowest: float
    highest: float

    def is_worse(self, score: float, other: float) -> bool:
        return score > other if self.lower_is_better else score < other


@dataclass(frozen=True, kw_only=True)
class Question:
    """One text. source: the English text that it was made from, "" for a caption. language: ISO 639-1. picture: as
    `prepare` made it, None where the kind needs none.
    """

    source: str
    text: str
    language: str
    picture: Any = None


class Scorer(Protocol):
    """A loaded scorer; `recipes.kinds.Closing` too, where it holds more than memory."""

    def prepare(self, picture: Image.Image) -> Any:
        """An RGB picture of any size as the model wants it, a few MB at most; called from several threads at once, and
        only where the kind needs images.
        """

    def score(self, questions: Sequence[Question]) -> Sequence[float]:
        """One finite number for each, in order, within the kind's bounds. It does not depend on what else is asked at
        once, as far as arithmetic allows.
        """


class ScorerKind(Protocol):
    """A module of this room."""

    Settings: type[ScorerSettings]
    """Its section of the recipe. Fields that do not decide a score are marked with `recipes.fingerprints.effort`."""

    def facts(self, settings: Any) -> Facts:
        """What is true of its scores."""

    def fingerprint_parts(self, settings: Any) -> Mapping[str, Any]:
        """Everything that decides a score beside what is asked, as JSON can hold it."""

    def problems(self, settings: Any) -> Iterable[str]:
        """What would stop `load`, as far as it can be known in seconds; one line each, with advice."""

    def load(self, settings: Any) -> Scorer:
        """The scorer, in the process that asks it. `ScorerError`, or what libraries raise for missing files."""


def kind_of(settings: ScorerSettings) -> ScorerKind:
    """The module that these settings belong to; the heavy half is not imported. `KindError` if there is none."""
    return cast(ScorerKind, load_kind(ROOM, settings.kind))


def threshold_problems(settings: ScorerSettings) -> list[str]:
    """A threshold that no score can be on either side of."""
    facts, threshold = kind_of(settings).facts(settings), settings.threshold
    if threshold is None or facts.lowest <= threshold <= facts.highest:
        return []
    better = "lower" if facts.lower_is_better else "higher"
    bounds = f"{facts.lowest:g} to {facts.highest:g}, {better} is better"
    return [f"threshold is {threshold:g}, and scores of a {settings.kind} go from {bounds}: choose one of them"]
