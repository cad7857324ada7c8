"""What a job is given, where it is much: names of lists in OUT, which hold what the launcher meant and nothing else."""

import contextlib
import json
import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given as drawn
from hypothesis import strategies as st

from florenz.images.folders import SourceFile
from florenz.pipeline.answers.ranges import RangeWork
from florenz.pipeline.jobs.settings import BeamSettings
from florenz.pipeline.known_sources import Group
from florenz.pipeline.listing import Part
from florenz.pipeline.progress import ProgressAddress
from florenz.pipeline.runners import contract
from florenz.pipeline.runners.contract import Facts, Running
from florenz.pipeline.workers import lists
from florenz.pipeline.workers.errors import WorkerError
from florenz.pipeline.workers.given import given
from florenz.pipeline.workers.lists import items_of, kept

TEXTS = st.text(max_size=6)
ITEMS = st.recursive(
    st.none() | st.integers() | TEXTS | st.booleans(),
    lambda one: (
        st.lists(one, max_size=3)
        | st.lists(one, max_size=3).map(tuple)
        | st.dictionaries(TEXTS, one, max_size=3)
        | st.frozensets(TEXTS, max_size=3)
        | st.builds(RangeWork, range=TEXTS, listed=st.dictionaries(TEXTS, st.lists(TEXTS, max_size=2), max_size=2))
        | st.builds(SourceFile, path=TEXTS, kind=st.just("tar"))
        | st.builds(Group, name=TEXTS, part=st.builds(Part, path=TEXTS, sha256=TEXTS), kept=st.tuples(TEXTS))
    ),
    max_leaves=8,
)


def files_of(number: int) -> list[SourceFile]:
    return [SourceFile(path=f"gs://bucket/{number:06d}.tar", kind="tar", stamp="é") for number in range(number)]


def elsewhere(out: Path) -> Running:
    return Running(out=str(out), beam=BeamSettings(runner="PortableRunner", job_endpoint="h:1"))


@pytest.fixture
def small_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "LIST_BYTES", 1000)


@drawn(st.lists(ITEMS, max_size=5))
def test_what_is_read_is_what_was_written(tmp_path_factory: Any, items: list[Any]) -> None:
    out = str(tmp_path_factory.mktemp("out"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lists, "LIST_BYTES", 0)
        names = kept(items, out)
    read = [item for name in names or () for item in items_of(name, out)]
    told = [json.dumps([lists._plain(item) for item in some]) for some in (read, items)]
    assert read == items and told[0] == told[1], "true is not 1, nor a tuple a list"


def test_few_items_and_items_of_other_kinds_stand_in_the_job(tmp_path: Path, small_lists: None) -> None:
    @dataclass(frozen=True)
    class Foreign:
        text: str = "x" * 5000

    assert kept(files_of(2), str(tmp_path)) is None
    assert kept([Foreign()], str(tmp_path)) is None and kept([b"x" * 5000], str(tmp_path)) is None
    assert list(tmp_path.iterdir()) == []


def test_a_list_that_somebody_else_wrote_is_refused(tmp_path: Path, small_lists: None) -> None:
    (name, *_) = kept(files_of(100), str(tmp_path)) or ()
    path = tmp_path / "ledger" / "given" / f"{name}.json"
    path.write_bytes(path.read_bytes().replace(b"gs://bucket", b"gs://robber"))
    with pytest.raises(WorkerError, match=r"is not what the launcher wrote there: run the same command again$"):
        items_of(name, str(tmp_path))


def test_lists_are_there_for_all_steps_of_a_graph_and_gone_with_it(
    tmp_path: Path, small_lists: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Runner:
        def facts(self, running: Running) -> Facts:
            return Facts()

        @contextlib.contextmanager
        def graph(self, running: Running, step: str, progress: ProgressAddress) -> Iterator[beam.Pipeline]:
            yield beam.Pipeline()
            assert there() == {*first, *second}, "while it runs"

    def there() -> set[str]:
        return {path.stem for path in (tmp_path / "ledger" / "given").iterdir()}

    monkeypatch.setattr(contract, "runner_of", lambda running: Runner())
    left = kept(files_of(60), str(tmp_path)) or []
    with contract.graph(elsewhere(tmp_path), "read"):
        assert left and not there(), "of a run that was killed"
        first, second = (kept(some, str(tmp_path)) or [] for some in (files_of(200), [["x" * 2000]]))
    assert first and second and not there()
    assert first == kept(files_of(200), str(tmp_path)), "the same items have the same names"


def test_the_in_process_runner_holds_what_it_is_given_compressed(tmp_path: Path, held_by_beam: list[bytes]) -> None:
    sources = files_of(2_000)
    with beam.Pipeline() as pipeline:
        found = pipeline | given([sources, sources[:1]], Running(out=str(tmp_path)))
        _ = found | "number" >> beam.Map(len) | beam.Map(_write_number, folder=str(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {"2000", "1"}
    assert 1000 < sum(map(len, held_by_beam)) < len(pickle.dumps(sources)) / 2


def _write_number(number: int, folder: str) -> None:
    (Path(folder) / str(number)).touch()


def test_workers_elsewhere_get_all_items_and_the_job_holds_their_names(tmp_path: Path) -> None:
    sources = files_of(20_000)
    with beam.Pipeline() as pipeline:
        found = pipeline | given(sources, elsewhere(tmp_path))
        assert_that(found, equal_to(sources))
    assert pipeline.to_runner_api().ByteSize() < 100_000 < len(repr(sources)) / 10
    assert len(list((tmp_path / "ledger" / "given").iterdir())) == 3
