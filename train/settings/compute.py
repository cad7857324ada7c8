"""[compute]: how the machine is used."""

from __future__ import annotations

from dataclasses import dataclass

from florenz.recipes.checks import below_1, raise_if

PRECISIONS = ("auto", "float32", "bfloat16")
PARALLELS = ("ddp", "fsdp")
LOSSES = ("auto", "plain", "liger")
FROZEN = ("float32", "bfloat16")
ATTENTIONS = ("auto", "eager", "blocks", "sdpa")


@dataclass(frozen=True, kw_only=True)
class Compute:
    """[compute]: how the machine is used."""

    precision: str = "auto"
    """float32, or bfloat16 for the arithmetic; weights, optimizer and sums of gradients are float32 either way. auto:
    bfloat16 on hardware that has it. A CPU without took 60 times as long for a matrix product as in float32."""

    frozen_weights: str = "float32"
    """float32, or bfloat16 for the matrices of parts that no stage trains: half of their memory. They are rounded once,
    which is nothing new to those published so, as Gemma-2's; checkpoints hold what they were rounded to, as float32."""

    cpu_threads: int | None = None
    """Threads of each rank on a CPU; None leaves it to torch. The same number gives the same losses, bit for bit."""

    parallel: str = "ddp"
    """With more than one rank: ddp (a whole model each) or fsdp (weights, gradients and optimizer split up)."""

    attention: str = "auto"
    """How the decoder attends: eager (exact, all scores at once), blocks (exact, a block of queries at a time, for long
    inputs) or sdpa (fused; it leaves out the soft cap of Gemma-2's scores). auto: for Gemma-2 eager up to 384 px and
    blocks above, else sdpa."""

    loss: str = "plain"
    """How the loss over a large vocabulary is taken: plain (torch), or liger (a fused kernel, for GPUs; pip install
    liger-kernel), which leaves Gemma-2's capped logits to plain. auto: liger on a GPU where it is installed, else
    plain. They agree to 1e-5. Not the default: nobody has run the kernel on a GPU here."""

    compile: bool = False
    """torch.compile: minutes at the start, faster steps."""

    activation_checkpointing: bool = False
    """Compute activations again instead of keeping them: less memory, a third more time."""

    picture_cache_gib: float = 0.0
    """Memory of each rank for what a frozen vision tower sees in a picture, so that each picture is looked at once;
    what does not fit is looked at each time. Changes no result."""

    def __post_init__(self) -> None:
        problems = below_1(cpu_threads=self.cpu_threads)
        if self.picture_cache_gib < 0:
            problems.append(f"picture_cache_gib is {self.picture_cache_gib}: choose 0 for none, or more")
        known_values = {
            "precision": PRECISIONS, "parallel": PARALLELS, "attention": ATTENTIONS, "frozen_weights": FROZEN,
            "loss": LOSSES,
        }  # fmt: skip
        for name, known in known_values.items():
            value = getattr(self, name)
            if value not in known:
                problems.append(f"{name} is '{value}': choose {', '.join(known)}")
        if self.frozen_weights == "bfloat16" and self.precision != "bfloat16":
            problems.append(
                f"frozen_weights is bfloat16 and precision {self.precision}: "
                'set precision = "bfloat16" too, or leave it out'
            )
        raise_if(problems)
