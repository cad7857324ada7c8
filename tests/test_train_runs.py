"""A list of runs: what it is made of, that it goes on after a stop, and that it skips what is done."""

import json
import os
import signal
import sys
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import pytest
import torch
from shards_dataset import write_dataset

from florenz.recipes.recipe_file import RecipeError
from florenz.train import runs as module
from florenz.train.runs import ListSettings, Run, execute, read_list, runs_of, set_key
from florenz.train.variants import Variant

ROOT = Path(__file__).resolve().parents[1]
EMERGENCE, LAW = ROOT / "configs" / "emergence.toml", ROOT / "configs" / "law.toml"
SCORE = "import json, sys; from pathlib import Path; (Path(sys.argv[1]) / 'evaluation.json').write_text('{}')"
FAIL = "import sys; print('no luck'); sys.exit(1)"
WAIT = "import signal; signal.pause()"


def run_in(folder: Path, name: str = "v", seed: int = 0) -> Run:
    return Run(variant=name, seed=seed, folder=folder / f"{name}-{seed}", table={"seed": seed, "model": {"size": name}})


def starts(monkeypatch: pytest.MonkeyPatch, **programs: str) -> list[str]:
    """Children that do as little as possible, by variant; which ones were started."""
    started: list[str] = []

    def start(run: Run, extra: dict[str, str]) -> "Popen[bytes]":
        started.append(run.folder.name)
        with (run.folder / "log.txt").open("ab") as log:
            return Popen([sys.executable, "-c", programs.get(run.variant, SCORE), str(run.folder)], stdout=log)

    monkeypatch.setattr(module, "_start", start)
    return started


def test_every_variant_runs_with_every_seed_seeds_outermost() -> None:
    settings, variants = read_list(str(EMERGENCE))
    runs = runs_of(settings, variants, "out", data="elsewhere")
    assert len(runs) == 3 * len(variants) and [run.seed for run in runs[: len(variants)]] == [0] * len(variants)
    assert len({run.folder for run in runs}) == len(runs)
    by_name = {run.folder.name: run.table for run in runs}
    assert by_name["no-french-2"]["stages"][0]["leave_out"] == ["translation/fr"]
    assert by_name["no-french-2"]["seed"] == 2 and by_name["no-french-2"]["data"] == "elsewhere"
    assert "leave_out" not in by_name["default-2"]["stages"][0]


def test_the_grid_of_the_law_has_four_sizes_four_lengths_and_three_starts() -> None:
    settings, variants = read_list(str(LAW))
    runs = runs_of(settings, variants, "out")
    assert len(runs) == 48 == len({json.dumps({**run.table, "out": ""}, sort_keys=True) for run in runs})
    assert {run.table["stages"][0]["steps"] for run in runs} == {125, 250, 500, 1000}
    assert sum("gemma" not in run.table["model"] for run in runs) == 16
    assert all(run.table["validation"]["keep"] == "last" for run in runs)


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("seed", {"seed": 7}),
        ("model.size", {"model": {"size": 7}}),
        ("prompts.caption", {"prompts": {"caption": 7}}),
        ("stages.b.steps", {"stages": [{"name": "a"}, {"name": "b", "steps": 7}]}),
    ],
)
def test_a_key_is_set_by_its_path(path: str, wanted: dict[str, Any]) -> None:
    table: dict[str, Any] = {"seed": 0, "model": {"size": "x"}, "stages": [{"name": "a"}, {"name": "b"}]}
    set_key(table, path, 7)
    assert table.items() >= wanted.items()


@pytest.mark.parametrize("path", ["stages.c.steps", "stages.steps", "seed.x", "model.size.x"])
def test_a_path_that_leads_nowhere_is_told(path: str) -> None:
    table: dict[str, Any] = {"seed": 0, "model": {"size": "x"}, "stages": [{"name": "a"}]}
    with pytest.raises(KeyError, match="leads nowhere"):
        set_key(table, path, 7)


def test_all_faults_of_a_list_are_told_before_anything_runs() -> None:
    settings = ListSettings(base=str(ROOT / "configs" / "train.toml"))
    wrong = [
        Variant(name="a", about="", changes={"stages.nobody.steps": 3}),
        Variant(name="b", about="", changes={"model.sise": "playground"}),
    ]
    with pytest.raises(RecipeError) as caught:
        runs_of(settings, wrong, "out")
    text = str(caught.value)
    assert "'stages.nobody.steps' leads nowhere" in text and "variant b" in text and "did you mean 'size'?" in text


