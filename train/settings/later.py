"""Keys that recipes did not always have."""

from __future__ import annotations

from dataclasses import field
from typing import Any

LATER = "later"  # marks a key that recipes did not always have: it enters a training's identity only off its default


def later(default: Any) -> Any:
    """A field that came later, so that checkpoints from before it still fit the recipes that they were made with."""
    return field(default=default, metadata={LATER: True})
