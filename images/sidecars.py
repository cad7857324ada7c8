"""What stands beside a picture about it, as img2dataset leaves it: url, licence and alt text.

In `<name>.json` in a folder, or next to the picture in a tar, or in columns beside its bytes (`parquet_about.py`).
Strangers' words: only these are taken, cut to a length, and what can't be read says nothing. Other fields, such as
img2dataset's copy of the EXIF with its places, go nowhere.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from florenz.limits.table import SIDECAR_CHARS

JOINERS = "\u200c\u200d"
NAMES = {
    "url": ("url", "image_url", "source_url"),
    "licence": ("license", "licence", "license_url"),
    "alt": ("alt", "alt_text", "caption", "text"),
}


@dataclass(frozen=True, kw_only=True, order=True)
class About:
    """What a source says about an image; "" for what it does not."""

    url: str = ""
    licence: str = ""
    alt: str = ""


NOTHING = About()


def about_text(about: About) -> str:
    """As it stands in one column of a table; "" for nothing."""
    return json.dumps(asdict(about), ensure_ascii=False) if about != NOTHING else ""


def about_from(text: str | None) -> About:
    """What `about_text` wrote."""
    return About(**json.loads(text)) if text else NOTHING


def parse_sidecar(content: bytes) -> About:
    """What the JSON says; nothing where it is no JSON or no object."""
    try:
        record = json.loads(content.decode())
    except (ValueError, RecursionError):
        return NOTHING
    return about_of(record) if isinstance(record, dict) else NOTHING


def about_of(record: Mapping[str, Any]) -> About:
    """What a record of a stranger says in the words of NAMES, in any case; each one's first that says anything."""
    found = {str(name).lower(): value for name, value in record.items()}
    about = {field: next((text for name in names if (text := one_line(found.get(name)))), "")
             for field, names in NAMES.items()}  # fmt: skip
    if not is_address(about["url"]):
        about["url"] = ""
    return About(**about)


def is_address(text: str) -> bool:
    return text.lower().startswith(("http://", "https://"))


def one_line(value: Any) -> str:
    """As it is kept: without control characters, with the joiners of Persian and Indic scripts. "" for no text."""
    if not isinstance(value, str):
        return ""
    return "".join(letter for letter in " ".join(value.split()) if letter.isprintable() or letter in JOINERS)[
        :SIDECAR_CHARS
    ]
