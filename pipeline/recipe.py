"""The recipe: one TOML file that says everything about one run, read into frozen dataclasses.

Settings of the other rooms stand next to the code that reads them; here they are put together. Make variables (LANGS,
HELDOUT, IMAGES, ...) override keys. All faults are told together, one line each: "fix one, meet the next" costs a
user more than reading three lines.
"""

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from florenz.captioners.contract import ROOM as CAPTIONERS
from florenz.captioners.contract import CaptionerSettings
from florenz.filters.settings import FilterSettings
from florenz.languages.codes import SOURCE, language_problems
from florenz.limits.errors import advice, excess
from florenz.limits.printable import printable
from florenz.limits.table import Limits
from florenz.pipeline.assemble.concepts import CoverageSettings
from florenz.pipeline.image_settings import Images
from florenz.pipeline.jobs.settings import BeamSettings, DataflowSettings, with_options
from florenz.pipeline.rates import PlanSettings
from florenz.pipeline.routing import (
    Rephraser,
    Translator,
    context_problems,
    rephraser_problems,
    routing_problems,
    style_problems,
    translators_of,
)
from florenz.pipeline.runners.contract import Running
from florenz.pipeline.scored import FILTERS, read_scored, scored_problems, take_scored
from florenz.pipeline.variables import VARIABLES, override
from florenz.recipes.checks import below_1, blank
from florenz.recipes.kinds import KindError, load_kind
from florenz.recipes.recipe_file import RecipeError, read_recipe_file
from florenz.recipes.sections import SectionReader, keys_of, plain_fields, show
from florenz.scorers.contract import ScorerSettings
from florenz.shards.settings import ShardSettings
from florenz.stores import files
from florenz.translators.secrets import credentials

_PLAN = ("languages", "held_out", "out", "workers", "keep_builds")  # top-level keys whose values can be wrong
DEFAULT_CAPTIONER = "florence2"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One run. `RecipeError` with every fault that can be seen without looking at a file."""

    languages: tuple[str, ...]
    """Target languages, ISO 639-1. With `held_out` left out, the first is the one that gets captions."""

    held_out: tuple[str, ...] | None = None
    """Languages whose captions are withheld. None: all but the first. Empty: none."""

    out: str
    """Folder or URI that everything is written below."""

    seed: int = 0
    """Decides the split, the order in the shards, and the playground's scenes."""

    workers: int = 1
    """Processes that work at once; changes nothing in what is written. With 1, those who ask models are threads of this
    one, and what asks none is spread over the cores where there is much of it (`runners.contract.spread`).
    """

    keep_builds: int = 0
    """Earlier builds whose shards stay beside the current one's."""

    images: Images
    captioner: CaptionerSettings
    translator: Translator
    more_captioners: tuple[CaptionerSettings, ...] = ()
    """With [[captioners]]: those after the first."""

    more_translators: tuple[Translator, ...] = ()
    """With [[translators]]: those after the first."""

    rephrasers: tuple[Rephraser, ...] = ()
    """[[rephrasers]]: a second pass over the translations into the languages that they name."""

    filters: FilterSettings = field(default_factory=FilterSettings)
    scorers: Mapping[str, ScorerSettings] = field(default_factory=dict, hash=False)
    """What is scored -> by whom: [filters.quality] and its like (`scored.py`)."""

    shards: ShardSettings = field(default_factory=ShardSettings)
    coverage: CoverageSettings = field(default_factory=CoverageSettings)
    limits: Limits = field(default_factory=Limits)
    plan: PlanSettings = field(default_factory=PlanSettings)
    beam: BeamSettings = field(default_factory=BeamSettings)
    dataflow: DataflowSettings = field(default_factory=DataflowSettings)

    def __post_init__(self) -> None:
        problems = _plan_problems({name: getattr(self, name) for name in _PLAN})
        problems += routing_problems(self.languages, self.translators)
        problems += rephraser_problems(self.languages, self.rephrasers)
        problems += style_problems(self.captioners) + context_problems(self.styles, self.translators)
        own_reasons = [one.name for one in self.filters.words]
        problems += scored_problems(self.scorers, own_reasons, is_rephrased=bool(self.rephrasers))
        num_beams = max(getattr(captioner, "num_beams", 1) for captioner in self.captioners)
        problems += _count_problems(self.workers, num_beams, self.limits)
        if problems:
            raise RecipeError(problems)

    @property
    def held_out_languages(self) -> tuple[str, ...]:
        """The languages whose captions are withheld, in the order of `languages`."""
        held_out = self.languages[1:] if self.held_out is None else self.held_out
        return tuple(language for language in self.languages if language in held_out)

    @property
    def captioners(self) -> tuple[CaptionerSettings, ...]:
        """All that the recipe names, in its order."""
        return (self.captioner, *self.more_captioners)

    @property
    def styles(self) -> tuple[str, ...]:
        """Of all captioners; each style is one captioner's."""
        return tuple(style for captioner in self.captioners for style in captioner.told_styles)

    @property
    def translators(self) -> tuple[Translator, ...]:
        """All that the recipe names, in its order."""
        return (self.translator, *self.more_translators)

    def translators_of(self, language: str) -> tuple[Translator, ...]:
        """Who translates into this language; more than one where every output is kept."""
        return translators_of(language, self.translators)

    def rephraser_of(self, language: str) -> Rephraser | None:
        return next((one for one in self.rephrasers if one.serves(language)), None)

    @property
    def image_source(self) -> str:
        """Where the pictures lie once a playground is drawn; the truth about them lies beside them, not looked at."""
        return files.join(self.out, "images", "*.jpg") if self.images.is_playground else self.images.source

    @property
    def running(self) -> Running:
        """Where its graphs run."""
        most = self.limits.workers
        return Running(out=self.out, workers=self.workers, most_workers=most, beam=self.beam, dataflow=self.dataflow)

    def to_dict(self) -> dict[str, Any]:
        """The whole recipe as JSON can hold it, keyed as in the TOML file; `held_out` is null when it was left out.

        A path that is no UTF-8 stands there escaped.
        """
        record = _as_json(dataclasses.asdict(self))
        record[FILTERS] |= record.pop("scorers")
        for several, section in LISTS.items():
            given = [record[section], *record.pop(f"more_{several}")]
            for one in given:
                one |= _told(one.pop("settings", {}))
            if len(given) > 1:
                record = {name: value for name, value in record.items() if name != section} | {several: given}
        if not self.rephrasers:
            return {name: value for name, value in record.items() if name != REPHRASERS}
        return record | {REPHRASERS: [one | _told(one.pop("settings")) for one in record[REPHRASERS]]}


