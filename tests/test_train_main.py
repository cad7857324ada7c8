"""The command line as a user meets it: exit codes, one line per fault, and kills that leave no trace."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import forked_runs
import pytest
import torch
from shards_dataset import edit_listing, shard_file
from training_examples import ROOT, metrics, write_recipe

from florenz.recipes.recipe_file import RecipeError
from florenz.shards.manifest import read_manifest
from florenz.train import loop
from florenz.train.__main__ import main
from florenz.train.data.tar_index import StreamError
from florenz.train.preflight import identity_of
from florenz.train.recipe import load_recipe
from florenz.train.speed import NoNumber
from florenz.train.writing import NotWritten

# A training that gets a signal right after a line of its log, when the checkpoints that it has begun are written (it
# would be chance otherwise), or before it gives a checkpoint its final name.
SIGNALLED = """
import os, sys
from florenz.train.__main__ import main
from florenz.train.log import TrainingLog
from florenz.train.writing import Writer
number, step, rename = map(int, sys.argv[1:4])
write, start, writing = TrainingLog.write, Writer.start, []
def start_and_note(writer, *arguments, **begin_and_finish):
    start(writer, *arguments, **begin_and_finish)
    writing.append(writer._pending)
Writer.start = start_and_note
def write_and_signal(log, record):
    write(log, record)
    if record.step == step:
        for pending in writing:
            pending.result()
        os.kill(os.getpid(), number)
TrainingLog.write = write_and_signal
renames = []
def before_renames(event, arguments):
    if event == "os.rename" and "step-" in str(arguments[1]):
        renames.append(arguments)
        if len(renames) == rename:
            os.kill(os.getpid(), number)
sys.addaudithook(before_renames)
sys.exit(main(sys.argv[4:]))
"""
NEVER = -1


pytestmark = pytest.mark.usefixtures("one_build")


@pytest.fixture(autouse=True)
def handler_of_sigterm() -> Iterator[None]:
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line with which bad input is refused."""
    capsys.readouterr()
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and err.startswith("florenz: "), err
    return err.removeprefix("florenz: ").rstrip("\n")


def run_signalled(
    recipe: Path, number: int, *, step: int = NEVER, rename: int = NEVER
) -> subprocess.CompletedProcess[str]:
    """Another process; `number` is sent after the line of a step, or before the n-th renaming of a checkpoint."""
    numbers = (str(one) for one in (int(number), step, rename))
    return forked_runs.run("-c", SIGNALLED, *numbers, str(recipe), timeout=900)


