"""A page to look at: a dozen pictures, each with the model's captions beside the true ones, held-out languages first.

The pictures are the first ones of the set, in its own order, which is that of a hash: nothing is picked by how well it
went. The page is one file that needs no network; texts come from a dataset and a model, so all of them are escaped.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from PIL import Image

from florenz.languages.codes import name_of
from florenz.train.data.pictures import decode_picture

NUM_SHOWN = 12
PICTURE_PX = 192

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color: #222 }
section { display: flex; gap: 1rem; margin: 1.5rem 0; align-items: flex-start } img { border-radius: 4px }
table { border-collapse: collapse; flex: 1 } td { padding: .15rem .6rem; vertical-align: top }
.held-out { font-weight: 600 } .right { color: #00664a } .wrong { color: #a33 } .true { color: #777 }
"""


class Shown(NamedTuple):
    """What was answered about one picture in one language. reference: the dataset's text."""

    language: str
    is_held_out: bool
    style: str
    reference: str
    answer: str

    @property
    def is_right(self) -> bool:
        return self.answer.split() == self.reference.split()


@dataclass(kw_only=True)
class Showcase:
    """Collects the first pictures that are scored, with all captions of them."""

    _pictures: dict[str, bytes] = field(default_factory=dict)
    _captions: dict[str, list[Shown]] = field(default_factory=dict)

    def add_pictures(self, pictures: Mapping[str, bytes | None]) -> None:
        for image, picture in pictures.items():
            if picture is not None and len(self._pictures) < NUM_SHOWN:
                self._pictures.setdefault(image, picture)

    def add(self, image: str, shown: Shown) -> None:
        if image in self._pictures:
            self._captions.setdefault(image, []).append(shown)

    def page(self, title: str, summary: str) -> str:
        """The whole page; "" if there was no picture with a caption."""
        sections = [
            _section(self._pictures[image], sorted(captions, key=lambda one: (not one.is_held_out, one.language)))
            for image, captions in self._captions.items()
        ]
        if not sections:
            return ""
        return "\n".join(
            [
                "<!doctype html>",
                f'<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>',
                f"<style>{STYLE}</style></head><body>",
                f"<h1>{html.escape(title)}</h1>",
                f"<p>{html.escape(summary)}</p>",
                "<p>The first pictures of the scored ones, as the model sees them. In bold: captions in a language in "
                "which it was never shown one, or of things that it was shown captions of in no language. Green: the "
                "dataset's very words; where they differ, those stand in grey.</p>",
                *sections,
                "</body></html>\n",
            ]
        )


def _section(picture: bytes, captions: list[Shown]) -> str:
    rows = "\n".join(_row(shown) for shown in captions)
    return f"<section>{_image(picture)}<table>\n{rows}\n</table></section>"


def _row(shown: Shown) -> str:
    verdict = "right" if shown.is_right else "wrong"
    truth = "" if shown.is_right else f'<br><span class="true">{html.escape(shown.reference)}</span>'
    answer = html.escape(shown.answer) or "(nothing)"
    language = html.escape(name_of(shown.language))
    kind = "held-out" if shown.is_held_out else "covered"
    return f'<tr class="{kind}"><td>{language}</td><td><span class="{verdict}">{answer}</span>{truth}</td></tr>'


def _image(picture: bytes) -> str:
    """Drawn anew from its pixels, so that nothing of a stranger's file gets into the page."""
    pixels_HWC = decode_picture(picture, PICTURE_PX).permute(1, 2, 0).numpy()
    file = io.BytesIO()
    Image.fromarray(pixels_HWC).save(file, "JPEG", quality=90)
    data = base64.b64encode(file.getvalue()).decode()
    return f'<img width="{PICTURE_PX}" height="{PICTURE_PX}" alt="" src="data:image/jpeg;base64,{data}">'
