"""A captioner at a server is asked picture by picture: nothing waits for the last of a batch, and nothing is lost."""

import threading
from collections.abc import Iterator
from pathlib import Path

import apache_beam as beam
import pytest
from PIL import Image
from pipeline_examples import write_pictures
from test_captioners_vision_chat import describe, picture_in, recipe_with

from benchmarks.stand_in_server import Fault, Request, StandInServer, answer, die, status
from florenz.captioners.contract import Answer
from florenz.captioners.vision_chat.model import data_url
from florenz.pipeline.answers.captioned import Captioned
from florenz.pipeline.answers.captioning import CaptionerError, forget_captioner
from florenz.pipeline.answers.graphs import run_captioning
from florenz.pipeline.answers.ledger import CaptionRow, Ledger
from florenz.pipeline.answers.makers import style_fingerprints
from florenz.pipeline.answers.questions import CaptionTask
from florenz.pipeline.answers.ranges import RangeWork
from florenz.pipeline.answers.whole_images import WholeImages, row_of
from florenz.pipeline.budget import Budget
from florenz.pipeline.recipe import Recipe, load_recipe
from florenz.translators.endpoint import ServerError

BATCH = 4
STYLES = {"tiny": "Say it in one English sentence.", "long": "Say all of it."}
NUM_PROBES = 3 * len(STYLES)  # asked when the captioner is loaded
HUNG_AFTER_S = 60.0


@pytest.fixture
def server() -> Iterator[StandInServer]:
    with StandInServer("org/sees", describe) as running:
        yield running
    forget_captioner()


def recipe_of(tmp_path: Path, server: StandInServer, more: str = "") -> Recipe:
    recipe_with(tmp_path, server, STYLES)
    path = tmp_path / "recipe.toml"
    settings = f"batch_size = {BATCH}\nmax_retries = 0\nbackoff_s = 0.01\n{more}\n[translator]"
    path.write_text(path.read_text().replace("[translator]", settings))
    return load_recipe(str(path))


def tasks_of(tmp_path: Path, number: int) -> list[CaptionTask]:
    keys = write_pictures(tmp_path / "pictures", number)
    return [
        CaptionTask(key=key, source=str(tmp_path / "pictures" / f"{place:03d}.jpg"), styles=tuple(STYLES))
        for place, key in enumerate(keys)
    ]


def rows_in(recipe: Recipe) -> list[CaptionRow]:
    ledger, prints = Ledger(recipe.out), style_fingerprints(recipe.captioner)
    return [row for fingerprint in set(prints.values()) for row in ledger.read_captions(fingerprint).values()]


def test_the_next_pictures_are_asked_about_while_the_first_has_no_answer_yet(
    server: StandInServer, tmp_path: Path
) -> None:
    """The first answer comes when pictures of three batches have been asked about; with a barrier it never would."""
    are_asked = threading.Event()

    def rule(request: Request) -> Fault | None:
        if request.number > NUM_PROBES + 3 * BATCH * len(STYLES):
            are_asked.set()
        return late if request.number == NUM_PROBES + 1 else None

    def late(request: Request) -> None:
        assert are_asked.wait(HUNG_AFTER_S), "it waits for the last of a batch"
        answer(request)

    tasks = tasks_of(tmp_path, 5 * BATCH)
    recipe = recipe_of(tmp_path, server, f"max_in_flight = {4 * BATCH * len(STYLES)}")
    server.rule = rule
    run_captioning(recipe, beam.Create(tasks, reshuffle=False), None)
    rows = rows_in(recipe)
    assert len(rows) == 5 * BATCH * len(STYLES) and all(row.text for row in rows)
    assert are_asked.is_set()


