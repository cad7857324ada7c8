"""What can be known to be wrong is told before the work starts: one line each, together, and nothing is left behind."""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest
from pipeline_examples import MODELS, recipe_for, write_pictures

from benchmarks.stand_in_server import StandInServer, hang
from florenz.captioners.contract import CaptionerSettings
from florenz.captioners.florence2 import Settings as Captioner
from florenz.captioners.vision_chat import Settings as VisionSettings
from florenz.images import listing
from florenz.languages import identification as language_id
from florenz.limits.table import Limits
from florenz.pipeline import gpus, preflight
from florenz.pipeline import run as run_module
from florenz.pipeline.recipe import Recipe, Translator
from florenz.pipeline.run import Run
from florenz.pipeline.serving import Serving
from florenz.recipes.recipe_file import RecipeError
from florenz.stores.files import Entry
from florenz.stores.publication import Publication
from florenz.translators.settings import TranslatorSettings

CAPTIONER, TRANSLATOR = str(MODELS / "captioner"), str(MODELS / "translator")


@pytest.fixture
def server() -> Iterator[StandInServer]:
    with StandInServer(TRANSLATOR) as running:
        yield running


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    """One that passes every check."""
    write_pictures(tmp_path / "pictures", 1)
    return recipe_for(
        tmp_path / "out",
        tmp_path / "pictures",
        captioner=Captioner(model=CAPTIONER),
        translator=Translator(settings=TranslatorSettings(model=TRANSLATOR, prompt="playground")),
    )


def problems(recipe: Recipe) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        preflight.check(recipe)
    assert all("\n" not in problem for problem in caught.value.problems)
    return list(caught.value.problems)


def the_problem(recipe: Recipe) -> str:
    (problem,) = problems(recipe)
    return problem


def with_source(recipe: Recipe, source: Path | str) -> Recipe:
    return replace(recipe, images=replace(recipe.images, source=str(source)))


def with_captioner(recipe: Recipe, model: Path | str) -> Recipe:
    return replace(recipe, captioner=replace(recipe.captioner, model=str(model)))


def with_translator(recipe: Recipe, model: Path | str, *, endpoint: str = "", prompt: str = "playground") -> Recipe:
    settings = TranslatorSettings(model=str(model), prompt=prompt)
    return replace(recipe, translator=Translator(settings=settings, endpoint=endpoint))


def test_a_good_recipe_passes_and_leaves_nothing_behind(recipe: Recipe) -> None:
    preflight.check(recipe)
    assert not Path(recipe.out).exists()


def test_a_missing_and_an_empty_image_folder_are_told(recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for source in (tmp_path / "nowhere", tmp_path / "empty", tmp_path / "*.jpg"):
        line = the_problem(with_source(recipe, source))
        assert line.startswith("IMAGES: no images at") and str(source) in line


def test_an_out_that_cannot_be_written_is_told(recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for out in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/florenz")):
        line = the_problem(replace(recipe, out=str(out)))
        assert line.startswith(f"can't write into OUT {str(out)!r}") and "choose another folder" in line


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_write_permission_is_told(recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    assert "Permission denied" in the_problem(replace(recipe, out=str(tmp_path / "locked" / "out")))


def test_an_out_inside_the_images_is_told(recipe: Recipe, tmp_path: Path) -> None:
    line = the_problem(replace(recipe, out=str(tmp_path / "pictures" / "out")))
    assert "lies inside IMAGES" in line and "choose another OUT" in line


def test_a_disk_that_is_too_small_is_told(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    needed = int((Path(recipe.images.source) / "000.jpg").stat().st_size * preflight.DISK_MARGIN)
    usage = type(shutil.disk_usage("/"))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**12, 0, needed - 1))
    assert "make room, or choose another OUT" in the_problem(recipe)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**12, 0, needed + 1))
    preflight.check(recipe)


def test_a_link_to_nothing_does_not_hide_that_the_disk_is_too_small(
    recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    (Path(recipe.images.source) / "gone.jpg").symlink_to("nowhere")
    usage = type(shutil.disk_usage("/"))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**12, 0, 1))
    assert "make room, or choose another OUT" in the_problem(recipe)


