"""One image, many examples: which of them is learned from in this epoch.

The mix states shares per (task, language) pair, such as {"caption/en": 1, "translation/fr": 2}. Each image draws one
pair among those that it has, by a hash of (seed, epoch, key); nothing is remembered between images, so any process can
draw for any image. The price: an image that lacks a rare pair can't be made up for by another one, so a pair that few
images have falls short of its share. To keep that small, a pair weighs the more the fewer images have it: with a pair
in 1 of 10 images among seven equal ones, 6% of the examples instead of 1.4%. Images count there, not texts
(`train/data/counting.py`): an image with two styles of a pair is one image, since it draws the pair once.

An image that has none of the pairs is passed over: it is in no batch of this mix, in any epoch.
"""

import difflib
import hashlib
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from florenz.languages.codes import SOURCE
from florenz.shards.manifest import Manifest
from florenz.shards.schema import Example


@dataclass(frozen=True, kw_only=True)
class Mix:
    """weights: "task/language" -> share, in any unit. Empty: the same share for every pair that the split has.

    styles: of the texts that count; empty: all. copy_english: there is a pair translation/en too, English captions to
    be written down again from themselves. source_dropout: the chance of each word of a source text to be lost.
    `ValueError` for a weight that is not a number above zero.
    """

    weights: Mapping[str, float] = field(default_factory=dict)
    styles: tuple[str, ...] = ()
    copy_english: bool = False
    source_dropout: float = 0.0

    def __post_init__(self) -> None:
        for pair, weight in self.weights.items():
            if not (math.isfinite(weight) and weight > 0):
                raise ValueError(f"mix: the weight of {pair} is {weight}: give a number above 0, or leave the pair out")

    def pair_weights(
        self, manifest: Manifest, split: str, num_images: Mapping[str, float] | None = None
    ) -> dict[str, float]:
        """What each pair weighs in an image's draw: its share, divided by how many images have it.

        num_images: pair -> how many images have it (`counting.count_images`). None: one for each of the manifest's
        texts, for those who ask which pairs there are. `ValueError` for a pair of which the split has no example.
        """
        counts = self.counts(manifest, split) if num_images is None else {p: n for p, n in num_images.items() if n}
        if not counts:
            of_styles = f" in the style {', '.join(self.styles)}" if self.styles else ""
            raise ValueError(
                f"mix: the split {split} has no examples{of_styles}: choose another, or assemble the dataset again"
            )
        for pair in self.weights:
            if pair not in counts:
                raise ValueError(f"mix: {split} has no example of {pair}: {_advice(pair, counts, manifest)}")
        most = max(counts.values())
        shares = self.weights or dict.fromkeys(counts, 1.0)
        return {pair: shares[pair] * most / counts[pair] for pair in sorted(shares)}

    def counts(self, manifest: Manifest, split: str) -> dict[str, int]:
        """Pair -> number of its texts in all styles, those that are copies included."""
        counts = {
            f"{task}/{language}": number
            for task, languages in manifest.counts.get(split, {}).items()
            for language, number in languages.items()
            if number
        }
        if self.copy_english and (num_english := counts.get(f"caption/{SOURCE}")):
            counts[f"translation/{SOURCE}"] = num_english
        return counts

    def of_those_in(self, manifest: Manifest, split: str) -> "Mix":
        """This mix for one of several datasets, which need not have every pair. `ValueError` if it has none."""
        counts = self.counts(manifest, split)
        kept = {pair: weight for pair, weight in self.weights.items() if pair in counts}
        if self.weights and not kept:
            raise ValueError(f"mix: build {manifest.build} has none of {', '.join(self.weights)}: leave it out of DATA")
        return replace(self, weights=kept)

    def usable(self, examples: Sequence[Example]) -> list[Example]:
        """Those of an image that this mix may choose from: of its styles, with copies if it has them."""
        found = [example for example in examples if not self.styles or example.style in self.styles]
        return found + [_copy(one) for one in found if self.copy_english and _is_english_caption(one)]


def choose(
    pair_weights: Mapping[str, float], examples: Sequence[Example], draw: tuple[int, int, str]
) -> Example | None:
    """The example that an image contributes in an epoch, None if it has none of the pairs; draw: (seed, epoch, key).

    Among the styles of the pair all are equally likely.
    """
    by_pair: dict[str, list[Example]] = {}
    for example in examples:
        pair = f"{example.task}/{example.language}"
        if pair in pair_weights:
            by_pair.setdefault(pair, []).append(example)
    if not by_pair:
        return None
    digest = hashlib.sha256("\0".join(map(str, ("mix", *draw))).encode()).digest()
    point = int.from_bytes(digest[:8], "big") / 2**64 * sum(pair_weights[pair] for pair in sorted(by_pair))
    chosen = ""
    for pair in sorted(by_pair):
        chosen = pair
        point -= pair_weights[pair]
        if point < 0:
            break
    styles = sorted(by_pair[chosen], key=lambda example: (example.style, example.text))
    return styles[int.from_bytes(digest[8:16], "big") * len(styles) >> 64]


def _is_english_caption(example: Example) -> bool:
    return example.task == "caption" and example.language == SOURCE


def _copy(english: Example) -> Example:
    return replace(english, task="translation", source_language=SOURCE, source_text=english.text)


def _advice(pair: str, counts: Collection[str], manifest: Manifest) -> str:
    task, _, language = pair.partition("/")
    if task == "caption" and language in manifest.held_out:
        return "its captioning is held out, so leave the pair out"
    nearest = difflib.get_close_matches(pair, counts, n=1)
    question = f"do you mean {nearest[0]}? " if nearest else ""
    return f"{question}it has {', '.join(sorted(counts))}"