# [[name]], a list of sections -> the section that each of them is; the first goes there, the others into more_<name>.
LISTS = {"captioners": "captioner", "translators": "translator"}
FAMILY = "family"
REPHRASERS = "rephrasers"  # [[rephrasers]]: a list, which may be left out
SECTIONS: dict[str, type] = {
    "images": Images, "captioner": CaptionerSettings, "translator": Translator,
    "filters": FilterSettings, "shards": ShardSettings, "coverage": CoverageSettings, "limits": Limits,
    "plan": PlanSettings, "beam": BeamSettings, "dataflow": DataflowSettings,
}  # fmt: skip


def load_recipe(path: str, overrides: Mapping[str, str] | None = None) -> Recipe:
    """Read a recipe; `overrides` holds Make variables as the user gave them, an empty one (but LANGS) as not given.

    `RecipeError` names every fault: one for a file that is no TOML, else unknown, missing and wrong keys together.
    """
    table = read_recipe_file(path)
    overriding = override(table, overrides or {})
    if isinstance(table.get("beam"), dict):
        table["beam"] = with_options(table["beam"])
    problems, scored = overriding, take_scored(table)
    given = {name: _tables_of(table, name, problems) for name in SECTIONS}
    rephrasers = _tables_in(table[REPHRASERS], REPHRASERS, problems) if REPHRASERS in table else []
    for _, one in (*given["translator"], *rephrasers):
        _take_family(one)
    kinds = {name: [_kind_of(name, one, problems) for _, one in tables] for name, tables in given.items()}
    reader = SectionReader(homes=_homes(kinds), variables={key: name for name, key in VARIABLES.items()})
    reader.problems += problems
    reader.check_keys(table, [*_top_level(), *SECTIONS, *LISTS, REPHRASERS], "")
    values = reader.values(Recipe, {name: value for name, value in table.items() if name in _top_level()}, "")
    sections: dict[str, Any] = {}
    for name, tables in given.items():
        read = [reader.read(kind, one, label) for kind, (label, one) in zip(kinds[name], tables, strict=True) if kind]
        sections |= {name: read[0] if read else None} | ({f"more_{name}s": tuple(read[1:])} if read[1:] else {})
    several = [reader.read(Rephraser, one, label) for label, one in rephrasers]
    sections |= {REPHRASERS: tuple(one for one in several if one is not None), "scorers": read_scored(scored, reader)}
    problems = reader.problems + _plan_problems(values)
    if problems:
        raise RecipeError([f"{path}: {problem}" for problem in problems])
    values["out"] = os.path.expanduser(values["out"])  # `make OUT=~/x` reaches us as it was typed
    try:
        return Recipe(**values, **sections)
    except RecipeError as fault:
        raise RecipeError([f"{path}: {problem}" for problem in fault.problems]) from None


def _kind_of(section: str, table: Any, problems: list[str]) -> type | None:
    """What describes the section; a captioner's kind does. None for a kind that is unknown: it has no keys."""
    if section != "captioner":
        return SECTIONS[section]
    kind = table.get("kind") if isinstance(table, Mapping) else None
    if not isinstance(kind, str):  # left out, or reading the section will say what is wrong
        kind = DEFAULT_CAPTIONER
    try:
        return load_kind(CAPTIONERS, kind).Settings  # type: ignore[no-any-return]
    except KindError as problem:
        problems.append(f"[captioner] {problem}")
        return None


