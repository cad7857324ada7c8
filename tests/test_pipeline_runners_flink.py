"""Flink 1.19, with workers in processes that share nothing with the launcher but OUT.

Through the Java driver of tests/engines, behind Beam's job API; and, where FLINK_JAR names Beam's own job server,
through Beam's FlinkRunner as well.
"""

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path

import pytest
from apache_beam.runners.portability.flink_runner import FlinkJarJobServer
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
    assert told(flink_master="[local]", flink_jar=__file__) == []
    (jar,) = told(flink_master="[local]", flink_jar=str(tmp_path / "no.jar"))
    assert "no.jar' is no file" in jar
    asked: list[str] = []
    with monkeypatch.context() as at_beam:
        at_beam.setattr(FlinkJarJobServer, "local_jar", lambda self, url: asked.append(url) or "the.jar")
        assert told(flink_master="[local]") == []
    (url,) = asked
    assert url.startswith("https://") and f"-job-server-{version('apache-beam')}.jar" in url

    def out_of_reach(self: FlinkJarJobServer, url: str) -> str:
        raise RuntimeError(f"Unable to fetch remote job server jar at {url}")

    with monkeypatch.context() as at_beam:
        at_beam.setattr(FlinkJarJobServer, "local_jar", out_of_reach)
        (not_there,) = told(flink_master="[local]")
        assert "can't be downloaded" in not_there and "name it as FLINK_JAR" in not_there
        (master,) = told()  # and nothing is fetched
        assert "FLINK_MASTER=host:port" in master
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        address = f"127.0.0.1:{somebody.getsockname()[1]}"
        monkeypatch.setattr(flink, "REACHED_WITHIN_S", 0.2)
        (silent,) = told(flink_master=address)
    assert f"FLINK_MASTER {address!r} is out of reach (ReadTimeout)" in silent


@contextlib.contextmanager
def cluster(overview: str, status: int = 200) -> Iterator[str]:
    """host:port of what says this about itself."""

    class Rest(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(overview.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Rest) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("overview", "status", "more", "told"),
    [
        ('{"flink-version": "1.19.3"}', 200, (), "beam-runners-flink-1.19-job-server-"),
        ('{"flink-version": "1.19.3"}', 200, ("--flink_version=2.0",), "beam-runners-flink-2.0-job-server-"),
        ('{"flink-version": "1.2.0"}', 200, (), "runs Flink 1.2.0, and Beam has job servers for 1.19, "),
        ("{}", 200, (), "is no Flink (it tells no version)"),
        ("[]", 200, (), "is no Flink (it tells no version)"),
        ("<html>", 200, (), "is no Flink (it tells no version)"),
        ("", 404, (), "is no Flink (HTTP 404 for /overview)"),
    ],
)
def test_the_job_server_is_that_of_the_clusters_flink(
    overview: str, status: int, more: tuple[str, ...], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("shutil.which", lambda name: "/bin/true")
    monkeypatch.setattr(FlinkJarJobServer, "local_jar", lambda self, url: asked.append(url) or "the.jar")
    with cluster(overview, status) as master:
        settings = BeamSettings(runner="FlinkRunner", flink_master=master, options=more)
        lines = list(flink.problems(Running(out="/out", beam=settings)))
    assert any(told in line for line in (*lines, *asked)) and len(lines) + len(asked) == 1
