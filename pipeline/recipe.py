"""The recipe: one TOML file that says everything about one run, read into frozen dataclasses.

Settings of the other rooms stand next to the code that reads them; here they are put together. Make variables (LANGS,
HELDOUT, IMAGES, ...) override keys. All faults are told together, one line each: "fix one, meet the next" costs a
user more than reading three lines.
"""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from florenz.captioners.contract import ROOM as CAPTIONERS
from florenz.captioners.contract import CaptionerSettings
from florenz.filters.settings import FilterSettings
from florenz.images.opening import MAX_PIXELS
from florenz.languages.codes import SOURCE, language_problems
from florenz.limits.errors import advice, excess
from florenz.limits.printable import printable
from florenz.limits.table import IMAGE_BYTES, SIDE_RATIO, Limits
from florenz.pipeline.jobs.settings import BeamSettings, DataflowSettings, with_options
from florenz.pipeline.runners.contract import Running
from florenz.recipes.checks import below_1, blank, not_among, raise_if
from florenz.recipes.kinds import KindError, load_kind
from florenz.recipes.recipe_file import RecipeError, read_recipe_file
from florenz.recipes.sections import SectionReader, keys_of, nearest, plain_fields
from florenz.shards.settings import ShardSettings
from florenz.stores import files
from florenz.translators.client import normal_endpoint
from florenz.translators.settings import TranslatorSettings

PLAYGROUND = "playground"
_PLAN = ("languages", "held_out", "out", "workers", "keep_builds")  # top-level keys whose values can be wrong
DEFAULT_NUM_SCENES = 1000
DEFAULT_CAPTIONER = "florence2"
ON_DAMAGE = ("drop", "reencode")

# Make variable -> the key it overrides.
VARIABLES = {
    "LANGS": "languages",
    "HELDOUT": "held_out",
    "OUT": "out",
    "SEED": "seed",
    "WORKERS": "workers",
    "KEEP_BUILDS": "keep_builds",
    "IMAGES": "images.source",
    "COUNT": "images.count",
    "LICENCE": "images.licence",
    "STRIP_EXIF": "shards.strip_exif",
    "ENDPOINT": "translator.endpoint",
    "RUNNER": "beam.runner",
    "FLINK_MASTER": "beam.flink_master",
    "FLINK_JAR": "beam.flink_jar",
    "JOB_ENDPOINT": "beam.job_endpoint",
    "PROJECT": "dataflow.project",
    "REGION": "dataflow.region",
}


@dataclass(frozen=True, kw_only=True)
class Images:
    """[images]: where the pictures come from, and which are too large to take."""

    source: str
    """A folder, glob or URI of images, tars or Parquet files; "playground" draws scenes into OUT/images first."""

    count: int | None = None
    """Images: at most so many are read, all by default. For the playground: so many are drawn, 1000 by default."""

    max_bytes: int = IMAGE_BYTES
    """Bytes of one image file; a larger one is rejected unread."""

    max_pixels: int = MAX_PIXELS
    """Pixels of one image, width times height; a larger one is rejected before it is decoded."""

    max_side_ratio: float = SIDE_RATIO
    """Longer side by shorter side of one image; a longer one is rejected before it is decoded."""

    licence: str = ""
    """The licence of all these images, as it is to stand in each sample."""

    on_damage: str = "drop"
    """A picture that does not decode to what it was: "drop" rejects it, "reencode" writes it anew, with a note."""

    def __post_init__(self) -> None:
        raise_if(
            blank("source (IMAGES)", self.source, "name a folder, glob or URI of images, or playground")
            + _credentials("source (IMAGES)", self.source)
            + below_1(**{"count (COUNT)": self.count}, max_bytes=self.max_bytes, max_pixels=self.max_pixels)
            + ([] if self.max_side_ratio >= 1 else [f"max_side_ratio is {self.max_side_ratio}: choose 1 or more"])
            + not_among("on_damage", self.on_damage, ON_DAMAGE)
        )

    @property
    def keeps_damaged(self) -> bool:
        return self.on_damage == "reencode"

    @property
    def is_playground(self) -> bool:
        return self.source == PLAYGROUND

    @property
    def limit(self) -> int | None:
        """At most so many are read; None for all. Of a playground, just what was asked for lies there."""
        return None if self.is_playground else self.count

    @property
    def num_scenes(self) -> int:
        """How many scenes to draw, if it is the playground."""
        return DEFAULT_NUM_SCENES if self.count is None else self.count


