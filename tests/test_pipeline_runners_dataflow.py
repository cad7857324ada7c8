"""What DataflowRunner is sent: the whole request, built by Beam's own runner, with no network and nothing staged.

Three things of Beam's are replaced, all at the network's edge: the question about the bucket's soft delete, the upload,
and the submission. It has never been run on the real service.
"""

import io
import json
import os
import socket
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from apache_beam.options.pipeline_options import GoogleCloudOptions
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.dataflow.internal.apiclient import DataflowApplicationClient
from google.protobuf import json_format
from pipeline_examples import answers_for, makers_for, recipe_for

from benchmarks.stand_in_stores import StandInStore
from florenz.captioners.vision_chat.settings import Settings as VisionChatSettings
from florenz.pipeline.answers.graphs import run_captioning, run_scoring, run_translation
from florenz.pipeline.answers.questions import CaptionTask, ScoreTask, TranslationTask
from florenz.pipeline.assemble.build import assembly_of
from florenz.pipeline.assemble.graph import run_assembly
from florenz.pipeline.image_index import Index, IndexPart
from florenz.pipeline.index import build_index
from florenz.pipeline.jobs.settings import BeamSettings, DataflowSettings
from florenz.pipeline.listing import listing_of
from florenz.pipeline.recipe import Recipe
from florenz.pipeline.runners import dataflow
from florenz.pipeline.runners.contract import Running
from florenz.pipeline.workers.given import given
from florenz.scorers.metricx import Settings as MetricXSettings
from florenz.stores import files
from florenz.stores.files import Entry

OUT = "gs://some-bucket/florenz"
KEY = "sk-do-not-send-me"
LOOKED_AT = files.exists  # in the other tests nobody knows anything of a bucket
REPOSITORY = "europe-west4-docker.pkg.dev/some-project/florenz"


class Submitted(Exception):
    """Instead of a job."""


