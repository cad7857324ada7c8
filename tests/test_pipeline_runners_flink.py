"""Flink 1.19, with workers in processes that share nothing with the launcher but OUT.

Through the Java driver of tests/engines, behind Beam's job API; and, where FLINK_JAR names Beam's own job server,
through Beam's FlinkRunner as well.
"""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from contracts.runner import RunnerSuite
from engines.flink_job_service import flink_job_service
from engines.tools import flink_driver
from engines.worker_pool import worker_pool

from florenz.pipeline.jobs.settings import BeamSettings
from florenz.pipeline.runners import flink
from florenz.pipeline.runners.contract import Running

pytestmark = [pytest.mark.slow, pytest.mark.engines]
TIMEOUT_S = 400


class TestFlinkBehindAJobServer(RunnerSuite):
    @pytest.fixture
    def running(self, out: Path, tmp_path: Path) -> Iterator[Running]:
        driver = flink_driver()
        with worker_pool(tmp_path / "pool") as pool, flink_job_service(driver, tmp_path / "flink") as endpoint:
            options = ("--environment_type=EXTERNAL", f"--environment_config={pool}")
            beam = BeamSettings(
                runner="PortableRunner", job_endpoint=endpoint, job_timeout_s=TIMEOUT_S, options=options
            )
            yield Running(out=str(out), beam=beam)


@pytest.mark.skipif(not os.environ.get("FLINK_JAR"), reason="FLINK_JAR does not name Beam's job server for Flink")
class TestFlinkThroughBeamsOwnRunner(RunnerSuite):
    @pytest.fixture
    def running(self, out: Path, tmp_path: Path) -> Iterator[Running]:
        with worker_pool(tmp_path / "pool") as pool:
            options = ("--environment_type=EXTERNAL", f"--environment_config={pool}")
            jar = os.environ["FLINK_JAR"]
            beam = BeamSettings(
                runner="FlinkRunner", flink_jar=jar, flink_master="[local]", job_timeout_s=TIMEOUT_S, options=options
            )
            yield Running(out=str(out), beam=beam)


def test_what_flink_lacks_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def told(**settings: str) -> list[str]:
        return list(flink.problems(Running(out="/out", beam=BeamSettings(runner="FlinkRunner", **settings))))

    monkeypatch.setattr("shutil.which", lambda name: None)
    java, master = told()
    assert "needs Java" in java and "FLINK_MASTER=host:port" in master
    monkeypatch.setattr("shutil.which", lambda name: "/bin/true")
    assert told(flink_master="[local]") == []
    (jar,) = told(flink_master="[local]", flink_jar=str(tmp_path / "no.jar"))
    assert "no.jar' is no file" in jar
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        address = f"127.0.0.1:{somebody.getsockname()[1]}"
        monkeypatch.setattr(flink, "REACHED_WITHIN_S", 0.2)
        (silent,) = told(flink_master=address)
    assert f"FLINK_MASTER {address!r} is out of reach (ReadTimeout)" in silent
