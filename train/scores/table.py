"""How scores are written down: a table for the screen and one for a page, numbers for programs, and a picture."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

from florenz.stores import files
from florenz.train.scores.plot import draw, has_matplotlib
from florenz.train.scores.texts import PairScores, TextScores

GROUPS = ("with prefix", "without", "chance")
HEAD = ["pair", "texts", "cross-entropy", *["exact", "chrF", "language"] * len(GROUPS)]
GAP = "  "
FOOTER = """\
cross-entropy: nats per token of the dataset's text, its language prefix given. exact: answers that are that text.
chrF: 0 to 100. language: answers that language ID places in the asked language. held out: never trained on.
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


def record(evaluation: Evaluation, folder: str, say: Say, *, benchmark: str = "") -> None:
    """Tell the table and write it, with its numbers and its picture, into a folder.

    benchmark: the set, where it is not the dataset's validation split; it stands in the files' names, so that no table
    takes another one's place.
    """
    mark = f"-{benchmark}" if benchmark else ""
    json_name, table_name, plot_name = f"evaluation{mark}.json", f"EVALUATION{mark}.md", f"evaluation{mark}.png"
    say(screen_table(evaluation))
    _write(folder, json_name, json.dumps(asdict(evaluation), indent=1) + "\n")
    _write(folder, table_name, markdown(evaluation))
    if has_matplotlib():
        draw(evaluation.pairs, files.join(folder, plot_name))
        say(f"scores in {files.join(folder, json_name)}, {table_name} and {plot_name}")
    else:
        say(f"scores in {files.join(folder, json_name)} and {table_name}")
        say("no matplotlib, so no picture of the scores: pip install florenz[train]")


def screen_table(evaluation: Evaluation) -> str:
    """A line for each pair under a head of two, and what the columns mean."""
    rows = [HEAD, *(_cells(pair) for pair in evaluation.pairs)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    num_plain = len(HEAD) - 3 * len(GROUPS)
    spans = [sum(widths[first : first + 3]) + 2 * len(GAP) for first in range(num_plain, len(HEAD), 3)]
    over = " " * (sum(widths[:num_plain]) + (num_plain - 1) * len(GAP))
    titles = [f" {title} ".center(span, "-") for title, span in zip(GROUPS, spans, strict=True)]
    lines = [GAP.join([over, *titles])]
    for name, *numbers in rows:
        cells = [number.rjust(width) for number, width in zip(numbers, widths[1:], strict=True)]
        lines.append(GAP.join([name.ljust(widths[0]), *cells]))
    return "\n".join([*lines, FOOTER])


def markdown(evaluation: Evaluation) -> str:
    """The same table for a page."""
    kinds = [*[""] * (len(HEAD) - 3 * len(GROUPS)), *(title for title in GROUPS for _ in range(3))]
    head = [f"{name}, {kind}" if kind else name for name, kind in zip(HEAD, kinds, strict=True)]
    rule = ["---", *["---:"] * (len(HEAD) - 1)]
    rows = [head, rule, *(_cells(pair) for pair in evaluation.pairs)]
    images = ", ".join(f"{number} images of {split}" for split, number in evaluation.images.items() if number)
    parts = [
        "# Evaluation",
        f"Dataset {evaluation.dataset}: {images}.",
        "\n".join("| " + " | ".join(row) + " |" for row in rows),
        FOOTER,
    ]
    return "\n\n".join(parts) + "\n"


def _cells(pair: PairScores) -> list[str]:
    mark = " (held out)" if pair.is_held_out else ""
    cells = [f"{pair.task}/{pair.language}{mark}", str(pair.num_texts), f"{pair.cross_entropy:.3f}"]
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
