"""Reports are written from what runs left, and from nothing else."""

import json
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from shards_dataset import write_dataset

from florenz.train import emergence, law
from florenz.train.checkpoint import Position, begin_checkpoint, finish_checkpoint
from florenz.train.power_law import Point
from florenz.train.results import mean_and_interval, read_result
from florenz.train.runs import RECORD, read_list, runs_of
from florenz.train.variants import Variant

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def handler_of_sigterm() -> Iterator[None]:
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)


def scores(exact: float, chrf: float) -> dict[str, Any]:
    return {"exact_match": exact, "chrf": chrf, "language_fidelity": 1.0, "meaning": None}


def pair(name: str, exact: float, loss: float, *, held_out: bool = False) -> dict[str, Any]:
    task, _, language = name.partition("/")
    return {
        "task": task, "language": language, "is_held_out": held_out, "num_texts": 500, "num_tokens": 1,
        "cross_entropy": loss, "with_prefix": scores(exact, 100 * exact), "without_prefix": None, "chance": None,
    }  # fmt: skip


def write_run(
    folder: Path, *, french: float, steps: int = 100, loss: float = 0.5, width: int = 10, gemma: str | None = None,
    recipe: bool = True,
) -> Path:  # fmt: skip
    folder.mkdir(parents=True)
    pairs = [
        pair("caption/fr", french, loss, held_out=True),
        pair("caption/en", 0.9, 0.1),
        pair("translation/fr", 0.8, 0.2),
    ]
    (folder / "evaluation.json").write_text(json.dumps({"dataset": "b1", "images": {}, "pairs": pairs}))
    validated = {"caption/fr": {"exact": french / 2}, "translation/fr": {"exact": 0.5}}
    lines = [{"step": steps // 2}, {"step": steps // 2, "pairs": validated}, {"step": steps}]
    (folder / "metrics.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    (folder / "sessions.jsonl").write_text('{"from_step": 0, "seconds": 60}\n{"from_step": 50, "seconds": 120}\n')
    (folder / "model").mkdir()
    save_file({"a": torch.zeros(width, 100), "b": torch.zeros(7)}, folder / "model" / "model.safetensors")
    if recipe:
        table = {
            "seed": int(folder.name.rpartition("-")[2]), "model": {"size": "x"} | ({"gemma": gemma} if gemma else {}),
            "validation": {"keep": "last"}, "stages": [{"name": "all", "steps": steps, "batch_size": 64}],
        }  # fmt: skip
        (folder / RECORD).write_text(json.dumps(table))
    return folder


def test_a_result_is_what_a_run_left(tmp_path: Path) -> None:
    found = read_result(write_run(tmp_path / "no-french-2", french=0.25))
    assert (found.variant, found.seed, found.steps, found.kept_step, found.minutes) == ("no-french", 2, 100, 100, 3.0)
    assert found.pairs["caption/fr"].exact == 0.25 and found.pairs["caption/fr"].is_held_out
    assert found.pairs["caption/en"].exact_without_prefix is None


def test_a_training_without_a_list_is_a_result_too(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "mine", french=0.5, recipe=False)
    (folder / "best").mkdir()
    (folder / "best" / "best.json").write_text('{"step": 50, "score": 1.0, "identity": {"seed": 4}}')
    found = read_result(folder)
    assert (found.variant, found.seed, found.kept_step) == ("", 4, 50)


def test_a_folder_that_is_not_finished_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is no finished training"):
        read_result(tmp_path)


def test_an_interval_is_students() -> None:
    mean, half = mean_and_interval([0.5, 0.6, 0.7])
    assert mean == pytest.approx(0.6) and half == pytest.approx(4.30 * 0.1 / 3**0.5)
    assert mean_and_interval([0.5]) == (0.5, None)


@pytest.mark.parametrize(("number", "point"), [(10, 2.262), (11, 2.228), (12, 2.201), (21, 2.086), (121, 1.980)])
def test_of_many_seeds_too(number: int, point: float) -> None:
    """Of ten seeds and more a table of the normal distribution would be a tenth too narrow."""
    values = [float(place) for place in range(number)]
    deviation = (number * (number + 1) / 12) ** 0.5
    assert mean_and_interval(values)[1] == pytest.approx(point * deviation / number**0.5, rel=0.002)


def test_the_report_has_means_over_seeds_and_a_row_for_every_run(tmp_path: Path) -> None:
    results = [
        read_result(write_run(tmp_path / f"{name}-{seed}", french=share))
        for name, seed, share in [("default", 0, 0.7), ("default", 1, 0.8), ("default", 2, 0.9), ("shuffled", 0, 0.0)]
    ]
    page = emergence.report(results, [Variant(name="default", about="as it is", changes={})])
    (default,) = [line for line in page.splitlines() if line.startswith("| default | as it is")]
    assert default == "| default | as it is | 3 | 90 ± 0% / 90 ± 0 | 80 ± 25% / 80 ± 25 | 80 ± 0% / 80 ± 0 |"
    assert "| shuffled |  | 1 | 90% / 90 | 0% / 0 | 80% / 80 |" in page and "caption/fr (held out)" in page
    rows = [line for line in page.splitlines() if line.startswith(("| default | 0", "| default | 1", "| shuffled | 0"))]
    groups = "80% / - / 80 / 0.500 | 90% / - / 90 / 0.100 | 80% / - / 80 / 0.200"
    assert rows[1] == f"| default | 1 | 100 | 100 | 3 | {groups} | - |"
    assert "| run | step | caption/fr |\n| --- | --- | --- |\n| default | 50 | 35% |\n| shuffled | 50 | 0% |" in page


def test_captions_of_withheld_concepts_are_counted_apart(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "default-0", french=0.7)
    evaluation = json.loads((folder / "evaluation.json").read_text())
    evaluation["pairs"] += [
        {**pair(f"caption/{language}", 0.5, 0.4, held_out=True), "is_withheld": True} for language in ("fr", "en")
    ]
    (folder / "evaluation.json").write_text(json.dumps(evaluation))
    found = read_result(folder)
    assert found.pairs["caption/fr"].exact == 0.7 and found.pairs["caption/fr/withheld"].exact == 0.5
    page = emergence.report([found], [])
    assert "| translations | captions of withheld concepts | without prefix |" in page
    groups = "70% / - / 70 / 0.500 | 90% / - / 90 / 0.100 | 80% / - / 80 / 0.200 | 50% / - / 50 / 0.400"
    assert f"| default | 0 | 100 | 100 | 3 | {groups} | - |" in page
    assert "withheld concepts" not in emergence.report([read_result(write_run(tmp_path / "other-0", french=0.7))], [])


def test_where_meaning_is_counted_it_comes_first(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "default-0", french=0.7)
    evaluation = json.loads((folder / "evaluation.json").read_text())
    for one in evaluation["pairs"]:
        one["with_prefix"]["meaning"] = 0.75
    (folder / "evaluation.json").write_text(json.dumps(evaluation))
    page = emergence.report([read_result(folder)], [])
    assert "| default |  | 1 | 75% / 90% / 90 | 75% / 70% / 70 | 75% / 80% / 80 |" in page


def test_only_what_stands_between_the_marks_is_written(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Mine\n\nBefore.\n")
    emergence.write_between_marks(page, "one")
    page.write_text(page.read_text() + "\nAfter.\n")
    emergence.write_between_marks(page, "two")
    text = page.read_text()
    assert text.startswith("# Mine\n\nBefore.\n") and text.endswith("\nAfter.\n")
    assert "two" in text and "one" not in text and text.count(emergence.BEGIN) == 1


def test_the_command_reports_folders_that_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [write_run(tmp_path / f"v-{seed}", french=0.1 * seed) for seed in range(2)]
    page = tmp_path / "page.md"
    assert emergence.main([f"RUNS={folders[0]},{folders[1]}", f"REPORT={page}"]) == 0
    assert "2 runs in" in capsys.readouterr().out and "| v | 1 |" in page.read_text()
    described = tmp_path / "list.toml"
    described.write_text('base = "no.toml"\n[variants.v]\nabout = "without verbs"\n[variants.w]\nabout = "never run"\n')
    assert emergence.main([str(described), f"RUNS={folders[0]},{folders[1]}", f"REPORT={page}"]) == 0
    assert "| v | without verbs | 2 |" in page.read_text() and "never run" not in page.read_text()
    for words, message in [
        (["OUTT=x"], "unknown variable OUTT: did you mean 'OUT'?"),
        (["a.toml", "b.toml"], "usage"),
        ([str(tmp_path / "none.toml")], "none.toml"),
        ([f"RUNS={tmp_path}"], "no finished training"),
        (["RUNS=,"], "RUNS is ',': name folders of finished trainings"),
        ([f"RUNS={folders[0]}", "OUT=x"], "OUT says nothing beside RUNS"),
        ([f"RUNS={folders[0]}", f"REPORT={tmp_path}"], "a folder: name a file"),
        ([f"RUNS={folders[0]},{folders[0]}", f"REPORT={page}"], "have the seed 0: name one of them"),
    ]:
        assert emergence.main(words) == 2
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1


def test_trainings_of_no_list_are_rows_of_their_own(tmp_path: Path) -> None:
    """Two trainings that somebody made are no two seeds of one."""
    results = [read_result(write_run(tmp_path / name, french=0.5, recipe=False)) for name in ("mine", "yours")]
    page = emergence.report(results, [])
    rows = [line for line in page.splitlines() if line.startswith(("| mine |  | 1 |", "| yours |  | 1 |"))]
    assert len(rows) == 2 and "(no list)" not in page


def test_runs_that_differ_in_more_than_the_seed_have_no_mean(tmp_path: Path) -> None:
    first, second = (read_result(write_run(tmp_path / f"v-{seed}", french=0.5)) for seed in range(2))
    assert "| v |  | 2 |" in emergence.report([first, second], [])
    for other, words in [
        (replace(second, seed=0), "have the seed 0: name one of them"),
        (replace(second, dataset="b2"), "on datasets b1 and b2: leave one out"),
        (replace(second, recipe={**second.recipe, "model": {"size": "y"}}), "differ in more than the seed"),
    ]:
        with pytest.raises(ValueError, match=words):
            emergence.report([first, other], [])


def test_a_report_says_which_runs_are_on_which_dataset_and_what_its_intervals_are_of(tmp_path: Path) -> None:
    one = read_result(write_run(tmp_path / "default-0", french=0.5))
    other = replace(read_result(write_run(tmp_path / "five-0", french=0.5)), dataset="b2")
    assert emergence.report([one], []).startswith("Dataset b1; at most 500 texts a pair.")
    page = emergence.report([one, other], [])
    assert page.startswith("Datasets b1 (default), b2 (five); at most 500 texts a pair.")
    assert "a share of 95% of 500 captions is sure to ± 1.9 points" in page  # 1.96 * sqrt(0.95 * 0.05 / 500)


def test_new_scenes_have_a_column_where_somebody_has_looked(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "default-0", french=0.7)
    assert "new scenes" not in emergence.report([read_result(folder)], [])
    evaluation = json.loads((folder / "evaluation.json").read_text())
    for one in evaluation["pairs"]:
        one |= {"num_new": 400, "new": {**scores(0.6, 90.0), "meaning": 0.65}}
    (folder / "evaluation.json").write_text(json.dumps(evaluation))
    page = emergence.report([read_result(folder)], [])
    (row,) = [line for line in page.splitlines() if line.startswith("| default | 0 |")]
    assert "| held-out captions of new scenes |" in page and row.endswith("| - | 65% |")


def test_a_report_is_left_alone_where_no_run_was_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(emergence, "execute", lambda runs, say, processes: runs)
    monkeypatch.setattr(law, "execute", lambda runs, say, processes: runs)
    page = tmp_path / "page.md"
    page.write_text("# Mine\n\nFigures.\n")
    (tmp_path / "list.toml").write_text(f'base = "{ROOT}/configs/train.toml"\n[variants.a]\n')
    write_dataset(str(tmp_path / "data"), num_images=80)  # some of val for choosing
    words_of_list = [str(tmp_path / "list.toml"), f"DATA={tmp_path}/data", f"OUT={tmp_path}/out", f"REPORT={page}"]
    for command, words in ((emergence, "no run is finished"), (law, "so nothing is fitted")):
        assert command.main(words_of_list) == 1
        error = capsys.readouterr().err
        assert words in error and error.count("\n") == 1 and page.read_text() == "# Mine\n\nFigures.\n"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ('"model.size" = "playgroud"', "did you mean 'playground'?"),
        ('"stages.all.leave_out" = ["translations/fr"]', "leave_out names translations/fr"),
        ('"model.random_parts" = ["visoin"]', "did you mean 'vision'?"),
    ],
)
def test_a_variant_that_could_not_begin_is_told_before_any_other_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], change: str, words: str
) -> None:
    """With all seeds in one line; the folder is still free for the mended list."""
    monkeypatch.setattr(emergence, "execute", None)
    write_dataset(str(tmp_path / "data"), num_images=80)
    (tmp_path / "list.toml").write_text(
        f'base = "{ROOT}/configs/train.toml"\n[variants.a]\n[variants.b]\nset = {{ {change} }}\n'
    )
    assert emergence.main([str(tmp_path / "list.toml"), f"DATA={tmp_path}/data", f"OUT={tmp_path}/out"]) == 2
    error = capsys.readouterr().err
    assert "variant b: " in error and words in error and error.count("\n") == 1 and not (tmp_path / "out").exists()


