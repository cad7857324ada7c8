"""Whether a run may take over from the build that lies in OUT. A slip of the keyboard must not cost a dataset.

One with fewer than half of the images, or with none of the same images, is most likely a slip (another IMAGES, a COUNT
meant for another OUT), so it has to be asked for: REPLACE=1. Looked at three times, each before something is lost:
before a world is drawn over another, before models are paid, and before the manifest is swapped.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import islice

from florenz.pipeline.recipe import Recipe
from florenz.recipes.recipe_file import RecipeError
from florenz.shards.manifest import Manifest, ManifestError, read_manifest, shard_path
from florenz.shards.plan import HELDOUT
from florenz.shards.reader import iter_members
from florenz.shards.tar import ShardError
from florenz.shards.writer import ShardInfo

MIN_SHARE = 0.5
TOGETHER = 1024  # members of a shard that are looked for in one go


def check_world(recipe: Recipe, *, is_another: bool) -> None:
    """Before a world is drawn, which removes the pictures of one that is another, or has more.

    Raises:
        RecipeError: this world looks like a slip.
    """
    current = _current(recipe.out)
    if current is not None:
        _refuse_slip(recipe.out, current, num_new=recipe.images.num_scenes, shares_images=not is_another)


def check_images(recipe: Recipe, keys: Collection[str]) -> None:
    """Before models are paid: `keys` of the usable images, of which a part is held at a time.

    Raises:
        RecipeError: these would replace a build that looks like another dataset.
    """
    current = _current(recipe.out)
    if current is not None:
        shares_images = _shares_images(recipe.out, current, keys)
        _refuse_slip(recipe.out, current, num_new=len(keys), shares_images=shares_images)


def check_build(recipe: Recipe, shards: Iterable[ShardInfo]) -> None:
    """Before the manifest is swapped: what was written may be far less than what was read.

    Raises:
        RecipeError: fewer than half of the images that the build in OUT has, if any: REPLACE=1 is no remedy for none.
    """
    current, num_new = _current(recipe.out), num_images(shards)
    if current is not None and num_new:
        _refuse_slip(recipe.out, current, num_new=num_new, shares_images=True)


def num_images(shards: Iterable[ShardInfo]) -> int:
    return sum(shard.samples for shard in shards if shard.split != HELDOUT)  # whose images are those of val


def _current(out: str) -> Manifest | None:
    """None without a manifest that can be read: then there is nothing that a run could take away."""
    try:
        return read_manifest(out)
    except ManifestError:
        return None


def _refuse_slip(out: str, current: Manifest, *, num_new: int, shares_images: bool) -> None:
    num_old = num_images(current.shards)
    if shares_images and num_new >= MIN_SHARE * num_old:
        return
    what = f"{num_new:,} images" if shares_images else f"{num_new:,} other images"
    raise RecipeError(
        [
            f"OUT {out!r} holds a build of {num_old:,} images, which {what} would replace: choose another OUT, or give "
            "REPLACE=1 if that is meant; the build stays as it is"
        ]
    )


def _shares_images(out: str, current: Manifest, keys: Collection[str]) -> bool:
    """Whether an image of the current build is among `keys`. Nearly always the first one is; only a build that shares
    none is read to its end.
    """
    num_read = 0
    for shard in current.shards:
        try:
            found = (key for key, _ in iter_members(shard_path(out, current.build, shard.path)))
            while together := sorted(islice(found, TOGETHER)):  # neighbours lie in the same part of the index
                if any(key in keys for key in together):
                    return True
                num_read += len(together)
        except (ShardError, OSError):
            continue  # a damaged shard says nothing; the run is going to write it anew
    return num_read == 0
