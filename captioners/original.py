"""The alt text that an image came with, as one more caption: nothing is asked, it is read with the image.

It says so in `made_by`, is filtered like all captions (most alt texts of the web describe no picture), and an image
without one has a reject instead of it. `images/sidecars.py` says where alt texts are looked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from florenz.captioners.contract import Answer, Captioner, CaptionerSettings
from florenz.recipes.fingerprints import deciding, effort

if TYPE_CHECKING:
    from PIL import Image

STYLE, NO_ALT_TEXT = "original", "no_alt_text"


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


def fingerprint_parts(settings: Settings) -> dict[str, Any]:
    return deciding(settings)


def problems(settings: Settings) -> Iterator[str]:
    """None: an image without alt text is told as a reject."""
    yield from ()


def load(settings: Settings) -> Captioner:
    return _Nothing()


class _Nothing:
    """Asked about a picture alone it has nothing to say: what it says comes with the image."""

    def prepare(self, picture: Image.Image) -> None:
        return None

    def caption(self, prepared: Sequence[None], styles: Sequence[Sequence[str]]) -> list[dict[str, Answer]]:
        return [{style: Answer(reason=NO_ALT_TEXT) for style in wanted} for wanted in styles]
