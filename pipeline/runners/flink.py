"""RUNNER=FlinkRunner FLINK_MASTER=host:8081: a Flink cluster, through Beam's own job server, a jar that needs Java.

FLINK_JAR names the jar; without it Beam downloads the one of its version. The job server runs here for as long as a
graph; workers are found as `portable.py` says.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING

import httpx

from florenz.pipeline.jobs.job_server import JobServerError, free_port, job_server
from florenz.pipeline.jobs.logs import local_log
from florenz.pipeline.jobs.options import option_problems
from florenz.pipeline.progress import ProgressAddress
from florenz.pipeline.runners.contract import Facts, Running
from florenz.pipeline.runners.portable import environment, job_of

if TYPE_CHECKING:
    import apache_beam as beam

REACHED_WITHIN_S = 10.0


def facts(running: Running) -> Facts:
    return Facts(may_share_folders=True)


def problems(running: Running) -> Iterator[str]:
    yield from option_problems(running.beam, engine_has_more=True)
    if shutil.which("java") is None:
        yield "FlinkRunner: Beam's job server needs Java, and there is no java on the PATH: install a JRE (11 or later)"
    master, jar = running.beam.flink_master, running.beam.flink_jar
    if not master:
        yield "FlinkRunner needs a cluster: give FLINK_MASTER=host:port, its REST interface (port 8081)"
    elif not master.startswith("[") and (problem := _master_problem(_url(master))):
        yield f"FLINK_MASTER {master!r} {problem}: start the cluster, or name another"
    if jar and not os.path.isfile(jar):
        yield f"FLINK_JAR {jar!r} is no file: name Beam's job server, beam-runners-flink-1.19-job-server-2.x.jar"


@contextlib.contextmanager
def graph(running: Running, step: str, progress: ProgressAddress = None) -> Iterator[beam.Pipeline]:
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="florenz-flink-") as staged, contextlib.ExitStack() as stack:
        command = [
            "java", "-jar", _jar(running), "--flink-master", running.beam.flink_master, "--artifacts-dir", staged,
            "--job-host", "127.0.0.1", "--job-port", str(port), "--artifact-port", "0", "--expansion-port", "0",
        ]  # fmt: skip
        endpoint = stack.enter_context(job_server(command, local_log(running.out, "flink-job-server"), port=port))
        yield stack.enter_context(job_of(endpoint, running, step, progress, environment(running.beam)))


def _jar(running: Running) -> str:
    """The job server's jar, on this machine."""
    if running.beam.flink_jar:
        return running.beam.flink_jar
    from apache_beam.options.pipeline_options import PipelineOptions
    from apache_beam.runners.portability.flink_runner import FlinkJarJobServer

    server = FlinkJarJobServer(PipelineOptions(list(running.beam.options)))
    try:
        return str(server.local_jar(server.path_to_jar()))
    except (OSError, RuntimeError) as problem:
        advice = "get beam-runners-flink-*-job-server of this Beam's version another way, and name it as FLINK_JAR"
        raise JobServerError(f"Beam's job server for Flink can't be downloaded ({problem}): {advice}") from problem


def _url(master: str) -> str:
    return master if "://" in master else f"http://{master}"


def _master_problem(url: str) -> str | None:
    try:
        with httpx.Client(trust_env=False, timeout=REACHED_WITHIN_S) as http:
            reply = http.get(f"{url}/overview")
    except httpx.HTTPError as problem:
        return f"is out of reach ({type(problem).__name__})"
    return None if reply.status_code == 200 else f"is no Flink (HTTP {reply.status_code} for /overview)"