def test_images_are_listed_once(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    listed: list[str] = []
    list_entries = listing.listed

    def noted(source: str, limits: Limits) -> Iterator[Entry]:
        listed.append(source)
        return list_entries(source, limits)

    monkeypatch.setattr(listing, "listed", noted)
    preflight.check(recipe)
    assert listed == [recipe.images.source]


def test_a_style_without_a_task_is_told(recipe: Recipe) -> None:
    line = the_problem(replace(recipe, captioner=replace(recipe.captioner, styles=("short", "haiku"))))
    assert "'haiku'" in line and "short, detailed" in line


def test_a_language_that_the_tiny_translator_lacks_is_told_with_the_recipe_to_take(recipe: Recipe) -> None:
    line = the_problem(replace(recipe, languages=("de", "it")))
    assert "does not know it (Italian)" in line and "RECIPE=configs/florence2.toml" in line


@pytest.mark.parametrize("name", ["/no/such/folder", "./nowhere", "models/mine", "a/b/c", "playground/models/other"])
def test_a_model_folder_that_is_not_there_is_told_and_not_sought_on_the_hub(recipe: Recipe, name: str) -> None:
    expected = f"there is no model folder {name!r}: check the path, or make the model first"
    assert the_problem(with_captioner(recipe, name)) == f"captioner: {expected}"
    assert the_problem(with_translator(recipe, name)) == f"translator: {expected}"


def test_a_folder_that_is_no_model_is_told(recipe: Recipe, tmp_path: Path) -> None:
    assert "has no config.json" in the_problem(with_captioner(recipe, tmp_path / "pictures"))
    assert "has no config.json" in the_problem(with_translator(recipe, tmp_path / "pictures"))


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[]"])
def test_a_damaged_config_is_told(recipe: Recipe, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "config.json").write_bytes(content)
    line = the_problem(with_captioner(recipe, tmp_path))
    assert line.startswith("captioner: the config.json of") and line.endswith("copy the model again")


def test_a_captioner_must_be_a_florence_with_weights(recipe: Recipe, tmp_path: Path) -> None:
    assert "is a llama, not a Florence-2" in the_problem(with_captioner(recipe, TRANSLATOR))
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "florence2"}))
    assert "has no weights (*.safetensors)" in the_problem(with_captioner(recipe, tmp_path))


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A hub that refuses connections, and an empty cache."""
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "no-cache"))


@pytest.mark.usefixtures("no_hub")
def test_a_gpu_that_is_not_there_is_told_before_anything_is_loaded(
    recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def on(device: str) -> Recipe:
        return replace(recipe, captioner=replace(recipe.captioner, device=device))

    monkeypatch.setattr(gpus, "most_gpus", lambda: 0)
    for device in ("cuda", "cuda:0"):
        assert the_problem(on(device)) == (
            f'captioner: device = {device!r}, and there is no GPU here: name another, or write device = "auto"'
        )
    preflight.check(on("auto"))
    elsewhere = replace(on("cuda:0"), beam=replace(recipe.beam, runner="PortableRunner"))
    assert list(gpus.problems(elsewhere)) == [], "the workers have it, not this machine"
    monkeypatch.setattr(gpus, "most_gpus", lambda: 2)
    preflight.check(on("cuda:1"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    assert "there are 2 GPUs here (CUDA_VISIBLE_DEVICES is '4,6')" in the_problem(on("cuda:2"))
    monkeypatch.setattr(gpus, "most_gpus", lambda: None)
    preflight.check(on("cuda:7"))  # nothing here says how many there are: torch will


def test_a_server_that_takes_more_gpus_than_there_are_is_told(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    def parallel(endpoint: str = "", **changes: Any) -> list[str]:
        settings = replace(recipe.translator.settings, **changes)
        return list(gpus.problems(replace(recipe, translator=Translator(settings=settings, endpoint=endpoint))))

    monkeypatch.setattr(gpus, "most_gpus", lambda: 1)
    assert parallel(tensor_parallel=2) == [
        "translator: tensor_parallel = 2 takes 2 GPUs, and there is 1 GPU here: lower it"
    ]
    monkeypatch.setattr(gpus, "most_gpus", lambda: 4)
    (told,) = parallel(tensor_parallel=2, data_parallel=4)
    assert "tensor_parallel = 2 and data_parallel = 4 take 8 GPUs, and there are 4 GPUs here" in told
    assert parallel(tensor_parallel=2, data_parallel=2) == []
    assert parallel("http://a:8000/v1", tensor_parallel=8) == [], "its GPUs are the server's"
    assert parallel(tensor_parallel=8, server_args=("--nnodes", "2")) == []
    monkeypatch.setattr(gpus, "most_gpus", lambda: 0)
    assert parallel(tensor_parallel=2) == [], "vLLM on a CPU can be parallel too"


@dataclass(frozen=True, kw_only=True)
class Foreign(CaptionerSettings):
    """Of a captioner that somebody has added, with words of its own for where it computes."""

    kind: str = "foreign"
    device: str = "npu:first"


def test_a_server_waits_for_a_captioner_whose_gpu_it_would_take_for_itself(
    recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def takes(device: str = "auto", endpoint: str = "", workers: int = 1, **changes: Any) -> bool:
        settings = replace(recipe.translator.settings, **changes)
        translator = Translator(settings=settings, endpoint=endpoint)
        captioner = replace(recipe.captioner, device=device)
        changed = replace(recipe, captioner=captioner, translator=translator, workers=workers)
        found = gpus.takes_its_gpu(changed, captioner, translator)
        started: list[Serving] = []
        with monkeypatch.context() as patch:
            patch.setattr(Serving, "start", lambda serving: started.append(serving))
            published = cast(Publication, None)
            run_module._start_early(Run(changed, print, may_replace=False, publication=published), 3)
        assert bool(started) is not found, "of a first run of few images it comes up at once, or not before it must"
        return found

    monkeypatch.setattr(gpus, "most_gpus", lambda: 1)
    assert takes("auto") and takes("cuda") and takes("cuda:0")
    assert not takes("cpu") and not takes(endpoint="http://a:8000/v1")
    assert not takes(gpu_memory_utilization=0.5) and not takes(kv_cache_gib=2.0)
    assert not takes(server_args=("--gpu-memory-utilization=0.5",))
    monkeypatch.setattr(gpus, "most_gpus", lambda: 4)
    assert not takes("auto") and not takes("auto", workers=3), "captioners take the last GPUs, the server the first"
    assert takes("auto", workers=4) and takes("auto", tensor_parallel=2, data_parallel=2)
    assert takes("cuda:0") and not takes("cuda:1") and takes("cuda:1", tensor_parallel=2)
    monkeypatch.setattr(gpus, "most_gpus", lambda: 0)
    assert not takes("auto"), "both compute on the CPU"
    monkeypatch.setattr(gpus, "most_gpus", lambda: None)
    assert takes("auto"), "there may be one"
    other = VisionSettings(model="m", endpoint="http://a:8000/v1")
    assert not gpus.takes_its_gpu(recipe, other, recipe.translator), "it computes elsewhere"
    assert not gpus.takes_its_gpu(recipe, Foreign(model="m"), recipe.translator), "nobody knows where"
    assert list(gpus.problems(replace(recipe, captioner=Foreign(model="m")))) == []


@pytest.mark.parametrize(
    ("files", "visible", "most"),
    [
        ((), None, 0), ((), "0,1", 0), (("nvidiactl", "nvidia-uvm"), None, 0), (("nvidia0", "nvidia1"), None, 2),
        (("nvidia0", "nvidia1"), "1", 1), (("nvidia0",), "0,GPU-5a", 1), (("nvidia0", "nvidia1"), "", 0),
        (("nvidia0",), "-1", 0), (("nvidia0",), "MIG-a,MIG-b", 2),
        (("kfd",), None, None), (("dxg", "nvidia0"), "0", None),
    ],
)  # fmt: skip
def test_gpus_are_counted_by_the_driver_s_files(
    tmp_path: Path, files: tuple[str, ...], visible: str | None, most: int | None
) -> None:
    for name in files:
        (tmp_path / name).touch()
    environment = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    assert gpus.most_gpus(tmp_path, tmp_path / "driver", environment) == most


def test_gpus_that_have_no_device_file_here_are_counted_too(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / "driver" / f"0000:0{number}:00.0").mkdir(parents=True)
    assert gpus.most_gpus(tmp_path, tmp_path / "driver", {}) == 3


def test_a_hub_out_of_reach_is_told(recipe: Recipe) -> None:
    line = the_problem(with_captioner(recipe, "no-such-org/no-such-model"))
    assert line.startswith("captioner: can't reach the model hub for 'no-such-org/no-such-model' (")
    assert "check the name and the network" in line
    assert the_problem(with_translator(recipe, "no-such-model")).startswith("translator: can't reach the model hub")


def test_a_hub_that_keeps_us_waiting_is_waited_for_once(
    recipe: Recipe, server: StandInServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight seconds for each model of a recipe are no preflight of ten."""
    asked: list[str] = []
    server.describe = lambda request: (asked.append(request.path), hang(request))[1]
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", server.endpoint)
    monkeypatch.setattr("florenz.stores.models.HUB_TIMEOUT_S", 0.2)
    lines = problems(with_captioner(with_translator(recipe, "org/translator"), "org/captioner"))
    assert len(asked) == 1 and len(lines) == 2
    assert all(f"can't reach the model hub for 'org/{role}' (timed out)" in line
               for role, line in zip(("captioner", "translator"), lines, strict=True))  # fmt: skip


