"""A rank of a training that counts the bytes of tensors it ever holds: `torchrun tests/split_memory.py RECIPE OUT`.

Whenever a piece of a file was read, a file is about to be written, and at each logged step, the storages of all tensors
that Python knows are added up, each once. OUT/memory-RANK.json: the most, and what the whole model takes.
"""

import gc
import json
import os
import sys
from pathlib import Path
from typing import Any

import torch

from florenz.train import loop, writing
from florenz.train.log import TrainingLog
from florenz.train.recipe import load_recipe
from florenz.train.tensor_files import TensorFile

most: dict[str, int] = {"held": 0}


def held_bytes() -> int:
    storages: dict[int, int] = {}
    for one in gc.get_objects():
        if issubclass(type(one), torch.Tensor):
            local = getattr(one, "_local_tensor", one)
            if local.device.type != "meta" and local.is_floating_point():
                storage = local.untyped_storage()
                storages[storage.data_ptr()] = storage.nbytes()
    return sum(storages.values())


def counted(function: Any) -> Any:
    def call(*arguments: Any, **options: Any) -> Any:
        found = function(*arguments, **options)
        most["held"] = max(most["held"], held_bytes())
        return found

    return call


def main() -> None:
    TensorFile.piece = counted(TensorFile.piece)  # type: ignore[method-assign]
    loop.prepare = counted(loop.prepare)
    loop.make_record = counted(loop.make_record)
    writing.write_pieces = counted(writing.write_pieces)
    TrainingLog.write = counted(TrainingLog.write)  # type: ignore[method-assign]
    recipe = load_recipe(sys.argv[1], {"OUT": sys.argv[2]})
    loop.train(recipe, print)
    Path(sys.argv[2], f"memory-{os.environ['RANK']}.json").write_text(json.dumps(most))


if __name__ == "__main__":
    main()