@dataclass
class Requests:
    """What would have gone to the service."""

    jobs: list[Any] = field(default_factory=list)
    staged: dict[str, bytes] = field(default_factory=dict)

    @property
    def pool(self) -> Any:
        (job,) = self.jobs
        (pool,) = job.environment.worker_pools
        return pool

    @property
    def pipeline(self) -> beam_runner_api_pb2.Pipeline:
        (content,) = self.staged.values()
        return beam_runner_api_pb2.Pipeline.FromString(content)

    def hints(self) -> dict[str, dict[str, str]]:
        """Step -> the resource hints of the environment that it runs in, without Beam's own prefix."""
        components = self.pipeline.components
        found = {}
        for step in components.transforms.values():
            if step.environment_id:
                hints = components.environments[step.environment_id].resource_hints
                found[step.unique_name] = {urn.split(":")[2]: value.decode() for urn, value in hints.items()}
        return found

    def everything(self) -> str:
        """All that is sent, as text."""
        (job,) = self.jobs
        return str(json_format.MessageToDict(type(job).pb(job))) + repr(b"".join(self.staged.values()))


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> Requests:
    found = Requests()

    def stage(self: Any, folder: str, name: str, stream: io.BytesIO, **_: Any) -> None:
        assert folder == f"{OUT}/temp/staging/{folder.rpartition('/')[2]}"
        found.staged[name] = stream.read()

    def submit(self: Any, job: Any) -> None:
        found.jobs.append(job.proto)
        raise Submitted

    def no_network(self: socket.socket, address: Any) -> None:
        raise AssertionError(f"a connection to {address}")

    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("FLORENZ_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr(GoogleCloudOptions, "_warn_if_soft_delete_policy_enabled", lambda self, name: None)
    monkeypatch.setattr(DataflowApplicationClient, "stage_file_with_retry", stage)
    monkeypatch.setattr(DataflowApplicationClient, "submit_job_description", submit)
    monkeypatch.setattr(socket.socket, "connect", no_network)
    return found


def recipe(**changes: Any) -> Recipe:
    values: dict[str, Any] = {
        "dataflow": DataflowSettings(project="some-project", region="europe-west4"),
        "beam": BeamSettings(runner="DataflowRunner", options=("--no_auth",)),
        "scorers": {"quality": MetricXSettings(model="org/scorer", score_token_id=1)},
    }
    return recipe_for(OUT, "gs://some-bucket/photos", **{**values, **changes})  # type: ignore[arg-type]


TASKS = [CaptionTask(key="0" * 32, source="gs://some-bucket/photos/a.jpg", styles=("short",))]
QUESTIONS = [TranslationTask(key="0" * 32, style="short", language="de", source_text="A red car.")]
SCORES = [
    ScoreTask(
        key="0" * 32, source=TASKS[0].source, style="short", language="de", source_text="A cat.", text="Eine Katze."
    )
]


@pytest.fixture(autouse=True)
def fingerprints(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of models that nobody has."""
    monkeypatch.setattr("florenz.pipeline.answers.graphs.style_fingerprints", lambda settings: {"short": "c" * 16})
    monkeypatch.setattr("florenz.pipeline.answers.graphs.translator_fingerprint", lambda *_: "t" * 16)
    monkeypatch.setattr("florenz.pipeline.answers.graphs.score_fingerprint", lambda settings: "s" * 16)


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the bucket, which the launcher would ask first."""

    def absent(path: str) -> Any:
        raise FileNotFoundError(path)

    for read_it in ("read_bytes", "open_read"):
        monkeypatch.setattr(f"florenz.stores.files.{read_it}", absent)
    monkeypatch.setattr("florenz.stores.files.list_files", lambda folder: [])
    monkeypatch.setattr("florenz.stores.files.exists", lambda path: False)
    monkeypatch.setattr("florenz.stores.files.atomic_write", lambda path: io.BytesIO())
    entry = Entry(name="gs://some-bucket/photos/a.jpg", size=1, modified=0.0, stamp="1")
    monkeypatch.setattr("florenz.pipeline.listing.listed", lambda source, limits: iter([entry]))


def read(recipe: Recipe) -> None:
    build_index(recipe, listing_of(recipe), None)


def caption(recipe: Recipe) -> None:
    run_captioning(recipe, given(TASKS, recipe.running), None)


def translate(recipe: Recipe, step: str = "translate") -> None:
    run_translation(recipe, given(QUESTIONS, recipe.running), recipe.translator.running_servers, None, step=step)


def again(recipe: Recipe) -> None:
    translate(recipe, "again")


def rephrase(recipe: Recipe) -> None:
    translate(recipe, "rephrase")


def score(recipe: Recipe) -> None:
    run_scoring(recipe, "quality", given(SCORES, recipe.running), None)


def assemble(recipe: Recipe) -> None:
    assembly = replace(assembly_of(recipe, makers_for(recipe)), build="b" * 16)
    part = IndexPart(range="3", images=1, rejected={}, sha256="")
    index = Index(parts=(part,), digits=1, out=recipe.out)
    run_assembly(assembly, index, answers_for(recipe), None, recipe.running)


STEPS = {step.__name__: step for step in (read, caption, translate, again, rephrase, score, assemble)}
# Job -> its step that asks a model.
ASKING = {"caption": "caption", "score": "score"} | dict.fromkeys(("translate", "again", "rephrase"), "translate")


@pytest.fixture(params=STEPS)
def step(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def submit(step: str, recipe: Recipe) -> None:
    with pytest.raises(Submitted):
        STEPS[step](recipe)


def test_each_step_is_a_job_of_its_own_with_its_image_machine_and_threads(step: str, requests: Requests) -> None:
    submit(step, recipe())
    (job,) = requests.jobs
    assert job.name.startswith(f"florenz-{step}-") and dict(job.labels) == {"florenz-step": step}
    needs_model = step in ASKING
    kind, threads, disk, most = ("gpu", 2, 200, 8) if needs_model else ("cpu", 8, 50, 100)
    image = f"{REPOSITORY}/worker-{kind}:0.1.0"
    pool = requests.pool
    assert pool.worker_harness_container_image == image or not pool.worker_harness_container_image
    assert {one.container_image for one in pool.sdk_harness_container_images} == {image}
    assert pool.machine_type == "n2-standard-8"
    assert (pool.num_threads_per_worker, pool.disk_size_gb) == (threads, disk)
    assert pool.autoscaling_settings.max_num_workers == most
    assert ("no_use_multiple_sdk_containers" in job.environment.experiments) == needs_model
    assert "/some-bucket/florenz/temp/" in job.environment.temp_storage_prefix
    assert list(pool.packages) == [], "nothing is installed at the start of a worker"


def test_the_steps_that_ask_a_model_have_a_gpu_and_no_other_step_has(step: str, requests: Requests) -> None:
    submit(step, recipe())
    gpu = {"accelerator": "type:nvidia-l4;count:1;machine_type:g2-standard-8;install-nvidia-driver"}
    hints = requests.hints()
    asking = {name: found for name, found in hints.items() if name.split("/")[0] == ASKING.get(step)}
    others = {name: found for name, found in hints.items() if name not in asking}
    assert all(found == {} for found in others.values()) and len(others) > 2
    assert bool(asking) == (step in ASKING)
    assert all(found == gpu for found in asking.values())


ENDPOINT = "http://10.0.0.5:8000/v1"
THERE = {
    "caption": {"captioner": VisionChatSettings(model="org/sees", endpoint=ENDPOINT)},
    "translate": {"translator": replace(recipe().translator, endpoint=ENDPOINT)},
}


@pytest.mark.parametrize("step", THERE)
def test_asking_at_a_named_endpoint_needs_no_gpu(step: str, requests: Requests) -> None:
    submit(step, recipe(**THERE[step]))
    assert all(found == {} for found in requests.hints().values())


def test_nothing_of_the_launcher_is_sent(step: str, requests: Requests) -> None:
    submit(step, recipe())
    sent = requests.everything().replace("localhost:9092", "Beam's default for Kafka")
    assert OUT in sent, "this is the text of what is sent"
    here = Path(__file__).resolve()
    strangers = [KEY, str(here.parents[1]), str(here.parents[1].resolve()), os.getcwd(), str(Path.home()) + "/"]
    strangers += ["/tmp/", "127.0.0.1", "localhost", socket.gethostname() + "."]
    assert [word for word in strangers if word in sent] == []
    assert b"main_session" not in b"".join(requests.staged.values()) and "pickled_main_session" not in requests.staged
    (job,) = requests.jobs
    options = json_format.MessageToDict(type(job).pb(job))["environment"]["sdkPipelineOptions"]["options"]
    assert not options.get("save_main_session")


def test_the_recipe_says_it_otherwise(requests: Requests) -> None:
    settings = DataflowSettings(
        project="some-project", region="us-central1", worker_image="gcr.io/x/mine:3", machine_type="n2-highmem-4",
        threads=3, disk_gb=70, max_workers=5, service_account="a@b.iam.gserviceaccount.com",
    )  # fmt: skip
    words = ("--no_auth", "--dataflow_service_options=enable_prime", "--max_cache_memory_usage_mb=50")
    submit("read", recipe(dataflow=settings, beam=BeamSettings(runner="DataflowRunner", options=words)))
    pool = requests.pool
    assert {one.container_image for one in pool.sdk_harness_container_images} == {"gcr.io/x/mine:3"}
    assert (pool.machine_type, pool.num_threads_per_worker, pool.disk_size_gb) == ("n2-highmem-4", 3, 70)
    assert pool.autoscaling_settings.max_num_workers == 5
    (job,) = requests.jobs
    assert list(job.environment.service_options) == ["enable_prime"]
    assert job.environment.service_account_email == "a@b.iam.gserviceaccount.com"


# -- before anything is staged ----------------------------------------------------------------------------------------


def problems(**changes: Any) -> list[str]:
    return list(dataflow.problems(recipe(**changes).running))


def test_what_is_missing_is_told_in_one_line_each(monkeypatch: pytest.MonkeyPatch) -> None:
    assert problems() == []
    (no_project,) = problems(dataflow=DataflowSettings(region="europe-west4"))
    assert "PROJECT=" in no_project
    (no_region,) = problems(dataflow=DataflowSettings(project="some-project"))
    assert "REGION=" in no_region
    local = Running(out="data/out", beam=recipe().beam, dataflow=recipe().dataflow)
    (no_bucket,) = dataflow.problems(local)
    assert "'data/out'" in no_bucket and "OUT=gs://" in no_bucket


def test_a_bucket_for_what_is_staged_that_is_not_there_is_told(
    gs_store: StandInStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("florenz.stores.files.exists", LOOKED_AT)

    def with_temp(temp: str) -> list[str]:
        settings = replace(recipe().dataflow, temp=temp)
        return list(dataflow.problems(Running(out=OUT, beam=recipe().beam, dataflow=settings)))

    assert with_temp(f"{gs_store.bucket}/temp") == []
    (line,) = with_temp("gs://no-such-bucket/temp")
    assert line.startswith("[dataflow] temp: ") and "there is no such bucket" in line


def test_missing_credentials_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    (line,) = problems(beam=BeamSettings(runner="DataflowRunner"))
    assert "no Google credentials" in line and "gcloud auth application-default login" in line


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"project": "No Project"}, "project (PROJECT)"),
        ({"region": "europe-west4-a"}, "not a zone"),
        ({"temp": "s3://bucket"}, "gs://"),
        ({"accelerator": "nvidia-l4"}, "type:nvidia-l4"),
        ({"threads": 0}, "at least 1"),
    ],
)
def test_a_wrong_value_is_refused_when_the_recipe_is_read(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match="") as caught:
        DataflowSettings(**settings)
    assert words in str(caught.value)


def test_json_holds_the_settings() -> None:
    record = recipe().to_dict()
    assert json.loads(json.dumps(record["dataflow"]))["gpu_machine_type"] == "g2-standard-8"