def test_a_list_with_wrong_words_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "list.toml"
    path.write_text('base = "x"\nsedes = [0]\n[variants.a]\nsett = { seed = 1 }\n')
    with pytest.raises(RecipeError) as caught:
        read_list(str(path))
    assert "did you mean 'seeds'?" in str(caught.value) and "[variants.a] holds about" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("processes = -1\n", "processes is -1: choose 0 or more"),
        ("seeds = []\n", "seeds is empty: name one, like 0"),
        ("seeds = [1, 0, 1]\n", "seeds names one twice (1, 0, 1): it would be the same run"),
    ],
)
def test_settings_that_no_run_could_follow_are_refused(tmp_path: Path, text: str, wanted: str) -> None:
    path = tmp_path / "list.toml"
    path.write_text(f'base = "x"\n{text}[variants.a]\n')
    with pytest.raises(RecipeError) as caught:
        read_list(str(path))
    assert str(caught.value) == f"{path}: {wanted}"


def write_list(folder: Path, text: str) -> str:
    path = folder / "list.toml"
    path.write_text('base = "x"\nseeds = [0]\n' + text)
    return str(path)


def test_a_grid_is_every_combination_with_values_in_their_own_types(tmp_path: Path) -> None:
    _, variants = read_list(
        write_list(
            tmp_path,
            '[variants.alone]\n[grids.g]\nname = "w{w}-{s}"\naxes = { w = [1, 2], s = ["a", "b"] }\n'
            'set = { "m.w" = "{w}", "m.path" = "d/{s}-{w}", "m.keys" = ["{s}", "{{s}}"], "m.n" = 3 }\n',
        )
    )
    assert [one.name for one in variants] == ["alone", "w1-a", "w1-b", "w2-a", "w2-b"]
    assert variants[2].changes == {"m.w": 1, "m.path": "d/b-1", "m.keys": ["b", "{s}"], "m.n": 3}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", "there is no variant"),
        ("variants = 3\n", "variants must be sections"),
        ("[grids.g]\nname = 'x'\n", "[grids.g] holds name"),
        ("[grids.g]\nname = 'x'\naxes = { w = [] }\n", "[grids.g] holds name"),
        ("[grids.g]\nname = 'x{v}'\naxes = { w = [1] }\n", "names {v}, which is no axis: w"),
        ("[grids.g]\nname = 'x{'\naxes = { w = [1] }\n", "is written twice"),
        ("[grids.g]\nname = 'x'\naxes = { w = [1, 2] }\n", "two variants are called 'x'"),
        ("[variants.'../x']\n", "variant '../x' cannot name a folder"),
        ("[variants.'a/b']\n", "variant 'a/b' cannot name a folder"),
    ],
)
def test_a_grid_at_fault_is_told(tmp_path: Path, text: str, wanted: str) -> None:
    with pytest.raises(RecipeError) as caught:
        read_list(write_list(tmp_path, text))
    assert wanted in str(caught.value)


def test_what_is_done_is_skipped_and_what_failed_is_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs, said = [run_in(tmp_path, name) for name in ("a", "b", "c")], list[str]()
    started = starts(monkeypatch, b=FAIL)
    assert execute(runs, said.append) == [runs[1]]
    assert started == ["a-0", "b-0", "c-0"] and "no luck" in (tmp_path / "b-0" / "log.txt").read_text()
    assert any("b-0: failed" in line and "log.txt says why" in line for line in said)
    started.clear()
    monkeypatch.undo()
    started = starts(monkeypatch)
    assert execute(runs, said.append) == [] and started == ["b-0"]
    assert execute(runs, said.append) == [] and started == ["b-0"]


