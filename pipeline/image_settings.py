"""[images] of a recipe: where the pictures come from, and which are too large to take."""

from __future__ import annotations

from dataclasses import dataclass

from florenz.images.opening import MAX_PIXELS
from florenz.limits.table import IMAGE_BYTES, SIDE_RATIO
from florenz.recipes.checks import below_1, blank, not_among, raise_if
from florenz.translators.secrets import credentials

PLAYGROUND = "playground"
DEFAULT_NUM_SCENES = 1000
ON_DAMAGE = ("drop", "reencode")


@dataclass(frozen=True, kw_only=True)
class Images:
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
            + credentials("source (IMAGES)", self.source)
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
