"""Does captioning emerge, and is it transfer? `florenz emergence [LIST] [NAME=value ...]`, `make emergence`.

Runs a list of trainings (configs/emergence.toml: the default recipe, and controls that must fail), and writes what they
scored into a document: means over seeds with 95% intervals, and a row for every run. DATA: the dataset, instead of the
recipe's. OUT: below which the runs lie (data/emergence). REPORT: the document (docs/emergence.md); only what stands
between its two marks is written anew. RUNS=folder,folder: nothing is trained, only the report of trainings that are
finished is written; the list says what those that it names are.

The same command again goes on where a kill stopped it, and skips what is done.

Exit codes: 0 all done; 1 some run failed, the report is of the others; 2 the input is wrong and nothing was started.
"""

from __future__ import annotations

import math
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from florenz.console import fail, interrupt, quiet_libraries
from florenz.limits.reading import read_path
from florenz.limits.table import RECORD_BYTES
from florenz.recipe_command import read_list_words
from florenz.stores import files
from florenz.train.results import Z_975, Figures, Result, mean_and_interval, mean_over, read_result
from florenz.train.runs import check_runs, execute, folders_below, read_list, runs_of
from florenz.train.variants import Variant

USAGE = "usage: florenz emergence [LIST] [DATA=folder] [OUT=folder] [REPORT=file] [RUNS=folder,folder]"
LIST, OUT, REPORT = "configs/emergence.toml", "data/emergence", "docs/emergence.md"
VARIABLES = ("DATA", "OUT", "REPORT", "RUNS")
BEGIN, END = "<!-- from here: written by a command -->", "<!-- to here -->"
NEW = "held-out captions of new scenes"
Group = tuple[str, Callable[[str, Figures], bool]]
GROUPS: tuple[Group, ...] = (
    ("held-out captions", lambda pair, figures: figures.is_held_out and not figures.is_withheld),
    ("covered captions", lambda pair, figures: pair.startswith("caption/") and not figures.is_held_out),
    ("translations", lambda pair, figures: pair.startswith("translation/")),
)
WITHHELD: Group = ("captions of withheld concepts", lambda pair, figures: figures.is_withheld)


def _check_seeds(results: Sequence[Result]) -> None:
    """`ValueError` unless they are one recipe on one dataset with a seed each, of which there can be a mean."""
    for place, one in enumerate(results):
        for other in results[:place]:
            alike = f"{other.folder} and {one.folder} are both called {one.name}"
            if one.seed == other.seed:
                raise ValueError(f"{alike} and have the seed {one.seed}: name one of them")
            if one.dataset != other.dataset:
                raise ValueError(f"{alike}, on datasets {other.dataset} and {one.dataset}: leave one out")
            if one.recipe != other.recipe:
                raise ValueError(f"{alike}, and their recipes differ in more than the seed: leave one out")


def _datasets(results: Sequence[Result]) -> str:
    """Their builds; of several, which runs are on which."""
    runs: dict[str, dict[str, None]] = {}
    for one in results:
        runs.setdefault(one.dataset, {})[one.name] = None
    if len(runs) == 1:
        return f"Dataset {next(iter(runs))}"
    return "Datasets " + ", ".join(f"{build} ({', '.join(names)})" for build, names in sorted(runs.items()))


def report(results: Sequence[Result], variants: Sequence[Variant]) -> str:
    """The two tables, as a page has them. results: at least one.

    Raises:
        ValueError: runs under one name that are not the same but for their seed.
    """
    about = {variant.name: variant.about for variant in variants}
    names = list(dict.fromkeys([*about, *(result.name for result in results)]))
    by_variant = {name: [one for one in results if one.name == name] for name in names}
    for of_variant in by_variant.values():
        _check_seeds(of_variant)
    captions = sorted({pair for one in results for pair, figures in one.pairs.items() if pair.startswith("caption/")})
    number = max(figures.num_texts for one in results for figures in one.pairs.values())
    num_captions = max(
        (one.pairs[pair].num_texts for one in results for pair in captions if pair in one.pairs), default=number
    )
    means = [
        [name, about.get(name, ""), str(len(of_variant)), *_means(of_variant, captions)]
        for name, of_variant in by_variant.items()
        if of_variant
    ]
    held_out = {pair for one in results for pair, figures in one.pairs.items() if figures.is_held_out}
    is_any_withheld = any(figures.is_withheld for one in results for figures in one.pairs.values())
    groups = (*GROUPS, WITHHELD) if is_any_withheld else GROUPS
    is_any_new = any(figures.new is not None for one in results for figures in one.pairs.values())
    heads = [f"{pair}{' (held out)' if pair in held_out else ''}" for pair in captions]
    return "\n\n".join(
        [
            f"{_datasets(results)}; at most {number} texts a pair. Right in meaning (where that is counted) / exactly "
            "/ chrF, mean over seeds with the half width of the 95% interval (Student's t; none for a single seed). "
            "That is of the training's chance alone, on the same pictures: as they are a sample, a share of 95% of "
            f"{num_captions} captions is sure to ± {100 * Z_975 * math.sqrt(0.95 * 0.05 / num_captions):.1f} points.",
            _table(["run", "what", "seeds", *heads, "translations"], means),
            "Every run: exact / meaning / chrF / cross-entropy, means over the pairs of a kind; last, exact held-out "
            "captions when no prefix was forced."
            + (f" {NEW.capitalize()}: right in meaning, of scenes that no picture of the training shows." * is_any_new),
            _table(
                ["run", "seed", "steps", "kept", "minutes", *(name for name, _ in groups), "without prefix"]
                + [NEW] * is_any_new,
                [_row(one, groups) + [_new(one)] * is_any_new for one in results],
            ),
            *_curves(results),
        ]
    )


