"""Several datasets asked as one: what they choose and report by is all of theirs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from florenz.train.scores.sets import dataset
from florenz.train.scores.sets.contract import EvaluationSet, Item, Judge, judge_of


@dataclass(frozen=True, kw_only=True)
class Joined:
    """sets: of one kind, with parts of the same names or not."""

    sets: tuple[EvaluationSet, ...]

    @property
    def folder(self) -> str:
        return ",".join(one.folder for one in self.sets)

    @property
    def metrics(self) -> tuple[str, ...]:
        return self.sets[0].metrics

    def problems(self) -> list[str]:
        return [problem for one in self.sets for problem in one.problems()]

    def version(self) -> str:
        return "+".join(one.version() for one in self.sets)

    def parts(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for one in self.sets:
            for part, number in one.parts().items():
                found[part] = found.get(part, 0) + number
        return found

    def items(self, part: str) -> Iterator[Item]:
        """Ids and images with the number of their set before them: the same image may be in two."""
        for number, one in enumerate(self.sets):
            if part in one.parts():
                for item in one.items(part):
                    yield replace(item, id=f"{number}/{item.id}", image=f"{number}/{item.image}")

    def judge(self) -> Judge | None:
        """That of the first, if every one has one: a text is judged by the English caption beside it."""
        judges = [judge_of(one) for one in self.sets]
        return None if None in judges else judges[0]


def evaluation_set_of(
    folders: Sequence[str], use: dataset.Use, choosing: str, *, watches: bool = False
) -> EvaluationSet:
    """Of one dataset itself, of several joined."""
    sets = tuple(dataset.Set(folder=folder, use=use, choosing=choosing, watches=watches) for folder in folders)
    return sets[0] if len(sets) == 1 else Joined(sets=sets)
