"""Two ranks share the questions: the same table as one process to the last bit, and one line where one fails."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from model_examples import miniature
from shards_dataset import jpeg_of
from training_examples import ROOT, write_recipe

from florenz.train.data.stream import StreamError
from florenz.train.distributed import Place
from florenz.train.evaluate import main
from florenz.train.scores import together as module
from florenz.train.scores.scoring import BATCH_SIZE
from florenz.train.scores.together import in_rounds, together

NUM_PICTURES = 2 * BATCH_SIZE + 3  # two chunks for the first rank, one for the second
WRITTEN = ("evaluation-xm3600.json", "EVALUATION-xm3600.md", "captions-xm3600.html")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A benchmark, a recipe and a model in `one`, which one process has scored."""
    folder = tmp_path_factory.mktemp("together")
    (folder / "set" / "images").mkdir(parents=True)
    rows = [
        {"image/key": f"{n:03}", "en": {"caption": [f"Car {n}."]}, "fr": {"caption": [f"Voiture {n}.", "Une voiture."]}}
        for n in range(NUM_PICTURES)
    ]
    (folder / "set" / "captions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for number, row in enumerate(rows):
        (folder / "set" / "images" / f"{row['image/key']}.jpg").write_bytes(jpeg_of(number))
    model, processor = miniature("florence")
    for out in ("one", "two"):
        model.save_pretrained(folder / out / "model")
        processor.save_pretrained(folder / out / "model")
    assert main([str(write_recipe(folder)), *variables(folder, "one")]) == 0
    return folder


def variables(folder: Path, out: str) -> list[str]:
    return [f"OUT={folder / out}", "BENCHMARK=xm3600", f"BENCHMARK_DATA={folder / 'set'}", "BEAMS=1"]


def score_in_two_ranks(folder: Path) -> subprocess.CompletedProcess[str]:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    return subprocess.run(
        [*torchrun, "-m", "florenz.train.evaluate", str(folder / "recipe.toml"), *variables(folder, "two")],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=900,
    )


@pytest.mark.slow
def test_two_ranks_write_what_one_process_writes(folder: Path) -> None:
    done = score_in_two_ranks(folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("own English, translated") == 2  # the row of French and the footer: one rank talks
    for name in WRITTEN:
        assert (folder / "two" / name).read_bytes() == (folder / "one" / name).read_bytes(), name
    numbers = json.loads((folder / "two" / WRITTEN[0]).read_text())
    assert numbers["images"] == {"test": NUM_PICTURES}
    assert {pair["num_texts"] for pair in numbers["pairs"]} == {NUM_PICTURES}


@pytest.mark.slow
def test_a_rank_that_fails_ends_all_with_one_line(folder: Path) -> None:
    picture = folder / "set" / "images" / f"{BATCH_SIZE:03}.jpg"  # the first of the second rank
    whole = picture.read_bytes()
    for name in WRITTEN:
        (folder / "two" / name).unlink(missing_ok=True)
    picture.write_bytes(whole[:100])
    try:
        done = score_in_two_ranks(folder)
    finally:
        picture.write_bytes(whole)
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("florenz:")]
    assert line.startswith("florenz: rank 1: ") and str(picture) in line
    assert done.stdout == "" and f'File "{ROOT}/train' not in done.stderr  # torchrun shows a traceback of its own
    assert not any((folder / "two" / name).exists() for name in WRITTEN)


TWO = Place(rank=0, world_size=2, device=torch.device("cpu"))


def heard(monkeypatch: pytest.MonkeyPatch, other: str) -> None:
    """Let this process be the first of two, and the second one say this."""
    monkeypatch.setattr(module, "texts_of_all", lambda message, place: [message, other])


def fails() -> None:
    raise OSError("no room")


def test_what_went_wrong_is_told_with_its_rank_unless_it_did_on_all(monkeypatch: pytest.MonkeyPatch) -> None:
    heard(monkeypatch, '{"fault": "no room"}')
    with pytest.raises(StreamError, match=r"^rank 1: no room$"):
        together(lambda: 3, TWO)
    with pytest.raises(ValueError, match=r"^no room$"):
        together(fails, TWO, error=ValueError)
    heard(monkeypatch, '{"result": 4}')
    with pytest.raises(StreamError, match=r"^rank 0: no room$"):
        together(fails, TWO)
    assert together(lambda: 3, TWO) == [3, 4]


def test_one_process_alone_raises_what_was_raised() -> None:
    alone = Place(rank=0, world_size=1, device=torch.device("cpu"))
    with pytest.raises(OSError, match="no room"):
        together(fails, alone)
    assert list(in_rounds("abc", str.upper, alone)) == [("a", "A"), ("b", "B"), ("c", "C")]


def test_each_rank_does_its_own_chunks_and_has_all(monkeypatch: pytest.MonkeyPatch) -> None:
    heard(monkeypatch, '{"result": "of the second"}')
    done: list[str] = []

    def work(chunk: str) -> str:
        done.append(chunk)
        return chunk.upper()

    found = list(in_rounds("abc", work, TWO))
    assert found == [("a", "A"), ("b", "of the second"), ("c", "C")] and done == ["a", "c"]


def test_a_rank_that_is_gone_is_one_line() -> None:
    """Two processes over gloo, of which the second ends in the middle."""
    code = (
        "import os, sys, torch\n"
        "import torch.distributed as dist\n"
        "met, meet = [], dist.rendezvous\n"
        "dist.rendezvous = lambda *words, **options: met.append(options['timeout']) or meet(*words, **options)\n"
        "from florenz.train.data.stream import StreamError\n"
        "from florenz.train.distributed import find_place, process_group\n"
        "from florenz.train.scores.together import together\n"
        "from florenz.train.writing import Writer\n"
        "place = find_place('cpu')\n"
        "with process_group(place): assert together(lambda: place.rank, place) == [0, 1]\n"  # as a training before it
        "with process_group(place):\n"
        "    assert together(lambda: 'ü' * place.rank, place) == ['', 'ü']\n"
        "    if len(met) != 1: os._exit(9)\n"  # a second store is one that a rank may join while the first one ends
        "    for group in (dist.group.WORLD, Writer(place)._group):\n"
        "        met.append(group._get_backend(place.device).options._timeout)\n"
        "    if min(met).total_seconds() < 3600: os._exit(8)\n"  # one may have 45 GB to fetch while the others wait
        "    if place.rank: os._exit(7)\n"
        "    try: together(lambda: 1, place)\n"
        "    except StreamError as problem: print(problem); sys.stdout.flush(); os._exit(0)\n"
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={
                **os.environ,
                "RANK": str(rank),
                "WORLD_SIZE": "2",
                "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": str(port),
            },
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    said = [rank.communicate(timeout=300)[0] for rank in ranks]
    assert [rank.returncode for rank in ranks] == [0, 7]
    assert said[0].startswith("another rank is gone (") and said[0].count("\n") == 1
