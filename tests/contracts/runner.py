"""What every runner must do, whatever engine is behind it: its test subclasses `RunnerSuite` and adds `running`.

A graph is never checked through itself: what its steps did is read from the files that they left in OUT.
"""

import contextlib
import json
import os
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from pipeline_examples import (
    bytes_of,
    jpeg_of,
    key_of,
    published,
    recipe_for,
    write_ledger,
    write_pictures,
)

from florenz.pipeline.progress import ProgressAddress, advance, count
from florenz.pipeline.recipe import Recipe
from florenz.pipeline.runners.contract import Running, facts_of, graph, runner_of, workers_progress
from florenz.pipeline.workers import lists
from florenz.pipeline.workers.given import given
from florenz.stores.files import StoreError
from florenz.translators.endpoint import ServerError

NUM_PICTURES = 14


def noting(path: Path) -> Callable[[Any], None]:
    """A step that leaves what it was given. Made in a function, so that Beam ships its code: workers don't know us."""
    name = str(path)

    def note(items: Any) -> None:
        with open(name, "w") as file:
            json.dump(items, file)

    return note


class RunnerSuite:
    """running: where graphs run; its OUT is `out`."""

    @pytest.fixture
    def out(self, tmp_path: Path) -> Path:
        (tmp_path / "out").mkdir()
        return tmp_path / "out"

    @pytest.fixture
    def running(self, out: Path) -> Running:
        raise NotImplementedError

    def recipe(self, running: Running, pictures: Path, out: Path) -> Recipe:
        return recipe_for(out, pictures, workers=running.workers, beam=running.beam, dataflow=running.dataflow)

    # -- before -------------------------------------------------------------------------------------------------------

    def test_nothing_is_said_against_settings_that_work(self, running: Running) -> None:
        assert list(runner_of(running).problems(running)) == []

    def test_an_option_that_nobody_knows_is_told(self, running: Running) -> None:
        slip = replace(running, beam=replace(running.beam, options=(*running.beam.options, "--pickle_librarry=dill")))
        (problem,) = runner_of(slip).problems(slip)
        assert "pickle_librarry" in problem and "pickle_library" in problem

    # -- graphs -------------------------------------------------------------------------------------------------------

    def test_much_arrives_too_and_leaves_nothing_behind(
        self, running: Running, out: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where workers are elsewhere, by way of lists in OUT."""
        monkeypatch.setattr(lists, "LIST_BYTES", 200)
        number = 300
        with graph(running, "read") as pipeline:
            numbers = pipeline | given([[n] for n in range(number)], running) | beam.combiners.ToList()
            _ = numbers | beam.Map(sorted) | beam.Map(noting(out / "found.json"))
        assert json.loads((out / "found.json").read_text()) == [[n] for n in range(number)]
        assert list(out.glob("ledger/given/*")) == []

    def test_every_primitive_gives_what_it_should(self, running: Running, out: Path) -> None:
        number = 300
        with graph(running, "read") as pipeline:
            numbers = pipeline | given(range(number), running)
            total = beam.pvalue.AsSingleton(numbers | "sum" >> beam.CombineGlobally(sum))
            by_rest = numbers | "rest" >> beam.Map(lambda n: (n % 7, n)) | "by rest" >> beam.GroupByKey()
            counts = by_rest | "count" >> beam.MapTuple(lambda rest, found: (rest, len(list(found))))
            both = {"all": numbers | "key" >> beam.Map(lambda n: (n % 7, n)), "counts": counts} | beam.CoGroupByKey()
            joined = both | beam.MapTuple(lambda rest, found: [rest, len(list(found["all"])), *found["counts"]])
            _ = (
                (joined, numbers | "large" >> beam.Filter(lambda n: n >= number - 2) | beam.Map(lambda n: [n]))
                | beam.Flatten()
                | beam.Reshuffle()
                | beam.combiners.ToList()
                | beam.Map(lambda rows, total: [sorted(rows), total], total=total)
                | beam.Map(noting(out / "found.json"))
            )
        sizes = [len(range(rest, number, 7)) for rest in range(7)]
        rows = sorted([[rest, size, size] for rest, size in enumerate(sizes)] + [[number - 2], [number - 1]])
        assert json.loads((out / "found.json").read_text()) == [rows, sum(range(number))]

    def test_nothing_runs_when_the_graph_could_not_be_built(self, running: Running, out: Path) -> None:
        with pytest.raises(KeyError), graph(running, "read") as pipeline:
            _ = pipeline | given([1], running) | beam.Map(noting(out / "ran"))
            raise KeyError
        assert not (out / "ran").exists()

    @pytest.mark.parametrize("kind", [ServerError, StoreError, OSError], ids=lambda kind: kind.__name__)
    def test_an_error_of_a_step_is_that_error_in_one_line(self, running: Running, kind: type[Exception]) -> None:
        def fail(_: int) -> None:
            raise kind("the disk is made of cheese: eat it")

        with pytest.raises(kind) as caught, graph(running, "read") as pipeline:
            _ = pipeline | given([1], running) | beam.Map(fail)
        assert str(caught.value) == "the disk is made of cheese: eat it"

    def test_workers_are_threads_of_this_process_exactly_if_the_facts_say_so(self, running: Running, out: Path) -> None:
        with graph(running, "read") as pipeline:
            _ = (
                pipeline
                | given(range(4), running)
                | beam.Map(lambda _: os.getpid())
                | beam.combiners.ToList()
                | beam.Map(noting(out / "pids"))
            )
        pids = set(json.loads((out / "pids").read_text()))
        assert (pids == {os.getpid()}) == facts_of(running).shares_memory

    # -- the project's own --------------------------------------------------------------------------------------------

    def test_the_same_ledger_gives_the_same_bytes_as_without_a_runner(self, running: Running, tmp_path: Path) -> None:
        pictures = tmp_path / "pictures"
        keys = write_pictures(pictures, NUM_PICTURES)
        (pictures / "copy.jpg").write_bytes(jpeg_of(3))
        (pictures / "notes.md").write_text("no image")
        assert keys[3] == key_of(jpeg_of(3))
        outs = [tmp_path / "plain", Path(running.out)]
        for recipe in (recipe_for(outs[0], pictures), self.recipe(running, pictures, outs[1])):
            write_ledger(recipe, keys, rows_per_part=5)
            published(recipe)
        plain, there = map(bytes_of, outs)
        assert len([name for name in plain if name.endswith(".tar")]) >= 5
        assert plain == there

    def test_what_workers_have_done_reaches_the_launchers_socket_once(self, running: Running) -> None:
        """As steps do it: those on this machine send datagrams, and all count in Beam's metrics."""

        def done(_: int, address: ProgressAddress) -> None:
            advance(address, "read", 1)
            count("read", 1)

        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
            receiver.bind(("127.0.0.1", 0))
            progress = receiver.getsockname()
            with graph(running, "read", progress) as pipeline:
                _ = pipeline | given(range(10), running) | beam.Map(done, workers_progress(running, progress))
            receiver.setblocking(False)
            heard = 0
            with contextlib.suppress(BlockingIOError):
                while datagram := receiver.recv(256):
                    heard += int(datagram.decode().removeprefix("read "))
        assert heard == 10
