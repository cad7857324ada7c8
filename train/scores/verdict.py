"""Did captioning emerge? One sentence for somebody who sees the table for the first time.

A held-out language is measured by chrF, on a scale that begins at chance (the texts of other images) and ends at what
the model scores in the languages that it was taught to caption, on average. From EMERGED of that way on captioning has
emerged, from PARTLY on in part. chrF and not exact texts: it is there for every set, and falls slowly.

A model that sees nothing writes captions that look alike in all languages, and so goes all of that way: where meaning
is counted, what it was taught must be right at least in LEARNED of the cases before anything is said to have emerged.
"""

from __future__ import annotations

from collections.abc import Sequence

from florenz.languages.codes import SOURCE, name_of
from florenz.train.scores.texts import PairScores, TextScores

EMERGED, PARTLY = 0.9, 0.5
LEARNED = 0.5


def verdict(pairs: Sequence[PairScores]) -> str:
    """The sentence; "" where no held-out captions were scored, or nothing to compare them with."""
    captions = [one for one in pairs if one.task == "caption" and one.with_prefix is not None and not one.is_withheld]
    learned = {one.language for one in pairs if one.task == "translation" and not one.is_held_out}
    held_out = [pair for pair in captions if pair.is_held_out and (not learned or pair.language in learned)]
    taught = [pair for pair in captions if not pair.is_held_out]
    translated = [pair for pair in taught if pair.language != SOURCE] or taught  # as the held-out ones are
    ways = {pair.language: way for pair in held_out if (way := _way(pair, translated)) is not None}
    if not ways:
        return ""
    known = ", ".join(f"{name_of(pair.language)} {_share(pair.with_prefix)}" for pair in taught)
    meanings = [
        one.with_prefix.meaning for one in translated if one.with_prefix and one.with_prefix.meaning is not None
    ]
    if meanings and max(meanings) < LEARNED:
        asked = ", ".join(f"{name_of(pair.language)} {_share(pair.with_prefix)}" for pair in held_out)
        return (
            f"Captioning was not learned where it was taught ({known}), so nothing can have emerged in other languages "
            f"({asked}): in per cent of captions that are {_what(held_out)}."
        )
    sentences = []
    for words, low, high in (
        ("Captioning emerged in", EMERGED, float("inf")),
        ("Captioning emerged in part in", PARTLY, EMERGED),
        ("Captioning did not emerge in", float("-inf"), PARTLY),
    ):
        languages = [pair for pair in held_out if low <= ways.get(pair.language, float("nan")) < high]
        if languages:
            told = ", ".join(f"{name_of(pair.language)} ({_share(pair.with_prefix)})" for pair in languages)
            sentences.append(f"{words} {told}")
    number = max(pair.num_texts for pair in held_out)
    return (
        f"{'; '.join(sentences)}. The model was never shown a caption in these languages, only translations into them; "
        f"in brackets, of {number} captions of pictures that it has never seen, those that are {_what(held_out)}"
        f"{_of_new(held_out)}. Where it was taught to caption: {known}."
    )


def _of_new(held_out: Sequence[PairScores]) -> str:
    """Scenes repeat, and pictures don't: what is right of those that no other picture of the training shows."""
    new = [pair for pair in held_out if pair.new is not None]
    if not new:
        return ""
    shares = ", ".join(f"{name_of(pair.language)} {_share(pair.new)}" for pair in new)
    return f" (of {max(pair.num_new or 0 for pair in new)} whose scene no other picture showed it either: {shares})"


def _way(pair: PairScores, taught: Sequence[PairScores]) -> float | None:
    """How far from chance to what was taught, 0 to about 1."""
    scores = [other.with_prefix.chrf for other in taught if other.with_prefix and other.with_prefix.chrf is not None]
    chance = pair.chance.chrf if pair.chance else None
    if not scores or chance is None or pair.with_prefix is None or pair.with_prefix.chrf is None:
        return None
    top = sum(scores) / len(scores)
    return (pair.with_prefix.chrf - chance) / (top - chance) if top > chance else float("-inf")


def _what(held_out: Sequence[PairScores]) -> str:
    first = held_out[0].with_prefix
    assert first is not None
    if first.meaning is not None:
        return "exactly right in what they say"
    return "exactly the dataset's text" if first.exact_match is not None else "like it by chrF"


def _share(scores: TextScores | None) -> str:
    assert scores is not None
    share = scores.exact_match if scores.meaning is None else scores.meaning
    return f"chrF {scores.chrf:.0f}" if share is None else f"{share:.0%}"
