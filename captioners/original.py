"""The alt text that an image came with, as one more caption: nothing is asked, it is read with the image.

It says so in `made_by`, is filtered like all captions (most alt texts of the web describe no picture), and an image
without one has a reject instead of it. `images/sidecars.py` says where alt texts are looked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from florenz.captioners.contract import Captioner, CaptionerError, CaptionerSettings
from florenz.recipes.fingerprints import effort

STYLE = "original"


@dataclass(frozen=True, kw_only=True)
class Settings(CaptionerSettings):
    """[captioner] with kind = "original"; there is nothing to set."""

    kind: str = "original"
    model: str = "alt text"
    styles: tuple[str, ...] = effort((STYLE,))

    @property
    def is_read(self) -> bool:
        return True


def known_styles(settings: Settings) -> tuple[str, ...]:
    return (STYLE,)


def fingerprint_parts(settings: Settings) -> dict[str, str]:
    return {"kind": settings.kind}


def problems(settings: Settings) -> Iterator[str]:
    """None: an image without alt text is told as a reject."""
    yield from ()


def load(settings: Settings) -> Captioner:
    raise CaptionerError("alt texts are read with the images, and no captioner is asked for them")
