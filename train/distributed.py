"""One process or many: which device this one has, and how a model, its gradients and its sums are shared between them.

torchrun starts the ranks and says through the environment who is who. DDP keeps a whole model in each rank and adds up
gradients; FSDP2 splits every weight, so that models fit that no single GPU holds, for more traffic. What leaves this
file are whole tensors: checkpoints know nothing of ranks, and a training goes on with another number of them.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.parallel import DistributedDataParallel
from transformers import PreTrainedModel

_GROUPS = itertools.count()  # of this process, as of the other ranks
# How long ranks wait for one that fetches and writes 45 GB of weights to begin with, or reads a checkpoint through.
# NCCL's own ten minutes would end them all. Those that wait for a dead one are ended by torchrun, at once.
PATIENCE = timedelta(hours=2)


class MetByAll(Exception):
    """A fault that every rank raises, so that the first one may say it for all; beside the kind of fault that it is."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where this process stands. rank: 0 to world_size - 1; rank 0 talks and writes."""

    rank: int
    world_size: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        return self.rank == 0


def find_place(device: str) -> Place:
    """The place of this process; `device` as in the recipe.

    Raises:
        ValueError: a GPU that is not there.
    """
    rank, world_size = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    num_gpus = torch.cuda.device_count()
    if device == "auto":
        device = "cuda" if num_gpus else "cpu"
    if device == "cpu":
        return Place(rank=rank, world_size=world_size, device=torch.device("cpu"))
    _, is_numbered, number = device.partition(":")
    if is_numbered and world_size > 1:
        raise ValueError(f"device (DEVICE) is {device}, one GPU for {world_size} ranks: use cuda, each takes its own")
    ranks_here = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    if ranks_here > num_gpus > 0:  # told by all ranks, and so by the first, not by those alone that find none
        raise ValueError(f"torchrun started {ranks_here} ranks for {num_gpus} GPUs: set --nproc-per-node {num_gpus}")
    index = int(number) if is_numbered else int(os.environ.get("LOCAL_RANK", 0))
    if index >= num_gpus:
        found = f"there are {num_gpus}" if num_gpus else "there is none"
        raise ValueError(f"device (DEVICE) is {device}, and {found} that torch can use: use DEVICE=cpu, or mend CUDA")
    return Place(rank=rank, world_size=world_size, device=torch.device("cuda", index))


def has_bfloat16(device: torch.device) -> bool:
    """Whether the hardware multiplies in bfloat16 itself; in software it is many times slower than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.backends.mkldnn.is_available() and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


@contextlib.contextmanager
def process_group(place: Place) -> Iterator[None]:
    """The ranks can talk to each other while the block runs; nothing for a single one. All ranks open the same groups,
    one after the other."""
    if place.device.type == "cuda":
        torch.cuda.set_device(place.device)
    if place.world_size == 1:
        yield
        return
    # A second group would find the first one's addresses in the store, where no rank listens now.
    own = dist.PrefixStore(f"group-{next(_GROUPS)}", _store_of_ranks())
    backend = "nccl" if place.device.type == "cuda" else "gloo"
    dist.init_process_group(backend, store=own, rank=place.rank, world_size=place.world_size, timeout=PATIENCE)
    try:
        yield
    finally:
        dist.destroy_process_group()


@functools.cache
def _store_of_ranks() -> dist.Store:
    """Where the ranks find each other, kept until the process ends. Where rank 0 serves it, a rank that is sooner at a
    second group would join the first one's store, and be gone with it."""
    store, _, _ = next(dist.rendezvous("env://", timeout=PATIENCE))
    return store


def spread(model: PreTrainedModel, place: Place, *, parallel: str, is_bfloat16: bool) -> nn.Module:
    """The model on its device, made one with its copies on the other ranks; call this in place of the model.

    parallel: ddp or fsdp. Parts must have been frozen before: both look at `requires_grad` once. With fsdp the
    parameters of `model` itself become DTensors; they may have no memory yet.
    """
    if parallel != "fsdp" or place.world_size == 1:
        model.to(place.device)
    if place.world_size == 1:
        return model
    if parallel == "ddp":
        # Gradients lie where they are exchanged; else there would be a second copy of them all, which no plan counts.
        return DistributedDataParallel(model, broadcast_buffers=False, gradient_as_bucket_view=True)
    mesh = init_device_mesh(place.device.type, (place.world_size,))
    # Weights travel in bfloat16, gradients are added up in float32.
    policy = MixedPrecisionPolicy(param_dtype=torch.bfloat16 if is_bfloat16 else None, reduce_dtype=torch.float32)
    for layer in repeated_layers(model):
        fully_shard(layer, mesh=mesh, mp_policy=policy)
    return fully_shard(model, mesh=mesh, mp_policy=policy)