def test_several_run_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each end of a pipe waits for the other: one run after the other would never end."""
    os.mkfifo(tmp_path / "pipe")
    meet = (
        "import sys; from pathlib import Path; here = Path(sys.argv[1])\n"
        "open(here.parent / 'pipe', 'r' if here.name == 'a-0' else 'w').close()\n"
        "(here / 'evaluation.json').write_text('{}')"
    )
    starts(monkeypatch, a=meet, b=meet)
    assert execute([run_in(tmp_path, name) for name in ("a", "b")], lambda text: None, processes=2) == []


def test_an_interrupt_ends_the_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    starts(monkeypatch, a=WAIT)
    children: list[Popen[bytes]] = []
    start = module._start

    def interrupted(running: dict[int, Any]) -> int:
        children.extend(process for _, process, _ in running.values())
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_next_to_end", interrupted)
    with pytest.raises(KeyboardInterrupt):
        execute([run_in(tmp_path, "a")], lambda text: None)
    assert start is module._start and [child.returncode for child in children] == [-signal.SIGTERM]


def test_a_folder_with_another_run_is_refused_and_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = starts(monkeypatch)
    execute([run_in(tmp_path)], lambda text: None)
    other = Run(variant="v", seed=0, folder=tmp_path / "v-0", table={"seed": 1})
    before = (tmp_path / "v-0" / "run.json").read_bytes()
    with pytest.raises(ValueError, match="holds a run of another recipe: choose another OUT"):
        execute([run_in(tmp_path, "w"), other], lambda text: None)
    assert (tmp_path / "v-0" / "run.json").read_bytes() == before and started == ["v-0"]


def test_a_dataset_that_is_not_there_is_told_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = starts(monkeypatch)
    run = Run(variant="v", seed=0, folder=tmp_path / "v-0", table={"data": str(tmp_path / "nowhere")})
    with pytest.raises(ValueError, match=r"nowhere/manifest.json does not exist: give the OUT folder"):
        execute([run], lambda text: None)
    assert started == [] and not (tmp_path / "v-0").exists()


def test_several_datasets_are_looked_for_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = starts(monkeypatch)
    write_dataset(str(tmp_path / "a"))
    run = Run(variant="v", seed=0, folder=tmp_path / "v-0", table={"data": f"{tmp_path}/a, {tmp_path}/b"})
    with pytest.raises(ValueError, match=r"/b/manifest.json does not exist"):
        execute([run], lambda text: None)
    write_dataset(str(tmp_path / "b"))
    assert execute([run], lambda text: None) == [] and started == ["v-0"]


def test_weights_that_are_not_there_are_told_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = starts(monkeypatch)
    table = {"model": {"gemma": str(tmp_path / "decoder"), "tokenizer": "owner/of-the-hub"}}
    runs = [run_in(tmp_path, "a"), Run(variant="v", seed=0, folder=tmp_path / "v-0", table=table)]
    with pytest.raises(ValueError) as caught:
        execute(runs, lambda text: None)
    assert str(caught.value).startswith(f"[model] gemma is {tmp_path}/decoder, which is not there: make it first")
    assert "\n" not in str(caught.value) and started == []
    (tmp_path / "decoder").mkdir()
    assert execute(runs, lambda text: None) == [] and started == ["a-0", "v-0"]


@pytest.mark.parametrize(
    ("visible", "processes", "wanted"),
    [
        (None, 0, ["0", "1"]),
        ("3, GPU-5", 0, ["3", "GPU-5"]),
        ("3,5", 1, ["3", "5"]),
        ("3,5", 3, ["3", "5", "3"]),
    ],
)
def test_each_gpu_that_is_ours_has_a_run(
    monkeypatch: pytest.MonkeyPatch, visible: str | None, processes: int, wanted: list[str]
) -> None:
    """Of a machine's GPUs that others have left to us, not its first ones."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert [slot["CUDA_VISIBLE_DEVICES"] for slot in module._slots(processes)] == wanted


def test_without_gpus_there_are_as_many_as_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert module._slots(0) == [{}] and module._slots(2) == [{}, {}]


LISTED = """
import sys
from subprocess import Popen
from florenz.train import emergence, runs

WAIT = "import os, signal; print(os.getpid(), flush=True); signal.pause()"
runs._start = lambda run, extra: Popen([sys.executable, "-c", WAIT])
sys.exit(emergence.main(sys.argv[1:]))
"""


def test_a_signal_to_the_list_ends_its_runs_too(tmp_path: Path) -> None:
    """What is left of them would hold the folders that the same command wants next."""
    write_dataset(str(tmp_path / "data"), num_images=80)  # some of val for choosing
    base = ROOT / "configs" / "train.toml"
    (tmp_path / "list.toml").write_text(f'base = "{base}"\nseeds = [0]\n[variants.a]\n')
    words = [str(tmp_path / "list.toml"), f"DATA={tmp_path}/data", f"OUT={tmp_path}/out", f"REPORT={tmp_path}/p.md"]
    with Popen([sys.executable, "-c", LISTED, *words], stdout=PIPE, stderr=PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None and process.stderr is not None
        child = int(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        assert process.stderr.read() == "florenz: interrupted; the same command goes on from here\n"
    assert process.returncode == 130 and not (tmp_path / "p.md").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
