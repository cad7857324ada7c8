"""What a training has to do with the questions of an evaluation set: what it withheld, and what it has seen alike.

A dataset's own validation split says by itself what is held out. Scenes of another seed (`sets/playground.py`) don't:
there the manifest of the training's data tells which languages and which concepts nobody was taught to caption.

No picture of a split for reporting was ever trained on, but scenes repeat: one with a single group has a few thousand
short captions in all, so about one in six pictures of the playground's val shows what some picture of its training
shows too, another drawing with the very same caption. Those questions are marked, so that the others can be scored by
themselves. Of real pictures nothing is marked: none shows what another does because their captions are alike.

The price: the training split's texts are read once, a second for a few thousand pictures.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from florenz.languages.codes import SOURCE
from florenz.shards.manifest import Manifest, read_manifest
from florenz.train.data.examples import read_examples
from florenz.train.data.tar_index import ShardCache, ShardFiles, StreamError
from florenz.train.scores.sets.contract import EvaluationSet, Item, Judge, has_baselines, judge_of
from florenz.train.scores.sets.dataset import PLAYGROUND

Text = tuple[str, str]  # style, English caption


@dataclass(frozen=True, kw_only=True)
class Known:
    """An evaluation set whose items say what the training has to do with them; all else is as in `asked`.

    languages: that the training has texts in. held_out: those of them that it captions nowhere. withheld: concepts.
    texts: the English captions of its pictures; None where its shards can't be read any more, and nobody can tell.
    """

    asked: EvaluationSet
    languages: frozenset[str]
    held_out: frozenset[str]
    withheld: frozenset[str]
    texts: frozenset[Text] | None

    @property
    def folder(self) -> str:
        return self.asked.folder

    @property
    def metrics(self) -> tuple[str, ...]:
        return self.asked.metrics

    @property
    def has_baselines(self) -> bool:
        return has_baselines(self.asked)

    def problems(self) -> list[str]:
        return self.asked.problems()

    def version(self) -> str:
        return self.asked.version()

    def parts(self) -> Mapping[str, int]:
        return self.asked.parts()

    def items(self, part: str) -> Iterator[Item]:
        for item in self.asked.items(part):
            yield self._marked(item)

    def judge(self) -> Judge | None:
        return judge_of(self.asked)

    def _marked(self, item: Item) -> Item:
        is_caption = item.task == "caption"
        is_withheld = is_caption and (item.is_withheld or not self.withheld.isdisjoint(item.concepts))
        is_held_out = (
            is_withheld or item.language not in self.languages or (is_caption and item.language in self.held_out)
        )
        return replace(
            item,
            is_held_out=item.is_held_out or is_held_out,
            is_withheld=is_withheld,
            is_repeated=None if self.texts is None else (item.style, item.truth) in self.texts,
        )


def known_to(folders: Sequence[str], asked: EvaluationSet) -> EvaluationSet:
    """`asked`, with what a training on these datasets has to do with it; as it is where they are not the playground's.

    Raises:
        ValueError: a dataset that is none.
    """
    manifests = [read_manifest(folder) for folder in folders]
    if any(one.recipe.get("images", {}).get("source") != PLAYGROUND for one in manifests):
        return asked
    languages = {language for one in manifests for language in one.languages}
    return Known(
        asked=asked,
        languages=frozenset(languages | {SOURCE}),
        held_out=frozenset(language for language in languages if all(language in one.held_out for one in manifests)),
        withheld=frozenset.intersection(*(_withheld(one) for one in manifests)),
        texts=_texts(folders, manifests),
    )


def _texts(folders: Sequence[str], manifests: Sequence[Manifest]) -> frozenset[Text] | None:
    try:
        return frozenset(text for pair in zip(folders, manifests, strict=True) for text in _english(*pair))
    except StreamError:  # val can be scored without train
        return None


def _withheld(manifest: Manifest) -> frozenset[str]:
    return frozenset(manifest.recipe.get("coverage", {}).get("withheld", ()))


def _english(folder: str, manifest: Manifest) -> Iterator[Text]:
    """Of all pictures to learn from; of those that show what is withheld it is the source of their translations."""
    with closing(ShardFiles(folder, manifest, "train", ShardCache(folder=""))) as shards:
        for shard, info in enumerate(manifest.shards_of("train")):
            for index in range(info.samples):
                for example in read_examples(shards, shard, index):
                    if text := example.text if example.language == SOURCE else example.source_text:
                        yield example.style, text
