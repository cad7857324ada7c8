"""What a recipe's [filters.image_text] section may hold for a SigLIP."""

from __future__ import annotations

from dataclasses import dataclass

from florenz.recipes.checks import not_among
from florenz.scorers.contract import ScorerSettings

DTYPES = ("float32", "bfloat16", "float16")


@dataclass(frozen=True, kw_only=True)
class Settings(ScorerSettings):
    """kind = "siglip"."""

    kind: str = "siglip"

    dtype: str = "float32"
    """float32, bfloat16 or float16."""

    def faults(self) -> list[str]:
        return super().faults() + not_among("dtype", self.dtype, DTYPES)