@pytest.mark.slow
def test_a_killed_training_that_is_started_again_ends_with_the_losses_of_an_undisturbed_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By SIGKILL: once between two checkpoints with a worker reading ahead, once in the middle of writing one."""
    recipe = write_recipe(tmp_path)
    assert main([str(recipe), f"OUT={tmp_path / 'undisturbed'}"]) == 0
    recipe = write_recipe(tmp_path, ("workers = 0", "workers = 1"))
    assert run_signalled(recipe, signal.SIGKILL, step=5).returncode == -signal.SIGKILL
    assert len(metrics(tmp_path / "out")) == 5
    # It goes on from step 4, writes the checkpoint of 6 and is killed before that has its name.
    assert run_signalled(recipe, signal.SIGKILL, rename=1).returncode == -signal.SIGKILL
    checkpoints = tmp_path / "out" / "checkpoints"
    assert sorted(path.name for path in checkpoints.iterdir()) == [
        ".step-00000006.partial", "step-00000003", "step-00000004",
    ]  # fmt: skip
    capsys.readouterr()
    assert main([str(recipe)]) == 0
    told = capsys.readouterr().out
    assert f"model in {tmp_path / 'out' / 'model'}\n" in told and "caption/fr (held out)" in told, "trained and scored"
    assert metrics(tmp_path / "out") == metrics(tmp_path / "undisturbed")
    assert sorted(path.name for path in checkpoints.iterdir()) == ["step-00000004", "step-00000006"]
    weights = [(tmp_path / out / "model" / "model.safetensors").read_bytes() for out in ("out", "undisturbed")]
    assert weights[0] == weights[1]


@pytest.mark.slow
def test_an_interrupted_training_says_how_to_go_on(tmp_path: Path) -> None:
    done = run_signalled(write_recipe(tmp_path, ("workers = 0", "workers = 1")), signal.SIGTERM, step=2)
    assert done.returncode == 130
    assert done.stderr == "florenz: interrupted; the last checkpoint is kept: run the same command to go on\n"


def test_a_fault_on_the_way_is_two_lines_and_exit_code_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = write_recipe(tmp_path)
    shard = next((tmp_path / "data").glob("shards/*/train-000000.tar"))
    shard.write_bytes(shard.read_bytes().replace(b'"schema_version": 2', b'"schema_version": 9', 1))
    assert main([str(recipe)]) == 1
    said = capsys.readouterr().err.splitlines()  # transformers, imported before, draws a bar between
    fault, advice = (line for line in said if line.startswith("florenz: "))
    assert "train-000000.tar is not as it was written" in fault and "make verify" in fault
    assert "checkpoints are kept" in advice and "run the same command to go on" in advice


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("[optimizer]", "[optimizer]\nclip_nrom = 2.0"), ["unknown key 'clip_nrom'", "did you mean 'clip_norm'?"]),
        (('size = "playground"', 'size = "playgroud"'), ["size (SIZE) is 'playgroud'", "did you mean 'playground'?"]),
        (('"decoder", "decoder_embeddings"', '"decodre"'), ["[stages.text]", "'decodre'", "did you mean 'decoder'?"]),
        (('device = "cpu"', 'device = "cuda"'), ["device (DEVICE) is cuda", "use DEVICE=cpu"]),
        (
            ("images = true", 'images = true\nmix = { "caption/fr" = 1.0 }'),
            ["caption/fr", "held out"],
        ),
        (("images = false", 'images = false\nmix = { "translation/es" = 1.0 }'), ["translation/es", "[stages.text]"]),
        (('size = "playground"', 'size = "playground"\nflorence = "/no/such/model"'), ["/no/such/model"]),
    ],
    ids=["key", "size", "part", "gpu", "held-out", "pair", "weights"],
)
def test_a_wrong_recipe_is_refused_in_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    change: tuple[str, str],
    words: list[str],
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    recipe = write_recipe(tmp_path, change)
    line = refusal(capsys, str(recipe))
    assert all(word in line for word in words), line
    assert not (tmp_path / "out" / "checkpoints").exists()


def test_a_wrong_command_line_is_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "usage" in refusal(capsys) and "usage" in refusal(capsys, "recipe.toml", "STEPS")
    assert "cannot read this recipe" in refusal(capsys, str(tmp_path / "none.toml"))
    assert "unknown variable STEP" in refusal(capsys, str(write_recipe(tmp_path)), "STEP=3")


def test_no_dataset_is_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = refusal(capsys, str(write_recipe(tmp_path)), f"DATA={tmp_path / 'none'}")
    assert "data (DATA)" in line and "manifest.json does not exist" in line


def test_a_manifest_from_the_future_is_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe, manifest = write_recipe(tmp_path), tmp_path / "data" / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"schema_version": 99}))
    line = refusal(capsys, str(recipe))
    assert "schema version 99" in line and "use the program that wrote it" in line


def test_a_manifest_that_does_not_match_its_shards_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = write_recipe(tmp_path)
    edit_listing(tmp_path / "data", "train-000001.tar", lambda info: info.__class__(**{**vars(info), "bytes": 5}))
    line = refusal(capsys, str(recipe))
    assert "train-000001.tar has" in line and "the manifest says 5" in line
    shard_file(tmp_path / "data", "train-000001.tar").unlink()
    line = refusal(capsys, str(recipe))
    assert "train-000001.tar of the manifest cannot be opened (No such file or directory)" in line


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        (["SIZE=playground-gemma"], ["size was playground, is playground-gemma"]),
        (["SEED=1"], ["seed was 0, is 1"]),
        (["STEPS=2"], ["text.steps was 3, is 1"]),
    ],
    ids=["size", "seed", "steps"],
)
def test_checkpoints_of_another_training_are_left_alone_and_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], variables: list[str], words: list[str]
) -> None:
    recipe = write_recipe(tmp_path)
    (tmp_path / "out" / "checkpoints" / "step-00000004").mkdir(parents=True)
    record = tmp_path / "out" / "checkpoints" / "step-00000004" / "checkpoint.json"

    identity = identity_of(load_recipe(str(recipe)), read_manifest(str(tmp_path / "data")))
    record.write_text(json.dumps({"format": 1, "position": {}, "identity": identity, "sha256": {}}))
    line = refusal(capsys, str(recipe), *variables)
    assert all(word in line for word in [*words, "choose another OUT, or the same settings"]), line
    assert record.exists()


def test_an_out_in_use_is_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = write_recipe(tmp_path)
    hold = (
        "import sys\nfrom florenz.stores.lock import lock_out\n"
        "with lock_out(sys.argv[1]):\n    print('held', flush=True)\n    sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(tmp_path / "out")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    ) as holder:  # fmt: skip
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        line = refusal(capsys, str(recipe))
        holder.communicate("")
    assert f"in use by another run (process {holder.pid})" in line and "choose another OUT" in line


def test_an_out_that_cannot_be_written_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    line = refusal(capsys, str(write_recipe(tmp_path)), f"OUT={tmp_path / 'file' / 'out'}")
    assert "can't write into OUT" in line and "choose another folder" in line


def test_faults_of_several_kinds_are_told_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(write_recipe(tmp_path)), f"DATA={tmp_path / 'none'}", "SIZE=2b"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_only_the_first_rank_says_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "RANK", "1")
    assert main([str(tmp_path / "none.toml")]) == 2
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("problem", "rank", "said"),
    [
        (StreamError("a.tar is gone"), "3", ["rank 3: a.tar is gone"]),  # which nobody else can say
        (StreamError("a.tar is gone"), "0", ["a.tar is gone", "stopped; checkpoints are kept"]),
        (OSError(28, "No space left"), "3", ["rank 3: [Errno 28] No space left"]),
        (NotWritten("another rank could not"), "3", []),
        (NoNumber("the loss is nan"), "3", []),
        (NoNumber("the loss is nan"), "0", ["the loss is nan", "stopped; checkpoints are kept"]),
        (RecipeError(["no GPU"]), "3", []),
    ],
)  # fmt: skip
def test_what_one_rank_alone_has_met_it_says_itself(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    problem: Exception,
    rank: str,
    said: list[str],
) -> None:
    def fails(*_: object) -> None:
        raise problem

    monkeypatch.setattr(loop, "train", fails)
    for name, value in {"RANK": rank, "LOCAL_RANK": rank}.items():
        monkeypatch.setenv(name, value)
    assert main([str(write_recipe(tmp_path))]) == (2 if isinstance(problem, RecipeError) else 1)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == len(said)
    assert all(line.startswith(f"florenz: {words}") for line, words in zip(lines, said, strict=True))


def test_what_is_wrong_with_the_second_machine_its_first_rank_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = write_recipe(tmp_path)
    monkeypatch.setenv("RANK", "8")
    monkeypatch.setenv("LOCAL_RANK", "0")
    assert main([str(recipe), f"DATA={tmp_path / 'none'}"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("florenz: rank 8: data (DATA): ")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert main([str(recipe), f"DATA={tmp_path / 'none'}"]) == 2
    assert capsys.readouterr().err == ""
