"""[beam] and [dataflow]: what a recipe may say about where graphs run."""

import os
from pathlib import Path
from typing import Any

import pytest
from test_pipeline_recipe import SMALLEST, load, problems

from florenz.pipeline.jobs.options import beam_options, option_problems
from florenz.pipeline.jobs.settings import BeamSettings, runner_names
from florenz.pipeline.recipe import load_recipe
from florenz.pipeline.runners.contract import Running, facts_of, spread
from florenz.recipes.kinds import kinds_in


def test_without_a_word_graphs_run_here_and_nothing_else_is_asked(tmp_path: Path) -> None:
    recipe = load(tmp_path)
    assert recipe.beam == BeamSettings() and recipe.beam.kind == "local"
    assert facts_of(recipe.running).is_on_this_machine and facts_of(recipe.running).shares_memory
    assert not facts_of(Running(out="out", workers=2)).shares_memory


def test_work_without_models_is_spread_over_the_cores_unless_somebody_has_said_how_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)))
    running = load(tmp_path).running
    assert [spread(running, parts).workers for parts in (0, 1, 3, 100)] == [1, 1, 3, 8]
    assert spread(load(tmp_path, SMALLEST, WORKERS="2").running, 100).workers == 2
    at_most = load(tmp_path, SMALLEST + "[limits]\nworkers = 4\n").running
    assert spread(at_most, 100).workers == 4
    assert not facts_of(spread(running, 100)).shares_memory
    elsewhere = load(tmp_path, SMALLEST, RUNNER="PrismRunner").running
    assert spread(elsewhere, 100) == elsewhere
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    assert spread(running, 100) == running


def test_the_folder_is_the_table_of_runners() -> None:
    assert kinds_in("pipeline.runners") == ("dataflow", "flink", "local", "portable", "prism")
    for name in runner_names():
        assert BeamSettings(runner=name).kind in kinds_in("pipeline.runners")


def test_make_variables_reach_their_sections(tmp_path: Path) -> None:
    given = {
        "RUNNER": "FlinkRunner", "FLINK_MASTER": "h:8081", "FLINK_JAR": "a.jar", "JOB_ENDPOINT": "h:8099",
        "PROJECT": "some-project", "REGION": "europe-west4",
    }  # fmt: skip
    recipe = load(tmp_path, SMALLEST, **given)
    beam = recipe.beam
    assert (beam.kind, beam.flink_master, beam.flink_jar, beam.job_endpoint) == ("flink", "h:8081", "a.jar", "h:8099")
    assert (recipe.dataflow.project, recipe.dataflow.region) == ("some-project", "europe-west4")


def test_any_further_key_of_beam_is_an_option_by_its_own_name(tmp_path: Path) -> None:
    section = """
[beam]
environment_type = "DOCKER"
parallelism = 7
experiments = ["a", "b=1"]
streaming = false
no_auth = true
options = ["--job_name=mine"]
"""
    beam = load(tmp_path, SMALLEST + section).beam
    assert beam.options == (
        "--job_name=mine", "--environment_type=DOCKER", "--parallelism=7", "--experiments=a", "--experiments=b=1",
        "--no_auth",
    )  # fmt: skip
    assert beam.option("environment_type") == "DOCKER" and beam.option("runner") is None
    assert list(option_problems(beam)) == []


def test_what_stands_in_a_manifest_is_a_recipe_again(tmp_path: Path) -> None:
    recipe = load(tmp_path, SMALLEST + '[beam]\nparallelism = 7\nrunner = "PrismRunner"\n')
    record = recipe.to_dict()["beam"]
    assert record["options"] == ["--parallelism=7"]
    assert BeamSettings(**{**record, "options": tuple(record["options"])}) == recipe.beam


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[beam]\nrunner = "Spark"', "runner (RUNNER) is 'Spark'"),
        ('[beam]\njob_endpoint = "somewhere"', "write it as host:port"),
        ("[beam]\njob_timeout_s = 0", "at least 1"),
        ('[beam]\noptions = ["job_name"]', "write each as --name=value"),
        ("[beam]\njob_name = {a = 1}", "unknown key 'job_name'"),
        ('[dataflow]\nmachine = "n1"', "did you mean"),
        ("[dataflow]\ndisk_gb = 0", "disk_gb is 0"),
        ("[beam]\nflink_master = 7", "expected a text in quotes"),
    ],
)
def test_a_wrong_section_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (line,) = problems(tmp_path, SMALLEST + text)
    assert words in line


def test_a_beam_that_is_no_section_is_refused(tmp_path: Path) -> None:
    (line,) = problems(tmp_path, "beam = 3\n" + SMALLEST)
    assert "[beam] must be a section" in line


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("--pickle_librarry=dill", "did you mean 'pickle_library'"),
        ("--frobnicate=1", "unknown key or option 'frobnicate'"),
        ("--project=p", "project (PROJECT) in [dataflow]"),
        ("--direct_num_workers=3", "WORKERS"),
    ],
)
def test_an_option_that_beam_does_not_know_is_told(option: str, words: str) -> None:
    (line,) = option_problems(BeamSettings(options=(option,)))
    assert words in line


def test_an_engines_own_options_pass_where_it_may_have_some() -> None:
    assert list(option_problems(BeamSettings(options=("--execution_mode_for_batch=x",)), engine_has_more=True)) == []
    assert {"parallelism", "environment_type", "machine_type", "no_auth"} <= beam_options()


def test_no_recipe_of_the_project_names_an_engine() -> None:
    configs = Path(__file__).resolve().parents[1] / "configs"
    for path in configs.glob("*.toml"):
        if "[captioner]" in path.read_text():  # the others are recipes of trainings
            recipe: Any = load_recipe(str(path), {"IMAGES": "photos"})
            assert recipe.beam == BeamSettings()
