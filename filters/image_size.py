"""Pictures that are too small or too long for a recipe: `[filters.images]`. Off without such a section.

The idea: thumbnails, icons, banners and strips have captions that say little, or nothing true; LAION and DataComp drop
them by side and side ratio. Asked of width and height as the file's header states them, while images are read: before
a model is asked anything. Cost: the header of each picture is parsed once (20 to 160 microseconds by format), and kept.

It can't see what is in a picture: a large one may be an enlarged icon, and a panorama may be worth having. Pictures of
sides below 8 px, or 50 times as long as wide, are rejected whatever a recipe says here, by `[images]`.
"""

from __future__ import annotations

from dataclasses import dataclass

from florenz.filters.near_duplicate import MAX_DISTANCE
from florenz.filters.verdict import KEEP, Verdict, reject

SMALL, NARROW = "small_image", "narrow_image"


@dataclass(frozen=True, kw_only=True)
class ImageRules:
    """[filters.images]. Raises ValueError: neither key, or a number out of range."""

    min_side_px: int | None = None
    """Pixels. A picture whose shorter side has fewer is rejected."""

    max_side_ratio: float | None = None
    """Longer by shorter side. A picture that is longer is rejected."""

    max_hash_distance: int | None = None
    """Bits of 256, at most 31. A picture whose PDQ hash differs by no more from one with a smaller key is rejected."""

    def __post_init__(self) -> None:
        if (self.min_side_px, self.max_side_ratio, self.max_hash_distance) == (None, None, None):
            raise ValueError("it says nothing: give min_side_px, max_side_ratio or max_hash_distance")
        if self.max_hash_distance is not None and not 0 <= self.max_hash_distance <= MAX_DISTANCE:
            raise ValueError(f"max_hash_distance is {self.max_hash_distance}: choose 0 to {MAX_DISTANCE}")
        if self.min_side_px is not None and self.min_side_px < 1:
            raise ValueError(f"min_side_px is {self.min_side_px}: choose at least 1")
        if self.max_side_ratio is not None and self.max_side_ratio < 1:
            raise ValueError(f"max_side_ratio is {self.max_side_ratio}: choose 1 or more")


def check_image_size(width: int, height: int, rules: ImageRules) -> Verdict:
    """width, height: px, both above 0, in any order."""
    shorter, longer = sorted((width, height))
    size = f"{width}x{height} px"
    if rules.min_side_px is not None and shorter < rules.min_side_px:
        return reject(SMALL, f"{size}: the shorter side has {shorter} px, at least {rules.min_side_px} wanted")
    if rules.max_side_ratio is not None and longer > rules.max_side_ratio * shorter:
        ratio = f"{longer / shorter:.4g}"
        return reject(NARROW, f"{size}: {ratio} times as long as wide, at most {rules.max_side_ratio:g} wanted")
    return KEEP