@dataclass(frozen=True, kw_only=True)
class Translator:
    """[translator]: how to translate (`settings`) and where (`endpoint`, which no fingerprint may hold)."""

    settings: TranslatorSettings

    endpoint: str = ""
    """URL of a server that runs already; empty starts one for this run."""

    endpoints: tuple[str, ...] = ()
    """URLs of several servers of the same model, instead of one."""

    def __post_init__(self) -> None:
        self.settings.sampling()  # ValueError for an unknown prompt family: now, not at the first translation
        raise_if(
            [problem for endpoint in self.running_servers for problem in _endpoint_problems(endpoint)]
            + ["endpoint (ENDPOINT) and endpoints are both given: keep one"] * bool(self.endpoint and self.endpoints)
            + [
                f"endpoints has '{one}' twice: keep one"
                for one in dict.fromkeys(self.endpoints)
                if self.endpoints.count(one) > 1
            ]
            + ["endpoints has an empty one: leave it out"] * ("" in self.endpoints)
        )

    @property
    def running_servers(self) -> tuple[str, ...]:
        """Those that the recipe names; none: the run starts one."""
        return self.endpoints or ((self.endpoint,) if self.endpoint else ())


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
    """Processes that work at once; changes nothing in what is written."""

    keep_builds: int = 0
    """Earlier builds whose shards stay beside the current one's."""

    images: Images
    captioner: CaptionerSettings
    translator: Translator
    filters: FilterSettings = field(default_factory=FilterSettings)
    shards: ShardSettings = field(default_factory=ShardSettings)
    limits: Limits = field(default_factory=Limits)
    beam: BeamSettings = field(default_factory=BeamSettings)
    dataflow: DataflowSettings = field(default_factory=DataflowSettings)

    def __post_init__(self) -> None:
        problems = _plan_problems({name: getattr(self, name) for name in _PLAN})
        problems += _count_problems(self.workers, getattr(self.captioner, "num_beams", 1), self.limits)
        if problems:
            raise RecipeError(problems)

    @property
    def held_out_languages(self) -> tuple[str, ...]:
        """The languages whose captions are withheld, in the order of `languages`."""
        held_out = self.languages[1:] if self.held_out is None else self.held_out
        return tuple(language for language in self.languages if language in held_out)

    @property
    def image_source(self) -> str:
        """Where the pictures lie once a playground is drawn; the truth about them lies beside them, not looked at."""
        return files.join(self.out, "images", "*.jpg") if self.images.is_playground else self.images.source

    @property
    def running(self) -> Running:
        """Where its graphs run."""
        return Running(out=self.out, workers=self.workers, beam=self.beam, dataflow=self.dataflow)

    def to_dict(self) -> dict[str, Any]:
        """The whole recipe as JSON can hold it, keyed as in the TOML file; `held_out` is null when it was left out.

        A path that is no UTF-8 stands there escaped.
        """
        record = _as_json(dataclasses.asdict(self))
        settings = record["translator"].pop("settings")
        record["translator"] |= settings
        return record


SECTIONS: dict[str, type] = {
    "images": Images, "captioner": CaptionerSettings, "translator": Translator,
    "filters": FilterSettings, "shards": ShardSettings, "limits": Limits, "beam": BeamSettings,
    "dataflow": DataflowSettings,
}  # fmt: skip


def load_recipe(path: str, overrides: Mapping[str, str] | None = None) -> Recipe:
    """Read a recipe; `overrides` holds Make variables as the user gave them, an empty one (but LANGS) as not given.

    `RecipeError` names every fault: one for a file that is no TOML, else unknown, missing and wrong keys together.
    """
    table = read_recipe_file(path)
    overriding = _override(table, overrides or {})
    if isinstance(table.get("beam"), dict):
        table["beam"] = with_options(table["beam"])
    known, unknown_kinds = _sections_of(table)
    reader = SectionReader(homes=_homes(known), variables={key: name for name, key in VARIABLES.items()})
    reader.problems += overriding + unknown_kinds
    top_level = [one.name for one in plain_fields(Recipe)]
    reader.check_keys(table, [*top_level, *SECTIONS], "")
    values = reader.values(Recipe, table, "")
    sections: dict[str, Any] = {name: reader.read(kind, table.get(name, {}), name) for name, kind in known.items()}
    problems = reader.problems + _plan_problems(values)
    if problems:
        raise RecipeError([f"{path}: {problem}" for problem in problems])
    values["out"] = os.path.expanduser(values["out"])  # `make OUT=~/x` reaches us as it was typed
    try:
        return Recipe(**values, **sections)
    except RecipeError as fault:
        raise RecipeError([f"{path}: {problem}" for problem in fault.problems]) from None