def _curves(results: Sequence[Result]) -> list[str]:
    """How captions come and go on the way, for the first seed of each variant that was validated."""
    first = {one.name: one for one in reversed(results) if one.curves}
    captions = sorted({pair for one in first.values() for curve in one.curves.values() for pair in curve})
    rows = [
        [name, str(step), *(_percent(curve.get(pair)) for pair in captions)]
        for name, one in reversed(first.items())
        for step, curve in sorted(one.curves.items())
    ]
    if not rows:
        return []
    where = "Exact captions on the way, on the images that are for choosing (held-out ones, if watched, on val's):"
    return [where, _table(["run", "step", *captions], rows)]


def _means(results: Sequence[Result], captions: Sequence[str]) -> list[str]:
    cells = [_mean_cell([one.pairs[pair] for one in results if pair in one.pairs]) for pair in captions]
    translations = [
        Figures(
            is_held_out=False,
            num_texts=0,
            cross_entropy=0.0,
            exact=mean_over(pairs, lambda figures: figures.exact),
            meaning=mean_over(pairs, lambda figures: figures.meaning),
            chrf=mean_over(pairs, lambda figures: figures.chrf),
            exact_without_prefix=None,
        )
        for one in results
        if (pairs := [figures for pair, figures in one.pairs.items() if pair.startswith("translation/")])
    ]
    return [*cells, _mean_cell(translations)]


def _mean_cell(figures: Sequence[Figures]) -> str:
    meaning, exact, chrf = (
        [value for one in figures if (value := getattr(one, name)) is not None] for name in ("meaning", "exact", "chrf")
    )
    right = " / ".join(f"{_interval(shares, 100)}%" for shares in (meaning, exact) if shares)
    return f"{right} / {_interval(chrf, 1)}" if exact and chrf else "-"


def _interval(values: Sequence[float], scale: float) -> str:
    mean, half = mean_and_interval(values)
    return f"{scale * mean:.0f}" + (f" ± {scale * half:.0f}" if half is not None else "")


def _row(result: Result, groups: Sequence[Group]) -> list[str]:
    minutes = "-" if result.minutes is None else f"{result.minutes:.0f}"
    cells = [result.name, str(result.seed), str(result.steps), str(result.kept_step), minutes]
    for _, belongs in groups:
        cells.append(_four([figures for pair, figures in result.pairs.items() if belongs(pair, figures)]))
    held_out = [one for one in result.pairs.values() if one.is_held_out and not one.is_withheld]
    return [*cells, _percent(mean_over(held_out, lambda figures: figures.exact_without_prefix))]


def _new(result: Result) -> str:
    held_out = [one for one in result.pairs.values() if one.is_held_out and not one.is_withheld]
    return _percent(mean_over(held_out, lambda figures: figures.new))


def _four(figures: Sequence[Figures]) -> str:
    if not figures:
        return "-"
    chrf = mean_over(figures, lambda one: one.chrf)
    loss = mean_over(figures, lambda one: one.cross_entropy)
    shares = [
        _percent(mean_over(figures, lambda one: one.exact)),
        _percent(mean_over(figures, lambda one: one.meaning)),
    ]
    return " / ".join([*shares, "-" if chrf is None else f"{chrf:.0f}", f"{loss:.3f}"])


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def write_between_marks(path: Path, text: str, title: str = "Emergence") -> None:
    """Put the text between BEGIN and END; they are added at the end of a page that lacks them."""
    page = read_path(path, RECORD_BYTES).decode() if path.exists() else f"# {title}\n"
    if BEGIN not in page or END not in page:
        page = f"{page.rstrip()}\n\n{BEGIN}\n{END}\n"
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    with files.atomic_write(str(path)) as file:
        file.write(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}".encode())


def main(arguments: Sequence[str]) -> int:
    words = read_list_words(arguments, VARIABLES)
    if isinstance(words, int):
        return words
    lists, variables = words
    if len(lists) > 1:
        return fail(USAGE, 2)
    quiet_libraries()
    signal.signal(signal.SIGTERM, interrupt)  # ends the runs that it has started, too
    try:
        return _run(lists[0] if lists else LIST, variables)
    except (OSError, ValueError) as problem:
        return fail(str(problem), 2)
    except KeyboardInterrupt:
        return fail("interrupted; the same command goes on from here", 130)


def _run(path: str, variables: Mapping[str, str]) -> int:
    variants: list[Variant] = []
    failed = []
    target = Path(variables.get("REPORT", REPORT))
    if target.is_dir():
        raise ValueError(f"REPORT is {target}, a folder: name a file")
    if "RUNS" in variables:
        if idle := [name for name in ("DATA", "OUT") if name in variables]:
            raise ValueError(f"{idle[0]} says nothing beside RUNS, which trains nothing: leave one of them out")
        folders = [Path(folder.strip()) for folder in variables["RUNS"].split(",") if folder.strip()]
        if not folders:
            raise ValueError(f"RUNS is '{variables['RUNS']}': name folders of finished trainings, with commas between")
        if path != LIST or Path(LIST).exists():
            _, variants = read_list(path)  # for what it says of those that it names
    else:
        settings, variants = read_list(path)
        out = variables.get("OUT", OUT)
        runs = runs_of(settings, variants, out, data=variables.get("DATA", ""))
        check_runs(runs)
        failed = execute(runs, print, processes=settings.processes)
        folders = [run.folder for run in runs if run.is_done] or list(folders_below(out))
    if not folders:
        return fail(f"no run is finished, so {target} is left as it was", 1)
    results = [read_result(folder) for folder in folders]
    write_between_marks(target, report(results, variants))
    print(f"{len(results)} runs in {target}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
