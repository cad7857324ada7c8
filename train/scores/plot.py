"""The scores as a picture: one row per pair, covered pairs in one colour and held-out ones in another.

Drawn with matplotlib's canvas alone, not through pyplot: no display, and no state that outlives the picture.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from florenz.stores import files
from florenz.train.scores.texts import PairScores, TextScores

COVERED, HELD_OUT = "#0072b2", "#e69f00"  # told apart by colour-blind eyes, and in grey
INCHES_PER_PANEL, INCHES_PER_PAIR = 3.2, 0.36

ScoreOf = Callable[[TextScores], float | None]


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One score. of_texts: None for the cross-entropy, which is no score of answers. limit: of the axis; None: open."""

    title: str
    of_texts: ScoreOf | None
    limit: float | None

    def bar(self, pair: PairScores) -> float | None:
        return pair.cross_entropy if self.of_texts is None else self.of(pair.with_prefix)

    def of(self, scores: TextScores | None) -> float | None:
        return None if scores is None or self.of_texts is None else self.of_texts(scores)


PANELS = (
    Panel(title="cross-entropy (nats per token)", of_texts=None, limit=None),
    Panel(title="exact match", of_texts=lambda scores: scores.exact_match, limit=1.0),
    Panel(title="chrF", of_texts=lambda scores: scores.chrf, limit=100.0),
    Panel(title="in the asked language", of_texts=lambda scores: scores.language_fidelity, limit=1.0),
)


def has_matplotlib() -> bool:
    """Whether its package is installed; only the picture needs it."""
    return importlib.util.find_spec("matplotlib") is not None


def draw(pairs: Sequence[PairScores], path: str) -> None:
    """Write a PNG that shows the pairs from top to bottom; it replaces what was there."""
    figure = make_figure(pairs)
    with files.atomic_write(path) as file:
        figure.savefig(file, format="png", dpi=120)


def make_figure(pairs: Sequence[PairScores]) -> Any:
    """The matplotlib figure of `draw`: a panel for each score, a bar for each pair."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # optional, and a second to import
    from matplotlib.figure import Figure

    height = 1.4 + INCHES_PER_PAIR * len(pairs)
    figure = Figure(figsize=(INCHES_PER_PANEL * len(PANELS), height), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(PANELS), sharey=True)
    for axes, panel in zip(panels, PANELS, strict=True):
        _draw_panel(axes, panel, pairs)
    panels[0].set_yticks(range(len(pairs)), [pair.name for pair in pairs])
    panels[0].invert_yaxis()
    figure.legend(handles=_legend(), loc="outside lower center", ncols=4, frameon=False)
    return figure


def _draw_panel(axes: Any, panel: Panel, pairs: Sequence[PairScores]) -> None:
    axes.set_title(panel.title, fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    for place, pair in enumerate(pairs):
        if (value := panel.bar(pair)) is not None:
            axes.barh(place, value, height=0.7, color=HELD_OUT if pair.is_held_out else COVERED)
        if (value := panel.of(pair.without_prefix)) is not None:
            axes.plot(value, place, marker="D", color="white", markeredgecolor="black", markersize=5, clip_on=False)
        if (value := panel.of(pair.chance)) is not None:
            axes.plot([value, value], [place - 0.42, place + 0.42], color="black", linewidth=2, clip_on=False)
    if panel.limit is not None:
        axes.set_xlim(0, panel.limit)
        axes.set_xticks([0, panel.limit / 2, panel.limit])


def _legend() -> list[Any]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    return [
        Patch(color=COVERED, label="covered"),
        Patch(color=HELD_OUT, label="held out"),
        Line2D([], [], marker="D", color="white", markeredgecolor="black", label="without language prefix"),
        Line2D([], [], marker="|", color="white", markeredgecolor="black", markeredgewidth=2, markersize=12,
               label="chance: texts of other images"),
    ]  # fmt: skip
