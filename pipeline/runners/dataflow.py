"""RUNNER=DataflowRunner PROJECT=... REGION=...: Google Cloud's engine; [dataflow] says what its workers are.

Each graph is a job of its own: reading and assembling on plain workers, captioning, translating and scoring on workers
with a GPU, where the one step that asks a model carries the hint for it. So no GPU waits for tars. A job's workers run
the images of `containers/`, and nothing is installed at their start.

Has never been run on the real service: what is sent to it is tested (`tests/test_pipeline_runners_dataflow.py`).
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from florenz.console import say
from florenz.pipeline.jobs.logs import local_log
from florenz.pipeline.jobs.options import option_problems
from florenz.pipeline.progress import ProgressAddress
from florenz.pipeline.runners.contract import Facts, Running
from florenz.stores import files

if TYPE_CHECKING:
    import apache_beam as beam

GPU_STEPS = ("caption", "translate", "again", "rephrase", "score")
CONSOLE = "https://console.cloud.google.com/dataflow/jobs"


def facts(running: Running) -> Facts:
    settings = running.dataflow
    if not settings.accelerator:
        return Facts()
    kind, _, rest = settings.accelerator.partition(";count:")
    count, _, more = rest.partition(";")
    machine = f"machine_type:{settings.gpu_machine_type}"
    words = [kind, f"count:{count or '1'}", machine, *([more] if more else [])]
    return Facts(gpu_hints={"accelerator": ";".join(words)})


def problems(running: Running) -> Iterator[str]:
    yield from option_problems(running.beam)
    settings = running.dataflow
    if not settings.project:
        yield "DataflowRunner needs the project that pays: give PROJECT=..."
    if not settings.region:
        yield "DataflowRunner needs a region: give REGION=europe-west4 or another"
    if not temp_folder(running).startswith("gs://"):
        yield f"DataflowRunner needs OUT in a bucket, got {running.out!r}: give OUT=gs://bucket/folder"
    elif problem := _bucket_problem(running) or _temp_problem(settings.temp):
        yield problem
    if "--no_auth" not in running.beam.options and (problem := _credentials_problem()):
        yield problem


@contextlib.contextmanager
def graph(running: Running, step: str, progress: ProgressAddress = None) -> Iterator[beam.Pipeline]:
    from apache_beam.runners.dataflow.dataflow_runner import DataflowRunner, DataflowRuntimeException
    from google.api_core.exceptions import GoogleAPICallError

    from florenz.pipeline.jobs.remote import remote_graph

    with remote_graph(
        DataflowRunner(),
        [*job_options(running, step), *running.beam.options],
        step=step,
        progress=progress,
        timeout_s=running.beam.job_timeout_s,
        log=local_log(running.out, "jobs"),
        say_where=lambda result: say(f"job        {step}: {_address(running, result)}"),
        engine_errors=(DataflowRuntimeException, GoogleAPICallError),
    ) as pipeline:
        yield pipeline


def job_options(running: Running, step: str) -> list[str]:
    """The words of Beam's command line for the job of one step."""
    settings, needs_model = running.dataflow, step in GPU_STEPS
    temp = temp_folder(running)
    machine = {
        # Of the plain workers. Those with a GPU are asked for by the hint of the step that needs them.
        "machine_type": settings.machine_type,
        "disk_size_gb": settings.gpu_disk_gb if needs_model else settings.disk_gb,
        "max_num_workers": settings.max_gpu_workers if needs_model else settings.max_workers,
        "number_of_worker_harness_threads": settings.gpu_threads if needs_model else settings.threads,
        "sdk_container_image": image(running, "gpu" if needs_model else "cpu"),
    }
    words = {
        "project": settings.project,
        "region": settings.region,
        "job_name": job_name(step),
        "temp_location": temp,
        "staging_location": files.join(temp, "staging"),
        **machine,
        "service_account_email": settings.service_account,
        "subnetwork": settings.subnetwork,
    }
    flags = [
        "--runner=DataflowRunner",
        "--sdk_location=container",  # the image has it all
        "--no_save_main_session",  # the launcher's globals are no worker's business
        "--experiments=use_runner_v2",
        "--experiments=disable_logging_submission_environment",  # nor what packages it has
        f"--labels=florenz-step={step}",
    ]
    if needs_model:
        flags.append("--experiments=no_use_multiple_sdk_containers")  # one process, and one model, for each machine
    return [*(f"--{name}={value}" for name, value in words.items() if value), *flags]


def temp_folder(running: Running) -> str:
    return running.dataflow.temp or files.join(running.out, "temp")


def image(running: Running, kind: str) -> str:
    """The worker image: as the recipe names it, or where the documented build pushes it."""
    settings = running.dataflow
    named = settings.gpu_worker_image if kind == "gpu" else settings.worker_image
    repository = f"{settings.region}-docker.pkg.dev/{settings.project.replace(':', '/')}/florenz"
    return named or f"{repository}/worker-{kind}:{version('florenz')}"


def job_name(step: str) -> str:
    """One that the project has not had: Dataflow refuses a second job of one name while the first runs."""
    return f"florenz-{step}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"


def _address(running: Running, result: Any) -> str:
    settings = running.dataflow
    return f"{CONSOLE}/{settings.region}/{result.job_id()}?project={settings.project}"


def _bucket_problem(running: Running) -> str | None:
    """Beam's own check of names; a bucket that it does not take would be refused when all is packed."""
    bucket = temp_folder(running).removeprefix("gs://").partition("/")[0]
    if re.fullmatch(r"[a-z0-9][a-z0-9._\-]{1,61}[a-z0-9]", bucket):
        return None
    return f"DataflowRunner: {bucket!r} is no bucket's name: give OUT=gs://bucket/folder"


def _temp_problem(temp: str) -> str | None:
    """Of a bucket beside OUT's, which every run looks at: one that is not there would show when all is packed."""
    try:
        _ = temp and files.exists(temp)
    except (files.StoreError, files.StoreUnavailable) as problem:
        return f"[dataflow] temp: {problem}"
    return None


def _credentials_problem() -> str | None:
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError

    try:
        google.auth.default()
    except DefaultCredentialsError:
        login = "run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS"
        return f"DataflowRunner: this machine has no Google credentials: {login}"
    return None
