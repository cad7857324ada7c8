"""Fail before the work starts: everything that can be known to be wrong is said at once, before the first model call.

Each check gives lines (what, which, what to do) instead of raising, so that a user mends all faults in one go.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from PIL import features

from florenz.captioners.contract import kind_of
from florenz.images.listing import bytes_listed
from florenz.languages import second_opinion
from florenz.languages.identification import LanguageIdentifier, LanguageModelError
from florenz.pipeline import gpus, scenes
from florenz.pipeline.assemble import kept_tables, word_lists
from florenz.pipeline.assemble.concepts import read_withholding
from florenz.pipeline.recipe import Recipe
from florenz.pipeline.routing import Rephraser, Translator, languages_of
from florenz.pipeline.runners.contract import facts_of, runner_of
from florenz.pipeline.scored import scored_warnings
from florenz.recipes.recipe_file import RecipeError
from florenz.scorers.contract import kind_of as kind_of_scorer
from florenz.stores import files
from florenz.stores.models import check_translator, fingerprint_of_served, local_model
from florenz.stores.reach import reaches_others
from florenz.translators.endpoint import ServerError, check_endpoint
from florenz.translators.prompts import needs_tokenizer, render_problems, stranger_problem
from florenz.translators.server import require_vllm

GERMAN = "Das ist ein kleines Haus am Fluss."
CODECS = {"jpg": "JPEG", "zlib": "PNG", "webp": "WebP", "libtiff": "TIFF"}  # what Pillow calls them: what they read
DISK_MARGIN = 1.3  # ledger, re-encoded images, tar padding


def check(recipe: Recipe) -> None:
    """Raises RecipeError with one line per problem."""
    checks = [
        _runner,
        _styles,
        scenes.problems,
        _tools,
        _out,
        _tables,
        _coverage,
        _images,
        _captioner,
        _translator,
    ]
    if problems := [problem for check in (*checks, _scorers, gpus.problems, _server) for problem in check(recipe)]:
        raise RecipeError(problems)


def warnings(recipe: Recipe) -> list[str]:
    """What runs but is most likely not meant."""
    listed = word_lists.warnings(recipe.filters.toxicity, recipe.languages)
    scored = scored_warnings(recipe.scorers)
    return [
        *scenes.warnings(recipe),
        *listed,
        *scored,
        *second_opinion.warnings(recipe.languages, recipe.held_out_languages),
    ]


def _runner(recipe: Recipe) -> Iterator[str]:
    """What its engine needs, and that its workers can find what the recipe names."""
    yield from runner_of(recipe.running).problems(recipe.running)
    facts = facts_of(recipe.running)
    if facts.is_on_this_machine:
        return
    who = f"the workers of {recipe.beam.runner}"
    both = "a path that is the same there" if facts.may_share_folders else "gs://... or s3://..."
    for label, path in {"OUT": recipe.out, "IMAGES": recipe.images.source}.items():
        is_drawn = label == "IMAGES" and recipe.images.is_playground  # into OUT
        if not is_drawn and not reaches_others(path, may_share_folders=facts.may_share_folders):
            yield f"{label} {path!r} is a path of this machine, and {who} are elsewhere: give {both}"
    models = [("captioner", one.model) for one in recipe.captioners]
    models += [(f"[filters.{what}]", one.model) for what, one in recipe.scorers.items()]
    models += [(_label(one), one.settings.model) for one in (*recipe.translators, *recipe.rephrasers)]
    for label, model in models:
        if os.path.isdir(model) and not os.path.isabs(model):
            advice = "give a path that is the same there, or a model of the hub"
            yield f"{label}: model {model!r} is a relative path, and {who} are elsewhere: {advice}"


def _styles(recipe: Recipe) -> Iterator[str]:
    for captioner in recipe.captioners:
        known = kind_of(captioner).known_styles(captioner)
        for style in captioner.styles:
            if style not in known:
                yield f"captioner: a {captioner.kind} knows no style {style!r}: choose from {', '.join(known)}"


def _coverage(recipe: Recipe) -> Iterator[str]:
    """That somebody says what the pictures show, before a caption is paid for that must not be used."""
    if not recipe.coverage.withheld or (recipe.images.is_playground and not recipe.coverage.concepts):
        return
    if not (table := scenes.concepts_table(recipe)):
        yield '[coverage] withheld: name the table that says what each image shows: concepts = "....parquet"'
        return
    try:
        read_withholding(table, recipe.coverage.withheld)
    except RecipeError as problem:
        yield from problem.problems


def _tools(recipe: Recipe) -> Iterator[str]:
    """What every run ends with, tried before it begins: a broken language ID would show when all has been paid for."""
    try:
        (found,) = LanguageIdentifier().identify([GERMAN])
        if found.language != "de":
            yield f"language ID takes {GERMAN!r} for {found.language}: see what make doctor says of it"
    except LanguageModelError as problem:
        yield f"language ID: {problem}"
    if missing := [name for codec, name in CODECS.items() if not features.check(codec)]:
        yield f"Pillow was built without {', '.join(missing)}: install a wheel of it (make doctor shows what it has)"


def _out(recipe: Recipe) -> Iterator[str]:
    """Really writes: permission bits don't tell what a mount or a full disk will do. Leaves nothing behind."""
    advice = "choose another folder or make this one writable"
    if "://" not in recipe.out and (whole := _is_far_more_than_a_dataset(recipe.out)):
        yield f"OUT {recipe.out!r} is {whole}, in which a run would clear up: name a folder of its own"
        return
    try:
        if files.local_path(recipe.out) is None:
            probe = files.join(recipe.out, ".writable")
            with files.atomic_write(probe) as file:
                file.write(b"")
            files.remove(probe)
        else:
            with tempfile.TemporaryFile(dir=_nearest_folder(files.local_path(recipe.out) or "")) as unnamed:
                unnamed.write(b"x")
    except (OSError, files.StoreError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        yield f"can't write into OUT {recipe.out!r} ({reason}): {advice}"


def _tables(recipe: Recipe) -> Iterator[str]:
    yield from kept_tables.problems(recipe.out, recipe.filters.alignment_tables)
    yield from word_lists.problems(recipe.filters.toxicity)


def _is_far_more_than_a_dataset(out: str) -> str:
    """What the folder is, where it can't be meant: everything below OUT is listed, and unfinished files are removed."""
    folder = Path(out).resolve()
    if folder == Path(folder.anchor):
        return "the whole disk"
    return "a home folder, or above one" if Path.home().is_relative_to(folder) else ""


def _images(recipe: Recipe) -> Iterator[str]:
    """Listed once, for both: a million single pictures take six seconds and more."""
    if recipe.images.is_playground:
        yield from _disk(recipe, scenes.bytes_on_disk(recipe))
        return
    source, out = recipe.images.source, recipe.out
    if _lies_inside(out, source):
        yield f"OUT {out!r} lies inside IMAGES {source!r}, so a rerun would read its own shards: choose another OUT"
        return
    try:
        needed = bytes_listed(source, recipe.limits)
    except ValueError as problem:
        yield f"IMAGES: {problem}"
    else:
        yield from _disk(recipe, needed)


def _lies_inside(out: str, source: str) -> bool:
    local_out, local_source = files.local_path(out), files.local_path(source)
    if local_out is not None and local_source is not None:
        return Path(local_out).resolve().is_relative_to(Path(local_source).resolve())
    return files.join(out, "").startswith(files.join(source, ""))


def _disk(recipe: Recipe, needed: int) -> Iterator[str]:
    """The shards hold the images, and the old build lies beside the new one until that has taken over. needed: in
    bytes, before what is added to them.
    """
    if "://" in recipe.images.source + recipe.out:
        return
    disk = shutil.disk_usage(_nearest_folder(recipe.out))
    if disk.total and disk.free < needed * DISK_MARGIN:  # /proc and its like have no size; _out says what is wrong
        numbers = f"about {needed * DISK_MARGIN / 1e9:.1f} GB and its disk has {disk.free / 1e9:.1f} GB left"
        yield f"OUT {recipe.out!r} needs {numbers}: make room, or choose another OUT"


def _nearest_folder(out: str) -> Path:
    """OUT, or what is there of the way to it."""
    return next(path for path in (Path(out).absolute() / "x").parents if path.exists())


def _captioner(recipe: Recipe) -> Iterator[str]:
    for captioner in recipe.captioners:
        for problem in kind_of(captioner).problems(captioner):
            yield f"captioner: {problem}"


def _translator(recipe: Recipe) -> Iterator[str]:
    """Its files are needed where we serve it; its tokenizer also where its chat template makes the prompt. So the hub
    is asked for that too by our own client first: transformers tries again for minutes.
    """
    for translator in _used(recipe):
        settings = translator.settings
        try:
            is_folder = Path(local_model(settings.model)).is_dir()  # of which a tokenizer alone is enough
            if not translator.running_servers or (needs_tokenizer(settings) and not is_folder):
                check_translator(settings.model, settings.revision)
            else:
                fingerprint_of_served(settings.model, settings.revision)
            problems = render_problems(settings, languages_of(translator, recipe.languages))
        except ValueError as problem:
            problems = [str(problem), *filter(None, [stranger_problem(settings)])]
        yield from (f"{_label(translator)}: {problem}" for problem in problems)


def _scorers(recipe: Recipe) -> Iterator[str]:
    for what, settings in recipe.scorers.items():
        for problem in kind_of_scorer(settings).problems(settings):
            yield f"[filters.{what}] {problem}"


def _server(recipe: Recipe) -> Iterator[str]:
    used = _used(recipe)
    try:
        if facts_of(recipe.running).is_on_this_machine and not all(one.running_servers for one in used):
            require_vllm()
    except ServerError as problem:
        yield f"translator: {problem}"
    for translator in used:
        for endpoint in translator.running_servers:
            try:
                settings = translator.settings
                check_endpoint(endpoint, settings.model, limits=recipe.limits, key_variable=settings.key_variable)
            except (ServerError, ValueError) as problem:
                yield f"{_label(translator)}: {problem}"


def _used(recipe: Recipe) -> list[Translator]:
    """Those of its translators and rephrasers that have something to do."""
    return [one for one in (*recipe.translators, *recipe.rephrasers) if languages_of(one, recipe.languages)]


def _label(translator: Translator) -> str:
    return "rephraser" if isinstance(translator, Rephraser) else "translator"