def test_each_answer_lands_on_its_own_image_and_a_broken_one_costs_itself_alone(
    server: StandInServer, tmp_path: Path
) -> None:
    tasks = tasks_of(tmp_path, 2 * BATCH + 1)
    Path(tasks[2].source).write_bytes(b"\xff\xd8\xff\xe0" + bytes(40))
    recipe = recipe_of(tmp_path, server)
    captioned = Captioned([RangeWork(range="", listed={})], {"": len(tasks)})
    run_captioning(recipe, beam.Create(tasks), None, captioned=captioned)
    found = {(row.key, row.style): row for row in rows_in(recipe)}
    assert set(found) == {(task.key, style) for task in tasks for style in STYLES}
    assert {found[tasks[2].key, style].reason for style in STYLES} == {"broken_image"}
    assert len({row.text for row in found.values()}) == 2 * (len(tasks) - 1) + 1
    assert captioned.completed(0) is not None, "a translator beside it is told when all is in the ledger"


def test_what_came_back_before_a_server_died_is_kept(server: StandInServer, tmp_path: Path) -> None:
    tasks = tasks_of(tmp_path, 4 * BATCH)
    recipe = recipe_of(tmp_path, server, "max_in_flight = 2")
    num_good = 2 * BATCH
    server.rule = lambda request: die if request.number > NUM_PROBES + num_good else None
    with pytest.raises(ServerError, match="tried 1 times"):
        run_captioning(recipe, beam.Create(tasks), None)
    assert len(server.answered) == NUM_PROBES + len(rows_in(recipe)) and len(rows_in(recipe)) >= num_good - 1


def test_a_captioner_that_says_the_same_to_all_is_told(server: StandInServer, tmp_path: Path) -> None:
    server.answer = lambda prompt: "A picture."
    with pytest.raises(CaptionerError, match="says the same to every picture"):
        run_captioning(recipe_of(tmp_path, server), beam.Create(tasks_of(tmp_path, 10)), None)


def test_a_refused_picture_is_an_answer_too(server: StandInServer, tmp_path: Path) -> None:
    tasks, recipe = tasks_of(tmp_path, 3), recipe_of(tmp_path, server)
    refused = picture_of(tasks[1])
    server.rule = lambda request: status(400) if picture_in(request.prompts[0]).tobytes() == refused else None
    run_captioning(recipe, beam.Create(tasks), None)
    assert {row.key for row in rows_in(recipe) if row.reason == "captioner_refused"} == {tasks[1].key}


def picture_of(task: CaptionTask) -> bytes:
    """As the server sees it."""
    with Image.open(task.source) as picture:
        return picture_in(data_url(picture.convert("RGB"), max_side_px=1024, quality=92)).tobytes()


def test_a_budget_of_tokens_counts_those_of_captions(server: StandInServer, tmp_path: Path) -> None:
    tasks = tasks_of(tmp_path, 5 * BATCH)
    recipe = recipe_of(tmp_path, server, "max_in_flight = 2")
    run_captioning(recipe, beam.Create(tasks), None, budget=Budget(tokens=60))
    asked = len(rows_in(recipe))
    assert 0 < asked < len(tasks) * len(STYLES), "six words each, the questions at the start among them"
    forget_captioner()
    run_captioning(recipe, beam.Create(tasks), None, budget=Budget(tokens=10**6))
    assert len(rows_in(recipe)) == len(tasks) * len(STYLES)


def test_what_one_model_has_used_of_a_budget_the_next_does_not_have() -> None:
    assert Budget(tokens=10).without(4) == Budget(tokens=6) and Budget(tokens=10).without(40).is_used_up()
    assert Budget(deadline=5.0).without(4) == Budget(deadline=5.0)


def test_images_are_handed_on_whole_and_what_is_left_of_others_is_not_lost() -> None:
    kept: list[tuple[list[str], int]] = []
    whole = WholeImages(lambda tasks, rows: kept.append(([task.key for task in tasks], len(rows))), at_once=2)
    tasks = [CaptionTask(key=key, source="x", styles=("a", "b")) for key in "123"]
    for style, number in (("a", 0), ("a", 1), ("b", 1), ("a", 2), ("b", 0)):
        whole.add(tasks[number], [row_of(tasks[number], style, Answer(text="t"))])
    assert kept == [(["2", "1"], 4)]
    whole.flush()
    whole.flush()
    assert kept == [(["2", "1"], 4), ([], 1)]