def test_a_hub_is_asked_by_us_before_transformers_asks_it_for_minutes(
    recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("florenz.translators.prompts.load_tokenizer", lambda *_: pytest.fail("it took 98 s"))
    with StandInServer("org/m") as running:
        line = the_problem(with_translator(recipe, "org/m", endpoint=running.endpoint, prompt="chat"))
        assert line.startswith("translator: can't reach the model hub for 'org/m'")
        hosted = TranslatorSettings(model="org/m", api="chat")  # its server writes the prompt
        preflight.check(replace(recipe, translator=Translator(settings=hosted, endpoint=running.endpoint)))


def test_a_family_for_another_model_is_told_where_the_hub_is_out_of_reach_too(recipe: Recipe) -> None:
    lines = problems(with_translator(recipe, "tencent/Hunyuan-MT-7B", prompt="alma"))
    assert ["can't reach the model hub" in lines[0], "write prompt = 'hunyuan_mt'" in lines[1]] == [True, True]


def test_what_the_hub_says_is_told(recipe: Recipe, server: StandInServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-in answers every path with {}, and with 501 what is no GET: enough of a hub for both outcomes."""
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", server.endpoint)
    assert "is a None, not a Florence-2" in the_problem(with_captioner(recipe, "org/model"))
    preflight.check(with_translator(recipe, "org/model"))


def test_a_cached_model_needs_no_hub(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_, **__: f"{CAPTIONER}/config.json")
    preflight.check(with_captioner(recipe, "org/model"))


def test_a_hub_switched_off_is_not_asked(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE is set" in the_problem(with_captioner(recipe, "org/model"))


def test_an_endpoint_that_does_not_answer_is_told(recipe: Recipe) -> None:
    line = the_problem(with_translator(recipe, TRANSLATOR, endpoint="http://127.0.0.1:9/v1"))
    assert line.startswith("translator: http://127.0.0.1:9/v1 is out of reach")


def test_an_endpoint_that_serves_another_model_is_told(recipe: Recipe, server: StandInServer) -> None:
    line = the_problem(with_translator(recipe, "org/other", endpoint=server.endpoint))
    assert f"serves {TRANSLATOR}, not 'org/other'" in line


def test_a_running_server_makes_the_models_files_unnecessary(recipe: Recipe) -> None:
    with StandInServer("org/elsewhere") as server:
        preflight.check(with_translator(recipe, "org/elsewhere", endpoint=server.endpoint))


def test_a_chat_prompt_needs_a_tokenizer_with_a_template(recipe: Recipe, server: StandInServer) -> None:
    line = the_problem(with_translator(recipe, TRANSLATOR, endpoint=server.endpoint, prompt="chat"))
    assert "has no chat template" in line


def test_of_a_model_that_runs_elsewhere_a_folder_with_its_tokenizer_is_enough(recipe: Recipe, tmp_path: Path) -> None:
    folder = tmp_path / "tokenizer"
    folder.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(Path(TRANSLATOR) / name, folder)
    with StandInServer(str(folder)) as server:
        line = the_problem(with_translator(recipe, str(folder), endpoint=server.endpoint, prompt="chat"))
    assert "has no chat template" in line, "and not: no config.json"


def test_vllm_must_be_there_unless_an_endpoint_is_given(
    recipe: Recipe, server: StandInServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("florenz.translators.server.find_spec", lambda name: None)
    assert "vLLM is not installed" in the_problem(recipe)
    preflight.check(with_translator(recipe, TRANSLATOR, endpoint=server.endpoint))


def test_all_problems_are_told_at_once(recipe: Recipe) -> None:
    bad = with_captioner(with_source(recipe, "/nowhere"), "/no/model")
    bad = replace(bad, out="/proc/florenz", languages=("de", "it"))
    bad = replace(bad, captioner=replace(bad.captioner, styles=("haiku",)))
    told = problems(bad)
    assert len(told) == 5
    for word in ("'haiku'", "Italian", "can't write into OUT", "IMAGES", "captioner"):
        assert sum(word in line for line in told) >= 1, word


def test_the_playgrounds_models_on_other_pictures_are_worth_a_warning(recipe: Recipe) -> None:
    (warning,) = preflight.warnings(recipe)
    assert "know the playground's pictures only" in warning and "RECIPE=configs/florence2.toml" in warning
    assert preflight.warnings(with_source(recipe, "playground")) == []


def test_other_models_on_other_pictures_are_not(recipe: Recipe, tmp_path: Path) -> None:
    copy = shutil.copytree(CAPTIONER, tmp_path / "my-captioner")
    assert preflight.warnings(with_captioner(with_translator(recipe, "org/model"), copy)) == []


def test_a_broken_language_id_is_told_before_anything_is_paid(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken.ftz").write_bytes(b"no model")
    monkeypatch.setenv("FLORENZ_LID", str(tmp_path / "broken.ftz"))
    assert the_problem(recipe).startswith("language ID: language ID model") and "replace the file" in the_problem(
        recipe
    )


def test_a_language_id_that_answers_wrongly_is_told(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "GERMAN", "There is a small house by the river.")
    assert "for en: see what make doctor says" in the_problem(recipe)


def test_another_module_of_fasttexts_name_is_told(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """fasttext-predict installs one whose models have no get_labels."""

    class LessModel:
        def predict(self, texts: list[str], k: int = 1) -> None: ...

    monkeypatch.setattr(language_id.fasttext, "load_model", lambda path: LessModel())
    monkeypatch.setattr(language_id, "_load_model", language_id._load_model.__wrapped__)
    assert "is not that of fasttext-community: uninstall fasttext-predict" in the_problem(recipe)


def test_a_pillow_without_a_codec_is_told(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight.features, "check", lambda codec: codec not in ("webp", "libtiff"))
    assert the_problem(recipe).startswith("Pillow was built without WebP, TIFF: install a wheel")


def test_an_out_inside_the_images_is_refused_in_an_object_store_too() -> None:
    inside = recipe_for(Path("x"), "s3://bucket/photos")
    problems = list(preflight._images(replace(inside, out="s3://bucket/photos/out")))
    assert problems and "lies inside IMAGES" in problems[0]
    assert not preflight._lies_inside("s3://bucket/photos-out", "s3://bucket/photos")
