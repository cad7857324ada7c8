"""What of a build is exported: splits, a task, languages, styles. As typed, checked against the manifest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from florenz.languages.codes import SOURCE
from florenz.recipes.sections import nearest
from florenz.shards.manifest import Manifest
from florenz.shards.plan import HELDOUT, SPLITS
from florenz.shards.schema import TASKS, Sample
from florenz.shards.writer import ShardInfo


class SelectionError(ValueError):
    """A choice that this build can't meet, one line for each fault."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Empty means all: of `styles`; `tasks`, `languages` and `splits` are written out."""

    splits: tuple[str, ...]
    tasks: tuple[str, ...]
    languages: tuple[str, ...]
    styles: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, list[str]]:
        return {name: list(values) for name, values in asdict(self).items()}

    def of(self, sample: Sample) -> Sample:
        """The sample with the chosen examples alone."""
        return replace(sample, examples=tuple(one for one in sample.examples if self._takes(one)))

    def chosen(self, samples: Iterator[Sample]) -> Iterator[Sample]:
        """Those of which something is left."""
        return (found for found in map(self.of, samples) if found.examples)

    def _takes(self, example: object) -> bool:
        return (
            getattr(example, "task") in self.tasks  # noqa: B009
            and getattr(example, "language") in self.languages  # noqa: B009
            and (not self.styles or getattr(example, "style") in self.styles)  # noqa: B009
        )

    def shards(self, manifest: Manifest) -> list[ShardInfo]:
        return [shard for split in self.splits for shard in manifest.shards_of(split)]

    def num_texts(self, shards: Sequence[ShardInfo]) -> int | None:
        """As the manifest counts them; None where styles are chosen, which it does not count."""
        pairs = {f"{task}/{language}" for task in self.tasks for language in self.languages}
        counted = (number for shard in shards for pair, number in shard.counts.items() if pair in pairs)
        return None if self.styles else sum(counted)


def read_selection(typed: Mapping[str, str], manifest: Manifest, *, one_task: bool) -> Selection:
    """From TASK, LANGS, STYLES and SPLITS. What is withheld is taken by SPLITS=heldout alone, into a place of its own.

    Raises:
        SelectionError: all that is wrong.
    """
    words = {name: tuple(filter(None, map(str.strip, text.split(",")))) for name, text in typed.items()}
    known = {
        "SPLITS": tuple(split for split in SPLITS if manifest.shards_of(split)),
        "TASK": TASKS,
        "LANGS": (SOURCE, *manifest.languages),
    }
    problems = [
        f"{name}: {word!r} is not in this build: {nearest(word, values)}"
        for name, values in known.items()
        for word in words.get(name, ())
        if word not in values
    ]
    splits = words.get("SPLITS") or tuple(split for split in known["SPLITS"] if split != HELDOUT)
    if HELDOUT in splits and len(splits) > 1:
        problems.append(f"SPLITS: {HELDOUT} is what is withheld from training: export it alone, to another folder")
    tasks = words.get("TASK") or (("caption",) if one_task else TASKS)
    if one_task and len(tasks) > 1:
        problems.append("TASK: this format holds one text a sample and no field for its task: choose one")
    if problems:
        raise SelectionError("\n".join(problems))
    found = Selection(
        splits=splits, tasks=tasks, languages=words.get("LANGS") or known["LANGS"], styles=words.get("STYLES", ())
    )
    if found.num_texts(found.shards(manifest)) == 0:
        held_out = [code for code in found.languages if code in manifest.held_out and "caption" in tasks]
        why = f" (captions in {','.join(held_out)} are held out)" if held_out else ""
        raise SelectionError(f"nothing is chosen: no {' or '.join(tasks)} in {','.join(found.languages)}{why}")
    return found
