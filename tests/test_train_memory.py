"""What ranks hold beside their weights is what `plan.py` counts: no second gradient, no model of a stage before."""

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from training_examples import one_build, recipe_in, train_quietly

from florenz.train import loop
from florenz.train.checkpoint import Checkpoint
from florenz.train.distributed import Place, gradient_sync, repeated_layers, spread
from florenz.train.model.florenz import Florenz
from florenz.train.model.sizes import config_of
from florenz.train.plan import gathered_by_fsdp
from florenz.train.training import Training

TWO = Place(rank=0, world_size=2, device=torch.device("cpu"))


@pytest.fixture
def group() -> Iterator[None]:
    """Of one process, which is enough to see what is held."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.usefixtures("group")
def test_gradients_lie_where_they_are_exchanged() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    runner = spread(model, TWO, parallel="ddp", is_bfloat16=False)  # type: ignore[arg-type]
    for is_last in (False, True):
        with gradient_sync(runner, is_last=is_last):
            runner(torch.ones(1, 8)).sum().backward()
    gradients = [one.grad for one in model.parameters() if one.grad is not None]
    assert len(gradients) == 4 and len({one.untyped_storage().data_ptr() for one in gradients}) == 1


@pytest.mark.parametrize("param_dtype", [None, torch.bfloat16])
@pytest.mark.usefixtures("group")
def test_fsdp_holds_a_whole_gradient_between_micro_batches_and_none_after_the_last(
    param_dtype: torch.dtype | None,
) -> None:
    model = nn.Sequential(nn.Linear(8, 8, bias=False), nn.Linear(8, 8, bias=False))
    policy = MixedPrecisionPolicy(param_dtype=param_dtype, reduce_dtype=torch.float32)
    runner = fully_shard(model, mp_policy=policy)
    held = []
    for is_last in (False, True):
        with gradient_sync(runner, is_last=is_last):
            runner(torch.ones(1, 8)).sum().backward()
        held.append(whole_gradient_bytes(runner))
    assert held == [4 * 2 * 8 * 8, 0]


def whole_gradient_bytes(runner: FSDPModule) -> int:
    group = runner._get_fsdp_state()._fsdp_param_group
    assert group is not None
    found = [one.unsharded_accumulated_grad for one in group.fsdp_params]
    found = [one.unsharded_param.grad if of is None else of for one, of in zip(group.fsdp_params, found, strict=True)]
    return sum(one.nbytes for one in found if one is not None)


def test_what_is_gathered_at_once_is_all_but_the_layers_and_two_of_them() -> None:
    with torch.device("meta"):
        model = Florenz(config_of("3.5b"))
    assert len(repeated_layers(model)) > 26 + 12
    vocabularies = 256_000 * 2304 + 51_289 * 1024
    layer = max(sum(one.numel() for one in layer.parameters()) for layer in repeated_layers(model))
    assert 50e6 < layer < 120e6
    assert gathered_by_fsdp(model) == pytest.approx(vocabularies + 2 * layer, rel=0.1)


class Circle:
    """As a model that FSDP2 has split: nothing frees it but the collector."""

    def __init__(self) -> None:
        self.itself = self


def test_a_stage_is_gone_when_the_next_one_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train_stage = loop.train_stage
    left: list[weakref.ref[Circle]] = []

    def in_a_circle(this: Training, number: int, checkpoint: Checkpoint | None) -> Checkpoint:
        assert all(one() is None for one in left)
        left.append(weakref.ref(Circle()))
        return train_stage(this, number, checkpoint)

    monkeypatch.setattr(loop, "train_stage", in_a_circle)
    gc.collect()
    gc.disable()  # it comes when many objects are made, which a training does not
    try:
        with one_build():
            train_quietly(recipe_in(tmp_path))
    finally:
        gc.enable()
    assert len(left) == 2 and left[1]() is None
