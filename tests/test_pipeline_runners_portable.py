"""A job server that runs already: Beam's own in Python, on loopback, with workers in processes of a pool.

Every step of every graph is unpacked and run in a fresh process, in another folder and another environment, that shares
nothing with the launcher but OUT.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from apache_beam.runners.portability.local_job_service import LocalJobServicer
from contracts.runner import RunnerSuite
from engines.worker_pool import worker_pool

from florenz.pipeline.jobs.job_server import free_port
from florenz.pipeline.jobs.settings import BeamSettings
from florenz.pipeline.runners import portable
from florenz.pipeline.runners.contract import Running

pytestmark = pytest.mark.slow


class TestPortable(RunnerSuite):
    @pytest.fixture
    def running(self, out: Path, tmp_path: Path) -> Iterator[Running]:
        servicer = LocalJobServicer()
        endpoint = f"localhost:{servicer.start_grpc_server()}"
        with worker_pool(tmp_path / "pool") as pool:
            options = ("--environment_type=EXTERNAL", f"--environment_config={pool}")
            beam = BeamSettings(runner="PortableRunner", job_endpoint=endpoint, job_timeout_s=300, options=options)
            yield Running(out=str(out), beam=beam)
        servicer.stop()

    def test_the_address_of_the_job_is_printed(self, running: Running, capsys: pytest.CaptureFixture[str]) -> None:
        with portable.graph(running, "read"):
            pass
        assert f" at {running.beam.job_endpoint}\n" in capsys.readouterr().out


def test_a_job_server_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portable, "REACHED_WITHIN_S", 0.2)
    settings = BeamSettings(runner="PortableRunner")
    (nothing,) = portable.problems(Running(out="/out", beam=settings))
    assert "JOB_ENDPOINT=host:port" in nothing
    gone = replace(settings, job_endpoint=f"127.0.0.1:{free_port()}")
    (line,) = portable.problems(Running(out="/out", beam=gone))
    assert "does not answer within 0.2 s" in line


def test_workers_are_a_pool_beside_the_engine_unless_the_recipe_says_otherwise() -> None:
    pool = ["--environment_type=EXTERNAL", "--environment_config=localhost:50000"]
    assert portable.environment(BeamSettings()) == pool
    assert portable.environment(BeamSettings(options=("--environment_type=DOCKER",))) == []
