"""What a recipe's [filters.quality] section may hold for a MetricX."""

from __future__ import annotations

from dataclasses import dataclass

from florenz.recipes.checks import below_0, below_1, not_among
from florenz.scorers.contract import ScorerSettings

DTYPES = ("float32", "bfloat16")  # an mT5 overflows in float16


@dataclass(frozen=True, kw_only=True)
class Settings(ScorerSettings):
    """kind = "metricx"."""

    kind: str = "metricx"

    tokenizer: str = ""
    """Folder or hub name of its tokenizer; empty: it lies beside the model. MetricX on the hub has none: name
    google/mt5-large."""

    dtype: str = "float32"
    """float32 or bfloat16."""

    score_token_id: int = 250_089
    """The word whose logit in the decoder's first step is the score: <extra_id_10> of mT5."""

    max_tokens: int = 1536
    """Of source and translation together; what is longer is cut at its end."""

    def faults(self) -> list[str]:
        counts = below_1(max_tokens=self.max_tokens) + below_0(score_token_id=self.score_token_id)
        return super().faults() + counts + not_among("dtype", self.dtype, DTYPES)
