"""Several datasets are one sequence: shares by weight, the same from any number on, with any number of workers."""

import dataclasses
from collections import Counter
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shards_dataset import caption, edit_samples, write_dataset
from training_examples import metrics, one_build, recipe_in, train_quietly, write_recipe

from benchmarks.stand_in_stores import StandInStore
from florenz.shards.manifest import read_manifest
from florenz.shards.schema import Sample
from florenz.train.__main__ import main
from florenz.train.data.mix import Mix
from florenz.train.data.stream import Stream
from florenz.train.data.turns import exactly, turn_of
from florenz.train.preflight import joined

weights = st.lists(st.integers(1, 50).map(Fraction), min_size=1, max_size=4)


@given(weights, st.integers(0, 400))
def test_each_dataset_counts_its_own_micro_batches_one_after_the_other(shares: list[Fraction], number: int) -> None:
    seen: Counter[int] = Counter()
    for turn in range(number):
        dataset, own = turn_of(shares, turn)
        assert own == seen[dataset]
        seen[dataset] += 1
        for place, share in enumerate(shares):
            assert abs(seen[place] - (turn + 1) * share / sum(shares)) <= len(shares)


def test_a_share_is_exact_at_any_turn() -> None:
    shares = exactly([0.1, 0.2])
    assert [turn_of(shares, number) for number in range(6)] == [(1, 0), (1, 1), (0, 0), (1, 2), (1, 3), (0, 1)]
    assert turn_of(shares, 3 * 10**15 + 2) == (0, 10**15)


def two_datasets(folder: Path) -> tuple[str, str]:
    """Of twelve and forty pictures; those of the first have another picture's key nowhere."""
    return two_datasets_at(str(folder / "a"), str(folder / "b"))


def two_datasets_at(first: str, second: str) -> tuple[str, str]:
    write_dataset(first, 12)
    write_dataset(second, 40)
    return first, second


def keys(folders: tuple[str, ...], number: int, *, first: int = 0, **options: object) -> list[tuple[str, ...]]:
    stream = Stream(
        folders,
        batch_size=3,
        seed=0,
        collate=lambda examples: {"keys": tuple(one.key for one in examples)},  # type: ignore[dict-item]
        image_px=None,
        **options,  # type: ignore[arg-type]
    )
    batches = stream.batches(first)
    return [next(batches)["keys"] for _ in range(number)]  # type: ignore[misc]


def test_the_sequence_is_that_of_each_dataset_in_turn(tmp_path: Path) -> None:
    both = two_datasets(tmp_path)
    alone = [keys((folder,), 40) for folder in both]
    together = keys(both, 20, weights=(1, 3))
    turns = [turn_of(exactly((1, 3)), number) for number in range(20)]
    assert together == [alone[dataset][own] for dataset, own in turns]
    assert Counter(dataset for dataset, _ in turns) == {0: 5, 1: 15}
    assert keys(both, 8, first=12, weights=(1, 3)) == together[12:]
    halves = [keys(both, 10, weights=(1, 3), rank=rank, world_size=2) for rank in (0, 1)]
    assert [one for pair in zip(*halves, strict=True) for one in pair] == together


def test_workers_change_nothing(tmp_path: Path) -> None:
    both = two_datasets(tmp_path)
    assert keys(both, 9, num_workers=2) == keys(both, 9)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_in_a_store_they_are_what_they_are_on_a_disk(s3_store: StandInStore, tmp_path: Path, num_workers: int) -> None:
    """One of them alone in the store as well."""
    here = two_datasets(tmp_path)
    url = f"{s3_store.bucket}/{tmp_path.name}"
    there = two_datasets_at(f"{url}-a", f"{url}-b")
    wanted = keys(here, 12, weights=(1, 3))
    for number, folders in enumerate((there, (here[0], there[1]))):
        cache = str(tmp_path / f"cache-{number}")
        assert keys(folders, 12, weights=(1, 3), num_workers=num_workers, cache_folder=cache) == wanted


def test_without_weights_an_epoch_is_one_of_each(tmp_path: Path) -> None:
    both = two_datasets(tmp_path)
    alone = [Stream(folder, batch_size=3, seed=0, collate=dict, image_px=None) for folder in both]  # type: ignore[arg-type]
    stream = Stream(both, batch_size=3, seed=0, collate=dict, image_px=None)  # type: ignore[arg-type]
    assert stream.batches_per_epoch == sum(one.batches_per_epoch for one in alone)
    turns = Counter(turn_of(stream._weights, number)[0] for number in range(stream.batches_per_epoch))
    assert [turns[place] for place in (0, 1)] == [one.batches_per_epoch for one in alone]


def test_a_pair_that_only_one_has_comes_from_that_one(tmp_path: Path) -> None:
    both = two_datasets(tmp_path)
    italian = caption("it", "Una macchina rossa.")

    def italian_only(samples: list[Sample]) -> list[Sample]:
        return [dataclasses.replace(one, examples=(italian,)) for one in samples]

    for shard in read_manifest(both[0]).shards_of("train"):
        edit_samples(tmp_path / "a", shard.path, italian_only)
    manifests = [read_manifest(folder) for folder in both]
    mix = Mix(weights={"caption/it": 1.0, "caption/de": 1.0})
    assert [set(mix.of_those_in(one, "train").weights) for one in manifests] == [{"caption/it"}, {"caption/de"}]
    assert set(mix.pair_weights(joined(manifests), "train")) == {"caption/it", "caption/de"}
    with pytest.raises(ValueError, match="leave it out of DATA"):
        Mix(weights={"caption/it": 1.0}).of_those_in(manifests[1], "train")


def test_a_training_on_two_datasets_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    both = ",".join(two_datasets(tmp_path))
    variables = {"DATA": both, "WEIGHTS": "1,2"}
    with one_build():
        train_quietly(recipe_in(tmp_path, **variables, OUT=str(tmp_path / "whole")))
        part = recipe_in(tmp_path, **variables, OUT=str(tmp_path / "part"))
        stopped: list[str] = []

        def stop(text: str) -> None:
            stopped.append(text)
            if text.startswith("stage vision"):
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            from florenz.train.loop import train

            train(part, stop)
        train_quietly(part)
    assert metrics(tmp_path / "part") == metrics(tmp_path / "whole")


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        (("WEIGHTS=1,2",), "is 1.0, 2.0 for 1 datasets"),
        (("WEIGHTS=0",), "a number above 0"),
        (("WEIGHTS=one",), "WEIGHTS must be numbers"),
        (("DATA=a,,b",), "no name between two commas"),
        (("DATA=none,nothing",), "none/manifest.json does not exist"),
    ],
)
def test_what_is_wrong_with_several_is_one_line(
    variables: tuple[str, ...], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = write_recipe(tmp_path)
    assert main([str(recipe), *variables]) == 2
    err = capsys.readouterr().err
    assert words in err and err.count("\n") == 1 and not (tmp_path / "out").exists()
