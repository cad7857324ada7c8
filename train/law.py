"""The law behind emergence: `florenz law LIST|RUN... [NAME=value ...]`, `make law`.

With a list (configs/law.toml: sizes x numbers of samples seen x starting decoders), runs what of it is not done, as
`make emergence` does. With folders of finished trainings, fits those: any runs, the user's own included. Either way the
law of `power_law.py` is fitted to held-out captions, covered captions and translations; the exponents go to the screen
and between the marks of REPORT (docs/law.md), the figure beside it (law.png).

Every run should have its own schedule to its end: the losses half way of a long one are not those of a short one. So
runs that kept other weights than the last ones are refused, as are those that started from a finished Florenz.

Exit codes: 0 all done; 1 some run failed, the law is fitted to the others; 2 the input is wrong.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

from florenz.console import fail, interrupt, quiet_libraries
from florenz.limits.reading import read_path
from florenz.limits.table import RECORD_BYTES
from florenz.recipe_command import read_list_words
from florenz.stores import files
from florenz.train.emergence import GROUPS, write_between_marks
from florenz.train.power_law import FACTORS, PAPER, Fit, Point, fit, missed_beyond
from florenz.train.results import Result, mean_over, read_result
from florenz.train.runs import RECORD, check_runs, execute, read_list, read_run, runs_of

LIST, OUT, REPORT = "configs/law.toml", "data/law", "docs/law.md"
VARIABLES = ("DATA", "OUT", "REPORT")
ABOUT = (
    "Missed beyond: the factor by which the runs with the most samples are missed, up or down, by a fit to the others."
)
DECODER_CARD = "decoder.json"
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7")
MAX_TICKS = 6
STYLES = (("o", "-"), ("^", "--"), ("s", ":"), ("D", "-."))  # marker and line of each start


def points_of(folders: Sequence[Path]) -> dict[str, list[Point]]:
    """Kind of loss -> a point for each run that has it. `ValueError` for what is no run of this kind."""
    points: dict[str, list[Point]] = {name: [] for name, _ in GROUPS}
    for folder in folders:
        result, table = read_result(folder), recipe_table(folder)
        if result.kept_step != result.steps:
            raise ValueError(f'{folder} kept step {result.kept_step} of {result.steps}: train with keep = "last"')
        if init := table["model"].get("init"):
            raise ValueError(f"{folder} started from {init}, whose samples and languages nobody counts: leave it out")
        for name, belongs in GROUPS:
            pairs = [figures for pair, figures in result.pairs.items() if belongs(pair, figures)]
            loss = mean_over(pairs, lambda figures: figures.cross_entropy)
            if loss is not None:
                points[name].append(
                    Point(
                        parameters=num_parameters(folder),
                        samples=samples_seen(table, result),
                        start_languages=start_languages(table),
                        loss=loss,
                    )
                )
    return points


def recipe_table(folder: Path) -> dict[str, Any]:
    """What a run of a list, or any training that has its checkpoints, was made by: its stages and its model."""
    if (folder / RECORD).exists():
        return read_run(folder)
    from florenz.train.checkpoint import identity_of_newest  # torch, which takes a second

    if (found := identity_of_newest(str(folder))) is None:
        raise ValueError(
            f"{folder} does not say what was trained: there is neither {RECORD}, which a list writes, nor a checkpoint"
        )
    names = [key.removesuffix(".batch_size") for key in found if key.endswith(".batch_size")]
    stages = [{"name": name, **{key: found[f"{name}.{key}"] for key in ("steps", "batch_size")}} for name in names]
    return {"model": {key: found.get(key) for key in ("gemma", "init")}, "stages": stages}


def samples_seen(table: Mapping[str, Any], result: Result) -> int:
    """Examples of all steps, each as often as it came."""
    number = sum(stage["steps"] * stage["batch_size"] for stage in table["stages"])
    assert number > 0, result.folder
    return int(number)


def num_parameters(folder: Path) -> int:
    """Of OUT/model, each tensor once."""
    from safetensors import SafetensorError, safe_open

    path = folder / "model" / "model.safetensors"
    try:
        with safe_open(path, "pt") as file:
            shapes = [file.get_slice(name).get_shape() for name in file.keys()]  # noqa: SIM118
    except (OSError, SafetensorError) as problem:
        raise ValueError(f"{path} cannot be read ({problem}): train again, or leave the run out") from problem
    sizes = [1] * len(shapes)
    for place, shape in enumerate(shapes):
        for length in shape:
            sizes[place] *= length
    return sum(sizes)


def start_languages(table: Mapping[str, Any]) -> int:
    """How many languages the decoder was trained on before, as `make decoder` wrote it down; 0: it starts at random."""
    gemma = table["model"].get("gemma")
    if gemma is None:
        return 0
    path = Path(gemma) / DECODER_CARD
    try:
        return len(json.loads(read_path(path, RECORD_BYTES))["languages"])
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise ValueError(f"{path} does not say which languages it knows ({problem}): run make decoder") from problem


def exponents_table(fits: Mapping[str, Fit], points: Mapping[str, Sequence[Point]]) -> str:
    """A row for each kind of loss, the paper's exponents beside ours."""
    exponents = [f"exponent of {name}" for name in FACTORS]
    head = ["loss of", "runs", *exponents, "R²", "missed beyond", "paper: parameters, samples"]
    rows = [head, ["---"] * len(head)]
    for name, found in fits.items():
        cells = [
            f"{one.value:+.3f} [{one.low:+.3f}, {one.high:+.3f}]" if (one := found.exponents.get(factor)) else "-"
            for factor in FACTORS
        ]
        paper = ", ".join(f"{value:+.2f}" for value in PAPER[name])
        factor = missed_beyond(points[name])
        missed = "-" if factor is None else f"x {factor:.2f}"
        rows.append([name, str(found.num_points), *cells, f"{found.r_squared:.2f}", missed, paper])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def losses_table(points: Mapping[str, Sequence[Point]]) -> str:
    """What was fitted: a row for each size, start and number of samples; of several seeds the mean."""
    found: dict[tuple[float, int, float], dict[str, list[float]]] = {}
    for name, of_kind in points.items():
        for one in of_kind:
            losses = found.setdefault((one.parameters, one.start_languages, one.samples), {})
            losses.setdefault(name, []).append(one.loss)
    head = ["parameters", "languages before", "samples", *points]
    rows = [head, ["---:"] * len(head)]
    for (size, start, samples), losses in sorted(found.items()):
        cells = [f"{sum(losses[name]) / len(losses[name]):.3f}" if name in losses else "-" for name in points]
        rows.append([f"{size:,.0f}", str(start), f"{samples:,.0f}", *cells])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def draw(points: Mapping[str, Sequence[Point]], fits: Mapping[str, Fit], path: Path) -> None:
    """The paper's figure: loss over samples seen, a panel for each kind, a line for each size and start, in powers."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2 * len(fits), 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(fits), squeeze=False)[0]
    for axes, (name, found) in zip(panels, fits.items(), strict=True):
        axes.set(xscale="log", yscale="log", title=name, xlabel="samples seen")
        starts = sorted({point.start_languages for point in points[name]})
        for place, size in enumerate(sorted({point.parameters for point in points[name]})):
            of_size = [point for point in points[name] if point.parameters == size]
            colour = COLOURS[place % len(COLOURS)]
            for start, (marker, line) in zip(starts, cycle(STYLES), strict=False):
                of_start = [point for point in of_size if point.start_languages == start]
                seen = sorted({point.samples for point in of_start})
                losses = [point.loss for point in of_start]
                axes.scatter([point.samples for point in of_start], losses, color=colour, marker=marker, s=14)
                axes.plot(seen, [found.loss(size, one, start) for one in seen], color=colour, ls=line, lw=0.8)
            axes.plot([], [], color=colour, label=f"{size / 1e6:.1f} M parameters")
        for start, (marker, line) in zip(starts, cycle(STYLES), strict=False):
            axes.plot([], [], color="#777777", marker=marker, ls=line, lw=0.8, ms=4, label=f"{start} languages before")
        seen = sorted({point.samples for point in points[name]})
        axes.set_xticks(seen[:MAX_TICKS], [f"{one:,.0f}" for one in seen[:MAX_TICKS]])
        axes.set_xticks([], minor=True)
    panels[0].set_ylabel("cross-entropy (nats per token)")
    panels[0].legend(fontsize="x-small", frameon=False, loc="lower left")
    with files.atomic_write(str(path)) as file:
        figure.savefig(file, format="png", dpi=120)


def main(arguments: Sequence[str]) -> int:
    words = read_list_words(arguments, VARIABLES)
    if isinstance(words, int):
        return words
    paths, variables = words
    quiet_libraries()
    signal.signal(signal.SIGTERM, interrupt)  # ends the runs that it has started, too
    try:
        return _run(paths or [LIST], variables)
    except (OSError, ValueError) as problem:
        return fail(str(problem), 2)
    except KeyboardInterrupt:
        return fail("interrupted; the same command goes on from here", 130)


def _run(paths: Sequence[str], variables: Mapping[str, str]) -> int:
    folders, failed = [Path(path) for path in paths], []
    report = Path(variables.get("REPORT", REPORT))
    if report.is_dir():
        raise ValueError(f"REPORT is {report}, a folder: name a file")
    if len(paths) == 1 and paths[0].endswith(".toml"):
        settings, variants = read_list(paths[0])
        runs = runs_of(settings, variants, variables.get("OUT", OUT), data=variables.get("DATA", ""))
        for run in runs:
            start_languages(run.table)  # a decoder that is not there is told before hours of other runs
        check_runs(runs)
        failed = execute(runs, print, processes=settings.processes)
        folders = [run.folder for run in runs if run.is_done]
        if not folders:
            return fail(f"no run is finished, so nothing is fitted and {report} is left as it was", 1)
    elif idle := [name for name in ("DATA", "OUT") if name in variables]:
        raise ValueError(f"{idle[0]} says nothing beside runs that are there already: leave it out")
    points = points_of(folders)
    fits = {name: fit(of_kind) for name, of_kind in points.items() if of_kind}
    table = exponents_table(fits, points)
    picture = report.with_suffix(".png")
    draw(points, fits, picture)
    figure = f"![loss over samples seen]({picture.name})"
    builds = sorted({read_result(folder).dataset for folder in folders})
    warning = (
        f"The runs are scored on datasets {', '.join(builds)}: a loss over other texts is another loss."
        if len(builds) > 1
        else ""
    )
    losses = ("Cross-entropy in nats per token:", losses_table(points))
    parts = (table, ABOUT, *([warning] if warning else []), figure, *losses)
    write_between_marks(report, "\n\n".join(parts), title="The law")
    print("\n".join([table, *([f"warning: {warning}"] if warning else [])]))
    print(f"{len(folders)} runs in {report} and {picture}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
