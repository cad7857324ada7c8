"""Peak memory of the loss over 256,000 words: chunked at target positions against all logits at once.

Each way runs in a process of its own: hidden states of 1,024 tokens of width 64 (32 texts of 32), forward and backward,
of which the peak of resident memory is taken beyond what the process had with its tensors made. A quarter of the
positions is padding, as in a batch of texts. A GPU's peak is another number; the tensors are the same. Needs 4 GB.

    python -m benchmarks.loss
"""

from __future__ import annotations

import subprocess
import sys

GOAL = 0.25
TOKENS, WIDTH, VOCABULARY, PADDING = 1024, 64, 256_000, 0.25
WAYS = ("plain", "chunked")


def peak_mib() -> float:
    """Of this process so far, VmHWM."""
    with open("/proc/self/status") as file:
        line = next(line for line in file if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def measure(way: str) -> tuple[float, float]:
    """(MiB beyond what was there before, the loss)."""
    import torch
    from torch.nn import functional

    from florenz.train.model.loss import chunked_cross_entropy

    torch.set_num_threads(1)
    torch.manual_seed(0)
    hidden = torch.randn(TOKENS, WIDTH, requires_grad=True)
    weight = torch.randn(VOCABULARY, WIDTH).mul_(0.1).requires_grad_()
    labels = torch.randint(0, VOCABULARY, (TOKENS,))
    labels[: int(TOKENS * PADDING)] = -100
    before = peak_mib()
    if way == "plain":
        loss = functional.cross_entropy(functional.linear(hidden, weight).float(), labels, ignore_index=-100)
    else:
        is_target = labels != -100
        loss = chunked_cross_entropy(hidden[is_target], weight, labels[is_target], cap=None)
    loss.backward()
    return peak_mib() - before, float(loss)


def main() -> None:
    found = {}
    for way in WAYS:
        command = [sys.executable, "-m", "benchmarks.loss", way]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found[way] = tuple(map(float, done.stdout.split()))
        print(f"{way}: {found[way][0]:,.0f} MiB, loss {found[way][1]:.6f}", flush=True)
    gap = abs(found["plain"][1] - found["chunked"][1])
    assert gap < 1e-5 * found["plain"][1], gap
    ratio = found["chunked"][0] / found["plain"][0]
    print(f"bench-loss: {ratio:.2f} of the memory (goal {GOAL} or less)")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(*measure(sys.argv[1]))
    else:
        main()
