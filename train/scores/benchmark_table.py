"""The table of a benchmark: a line for each way of answering, and the paper's metrics with their intervals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from florenz.train.scores.texts import PairScores, TextScores

if TYPE_CHECKING:
    from florenz.train.scores.table import Evaluation

WAYS = (
    ("with_prefix", "with prefix"), ("without_prefix", "without"), ("translated", "own English, translated"),
    ("by_translator", "English, by translator"), ("copied", "English as it is"), ("chance", "chance"),
)  # fmt: skip
NEW = ("new", "with prefix, new scenes")
METRICS = (
    ("bleu", "BLEU", 1.0),
    ("chrf", "chrF", 1.0),
    ("cider", "CIDEr", 1.0),
    ("comet", "COMET", 100.0),
    ("exact_match", "exact", 100.0),
    ("meaning", "meaning", 100.0),
)
LANGUAGE, CONTRAST, ALONE = "language", "right one likelier", "the model's losses"
WORDS = (0, 2)  # columns of words, not of numbers
GAP = "  "
FOOTER = """\
In brackets: 95% of bootstrap samples of the texts. exact, meaning: per cent; meaning, where a set can tell it: answers
that say what the English caption says, in whatever words. held out: never trained on. new scenes: those that no picture
of the training shows. own English, translated: the model's English caption, translated by the model. English as it is:
the source of a translation, or the model's English caption; by translator: that, through the translator of
[translator]. chance: texts of other pictures. right one likelier: the share of texts whose fitting translation has a
lower loss than the other one."""


def benchmark_table(evaluation: Evaluation) -> str:
    """For the screen and, in a frame, for a page. Columns that nothing has are left out."""
    metrics = [one for one in METRICS if any(getattr(scores, one[0]) is not None for scores in _all(evaluation))]
    has_contrast = any(pair.contrast is not None for pair in evaluation.pairs)
    head = ["pair", "texts", "answers", *(title for _, title, _ in metrics), LANGUAGE]
    rows = [head + ([CONTRAST] if has_contrast else [])]
    for pair in evaluation.pairs:
        for name, way in (*WAYS[:1], NEW, *WAYS[1:]):
            scores: TextScores | None = getattr(pair, name)
            if scores is not None:
                cells = [_cell(scores, metric, factor) for metric, _, factor in metrics]
                number = pair.num_new if (name, way) == NEW else pair.num_texts
                rows.append([_name(pair), str(number), way, *cells, _share(scores.language_fidelity)])
                if has_contrast:
                    rows[-1].append("-")
        if pair.contrast is not None:
            blank = ["-"] * (len(metrics) + 1)
            rows.append([_name(pair), str(pair.num_texts), ALONE, *blank, _contrast(pair)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        GAP.join(_padded(place, cell, width) for place, (cell, width) in enumerate(zip(row, widths, strict=True)))
        for row in rows
    ]
    return "\n".join([*(line.rstrip() for line in lines), FOOTER, *_about(evaluation)])


def _padded(column: int, cell: str, width: int) -> str:
    return cell.ljust(width) if column in WORDS else cell.rjust(width)


def _all(evaluation: Evaluation) -> Iterator[TextScores]:
    for pair in evaluation.pairs:
        yield from (scores for name, _ in WAYS if (scores := getattr(pair, name)) is not None)


def _name(pair: PairScores) -> str:
    return f"{pair.name}{' (held out)' if pair.is_held_out and not pair.is_withheld else ''}"


def _cell(scores: TextScores, metric: str, factor: float) -> str:
    value = getattr(scores, metric)
    if value is None:
        return "-"
    if metric not in scores.intervals:
        return f"{factor * value:.1f}"
    low, high = (factor * end for end in scores.intervals[metric])
    return f"{factor * value:.1f} [{low:.1f}, {high:.1f}]"


def _contrast(pair: PairScores) -> str:
    assert pair.contrast is not None and pair.contrast_interval is not None
    low, high = pair.contrast_interval
    return f"{pair.contrast:.1%} [{low:.1%}, {high:.1%}]"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _about(evaluation: Evaluation) -> list[str]:
    model = evaluation.model
    if not model:
        return []
    return [
        f"{evaluation.dataset}; the model has {model['parameters']:,} parameters, after {model['step']:,} steps and "
        f"{model['samples_seen']:,} samples; {model['num_beams']} beams."
        + (f" The translator is {evaluation.translator}." if evaluation.translator else "")
        + (f" COMET is {evaluation.comet}, times 100." if evaluation.comet else "")
    ]