def repeated_layers(model: PreTrainedModel) -> list[nn.Module]:
    """The blocks that make up the depth of the model, as it names them itself."""
    return [module for module in model.modules() if type(module).__name__ in set(model._no_split_modules)]


def gradient_sync(model: nn.Module, *, is_last: bool) -> AbstractContextManager[None]:
    """Around forward and backward of a micro-batch: the ranks add up their gradients after the last of a step alone."""
    if isinstance(model, FSDPModule):
        model.set_requires_gradient_sync(is_last)
    elif isinstance(model, DistributedDataParallel) and not is_last:
        return model.no_sync()
    return contextlib.nullcontext()


def sum_over_ranks(values: torch.Tensor, place: Place) -> torch.Tensor:
    """The sum of each value over all ranks. values: on the device of the place; they are changed."""
    if place.world_size > 1:
        dist.all_reduce(values)
    return values


def largest_over_ranks(value: float, place: Place) -> float:
    """All ranks must ask."""
    box = torch.tensor([value], dtype=torch.float64, device=place.device)
    if place.world_size > 1:
        dist.all_reduce(box, op=dist.ReduceOp.MAX)
    return float(box)


def wait_for_all(place: Place) -> None:
    """Until every rank is here. What `value_of_first` does not do: the first rank may be ahead of those it tells."""
    largest_over_ranks(0.0, place)


def value_of_first(value: int, place: Place) -> int:
    """What rank 0 says, on every rank; they wait for it, and it for nobody."""
    box = torch.tensor([value], device=place.device)
    if place.world_size > 1:
        dist.broadcast(box, src=0)
    return int(box)


MAX_TEXT_BYTES = 256


def text_of_first(text: str, place: Place) -> str:
    """What rank 0 says in a word of at most MAX_TEXT_BYTES, on every rank; they wait for it."""
    if place.world_size == 1:
        return text
    content = text.encode()
    assert len(content) <= MAX_TEXT_BYTES, text
    box = torch.zeros(MAX_TEXT_BYTES, dtype=torch.uint8, device=place.device)
    box[: len(content)] = torch.tensor(list(content), dtype=torch.uint8)
    dist.broadcast(box, src=0)
    return bytes(box.tolist()).rstrip(b"\0").decode()


def texts_of_all(text: str, place: Place) -> list[str]:
    """The text of each rank, of any length, in the order of the ranks; they wait for each other."""
    if place.world_size == 1:
        return [text]
    content = torch.frombuffer(bytearray(text.encode() or b" "), dtype=torch.uint8).to(place.device)
    lengths = [torch.zeros(1, dtype=torch.long, device=place.device) for _ in range(place.world_size)]
    dist.all_gather(lengths, torch.tensor([len(content)], device=place.device))
    padded = content.new_zeros(int(max(lengths)))
    padded[: len(content)] = content
    found = [torch.empty_like(padded) for _ in range(place.world_size)]
    dist.all_gather(found, padded)
    return [one[: int(length)].cpu().numpy().tobytes().decode() for one, length in zip(found, lengths, strict=True)]


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """All of a tensor of which each rank may hold a piece; all ranks must ask."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def as_piece_like(tensor: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """The opposite of `whole`: the piece of a whole tensor that this rank has of `like`."""
    if not isinstance(like, DTensor):
        return tensor.to(like.device)
    whole_tensor = tensor.detach().to(like.device)
    return distribute_tensor(whole_tensor, like.device_mesh, like.placements, src_data_rank=None)


def with_rows(rows: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """A tensor split like another one, of this rank's rows of it; or all of it where the other is not split."""
    if not isinstance(like, DTensor):
        return rows.to(like.device)
    local, mesh = rows.to(like.device_mesh.device_type), like.device_mesh
    return DTensor.from_local(local, mesh, like.placements, run_check=False, shape=like.shape, stride=like.stride())
