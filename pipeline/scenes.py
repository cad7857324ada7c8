"""The playground at the pipeline's door: it is drawn before the run, which then reads its pictures like anybody's.

All that the pipeline knows of the playground stands here and in two lines of the recipe (`Images.is_playground`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial

from florenz.languages.codes import NAMES
from florenz.pipeline.assemble import replacement
from florenz.pipeline.drawing import drawn_apart
from florenz.pipeline.progress import ProgressAddress, advance
from florenz.pipeline.recipe import Recipe
from florenz.pipeline.routing import languages_of
from florenz.playground.world import TRUTH, draw_world, is_another_world, is_drawn
from florenz.stores import files

MODELS = ("playground/models/captioner", "playground/models/translator")
LANGUAGES = ("de", "fr", "es", "ru", "zh")
BYTES_OF_A_SCENE = 20_000  # picture and texts
FEW = 1000  # scenes that are drawn in less time than it takes to load what looks at them


def warnings(recipe: Recipe) -> Iterator[str]:
    """Tiny models on real photographs: it runs, and is most likely not meant."""
    models = [one.model for one in recipe.captioners] + [one.settings.model for one in recipe.translators]
    is_tiny = any(map(_is_tiny, models))
    if is_tiny and not recipe.images.is_playground:
        yield (
            f"the playground's models know the playground's pictures only; what they say about {recipe.images.source} "
            "is nonsense: use RECIPE=configs/florence2.toml for photographs"
        )


def problems(recipe: Recipe) -> Iterator[str]:
    """Languages that the playground's translator never learned."""
    for translator in recipe.translators:
        for language in languages_of(translator, recipe.languages):
            if _is_tiny(translator.settings.model) and language not in LANGUAGES:
                yield (
                    f"the playground's translator does not know {language} ({NAMES[language]}): it has "
                    f"{', '.join(LANGUAGES)}; for other languages use RECIPE=configs/florence2.toml"
                )


def bytes_on_disk(recipe: Recipe) -> int:
    """What drawing and assembling the scenes takes; both lie in OUT."""
    return 2 * recipe.images.num_scenes * BYTES_OF_A_SCENE


def concepts_table(recipe: Recipe) -> str:
    """Where it stands what each picture shows; "" if nobody says it."""
    if recipe.coverage.concepts or not recipe.images.is_playground:
        return recipe.coverage.concepts
    return files.join(recipe.out, "images", TRUTH)


def are_drawn_apart(recipe: Recipe) -> bool:
    """Whether scenes that are not there yet are drawn by another process."""
    return recipe.images.num_scenes > FEW and files.local_path(recipe.out) is not None


def draw(
    recipe: Recipe, progress: ProgressAddress, meanwhile: Callable[[], None] = lambda: None, *, may_replace: bool
) -> None:
    """Draw what is not there yet below OUT/images. meanwhile: called while another process draws.

    Raises:
        RecipeError: this world would replace another one, which looks like a slip. What `meanwhile` raises.
    """
    folder, count, seed = files.join(recipe.out, "images"), recipe.images.num_scenes, recipe.seed
    if not may_replace:
        replacement.check_world(recipe, is_another=is_another_world(folder, seed))
    if is_drawn(folder, count=count, seed=seed):
        return
    if not are_drawn_apart(recipe):
        draw_world(folder, count=count, seed=seed, advance=partial(advance, progress, "draw"))
        return
    with drawn_apart(recipe.out, folder, count=count, seed=seed, progress=progress):
        meanwhile()


def _is_tiny(model: str) -> bool:
    return os.path.normpath(model).endswith(MODELS)
