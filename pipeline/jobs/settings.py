"""Where graphs run: the recipe's sections [beam] and [dataflow]. None of it changes a byte of what is written.

A key of [beam] that is not one of ours is an option of Beam's, or of the engine's, by its own name; it becomes a word
of `options` (`number_of_worker_harness_threads = 4` is `--number_of_worker_harness_threads=4`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from florenz.recipes.checks import below_1, raise_if
from florenz.recipes.kinds import kinds_in
from florenz.recipes.sections import keys_of, nearest

ROOM = "pipeline.runners"
LOCAL = "local"


@dataclass(frozen=True, kw_only=True)
class BeamSettings:
    """[beam]: the runner, what it must know to be found, and any further option of Beam's."""

    runner: str = ""
    """PrismRunner, FlinkRunner, PortableRunner or DataflowRunner; empty runs on this machine, without an engine."""

    flink_master: str = ""
    """host:port of Flink's REST interface; "[local]" is a Flink inside the job server, for a trial."""

    flink_jar: str = ""
    """Beam's job server for Flink, a file on this machine; empty lets Beam download it."""

    job_endpoint: str = ""
    """host:port of a job server that runs already."""

    job_timeout_s: int | None = None
    """Seconds after which a job is cancelled; None waits for as long as it takes."""

    options: tuple[str, ...] = ()
    """Words of Beam's own command line, as "--name=value"."""

    def __post_init__(self) -> None:
        raise_if([*self._faults(), *below_1(job_timeout_s=self.job_timeout_s)])

    @property
    def kind(self) -> str:
        """The module in pipeline/runners: "flink" for FlinkRunner."""
        return self.runner.lower().removesuffix("runner") or LOCAL

    def option(self, name: str) -> str | None:
        """What the options say of one; None if they don't."""
        found = [word.partition("=")[2] for word in self.options if word.partition("=")[0] == f"--{name}"]
        return found[-1] if found else None

    def _faults(self) -> Iterator[str]:
        if self.kind not in kinds_in(ROOM):
            yield f"runner (RUNNER) is {self.runner!r}: {nearest(self.runner, runner_names())}"
        for label, address in {
            "flink_master (FLINK_MASTER)": self.flink_master,
            "job_endpoint (JOB_ENDPOINT)": self.job_endpoint,
        }.items():
            if address and not re.fullmatch(r"(https?://)?[\w.\-\[\]:]+:\d{1,5}|\[(local|auto)\]", address):
                yield f"{label} is {address!r}: write it as host:port"
        for word in self.options:
            if not re.fullmatch(r"--[A-Za-z]\w*(=.*)?", word, re.DOTALL):
                yield f"options has {word!r}: write each as --name=value"


@dataclass(frozen=True, kw_only=True)
class DataflowSettings:
    """[dataflow]: what a job there is made of. Two kinds of workers: plain ones, and those with a GPU for models."""

    project: str = ""
    """The project that pays."""

    region: str = ""
    """Where workers run, as "europe-west4"; the buckets should lie there too."""

    temp: str = ""
    """gs:// folder for what Dataflow stages; empty takes temp/ in OUT."""

    worker_image: str = ""
    """Image of plain workers; empty takes REGION-docker.pkg.dev/PROJECT/florenz/worker-cpu:VERSION."""

    gpu_worker_image: str = ""
    """Image of workers with a GPU; empty takes worker-gpu beside the other."""

    machine_type: str = "n2-standard-8"
    """Of plain workers."""

    gpu_machine_type: str = "g2-standard-8"
    """Of workers with a GPU."""

    accelerator: str = "type:nvidia-l4;count:1;install-nvidia-driver"
    """The GPU of a worker, in the words of Beam's resource hint; empty for models on the CPU."""

    disk_gb: int = 50
    """Disk of a plain worker: it holds the image and no data."""

    gpu_disk_gb: int = 200
    """Disk of a worker with a GPU: image and weights."""

    max_workers: int = 100
    """Plain workers, at most."""

    max_gpu_workers: int = 8
    """Workers with a GPU, at most."""

    threads: int = 8
    """Threads of a plain worker process."""

    gpu_threads: int = 2
    """Threads of a process that holds a model: while one waits for the GPU, the other reads and decodes."""

    service_account: str = ""
    """Who the workers act as; empty takes the project's default."""

    subnetwork: str = ""
    """Full URL of the network's part; empty takes the project's default."""

    def __post_init__(self) -> None:
        counts = ("disk_gb", "gpu_disk_gb", "max_workers", "max_gpu_workers", "threads", "gpu_threads")
        raise_if(
            [*below_1(**{name: getattr(self, name) for name in counts}), *_patterns(self)],
        )


def _patterns(settings: DataflowSettings) -> Iterator[str]:
    if settings.project and not re.fullmatch(r"([a-z][a-z0-9.\-]*:)?[a-z][a-z0-9\-]{4,28}[a-z0-9]", settings.project):
        yield f"project (PROJECT) is {settings.project!r}: give the project's id, as in my-project-123"
    if settings.region and not re.fullmatch(r"[a-z]+-[a-z]+\d+", settings.region):
        yield f"region (REGION) is {settings.region!r}: give a region (not a zone), as europe-west4"
    if settings.temp and not settings.temp.startswith("gs://"):
        yield f"temp is {settings.temp!r}: name a folder in a bucket, gs://..."
    if settings.accelerator and not settings.accelerator.startswith("type:"):
        yield f'accelerator is {settings.accelerator!r}: write it as "type:nvidia-l4;count:1;install-nvidia-driver"'


def runner_names() -> list[str]:
    return [f"{kind.capitalize()}Runner" for kind in kinds_in(ROOM)]


def with_options(table: Mapping[str, Any]) -> dict[str, Any]:
    """The section with every key that is not ours as a word of `options`; values that are no option stay as they are,
    and are then refused as unknown keys.
    """
    known = set(keys_of(BeamSettings))
    section = {key: value for key, value in table.items() if key in known or not _is_option(value)}
    words = [word for key, value in table.items() if key not in section for word in _words(key, value)]
    given = section.get("options", [])
    if words and isinstance(given, list):
        section["options"] = [*given, *words]
    return section


def _is_option(value: Any) -> bool:
    items = value if isinstance(value, list) else [value]
    return all(isinstance(item, str | int | float) for item in items)


def _words(key: str, value: Any) -> list[str]:
    """As Beam's own `PipelineOptions.from_dictionary`: true is the bare word, false is silence, a list repeats it."""
    if isinstance(value, bool):
        return [f"--{key}"] if value else []
    return [f"--{key}={item}" for item in (value if isinstance(value, list) else [value])]
