"""A job server on loopback that hands each job to the Java driver, and so to a Flink in a process of its own.

Beam's own job server does the same inside one JVM; its jar can't be had everywhere. What launcher and workers see is
Beam's job API and Flink.
"""

import contextlib
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from apache_beam.portability.api import beam_job_api_pb2
from apache_beam.runners.portability.local_job_service import BeamJob, LocalJobServicer
from apache_beam.runners.runner import PipelineState

PARALLELISM = 2


class FlinkJob(BeamJob):
    """A job that runs in a JVM."""

    driver: Sequence[str] = ()
    folder: Path = Path()

    def _invoke_runner(self) -> "FlinkResult":
        self.set_state(beam_job_api_pb2.JobState.RUNNING)
        pipeline, metrics = self.folder / f"{self._job_id}.pipeline", self.folder / f"{self._job_id}.metrics"
        pipeline.write_bytes(self._pipeline_proto.SerializeToString())
        log = self.folder / f"{self._job_id}.log"
        with log.open("wb") as file:
            command = [*self.driver, str(pipeline), str(metrics), str(PARALLELISM)]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT)
        return FlinkResult(self._process, metrics, log)

    def cancel(self) -> None:
        self._process.kill()


class FlinkResult:
    def __init__(self, process: "subprocess.Popen[bytes]", metrics: Path, log: Path) -> None:
        self._process, self._metrics, self._log = process, metrics, log
        self.state = PipelineState.RUNNING

    def wait_until_finish(self) -> None:
        if self._process.wait():
            self.state = PipelineState.FAILED
            raise RuntimeError(self._log.read_text(errors="replace"))
        self.state = PipelineState.DONE

    def monitoring_infos(self) -> list[Any]:
        if not self._metrics.is_file():
            return []  # not before the end
        return list(beam_job_api_pb2.MetricResults.FromString(self._metrics.read_bytes()).attempted)


@contextlib.contextmanager
def flink_job_service(driver: Sequence[str], folder: Path) -> Iterator[str]:
    """host:port of the job server; logs and protos lie in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    job_type = type("FlinkJobHere", (FlinkJob,), {"driver": tuple(driver), "folder": folder})
    servicer = LocalJobServicer(staging_dir=str(folder / "staged"), beam_job_type=job_type)
    port = servicer.start_grpc_server()
    try:
        yield f"localhost:{port}"
    finally:
        servicer.stop()