def _top_level() -> list[str]:
    """Keys that stand above the first section."""
    sections = {REPHRASERS, "scorers", *(f"more_{name}" for name in LISTS)}
    return [one.name for one in plain_fields(Recipe) if one.name not in sections]


def _tables_of(table: Mapping[str, Any], section: str, problems: list[str]) -> list[tuple[str, Any]]:
    """The section's table, or those of the [[list]] that it may be given as; each with what to call it."""
    name = next((name for name, one in LISTS.items() if one == section), "")
    if name not in table:
        return [(section, table.get(section, {}))]
    tables = table[name]
    if section in table:
        variables = [variable for variable, key in VARIABLES.items() if key.startswith(f"{section}.")]
        also = "".join(f"; {variable} is for a recipe with one [{section}]" for variable in variables)
        problems.append(f"[{section}] and [[{name}]] are both given: keep one{also}")
    return _tables_in(tables, name, problems)


def _tables_in(tables: Any, name: str, problems: list[str]) -> list[tuple[str, Any]]:
    """Of a [[list]], each with what to call it."""
    if not isinstance(tables, list) or not tables:
        problems.append(f"[[{name}]] must be a list of sections, got {show(tables)}")
        return []
    return [(f"{name} {number}", one) for number, one in enumerate(tables, 1)]


def _take_family(translator: Any) -> None:
    """[translator.family] as the settings hold it: they travel, and are compared and hashed."""
    if isinstance(translator, dict) and isinstance(translator.get(FAMILY), dict):
        translator[FAMILY] = json.dumps(translator[FAMILY], ensure_ascii=False, sort_keys=True, default=str)


def _homes(kinds: Mapping[str, Sequence[type | None]]) -> dict[str, str]:
    """Key -> its section, for the keys that only one section has."""
    found: dict[str, set[str]] = {}
    for section, several in kinds.items():
        for key in (key for kind in several if kind is not None for key in keys_of(kind)):
            found.setdefault(key, set()).add(section)
    homes = {key: next(iter(sections)) for key, sections in found.items() if len(sections) == 1}
    return homes | {name: "" for name in _top_level()}


def _plan_problems(values: Mapping[str, Any]) -> list[str]:
    """What is wrong with the top-level values that are there; those that could not be read are left to the reader."""
    problems = []
    languages, held_out = values.get("languages"), values.get("held_out")
    if languages is not None:
        problems += [f"languages (LANGS): {problem}" for problem in language_problems(languages)]
        problems += [f"held_out (HELDOUT): {problem}" for problem in _held_out_problems(held_out or (), languages)]
    if "out" in values:
        problems += blank("out (OUT)", values["out"], "name the folder to write into")
        problems += credentials("out (OUT)", values["out"])
    if (values.get("keep_builds") or 0) < 0:
        problems.append(f"keep_builds (KEEP_BUILDS) is {values['keep_builds']}: choose 0 or more")
    return problems + below_1(**{"workers (WORKERS)": values.get("workers")})


def _held_out_problems(held_out: Sequence[str], languages: Sequence[str]) -> list[str]:
    problems = [f"'{code}' is named twice: keep one" for code in dict.fromkeys(held_out) if held_out.count(code) > 1]
    for code in dict.fromkeys(held_out):
        if code == SOURCE:
            problems.append("'en' always has captions, all else is translated from them: leave it out")
        elif code not in languages:
            problems.append(
                f"'{code}' is not among the languages {','.join(languages)}: "
                "add it to LANGS or leave it out ('none' withholds nothing)"
            )
    return problems


def _count_problems(workers: int, num_beams: int, limits: Limits) -> list[str]:
    """Numbers that a slip of the finger makes large enough to take a machine down."""
    found = (("workers (WORKERS)", workers, limits.workers, "processes", "[limits] workers"),
             ("[captioner] num_beams", num_beams, limits.beams, "beams", "[limits] beams"))  # fmt: skip
    return [
        f"{label}: {excess(number, limit, unit)}{advice(key)}"
        for label, number, limit, unit, key in found
        if number > limit
    ]


def _told(settings: dict[str, Any]) -> dict[str, Any]:
    """A translator's settings as they stand in a recipe: a family of its own as a section, or not at all."""
    family = settings.pop(FAMILY, "")
    return settings | ({FAMILY: json.loads(family)} if family else {})


def _as_json(value: Any) -> Any:
    """Tuples as lists, all the way down, and no half characters: what comes back from JSON equals what went in."""
    if isinstance(value, dict):
        return {key: _as_json(item) for key, item in value.items()}
    if isinstance(value, str):
        return value if value.isascii() or not _has_half_characters(value) else printable(value)
    return [_as_json(item) for item in value] if isinstance(value, list | tuple) else value


def _has_half_characters(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
