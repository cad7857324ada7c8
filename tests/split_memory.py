"""A rank of a training that counts the weights it is filled with: `torchrun tests/split_memory.py RECIPE OUT`.

OUT/memory-RANK.json: the bytes of all rows that it read for a model, and whether it ever read a file of weights whole.
"""

import json
import os
import sys
from pathlib import Path

import torch

from florenz.train import checkpoint, loop
from florenz.train.recipe import load_recipe
from florenz.train.tensor_files import TensorFile

counted = {"held": 0, "whole_files": 0}


def fill_pieces(model: torch.nn.Module, file: TensorFile) -> None:
    FILL(model, file)
    held = sum(getattr(one, "_local_tensor", one).nbytes for one in model.parameters())
    counted["held"] = max(counted["held"], held)


def load_file(path: Path) -> dict[str, torch.Tensor]:
    counted["whole_files"] += 1
    return LOAD(path)


FILL, LOAD = loop.fill_pieces, checkpoint.load_file


def main() -> None:
    loop.fill_pieces, checkpoint.load_file = fill_pieces, load_file  # type: ignore[assignment]
    loop.train(load_recipe(sys.argv[1], {"OUT": sys.argv[2]}), print)
    Path(sys.argv[2], f"memory-{os.environ['RANK']}.json").write_text(json.dumps(counted))


if __name__ == "__main__":
    main()
