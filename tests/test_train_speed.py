"""Speed in the log: operations counted by hand are those that torch counts, and rates are what they say."""

import json
import math
import time
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from training_examples import recipe_in, train_quietly

from florenz.train.distributed import find_place
from florenz.train.gpus import GPUS, peak_of, peak_of_device
from florenz.train.log import CURVES
from florenz.train.model.family import SIZES
from florenz.train.model.florenz import Florenz
from florenz.train.model.parts import set_modes, train_only
from florenz.train.model.sizes import config_of
from florenz.train.operations import operations_of
from florenz.train.speed import Speed, peak_memory
from florenz.train.step import StepOutcome

CASES = [
    ("playground", None),
    ("playground", ("projector", "latents")),
    ("playground-gemma", None),
    ("0.4b", None),
    ("0.4b", ("decoder",)),
]


def on_meta(size: str, parts: tuple[str, ...] | None) -> Florenz:
    with torch.device("meta"):
        model = Florenz(config_of(size))
    train_only(model, parts or SIZES[size].trained_parts)
    set_modes(model)
    return model


@pytest.mark.parametrize(("size", "parts"), CASES)
@pytest.mark.parametrize("has_picture", [True, False])
def test_operations_are_those_that_torch_counts(size: str, parts: tuple[str, ...] | None, has_picture: bool) -> None:
    if parts == ("projector", "latents") and not has_picture:
        pytest.skip("a projector that sees nothing")
    model = on_meta(size, parts)
    image_px = SIZES[size].image_px if has_picture else None
    counted = operations_of(model, image_px)
    for prompt, text in ((16, 24), (90, 50)):
        with torch.device("meta"):
            batch = {
                "input_ids": torch.zeros(1, prompt, dtype=torch.long),
                "decoder_input_ids": torch.zeros(1, text, dtype=torch.long),
            }
            if image_px:
                batch["pixel_values"] = torch.zeros(1, 3, image_px, image_px, dtype=torch.uint8)
        with FlopCounterMode(display=False) as counter:
            model(**batch).logits.sum().backward()
        given = {name: tensor for name, tensor in batch.items() if name == "pixel_values"}
        given["attention_mask"] = torch.ones(1, prompt, dtype=torch.long)
        given["labels"] = torch.zeros(1, text, dtype=torch.long)
        assert counted.of_batch(given) == pytest.approx(counter.get_total_flops(), rel=0.02)


def test_padding_is_no_work_and_neither_is_a_picture_that_was_looked_at_before() -> None:
    counted = operations_of(on_meta("playground", None), SIZES["playground"].image_px)
    picture = torch.zeros(1, 3, 96, 96, dtype=torch.uint8)
    short = {"attention_mask": torch.ones(1, 8, dtype=torch.long), "labels": torch.zeros(1, 5, dtype=torch.long)}
    padded = {
        "attention_mask": torch.tensor([[1] * 8 + [0] * 9]),
        "labels": torch.tensor([[0] * 5 + [-100] * 7]),
    }
    assert counted.of_batch(short) == counted.of_batch(padded) > 0
    seen = counted.of_batch({**short, "pixel_values": picture})
    known = counted.of_batch({**short, "pixel_values": picture}, is_looked_at=False)
    assert seen - known == counted.picture > 0 and known > counted.of_batch(short)
    unlearned = {**short, "labels": torch.tensor([[-100, -100, 0, 0, 0]])}  # what is given is read all the same
    assert counted.of_batch(short) - counted.of_batch(unlearned) == pytest.approx(2 * counted.head)


def test_rates_are_those_of_the_time_that_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([100.0, 101.0, 103.0, 110.0])  # made; a wait of two seconds; asked
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    speed = Speed(find_place("cpu"), peak=1e12)
    with speed.waiting():
        pass
    for _ in range(2):
        totals = torch.tensor([500.0, 10.0, 1e12], dtype=torch.float64)
        speed.add(StepOutcome(loss=torch.zeros(()), gradient_norm=torch.zeros(()), totals=totals))
    rates = speed.rates()
    assert (rates.tokens_per_s, rates.images_per_s, rates.tflops_per_s) == (100.0, 2.0, 0.2)
    assert (rates.utilisation, rates.data_wait) == (0.2, 0.2)


def test_a_training_says_them_in_every_line_and_knows_no_peak_of_a_cpu(tmp_path: Path) -> None:
    recipe = recipe_in(tmp_path, ("tensorboard = false", "tensorboard = true"))
    train_quietly(recipe)
    lines = [json.loads(line) for line in (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()]
    assert len(lines) == 6
    for line in lines:
        assert line["tflops_per_s"] > 0 and line["utilisation"] is None and 0 < line["data_wait"] < 1
        assert 0.1 < line["peak_memory_gib"] < 64
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    drawn = EventAccumulator(str(tmp_path / "out" / "tensorboard")).Reload()
    assert set(CURVES) - set(drawn.Tags()["scalars"]) == {"utilisation"}
    assert [one.value for one in drawn.Scalars("data_wait")] == pytest.approx([line["data_wait"] for line in lines])


def test_peak_memory_grows_with_what_was_taken() -> None:
    place = find_place("cpu")
    before = peak_memory(place)
    block = torch.ones(int((before + 0.25) * 2**28))  # as float32, more than the process ever had
    assert peak_memory(place) >= before + 0.2 and math.isclose(float(block[0]), 1.0)


@pytest.mark.parametrize(
    ("name", "gpu"),
    [
        ("NVIDIA H200", "h200"),
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("NVIDIA H100 PCIe", "h100-pcie"),
        ("NVIDIA A100-SXM4-80GB", "a100"),
        ("NVIDIA L40S", "l40s"),
        ("NVIDIA L4", "l4"),
    ],
)
def test_a_gpu_is_known_by_the_name_that_cuda_gives_it(name: str, gpu: str) -> None:
    assert peak_of(name) == GPUS[gpu][1]


def test_a_gpu_that_nobody_wrote_down_has_no_peak() -> None:
    assert peak_of("NVIDIA GeForce RTX 2080") is peak_of("NVIDIA H100 80GB HBM3 MIG 1g.10gb") is None
    assert peak_of_device(torch.device("cpu")) is None