def _sections_of(table: Mapping[str, Any]) -> tuple[dict[str, type], list[str]]:
    """SECTIONS, the captioner's as its kind describes it, and the problems: a kind that is unknown has no keys."""
    section = table.get("captioner")
    kind = section.get("kind") if isinstance(section, Mapping) else None
    if not isinstance(kind, str):  # left out, or reading the section will say what is wrong
        kind = DEFAULT_CAPTIONER
    try:
        return SECTIONS | {"captioner": load_kind(CAPTIONERS, kind).Settings}, []
    except KindError as problem:
        return {name: one for name, one in SECTIONS.items() if name != "captioner"}, [f"[captioner] {problem}"]


def _homes(sections: Mapping[str, type]) -> dict[str, str]:
    """Key -> its section, for the keys that only one section has."""
    homes = {key: section for section, kind in sections.items() for key in keys_of(kind)}
    keys = [key for kind in sections.values() for key in keys_of(kind)]
    top_level = {one.name: "" for one in plain_fields(Recipe)}
    return {key: section for key, section in homes.items() if keys.count(key) == 1} | top_level


def _override(table: dict[str, Any], overrides: Mapping[str, str]) -> list[str]:
    """Put what the Make variables say into the table, in the types that TOML would give; return the problems."""
    # An empty LANGS is refused: whoever writes it has lost a value on the way, and the default is three languages of
    # work.
    given = {name: text.strip() for name, text in overrides.items() if text.strip() or name == "LANGS"}
    problems = []
    images, source = table.get("images"), given.get("IMAGES", PLAYGROUND)
    if source != PLAYGROUND and isinstance(images, dict) and images.get("source") == PLAYGROUND:
        images.pop("count", None)  # it said how many scenes to draw, and would cut off somebody's own pictures
    for name, text in given.items():
        if name not in VARIABLES:
            problems.append(f"unknown variable {name}: {nearest(name, VARIABLES)}")
            continue
        section, _, key = VARIABLES[name].rpartition(".")
        target = table.setdefault(section, {}) if section else table
        if isinstance(target, dict):  # if not, reading the section will say so
            try:
                target[key] = _from_text(name, text)
            except ValueError:
                problems.append(f"{name} must be a whole number, got '{text}'")
    return problems


def _from_text(variable: str, text: str) -> str | int | bool | list[str]:
    if variable in ("COUNT", "SEED", "WORKERS", "KEEP_BUILDS"):
        return int(text)
    if variable == "STRIP_EXIF" and text in ("0", "1"):
        return text == "1"
    if variable == "HELDOUT" and text.lower() == "none":
        return []
    if variable in ("LANGS", "HELDOUT"):
        return [code.strip() for code in text.split(",")] if text else []
    return text


def _plan_problems(values: Mapping[str, Any]) -> list[str]:
    """What is wrong with the top-level values that are there; those that could not be read are left to the reader."""
    problems = []
    languages, held_out = values.get("languages"), values.get("held_out")
    if languages is not None:
        problems += [f"languages (LANGS): {problem}" for problem in language_problems(languages)]
        problems += [f"held_out (HELDOUT): {problem}" for problem in _held_out_problems(held_out or (), languages)]
    if "out" in values:
        problems += blank("out (OUT)", values["out"], "name the folder to write into")
        problems += _credentials("out (OUT)", values["out"])
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


def _endpoint_problems(endpoint: str) -> list[str]:
    if not endpoint:
        return []
    if problems := _credentials("endpoint (ENDPOINT)", endpoint):
        return problems
    try:
        normal_endpoint(endpoint)
        url = urlsplit(endpoint)
        _ = url.port  # ValueError for one that is no number
    except ValueError as problem:
        return [f"endpoint (ENDPOINT): {problem}"]
    if url.query or url.fragment:
        return ["endpoint (ENDPOINT) has a ? or # in it: leave that part out; keys come from the environment"]
    return []


def _credentials(label: str, uri: str) -> list[str]:
    """A problem if a user name or password stands in a URI. It is not repeated: the message may land in a log."""
    _, has_scheme, rest = uri.partition("://")
    if not has_scheme or "@" not in rest.partition("/")[0]:
        return []
    return [
        f"{label} holds a user name or password, and recipes are copied into the manifest: "
        "take it out and set it in the environment"
    ]


def _count_problems(workers: int, num_beams: int, limits: Limits) -> list[str]:
    """Numbers that a slip of the finger makes large enough to take a machine down."""
    found = (("workers (WORKERS)", workers, limits.workers, "processes", "[limits] workers"),
             ("[captioner] num_beams", num_beams, limits.beams, "beams", "[limits] beams"))  # fmt: skip
    return [
        f"{label}: {excess(number, limit, unit)}{advice(key)}"
        for label, number, limit, unit, key in found
        if number > limit
    ]


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
