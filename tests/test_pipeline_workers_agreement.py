"""A worker that does not fit to its launcher is refused in one line, before anything else is unpacked there."""

import base64
import bz2
import pickletools
import shutil
from collections.abc import Iterator
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.portability import common_urns
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.portability.local_job_service import LocalJobServicer
from engines.worker_pool import ROOT, worker_pool

from florenz.pipeline.assemble.code import ENTRIES, import_closure
from florenz.pipeline.jobs.settings import BeamSettings
from florenz.pipeline.runners.contract import Running, graph
from florenz.pipeline.workers import agreement
from florenz.pipeline.workers.agreement import Given, expected_of_workers, problem_here
from florenz.pipeline.workers.errors import WorkerError
from florenz.pipeline.workers.given import given


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def test_a_process_like_the_launcher_fits(out: Path) -> None:
    assert problem_here(expected_of_workers(str(out))) is None
    assert problem_here(expected_of_workers("gs://bucket/out")) is None


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"python": "3.9"}, ("the worker on", "the launcher 3.9", "the same image")),
        ({"florenz": "0" * 12}, ("other code of Florenz", "than the launcher (000000000000)", "the same image")),
        ({"mark": "another"}, ("does not see the launcher's OUT", "mount it there", "gs://")),
    ],
    ids=lambda value: str(value)[:20],
)
def test_another_python_other_code_or_another_out_is_told(
    out: Path, changed: dict[str, str], words: tuple[str, ...]
) -> None:
    problem = problem_here(expected_of_workers(str(out)) | changed)
    assert problem is not None and "\n" not in problem and all(word in problem for word in words), problem


def test_the_check_is_unpacked_by_any_python() -> None:
    """In what is sent it is a class by its name, and texts: no code object, which belongs to one Python."""
    pipeline = beam.Pipeline()
    _ = pipeline | Given([1], {"python": "3.11"})
    steps = pipeline.to_runner_api().components.transforms.values()
    (sent,) = [
        beam_runner_api_pb2.ParDoPayload.FromString(step.spec.payload).do_fn.payload
        for step in steps
        if "check worker" in step.unique_name and step.spec.urn == common_urns.primitives.PAR_DO.urn
    ]
    packed = bz2.decompress(base64.b64decode(sent))
    words = {argument for _, argument, _ in pickletools.genops(packed) if isinstance(argument, str)}
    assert {"florenz.pipeline.workers.agreement", "CheckWorker", "python", "3.11"} <= words
    assert not [word for word in words if "cloudpickle" in word or word in ("CodeType", "_make_function")]


def test_a_file_that_changes_changes_the_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = agreement.code_of_florenz()
    agreement.code_of_florenz.cache_clear()
    assert agreement.code_of_florenz() == before
    monkeypatch.setattr(agreement, "ROOMS", agreement.ROOMS[1:])
    agreement.code_of_florenz.cache_clear()
    assert agreement.code_of_florenz() != before
    agreement.code_of_florenz.cache_clear()


def test_all_that_workers_import_is_compared() -> None:
    graphs = ("index", "answers.graphs", "answers.each_range", "assemble.graph", "assemble.indexing")
    closure = import_closure((*ENTRIES, *(f"florenz.pipeline.{graph}" for graph in graphs)))
    assert {module.split(".")[1] for module in closure} <= set(agreement.ROOMS)


def test_all_that_lies_in_a_room_beside_its_code_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """But what tells of it."""
    read: set[Path] = set()
    read_bytes = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: (read.add(path), read_bytes(path))[1])
    agreement.code_of_florenz.cache_clear()
    agreement.code_of_florenz()
    lie_there = {path for room in agreement.ROOMS for path in (ROOT / room).rglob("*") if path.is_file()}
    missed = {path.name for path in {path.resolve() for path in lie_there} - {path.resolve() for path in read}}
    assert {name for name in missed if not name.endswith((".pyc", ".md"))} == set()


@pytest.fixture
def job_endpoint() -> Iterator[str]:
    """Beam's job server in Python, on loopback: it runs what it gets with the workers that the job names."""
    servicer = LocalJobServicer()
    yield f"localhost:{servicer.start_grpc_server()}"
    servicer.stop()


def running(out: Path, endpoint: str, pool: str) -> Running:
    options = ("--environment_type=EXTERNAL", f"--environment_config={pool}")
    settings = BeamSettings(runner="PortableRunner", job_endpoint=endpoint, job_timeout_s=300, options=options)
    return Running(out=str(out), beam=settings)


def refusal(where: Running, out: Path) -> str:
    name = str(out / "ran")

    def note(_: int) -> None:
        open(name, "w").close()

    with pytest.raises(WorkerError) as caught, graph(where, "read") as pipeline:
        _ = pipeline | given([1], where) | beam.Map(note)
    assert not (out / "ran").exists(), "no step of the graph has run"
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.slow
def test_workers_with_other_code_are_refused(out: Path, tmp_path: Path, job_endpoint: str) -> None:
    left_out = shutil.ignore_patterns(".git", ".venv", "data", "build", "tests", "__pycache__", "models")
    copy = shutil.copytree(ROOT, tmp_path / "checkout", ignore=left_out, symlinks=True)
    with (copy / "filters" / "order.py").open("a") as file:
        file.write("\n# changed\n")
    with worker_pool(tmp_path / "pool", modules=copy) as pool:
        assert "has other code of Florenz" in refusal(running(out, job_endpoint, pool), out)


@pytest.mark.slow
def test_workers_that_do_not_see_out_are_refused(
    out: Path, tmp_path: Path, job_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when OUT is a folder that only the launcher has: here its mark is written somewhere else."""
    monkeypatch.setattr(agreement, "_mark_path", lambda out: str(tmp_path / "elsewhere" / "mark"))
    with worker_pool(tmp_path / "pool") as pool:
        assert "does not see the launcher's OUT" in refusal(running(out, job_endpoint, pool), out)


@pytest.mark.slow
def test_workers_without_florenz_are_refused(out: Path, tmp_path: Path, job_endpoint: str) -> None:
    (tmp_path / "nothing" / "florenz").mkdir(parents=True)
    hides = """raise ModuleNotFoundError("No module named 'florenz'")"""  # the one that may be installed
    (tmp_path / "nothing" / "florenz" / "__init__.py").write_text(hides)
    with worker_pool(tmp_path / "pool", modules=tmp_path / "nothing") as pool:
        assert "the workers have no Florenz" in refusal(running(out, job_endpoint, pool), out)
