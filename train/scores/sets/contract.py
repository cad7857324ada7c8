"""What an evaluation set is: a module of this folder that has `Set`, a frozen dataclass which follows `EvaluationSet`.

`BENCHMARK=cards` selects sets/cards.py and `BENCHMARK_DATA=folder` is its `Set(folder=...)`. One more set is one more
file; nothing lists them. `tests/contracts/evaluation_set.py` holds each of them to what is said here.

Everything but `items` is light: it is asked before any model is loaded.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

# (true English caption of the picture, language, answer) -> whether the answer says that and nothing else.
Judge = Callable[[str, str, str], bool]


@dataclass(frozen=True, kw_only=True)
class Item:
    """One question with its right answers.

    id: unique in its set. image: names what is counted and limited by MAX_IMAGES; items of one image follow one another
    and have the same picture. picture: the bytes of its file; None for a translation of text alone, and then for all
    items of that task and language. task: "caption" or "translation". style: one that prompts know. source_text: ""
    for captions. references: at least one. is_held_out: never trained on. where: file and place, for messages. truth:
    what a judge goes by, for a set that has one: the English caption of the picture in this style. wrong: a text that
    must be less likely than the first reference, for sets that ask that; "" for all others. is_withheld: the picture
    shows what nobody was taught to caption, in any language (`[coverage] withheld`). concepts: that it shows, for sets
    that know. is_repeated: whether a picture of the training has the same English caption in this style; None where
    nobody has looked (`known.py`).
    """

    id: str
    image: str
    picture: bytes | None
    task: str
    language: str
    style: str
    source_text: str
    references: tuple[str, ...]
    is_held_out: bool
    where: str
    truth: str = ""
    wrong: str = ""
    is_withheld: bool = False
    concepts: tuple[str, ...] = ()
    is_repeated: bool | None = None

    @property
    def pair(self) -> str:
        return pair_name(self.task, self.language, is_withheld=self.is_withheld)


def pair_name(task: str, language: str, *, is_withheld: bool) -> str:
    """As tables have it; texts about what is withheld are a pair of their own."""
    return f"{task}/{language}{'/withheld' if is_withheld else ''}"


class EvaluationSet(Protocol):
    @property
    def folder(self) -> str:
        """Where its data lies."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """Those of `texts.METRICS` that mean something here; others are not counted."""

    def problems(self) -> list[str]:
        """Why it can't be asked: a line for each thing that is missing, which says what to do. Empty if nothing is."""

    def version(self) -> str:
        """What tells this data from other data of the same form; it stands beside the scores."""

    def parts(self) -> Mapping[str, int]:
        """Its parts in order, and of how many images each is."""

    def items(self, part: str) -> Iterator[Item]:
        """In an order that is always the same. `StreamError` for what can't be read on the way."""


def judge_of(evaluation_set: EvaluationSet) -> Judge | None:
    """The set's own judge of meaning, from its method `judge()`; None for a set without, which is most of them.

    With a judge, answers in other words than the references can be right, and `TextScores.meaning` is counted.
    """
    make = getattr(evaluation_set, "judge", None)
    return None if make is None else make()


def has_baselines(evaluation_set: EvaluationSet) -> bool:
    """Whether it is compared with what answers through English would score, as published sets are: an attribute of the
    set, which most do without."""
    return bool(getattr(evaluation_set, "has_baselines", False))
