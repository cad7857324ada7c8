"""What a recipe's [captioner] section may hold for a Florence-2."""

from __future__ import annotations

from dataclasses import dataclass

from florenz.captioners.contract import CaptionerSettings
from florenz.recipes.checks import below_1, no_device, not_among
from florenz.recipes.fingerprints import effort

DTYPES = ("float32", "bfloat16", "float16")


@dataclass(frozen=True, kw_only=True)
class Settings(CaptionerSettings):
    """[captioner] with kind = "florence2", which is also what a recipe without a kind means."""

    kind: str = "florence2"

    max_new_tokens: int = 128
    """Tokens of one caption; a longer one is cut, and then rejected as truncated."""

    num_beams: int = 1
    """Beams of the search; 1 is greedy."""

    dtype: str = "float32"
    """float32, bfloat16 or float16."""

    device: str = effort("auto")
    """auto (a GPU if there is one), cpu, cuda, or one of several GPUs as in cuda:1. Of several that it is not told
    apart, each worker process takes one that no other has."""

    cpu_threads: int | None = effort(None)
    """Threads on a CPU, for each worker; None takes all cores. They spin while they wait for each other: a tiny model
    beside other work, such as a server that is coming up, was 40 times slower on two than on one."""

    def faults(self) -> list[str]:
        counts = below_1(max_new_tokens=self.max_new_tokens, num_beams=self.num_beams, cpu_threads=self.cpu_threads)
        return super().faults() + counts + not_among("dtype", self.dtype, DTYPES) + no_device("device", self.device)
