"""The recipe of a training: one TOML file, read into frozen dataclasses; the Make variables override some keys.

All faults that show without a look at the dataset or at the machine are told together, one line each. Nothing here
needs torch, so that a wrong word costs no second of waiting.
"""

from __future__ import annotations

import dataclasses
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from florenz.languages.codes import SOURCE, language_problems
from florenz.recipes.checks import below_1
from florenz.recipes.recipe_file import RecipeError, read_recipe_file
from florenz.recipes.sections import SectionReader, keys_of, nearest, plain_fields, show
from florenz.train.data.prompts import Prompts
from florenz.train.model.family import SIZES
from florenz.train.scores.translator import BaselineTranslator
from florenz.train.settings.compute import Compute
from florenz.train.settings.datasets import data_problems, folders_in
from florenz.train.settings.later import LATER
from florenz.train.settings.model import ModelSettings, PromptSettings
from florenz.train.settings.records import EvaluationSettings, Records, ValidationSettings
from florenz.train.settings.stages import PICTURE_PARTS, OptimizerSettings, Stage, StageSettings
from florenz.train.settings.training import TrainingSettings

# Make variable -> the key it overrides. STEPS is not a key: it scales the stages.
VARIABLES = {
    "DATA": "data",
    "WEIGHTS": "data_weights",
    "OUT": "out",
    "SIZE": "model.size",
    "INIT": "model.init",
    "FOLLOW": "follow",
    "SEED": "seed",
    "WORKERS": "workers",
    "DEVICE": "device",
    "ENDPOINT": "translator.endpoint",
}
STEPS = "STEPS"
TRANSLATOR = "translator"  # a section that most recipes do without
NUMBERS = ("SEED", "WORKERS", STEPS)
PAIR = re.compile(r"(caption|translation)/[a-z]{2,3}")


@dataclass(frozen=True, kw_only=True)
class Recipe(TrainingSettings):
    """One training."""

    stages: tuple[Stage, ...]
    words: dict[str, str] = field(default_factory=dict)
    """[prompts.words]: language -> what its captions are forced to begin with, where the prefix is of words."""
    translator: BaselineTranslator | None = None
    """[translator]: asked for a baseline of published benchmarks; None: there is none. Nothing that is learned."""

    @property
    def folders(self) -> tuple[str, ...]:
        """Of the datasets."""
        return folders_in(self.data)

    def folders_of(self, stage: Stage) -> tuple[str, ...]:
        """Of the datasets that a stage learns from."""
        return self.folders if stage.data is None else folders_in(stage.data)

    def weights_of(self, stage: Stage) -> tuple[float, ...]:
        """How they share the turns; empty: each image comes as often as any other."""
        return self.data_weights if stage.data is None else stage.data_weights

    @property
    def total_steps(self) -> int:
        return sum(stage.steps for stage in self.stages)

    @property
    def styles(self) -> tuple[str, ...]:
        """Of texts that any stage learns; empty: any."""
        if not all(stage.styles for stage in self.stages):
            return ()
        return tuple(dict.fromkeys(style for stage in self.stages for style in stage.styles))

    def identity(self) -> dict[str, Any]:
        """What decides the weights besides the dataset; a checkpoint of another identity is no use to this recipe."""
        prompts = self.prompts.prompts(self.words)
        return {
            **_deciding(self.model),
            "seed": self.seed,
            **({"follow": True} if self.follow else {}),
            **({"data_weights": list(self.data_weights)} if self.data_weights else {}),
            **_deciding(self.optimizer),
            **_deciding_prompts(prompts),
            **({"validation": _deciding(self.validation)} if self.validation.keep != "last" else {}),
            **{
                f"{stage.name}.{key}": value
                for stage in self.stages
                for key, value in _deciding(stage).items()
                if key != "data"  # its builds are what decides (`preflight.identity_of`)
            },
        }


def _deciding_prompts(prompts: Prompts) -> dict[str, Any]:
    """None for the default ones; the wording, which came later, only where it is not at its default."""
    if prompts == Prompts():
        return {}
    values = dataclasses.asdict(prompts)
    return {f"prompts.{k}": v for k, v in values.items() if k != "wording" or v != Prompts().wording}


