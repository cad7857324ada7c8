"""Inline SVG, drawn by hand: a bar, a histogram, a time line. No script, and a text for whoever can't see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

WIDTH, ROW = 640, 22
MODEL_STEPS = ("caption", "translate", "rephrase", "score", "again")


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of a run. started, ended: seconds since the run began. items: how many, 0 if none are counted."""

    name: str
    started: float
    ended: float
    items: int = 0

    @property
    def seconds(self) -> float:
        return self.ended - self.started


def bar(parts: Sequence[tuple[str, int]], total: int) -> Markup:
    """One line of coloured pieces: (CSS class, number)."""
    left, pieces = 0.0, Markup()
    for kind, number in parts:
        width = 100 * number / total if total else 0
        pieces += Markup('<rect class="{}" x="{:.2f}" y="0" width="{:.2f}" height="10"/>').format(kind, left, width)
        left += width
    return Markup(
        '<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">{}</svg>'
    ).format(pieces)


def histogram(lengths: Sequence[int], label: str, bins: int = 24) -> Markup:
    """How long texts are, from 0 to the longest."""
    if not lengths:
        return Markup()
    longest = max(lengths)
    counts = [0] * bins
    for length in lengths:
        counts[min(bins - 1, length * bins // (longest + 1))] += 1
    highest = max(counts)
    bars = Markup().join(
        Markup('<rect x="{}" y="{:.1f}" width="9" height="{:.1f}"/>').format(
            number * 10, 40 - 40 * count / highest, 40 * count / highest
        )
        for number, count in enumerate(counts)
    )
    about = f"{label}: {about_lengths(lengths)}"
    return Markup('<svg class="histogram" viewBox="0 0 {} 40" role="img" aria-label="{}">{}</svg>').format(
        bins * 10, escape(about), bars
    )


def about_lengths(lengths: Sequence[int]) -> str:
    """At least one of them, in words: what a histogram shows."""
    return f"{len(lengths)} texts, median {sorted(lengths)[len(lengths) // 2]}, longest {max(lengths)} characters"


def time_line(steps: Sequence[Step], idle: Sequence[tuple[float, float]]) -> Markup:
    """Steps as bars under each other; `idle`, where neither model was busy, as a shade behind them."""
    if not steps:
        return Markup()
    end = max(max(step.ended for step in steps), 0.001)
    scale = (WIDTH - 260) / end
    height = ROW * len(steps)
    pieces = Markup()
    for start, stop in idle:
        pieces += Markup('<rect class="idle" x="{:.1f}" y="0" width="{:.1f}" height="{}"/>').format(
            100 + start * scale, max(0.5, (stop - start) * scale), height
        )
    for number, step in enumerate(steps):
        seconds = step.ended - step.started
        rate = f", {step.items / seconds:.1f}/s" if step.items and seconds > 0 else ""
        pieces += Markup(
            '<text x="0" y="{y}">{name}</text>'
            '<rect class="step" x="{x:.1f}" y="{top}" width="{width:.1f}" height="14"/>'
            '<text x="{after:.1f}" y="{y}">{seconds:.1f} s{rate}</text>'
        ).format(
            y=number * ROW + 15,
            name=step.name,
            x=100 + step.started * scale,
            top=number * ROW + 4,
            width=max(1.0, seconds * scale),
            after=106 + step.ended * scale,
            seconds=seconds,
            rate=rate,
        )
    return Markup('<svg class="time" viewBox="0 0 {} {}" role="img" aria-label="time line">{}</svg>').format(
        WIDTH, height, pieces
    )


def idle_times(steps: Sequence[Step], busy: Sequence[tuple[float, float]] | None = None) -> list[tuple[float, float]]:
    """When no model was busy, from the first step's start to the last one's end. busy: when one was, in seconds since
    the run began; None: nobody measured it, and a model counts as busy while its step ran.
    """
    if not steps:
        return []
    if busy is None:
        busy = [(step.started, step.ended) for step in steps if step.name in MODEL_STEPS]
    at, gaps = min(step.started for step in steps), []
    for start, end in sorted(busy):
        if start > at:
            gaps.append((at, start))
        at = max(at, end)
    end = max(step.ended for step in steps)
    return [*gaps, (at, end)] if end > at else gaps


def idle_share(steps: Sequence[Step], busy: Sequence[tuple[float, float]] | None = None) -> float | None:
    """Of the run's time, 0 to 1; None for a run that asked no model."""
    if not any(step.name in MODEL_STEPS for step in steps):
        return None
    seconds = max(step.ended for step in steps) - min(step.started for step in steps)
    return sum(end - start for start, end in idle_times(steps, busy)) / seconds if seconds > 0 else None
