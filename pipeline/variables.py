"""Make variables (LANGS, HELDOUT, IMAGES, ...): which key of the recipe each overrides, and how."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from florenz.pipeline.image_settings import PLAYGROUND
from florenz.recipes.sections import nearest

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


def override(table: dict[str, Any], overrides: Mapping[str, str]) -> list[str]:
    """Put what the Make variables say into the table, in the types that TOML would give; return the problems."""
    # An empty LANGS is refused: whoever writes it has lost a value on the way, and the default is three languages of
    # work.
    given = {name: text.strip() for name, text in overrides.items() if text.strip() or name == "LANGS"}
    problems = []
    images, source = table.get("images"), given.get("IMAGES", PLAYGROUND)
    if source != PLAYGROUND and isinstance(images, dict) and images.get("source") == PLAYGROUND:
        images.pop("count", None)  # it said how many scenes to draw, and would cut off somebody's own pictures
        coverage = table.get("coverage")
        if isinstance(coverage, dict) and "concepts" not in coverage:
            coverage.pop("withheld", None)  # of the scenes, whose table says what they show
    for name, text in given.items():
        if name not in VARIABLES:
            problems.append(f"unknown variable {name}: {nearest(name, VARIABLES)}")
            continue
        section, _, key = VARIABLES[name].rpartition(".")
        target = table.setdefault(section, {}) if section else table
        if isinstance(target, dict):  # if not, reading the section will say so
            if name == "ENDPOINT":  # one or several: what the recipe says in the other form is not meant
                key, other = ("endpoints", "endpoint") if "," in text else ("endpoint", "endpoints")
                target.pop(other, None)
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
    if variable in ("LANGS", "HELDOUT") or (variable == "ENDPOINT" and "," in text):
        return [one.strip() for one in text.split(",")] if text else []
    return text
