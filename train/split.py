"""A model under FSDP2 that no rank loads whole: made without memory, split, and filled from a file by pieces.

The file is that of the checkpoint to go on from. A training that begins has none, so its start is written first, by a
process of its own that ends before the first step: the same code with the same seed, and so the same weights, as
without FSDP2. That process needs the memory of two models, once on one machine.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn
from torch.distributed.tensor import DTensor

from florenz.console import quiet_libraries
from florenz.recipes.recipe_file import RecipeError
from florenz.shards.manifest import Manifest
from florenz.train.building import load_model
from florenz.train.checkpoint import FOLDER, MODEL, Checkpoint
from florenz.train.distributed import value_of_first, wait_for_all, with_rows
from florenz.train.model.florenz import Florenz
from florenz.train.recipe import Recipe
from florenz.train.state import weights_of
from florenz.train.tensor_files import TensorFile
from florenz.train.training import Training

START = f"{FOLDER}/.start.partial"  # what a kill leaves of it is removed with checkpoints that were not finished
LOOKING = ("encoder.vision_tower.", "encoder.multi_modal_projector.")  # what a cache of pictures needs


def is_split(this: Training) -> bool:
    return this.place.world_size > 1 and this.recipe.compute.parallel == "fsdp"


@contextlib.contextmanager
def weights_file(this: Training, checkpoint: Checkpoint | None) -> Iterator[TensorFile]:
    """The file that all ranks fill their pieces from in the block; all must ask.

    Raises:
        ValueError: the weights to begin with could not be made.
    """
    if checkpoint is not None:
        yield TensorFile(checkpoint.path / MODEL)
        return
    folder = Path(this.recipe.out) / START
    problem = apart(_write_start, this.recipe, this.manifest, folder) if this.place.is_first else ""
    if value_of_first(int(bool(problem)), this.place):
        raise RecipeError([problem or "the first rank could not make the weights to begin with: it says why"])
    yield TensorFile(folder / MODEL)
    wait_for_all(this.place)  # a slower rank still reads
    if this.place.is_first:
        shutil.rmtree(folder)


def apart(function: Callable[..., None], *arguments: Any) -> str:
    """Call it in a process of its own and wait; the ValueError or OSError that it ended with, "" if it did not."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_told, args=(theirs, function, arguments))
    process.start()
    theirs.close()
    try:
        problem = str(ours.recv())
    except EOFError:
        problem = ""
    process.join()
    died = f"the process that ran {function.__name__} died with code {process.exitcode}"
    return problem or (died if process.exitcode else "")


def _told(pipe: Any, function: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    quiet_libraries()
    try:
        function(*arguments)
    except (ValueError, OSError) as problem:
        pipe.send(str(problem))


def _write_start(recipe: Recipe, manifest: Manifest, folder: Path) -> None:
    if recipe.compute.cpu_threads is not None:
        torch.set_num_threads(recipe.compute.cpu_threads)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    model, _ = load_model(recipe, manifest, None)
    save_file({name: tensor.detach().contiguous() for name, tensor in weights_of(model).items()}, folder / MODEL)


def fill_pieces(model: nn.Module, file: TensorFile) -> None:
    """Give each parameter that has no memory this rank's rows of it, on the device of its mesh; buffers come too."""
    owners: dict[int, list[tuple[nn.Module, str]]] = {}
    for module in model.modules():
        for attribute, parameter in module._parameters.items():
            if parameter is not None:
                owners.setdefault(id(parameter), []).append((module, attribute))
    for name, tensor in weights_of(model).items():
        if isinstance(tensor, nn.Parameter):
            filled = _filled(file, name, tensor)
            for module, attribute in owners[id(tensor)]:
                module._parameters[attribute] = filled
        else:
            tensor.copy_(file.piece(name, tensor))


def _filled(file: TensorFile, name: str, like: nn.Parameter) -> nn.Parameter:
    """like: on the meta device, split or not."""
    piece = file.piece(name, like).to(dtype=like.dtype)
    return nn.Parameter(with_rows(piece, like) if isinstance(like, DTensor) else piece, like.requires_grad)


@contextlib.contextmanager
def able_to_look(model: Florenz, file: TensorFile) -> Iterator[None]:
    """The vision tower of a model without memory has its weights in the block."""
    found = [(name, one) for name, one in model.named_parameters() if name.startswith(LOOKING)]
    for name, parameter in found:
        _replace(model, name, _filled(file, name, parameter))
    yield
    for name, parameter in found:
        _replace(model, name, parameter)


def _replace(model: nn.Module, name: str, parameter: nn.Parameter) -> None:
    module, _, attribute = name.rpartition(".")
    model.get_submodule(module)._parameters[attribute] = parameter