def test_a_dataset_that_was_made_anew_is_told_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Runs on the builds before and after have no mean, and hours of them would be for nothing."""
    monkeypatch.setattr(emergence, "execute", lambda runs, say, processes: [])
    build = write_dataset(str(tmp_path / "data"), num_images=80).build
    (tmp_path / "list.toml").write_text(f'base = "{ROOT}/configs/train.toml"\nseeds = [0, 1]\n[variants.a]\n')
    settings, variants = read_list(str(tmp_path / "list.toml"))
    done, waiting = runs_of(settings, variants, str(tmp_path / "out"), data=str(tmp_path / "data"))
    write_run(done.folder, french=0.5)
    done.folder.joinpath(RECORD).unlink()
    done.prepare()
    words = [str(tmp_path / "list.toml"), f"DATA={tmp_path}/data", f"OUT={tmp_path}/out", f"REPORT={tmp_path}/p.md"]
    assert done.is_done and not waiting.is_done and emergence.main(words) == 2
    error = capsys.readouterr().err
    assert f"a-0 is done on build b1, and DATA is {build} by now" in error and error.count("\n") == 1
    evaluation = json.loads((done.folder / "evaluation.json").read_text()) | {"dataset": build}
    (done.folder / "evaluation.json").write_text(json.dumps(evaluation))
    assert emergence.main(words) == 0 and "| a | 0 |" in (tmp_path / "p.md").read_text()


def grid(tmp_path: Path) -> list[Path]:
    """Losses by a law of held-out captions: (1,000 * width + 7) ^ -0.5 * samples ^ -0.25."""
    folders = []
    for place, (width, steps) in enumerate((w, s) for w in (10, 20, 40) for s in (100, 200, 400)):
        loss = 30 * (100 * width + 7) ** -0.5 * (64 * steps) ** -0.25
        folders.append(write_run(tmp_path / f"g-{place}", french=0.0, steps=steps, loss=loss, width=width))
    return folders


def test_the_law_of_any_runs_is_fitted_and_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    report = tmp_path / "law.md"
    assert law.main([*map(str, grid(tmp_path)), f"REPORT={report}"]) == 0
    (row,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| held-out captions")]
    assert "| 9 | -0.500 [-0.500, -0.500] | -0.250 [-0.250, -0.250] | - | 1.00 | x 1.00 | -0.16, -0.04 |" in row
    assert row in report.read_text() and (tmp_path / "law.png").read_bytes().startswith(b"\x89PNG")
    losses = [line for line in report.read_text().splitlines() if "| 25,600 |" in line]
    assert [line.split("|")[1].strip() for line in losses] == ["1,007", "2,007", "4,007"]
    assert float(losses[0].split("|")[4]) == pytest.approx(30 * 1007**-0.5 * 25600**-0.25, abs=0.0005)


def test_a_law_through_runs_on_several_datasets_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    folders, report = grid(tmp_path), tmp_path / "law.md"
    words = [*map(str, folders), f"REPORT={report}"]
    assert law.main(words) == 0 and "warning" not in capsys.readouterr().out
    evaluation = json.loads((folders[0] / "evaluation.json").read_text()) | {"dataset": "b2"}
    (folders[0] / "evaluation.json").write_text(json.dumps(evaluation))
    assert law.main(words) == 0
    assert "warning: The runs are scored on datasets b1, b2" in capsys.readouterr().out
    assert "\n\nThe runs are scored on datasets b1, b2: a loss over other texts" in report.read_text()


def test_what_was_fitted_is_told_by_size_start_and_samples_and_of_several_seeds_the_mean() -> None:
    points = {
        "held-out captions": [
            Point(parameters=size, samples=100, start_languages=start, loss=loss)
            for size, start, loss in ((2e6, 0, 4.0), (1e6, 4, 2.0), (2e6, 0, 2.0))
        ],
        "translations": [Point(parameters=2e6, samples=100, start_languages=0, loss=0.5)],
    }
    assert law.losses_table(points).splitlines()[2:] == [
        "| 1,000,000 | 4 | 100 | 2.000 | - |",
        "| 2,000,000 | 0 | 100 | 3.000 | 0.500 |",
    ]


def test_a_start_is_told_by_the_decoders_card(tmp_path: Path) -> None:
    (tmp_path / "decoder").mkdir()
    (tmp_path / "decoder" / "decoder.json").write_text('{"languages": ["de", "en", "fr"]}')
    assert law.start_languages({"model": {"gemma": str(tmp_path / "decoder")}}) == 3
    assert law.start_languages({"model": {}}) == 0
    with pytest.raises(ValueError, match="does not say which languages it knows"):
        law.start_languages({"model": {"gemma": str(tmp_path)}})


def test_a_run_that_kept_an_earlier_step_has_no_place_in_a_law(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "g-0", french=0.0)
    table = json.loads((folder / RECORD).read_text()) | {"validation": {"keep": "best"}}
    (folder / RECORD).write_text(json.dumps(table))
    (folder / "best").mkdir()
    (folder / "best" / "best.json").write_text('{"step": 50, "score": 1.0, "identity": {"seed": 0}}')
    with pytest.raises(ValueError, match=r'kept step 50 of 100: train with keep = "last"'):
        law.points_of([folder])


def checkpoint_of(folder: Path, **changes: object) -> None:
    """What `make train` leaves beside the scores, without its weights."""
    identity = {
        "seed": 7, "gemma": None, "text.steps": 30, "text.batch_size": 8, "vision.steps": 70, "vision.batch_size": 64,
        **changes,
    }  # fmt: skip
    finish = begin_checkpoint(str(folder), 100)
    for name in ("model.safetensors", "optimizer.safetensors"):
        (finish / name).write_bytes(b"")
    finish_checkpoint(str(folder), position=Position(step=100), identity=identity, keep=1)


def test_a_law_takes_any_training_that_has_its_checkpoints(tmp_path: Path) -> None:
    """`make train` writes no run.json; its checkpoint says what was trained."""
    folder = write_run(tmp_path / "mine", french=0.0, recipe=False)
    with pytest.raises(ValueError, match=r"does not say what was trained: there is neither run\.json"):
        law.points_of([folder])
    checkpoint_of(folder)
    (point,) = law.points_of([folder])["held-out captions"]
    assert (point.samples, point.start_languages, point.parameters) == (30 * 8 + 70 * 64, 0, 1007)
    assert read_result(folder).seed == 7


def test_a_training_that_began_with_a_florenz_has_no_place_in_a_law(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "mine", french=0.0, recipe=False)
    checkpoint_of(folder, init="other/model")
    with pytest.raises(ValueError, match="started from other/model, whose samples"):
        law.points_of([folder])


def test_a_law_is_refused_before_it_trains_what_it_could_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def started(*arguments: object, **named: object) -> None:
        raise AssertionError("a run was started")

    monkeypatch.setattr(law, "execute", started)
    gemma = tmp_path / "decoder"
    (tmp_path / "list.toml").write_text(
        f'base = "{ROOT}/configs/train.toml"\n[variants.a]\n'
        f'[variants.b]\nset = {{ "model.size" = "playground-gemma", "model.gemma" = "{gemma}" }}\n'
    )
    folder = write_run(tmp_path / "g-0", french=0.0)
    for words, message in [
        ([str(tmp_path / "list.toml"), f"OUT={tmp_path}/out"], "run make decoder"),
        ([str(tmp_path / "list.toml"), f"REPORT={tmp_path}"], "a folder: name a file"),
        ([str(folder), "DATA=x"], "DATA says nothing beside runs"),
        ([str(folder), f"REPORT={tmp_path}/law.md"], "1 runs, in which no factor vary"),
        (["OUTT=x"], "unknown variable OUTT: did you mean 'OUT'?"),
    ]:
        assert law.main(words) == 2
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1
    assert not (tmp_path / "law.md").exists()
