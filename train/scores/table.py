"""How scores are written down: a table for the screen and one for a page, numbers for programs, and a picture."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from florenz.stores import files
from florenz.train.scores.benchmark_table import benchmark_table
from florenz.train.scores.plot import draw, has_matplotlib
from florenz.train.scores.showcase import Showcase
from florenz.train.scores.texts import PairScores, TextScores
from florenz.train.scores.verdict import verdict

GROUPS = ("with prefix", "without", "chance")
PLAIN, MEANING, NEW = ["pair", "texts", "cross-entropy"], "meaning", "new scenes"
HEAD = [*PLAIN, *["exact", "chrF", "language"] * len(GROUPS)]
GAP = "  "
FOOTER = """\
cross-entropy: nats per token of the dataset's text, its language prefix given. exact: answers that are that text.
meaning: answers that say what the dataset's English caption says, in whatever words; which sense, shade or placement
that caption leaves open is not asked. new scenes: the same (or exact) of those that no picture of the training shows.
chrF: 0 to 100.
language: answers that language ID places in the asked language. held out: never trained on.
chance: the texts of other images as answers, right in language and style, blind to the image or to the sentence."""

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What evaluation.json holds. dataset: its build. images: split -> how many were asked about.

    For another evaluation set: its version, and its parts.
    """

    dataset: str
    images: dict[str, int]
    pairs: tuple[PairScores, ...]
    model: dict[str, int] = field(default_factory=dict)
    """Of a published benchmark: step, samples_seen, parameters, num_beams; else empty."""
    translator: str = ""
    """The model of [translator], where it was asked."""
    comet: str = ""
    """The model that gave COMET's scores; "": none did."""


def record(
    evaluation: Evaluation, folder: str, say: Say, *, benchmark: str = "", showcase: Showcase | None = None
) -> None:
    """Tell the table and write it, with its numbers, its picture and the showcase's page, into a folder.

    benchmark: the set, where it is not the dataset's validation split; it stands in the files' names, so that no table
    takes another one's place.
    """
    mark = f"-{benchmark}" if benchmark else ""
    json_name, table_name, plot_name = f"evaluation{mark}.json", f"EVALUATION{mark}.md", f"evaluation{mark}.png"
    text = benchmark_table(evaluation) if evaluation.model else ""
    say(text or screen_table(evaluation))
    sentence = verdict(evaluation.pairs)
    if sentence:
        say(f"\n{sentence}\n")
    _write(folder, json_name, json.dumps(asdict(evaluation), indent=1) + "\n")
    _write(folder, table_name, f"# {benchmark}\n\n```\n{text}\n```\n" if text else markdown(evaluation))
    if has_matplotlib():
        draw(evaluation.pairs, files.join(folder, plot_name))
        say(f"scores in {files.join(folder, json_name)}, {table_name} and {plot_name}")
    else:
        say(f"scores in {files.join(folder, json_name)} and {table_name}")
        say("no matplotlib, so no picture of the scores: pip install florenz[train]")
    page_name = f"captions{mark}.html"
    if showcase is not None and (page := showcase.page("Captions by Florenz", sentence)):
        _write(folder, page_name, page)
        say(f"a dozen pictures with their captions: {files.join(folder, page_name)}")


def screen_table(evaluation: Evaluation) -> str:
    """A line for each pair under a head of two, and what the columns mean."""
    rows = _rows(evaluation)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    num_plain = len(rows[0]) - 3 * len(GROUPS)
    spans = [sum(widths[first : first + 3]) + 2 * len(GAP) for first in range(num_plain, len(rows[0]), 3)]
    over = " " * (sum(widths[:num_plain]) + (num_plain - 1) * len(GAP))
    titles = [f" {title} ".center(span, "-") for title, span in zip(GROUPS, spans, strict=True)]
    lines = [GAP.join([over, *titles])]
    for name, *numbers in rows:
        cells = [number.rjust(width) for number, width in zip(numbers, widths[1:], strict=True)]
        lines.append(GAP.join([name.ljust(widths[0]), *cells]))
    return "\n".join([*lines, FOOTER])


def markdown(evaluation: Evaluation) -> str:
    """The same table for a page."""
    names, *cells = _rows(evaluation)
    kinds = [*[""] * (len(names) - 3 * len(GROUPS)), *(title for title in GROUPS for _ in range(3))]
    head = [f"{name}, {kind}" if kind else name for name, kind in zip(names, kinds, strict=True)]
    rows = [head, ["---", *["---:"] * (len(names) - 1)], *cells]
    images = ", ".join(f"{number} images of {split}" for split, number in evaluation.images.items() if number)
    parts = [
        "# Evaluation",
        *([sentence] if (sentence := verdict(evaluation.pairs)) else []),
        f"Dataset {evaluation.dataset}: {images}.",
        "\n".join("| " + " | ".join(row) + " |" for row in rows),
        FOOTER,
    ]
    return "\n\n".join(parts) + "\n"


def _rows(evaluation: Evaluation) -> list[list[str]]:
    """The head and a row for each pair; with a column for meaning where a judge has counted it, and for new scenes."""
    rows = [HEAD, *(_cells(pair) for pair in evaluation.pairs)]
    meanings = [pair.with_prefix.meaning if pair.with_prefix else None for pair in evaluation.pairs]
    columns = []
    if any(meaning is not None for meaning in meanings):
        columns.append([MEANING, *map(_share, meanings)])
    if any(pair.new is not None for pair in evaluation.pairs):
        columns.append([NEW, *map(_new, evaluation.pairs)])
    return [
        [*row[: len(PLAIN)], *cells, *row[len(PLAIN) :]]
        for row, cells in zip(rows, zip(*columns, strict=True) if columns else [()] * len(rows), strict=True)
    ]


def _new(pair: PairScores) -> str:
    """ "94.5% of 418" """
    if pair.new is None:
        return "-"
    return f"{_share(pair.new.exact_match if pair.new.meaning is None else pair.new.meaning)} of {pair.num_new}"


def _cells(pair: PairScores) -> list[str]:
    mark = " (held out)" if pair.is_held_out and not pair.is_withheld else ""
    cells = [f"{pair.name}{mark}", str(pair.num_texts), f"{pair.cross_entropy:.3f}"]
    for scores in (pair.with_prefix, pair.without_prefix, pair.chance):
        cells += ["-"] * 3 if scores is None else _cells_of(scores)
    return cells


def _cells_of(scores: TextScores) -> list[str]:
    return [
        _share(scores.exact_match),
        "-" if scores.chrf is None else f"{scores.chrf:.1f}",
        _share(scores.language_fidelity),
    ]


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _write(folder: str, name: str, text: str) -> None:
    with files.atomic_write(files.join(folder, name)) as file:
        file.write(text.encode())