def _deciding(settings: Any) -> dict[str, Any]:
    """Key -> value, as JSON has them; keys that came later only where they are not at their default."""
    return {
        one.name: list(value) if isinstance(value, tuple) else value
        for one in dataclasses.fields(settings)
        if not (LATER in one.metadata and getattr(settings, one.name) == one.default)
        for value in [getattr(settings, one.name)]
    }


SECTIONS: dict[str, type] = {
    "model": ModelSettings, "prompts": PromptSettings, "optimizer": OptimizerSettings, "compute": Compute,
    "records": Records, "validation": ValidationSettings,
    "evaluation": EvaluationSettings,
}  # fmt: skip


def load_recipe(path: str, overrides: Mapping[str, str] | None = None) -> Recipe:
    """Read a recipe; `overrides` holds Make variables as the user gave them, an empty one as not given.

    `RecipeError` names every fault: one for a file that is no TOML, else unknown, missing and wrong keys together.
    """
    return recipe_of(read_recipe_file(path), path, overrides)


def recipe_of(table: dict[str, Any], path: str, overrides: Mapping[str, str] | None = None) -> Recipe:
    """The recipe that a table holds, which is changed; path: what its faults are told of. As `load_recipe`."""
    reader = SectionReader(homes=_homes(), variables={key: name for name, key in VARIABLES.items()})
    num_steps = _override(table, overrides or {}, reader.problems)
    top_level = [one.name for one in plain_fields(TrainingSettings)]
    reader.check_keys(table, [*top_level, *SECTIONS, TRANSLATOR, "stages"], "")
    values = reader.values(TrainingSettings, table, "")
    words = _read_words(reader, table.get("prompts"))
    translator = reader.read(BaselineTranslator, table[TRANSLATOR], TRANSLATOR) if TRANSLATOR in table else None
    sections: dict[str, Any] = {name: reader.read(kind, table.get(name, {}), name) for name, kind in SECTIONS.items()}
    stages = _read_stages(reader, table.get("stages", []), sections["model"])
    if values.get("follow"):
        reader.problems += [
            f"[stages.{stage.name}] data is its own, and follow (FOLLOW) takes up builds of the training's: "
            "leave one out"
            for stage in stages
            if stage.data is not None
        ]
    if problems := reader.problems + _problems(values):
        raise RecipeError([f"{path}: {problem}" for problem in problems])
    if num_steps is not None:
        stages = _scaled(stages, num_steps)
    values |= {name: os.path.expanduser(values[name]) for name in ("data", "out")}  # `make OUT=~/x` comes as typed
    return Recipe(**values, **sections, words=words, translator=translator, stages=tuple(stages))


def _homes() -> dict[str, str]:
    """Key -> its section; every key of a recipe stands in one place only."""
    homes = {key: section for section, kind in SECTIONS.items() for key in keys_of(kind)}
    homes |= {key: "[stages]" for key in keys_of(StageSettings)}
    return homes | {one.name: "" for one in plain_fields(TrainingSettings)}


def _override(table: dict[str, Any], overrides: Mapping[str, str], problems: list[str]) -> int | None:
    """Put what the Make variables say into the table, in the types that TOML would give; return STEPS."""
    num_steps = None
    for name, text in overrides.items():
        if not (text := text.strip()):
            continue
        if name not in (*VARIABLES, STEPS):
            problems.append(f"unknown variable {name}: {nearest(name, (*VARIABLES, STEPS))}")
            continue
        value: str | int | bool | list[float] = text
        if name == "FOLLOW":
            if text not in ("0", "1"):
                problems.append(f"FOLLOW must be 0 or 1, got '{text}'")
                continue
            value = text == "1"
        if name == "WEIGHTS":
            try:
                value = [float(number) for number in text.split(",")]
            except ValueError:
                problems.append(f"WEIGHTS must be numbers with commas between them, got '{text}'")
                continue
        if name in NUMBERS:
            if not re.fullmatch(r"-?\d+", text):
                problems.append(f"{name} must be a whole number, got '{text}'")
                continue
            value = int(text)
        if name == STEPS:
            num_steps = int(text)
            problems += below_1(STEPS=num_steps)
            continue
        section, _, key = VARIABLES[name].rpartition(".")
        target = table.setdefault(section, {}) if section else table
        if isinstance(target, dict):  # if not, reading the section will say so
            target[key] = value
    return num_steps


