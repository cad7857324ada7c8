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
    found = [*option_problems(running.beam, engine_has_more=True), *_missing(running)]
    yield from found
    if not found:  # the jar is some 100 MB; for a run that is refused anyway nobody should wait for it
        try:
            _jar(running)
        except JobServerError as problem:
            yield f"FlinkRunner: {problem}"


def _missing(running: Running) -> Iterator[str]:
    if shutil.which("java") is None:
        yield "FlinkRunner: Beam's job server needs Java, and there is no java on the PATH: install a JRE (11 or later)"
    master, jar = running.beam.flink_master, running.beam.flink_jar
    if not master:
        yield "FlinkRunner needs a cluster: give FLINK_MASTER=host:port, its REST interface (port 8081)"
    elif not master.startswith("["):
        try:
            _version_of(master)
        except JobServerError as problem:
            yield str(problem)
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
    """The job server's jar, on this machine; Beam downloads it once. Raises JobServerError."""
    if running.beam.flink_jar:
        return running.beam.flink_jar
    from apache_beam.options.pipeline_options import PipelineOptions
    from apache_beam.runners.portability.flink_runner import FlinkJarJobServer

    server = FlinkJarJobServer(PipelineOptions([*_of_its_version(running), *running.beam.options]))
    try:
        return str(server.local_jar(server.path_to_jar()))
    except (OSError, RuntimeError) as problem:
        advice = "get beam-runners-flink-*-job-server of this Beam's version another way, and name it as FLINK_JAR"
        raise JobServerError(f"Beam's job server for Flink can't be downloaded ({problem}): {advice}") from problem


def _of_its_version(running: Running) -> list[str]:
    """Which Flink the job server is for: the cluster's, where the recipe does not say. Beam would take its newest."""
    from apache_beam.options.pipeline_options import FlinkRunnerOptions

    master, known = running.beam.flink_master, FlinkRunnerOptions.PUBLISHED_FLINK_VERSIONS
    if master.startswith("[") or running.beam.option("flink_version"):
        return []
    version = _version_of(master)
    minor = ".".join(version.split(".")[:2])
    if minor not in known:
        advice = "name another cluster, or a job server for it as FLINK_JAR"
        raise JobServerError(
            f"{master} runs Flink {version}, and Beam has job servers for {', '.join(known)}: {advice}"
        )
    return [f"--flink_version={minor}"]


def _version_of(master: str) -> str:
    """As the cluster says it. Raises JobServerError."""
    url, advice = master if "://" in master else f"http://{master}", "start the cluster, or name another"
    try:
        with httpx.Client(trust_env=False, timeout=REACHED_WITHIN_S) as http:
            reply = http.get(f"{url}/overview")
        return str(reply.raise_for_status().json()["flink-version"])
    except httpx.HTTPStatusError as problem:
        words = f"HTTP {problem.response.status_code} for /overview"
        raise JobServerError(f"FLINK_MASTER {master!r} is no Flink ({words}): {advice}") from problem
    except httpx.HTTPError as problem:
        raise JobServerError(
            f"FLINK_MASTER {master!r} is out of reach ({type(problem).__name__}): {advice}"
        ) from problem
    except (ValueError, LookupError, TypeError) as problem:
        raise JobServerError(f"FLINK_MASTER {master!r} is no Flink (it tells no version): {advice}") from problem