def _read_stages(reader: SectionReader, tables: Any, model: ModelSettings | None) -> list[Stage]:
    """The stages that could be read; what is wrong with the others stands in the reader's problems."""
    size = SIZES.get(model.size) if model else None  # an unknown one is for preflight to refuse
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        reader.problems.append("there is no stage: add one under [[stages]]")
        return []
    stages = []
    for number, table in enumerate(tables, 1):
        section = f"stages.{table.get('name', number)}"
        settings = reader.read(StageSettings, {key: table[key] for key in table if key != "mix"}, section)
        mix = table.get("mix", {})
        problems = _mix_problems(mix, has_images=settings is None or settings.images)
        reader.problems += [f"[{section}.mix] {problem}" for problem in problems]
        if settings is not None and not problems:
            weights = {pair: float(weight) for pair, weight in mix.items()}
            values = dataclasses.asdict(settings) | {"mix": weights}
            if settings.parts is None:
                parts = (size or SIZES["playground"]).trained_parts
                values["parts"] = tuple(part for part in parts if settings.images or part not in PICTURE_PARTS)
            stages.append(Stage(**values))
    names = [stage.name for stage in stages]
    reader.problems += [f"[stages.{name}] is there twice: rename one" for name in names if names.count(name) > 1][:1]
    return stages


def _read_words(reader: SectionReader, prompts: Any) -> dict[str, str]:
    """[prompts.words], taken out of its section."""
    words = prompts.pop("words", {}) if isinstance(prompts, dict) else {}
    if not isinstance(words, dict) or not all(isinstance(text, str) and text.strip() for text in words.values()):
        reader.problems.append(f'[prompts.words] must be like fr = "L\'image montre", got {show(words)}')
        return {}
    for code in words:
        if code != SOURCE:
            reader.problems += [f"[prompts.words] {problem}" for problem in language_problems((code,))]
    return dict(words)


def _mix_problems(mix: Any, *, has_images: bool) -> list[str]:
    if not isinstance(mix, dict):
        return [f'must be a table like mix = {{ "caption/en" = 1.0 }}, got {show(mix)}']
    problems = []
    for pair, weight in mix.items():
        language = pair.partition("/")[2]
        if not PAIR.fullmatch(pair):
            problems.append(f"'{pair}' is no pair of task and language: write it like \"caption/en\"")
        elif pair != f"caption/{SOURCE}" and (wrong := language_problems((language,))):
            problems += [f"'{pair}': {problem}" for problem in wrong]
        elif not has_images and pair.startswith("caption/"):
            problems.append(f"'{pair}' cannot be learned without pictures: set images = true or leave it out")
        if type(weight) not in (int, float) or not 0 < weight < math.inf:
            problems.append(f"'{pair}' has the weight {show(weight)}: choose a number above 0, or leave it out")
    return problems


def _scaled(stages: Sequence[Stage], num_steps: int) -> list[Stage]:
    """The same stages in `num_steps` steps together, as near to their shares as whole steps allow; none gets 0."""
    total = sum(stage.steps for stage in stages)
    ends = [
        round(num_steps * sum(stage.steps for stage in stages[: place + 1]) / total) for place in range(len(stages))
    ]
    steps = [end - start for start, end in zip([0, *ends], ends, strict=False)]
    return [dataclasses.replace(stage, steps=max(count, 1)) for stage, count in zip(stages, steps, strict=True)]


def _problems(values: Mapping[str, Any]) -> list[str]:
    """What is wrong with the top-level values that are there; those that could not be read are left to the reader."""
    problems = []
    folders = values.get("data", "").split(",")
    if "data" in values:
        problems += data_problems(values["data"], values.get("data_weights", ()), typed=(" (DATA)", " (WEIGHTS)"))
    if not values.get("out", "?").strip():
        problems.append("out (OUT) is empty: name the folder to write into")
    if values.get("follow") and len(folders) > 1:
        problems.append(f"follow (FOLLOW) is for one dataset, and data (DATA) names {len(folders)}: leave one out")
    if "://" in values.get("out", ""):
        problems.append(f"out (OUT) is {values['out']}: a training needs a local folder, for its lock and its log")
    if values.get("workers", 0) < 0:
        problems.append(f"workers (WORKERS) is {values['workers']}: choose 0 or more")
    if values.get("max_skips", 0) < 0:
        problems.append(f"max_skips is {values['max_skips']}: choose 0 or more")
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", device := values.get("device", "auto")):
        problems.append(f"device (DEVICE) is '{device}': choose auto, cpu, cuda or cuda:1")
    return problems
