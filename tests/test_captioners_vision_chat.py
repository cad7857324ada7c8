"""A vision-language model behind a server: a request for each picture, with the faults and rules of translators."""

import base64
import hashlib
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import apache_beam as beam
import pytest
from captioner_examples import noise
from contracts.captioner import CaptionerContract
from PIL import Image
from pipeline_examples import MODELS, key_of, recipe_for, write_pictures

from benchmarks.stand_in_server import Request, StandInServer, die, script, status
from florenz.captioners import vision_chat
from florenz.captioners.contract import CaptionerSettings
from florenz.captioners.vision_chat import Settings, fingerprint_parts, problems
from florenz.captioners.vision_chat.model import VisionChat, data_url
from florenz.pipeline.answers.captioning import CaptionerError, forget_captioner, load_captioner
from florenz.pipeline.answers.current import CurrentAnswers
from florenz.pipeline.answers.graphs import run_captioning
from florenz.pipeline.answers.ledger import Ledger
from florenz.pipeline.answers.makers import makers_of
from florenz.pipeline.recipe import Recipe, load_recipe
from florenz.recipes.recipe_file import RecipeError
from florenz.translators.endpoint import ServerError


def picture_in(prompt: str) -> Image.Image:
    """What a server sees: the picture of the data URL."""
    url = next(word for word in prompt.split(" ") if word.startswith("data:image/jpeg;base64,"))
    return Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))


def describe(prompt: str) -> str:
    """A text that belongs to this picture and this prompt."""
    seen = hashlib.sha256(picture_in(prompt).tobytes()).hexdigest()[:8]
    return f"A picture {seen} as {'a sentence' if 'one English sentence' in prompt else 'a text'}."


@pytest.fixture
def server() -> Iterator[StandInServer]:
    with StandInServer("org/sees", describe) as running:
        yield running


def settings_of(*servers: StandInServer, **changes: object) -> Settings:
    endpoints = tuple(server.endpoint for server in servers)
    values = {"model": "org/sees", "endpoints": endpoints, "max_retries": 1, "backoff_s": 0.01, **changes}
    return Settings(**values)  # type: ignore[arg-type]


class TestVisionChat(CaptionerContract):
    other_values = {
        "kind": "other", "model": "org/other", "revision": "abc", "styles": ("brief", "long"), "prefix": "qwen_",
        "batch_size": 7, "reading_threads": 3, "prompts": ("Say it.", "Say more."), "system": "You see.",
        "temperature": 0.5, "top_p": 0.5, "max_side_px": 512, "jpeg_quality": 80, "endpoint": "http://b:1/v1",
        "endpoints": ("http://c:1/v1",), "max_tokens": 9, "seed": 1, "dtype": "float32", "prompts_per_request": 3,
        "max_in_flight": 3, "max_sequences": 3, "request_timeout_s": 1.0, "max_retries": 9, "backoff_s": 1.0,
        "backoff_max_s": 1.0, "startup_timeout_s": 1.0, "max_server_restarts": 9, "max_model_len": 999,
        "kv_cache_gib": 1.0, "gpu_memory_utilization": 0.5, "enforce_eager": True, "cpu_threads": 3,
        "server_args": ("--trust",), "tensor_parallel": 2, "data_parallel": 2,
        "key_variable": "OTHER_KEY",
    }  # fmt: skip

    @pytest.fixture
    def settings(self, server: StandInServer) -> CaptionerSettings:
        return settings_of(server)

    @pytest.fixture
    def named(self) -> CaptionerSettings:
        return Settings(model="org/model")

    @pytest.fixture
    def cutting_settings(self, server: StandInServer) -> CaptionerSettings:
        server.rule = lambda request: cut_off
        return settings_of(server, max_tokens=3)


def cut_off(request: Request) -> None:
    message = {"role": "assistant", "content": "A picture of"}
    request.send_json({"choices": [{"index": 0, "message": message, "finish_reason": "length"}]})


def asked_about(model: VisionChat, pictures: list[Image.Image]) -> list[dict[str, object]]:
    prepared = [model.prepare(picture) for picture in pictures]
    return [dict(one) for one in model.caption(prepared, [("short", "detailed")] * len(prepared))]


def test_a_request_holds_the_picture_the_prompt_of_its_style_and_standard_fields(server: StandInServer) -> None:
    model = VisionChat(
        settings_of(server, system="You see.", prompts=("What is it?", "Say more."), max_tokens=50, seed=3)
    )
    model.caption([model.prepare(noise(1))], [("detailed",)])
    (body,) = server.bodies
    assert picture_in(server.asked[0]).size == noise(1).size
    system, user = body.pop("messages")
    assert system == {"role": "system", "content": "You see."}
    assert [part["type"] for part in user["content"]] == ["image_url", "text"]
    assert user["content"][1]["text"] == "Say more."
    assert body == {"model": "org/sees", "max_tokens": 50, "seed": 3, "temperature": 0.0, "top_p": 1.0}


def test_what_is_sent_is_no_larger_than_the_recipe_says_and_no_smaller_than_a_patch() -> None:
    def size(width: int, height: int) -> tuple[int, int]:
        return picture_in(data_url(Image.new("RGB", (width, height)), max_side_px=512, quality=90)).size

    assert size(2048, 1024) == (512, 256) and size(300, 200) == (300, 200) and size(512, 3) == (512, 28)
    url = data_url(noise(2), max_side_px=512, quality=90)
    assert url == data_url(noise(2), max_side_px=512, quality=90)


def test_each_picture_gets_its_own_answer_whatever_comes_back_when(server: StandInServer) -> None:
    pictures = [Image.new("RGB", (40, 40), (number, 255 - number, 9)) for number in range(0, 250, 5)]
    model = VisionChat(settings_of(server))
    found = asked_about(model, pictures)
    alone = [asked_about(model, [picture])[0] for picture in pictures[:5]]
    assert found[:5] == alone and len({str(one) for one in found}) == len(pictures)


def test_one_picture_that_is_refused_costs_itself_alone(server: StandInServer) -> None:
    refusal = status(400, b'{"error": {"message": "image is too small"}}')
    server.rule = lambda request: refusal if picture_in(request.prompts[0]).size == (28, 60) else None
    found = asked_about(VisionChat(settings_of(server)), [noise(1), Image.new("RGB", (28, 60)), noise(2)])
    assert [one["short"].reason for one in found] == ["", "captioner_refused", ""]  # type: ignore[attr-defined]
    assert found[1]["short"].detail == "HTTP 400: image is too small"  # type: ignore[attr-defined]


def test_faults_of_a_server_are_waited_out_and_a_dead_one_s_pictures_go_to_the_other(server: StandInServer) -> None:
    server.rule = script(status(503))
    assert asked_about(VisionChat(settings_of(server)), [noise(1)])
    with StandInServer("org/sees", describe) as other:
        other.rule = lambda request: die if request.number > 3 else None
        found = asked_about(VisionChat(settings_of(server, other)), [noise(number) for number in range(40)])
    assert all(answer.text for one in found for answer in one.values())  # type: ignore[attr-defined]


def test_a_server_that_is_gone_stops_the_step(server: StandInServer) -> None:
    model = VisionChat(settings_of(server))
    server.stop()
    with pytest.raises(ServerError, match="tried 2 times"):
        asked_about(model, [noise(1)])


def test_a_captioner_without_vision_is_told_before_the_work() -> None:
    (line,) = problems(Settings(model=str(MODELS / "translator")))
    assert line == f"{str(MODELS / 'translator')!r} is a llama, which sees no pictures: name a vision-language model"


def test_a_package_that_only_a_processor_wants_is_told_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "smolvlm", "vision_config": {}}')
    monkeypatch.setattr(vision_chat, "find_spec", lambda name: None)
    (line,) = problems(Settings(model=str(tmp_path)))
    assert "is a smolvlm, whose processor needs the package 'num2words': pip install num2words" in line
    monkeypatch.setattr(vision_chat, "find_spec", lambda name: object())
    assert list(problems(Settings(model=str(tmp_path)))) == []


def test_a_server_that_takes_no_pictures_is_told_when_it_is_loaded(server: StandInServer) -> None:
    server.rule = lambda request: status(400, b'{"error": {"message": "org/sees is not a multimodal model"}}')
    with pytest.raises(CaptionerError, match="is not a multimodal model"):
        load_captioner(settings_of(server))
    forget_captioner()


def test_an_endpoint_that_serves_another_model_is_told(server: StandInServer) -> None:
    (line,) = problems(settings_of(server, model="org/other"))
    assert "serves org/sees, not 'org/other'" in line
    nobody = replace(
        settings_of(server, model="org/other"), endpoint="", endpoints=("http://127.0.0.1:9", server.endpoint)
    )
    first, second = problems(nobody)
    assert "127.0.0.1:9/v1 is out of reach" in first and "serves org/sees" in second, "of several each is told"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"prompts": ("one",)}, "prompts has 1 and styles 2: give one prompt for each style"),
        ({"prompts": ("one", " ")}, "prompts has an empty one, for style 'detailed'"),
        ({"jpeg_quality": 101}, "jpeg_quality is 101: choose 1 to 100"),
        ({"endpoint": "http://a:1", "endpoints": ("http://b:1",)}, "endpoint and endpoints are both given: keep one"),
        ({"endpoint": "nowhere"}, "endpoint: endpoint 'nowhere' is no URL"),
        ({"endpoints": ("http://a:1", "http://a:1")}, "endpoints has 'http://a:1' twice: keep one"),
        ({"endpoints": ("http://a:1", "")}, "endpoints has an empty one: leave it out"),
        ({"temperature": -1.0}, "temperature is -1.0"),
        ({"max_retries": -1}, "max_retries is -1"),
    ],
)
def test_settings_that_can_t_be_meant_are_refused(changes: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told.replace("(", r"\(")):
        Settings(**{"model": "org/sees", **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "endpoint",
    ["http://a:1/v1?key=sk-secret", "http://a:1/v1#sk-secret", "http://me:sk-secret@a:1", "x://me:sk-secret@a"],
)
def test_a_key_in_an_endpoint_is_refused_and_not_repeated(endpoint: str) -> None:
    """Recipes are copied into the manifest, which is published."""
    for changes in ({"endpoint": endpoint}, {"endpoints": ("http://b:1", endpoint)}):
        with pytest.raises(ValueError, match="^endpoint h(as a|olds)") as caught:
            Settings(model="org/sees", **changes)  # type: ignore[arg-type]
        assert "secret" not in str(caught.value)


def recipe_with(tmp_path: Path, server: StandInServer, styles: dict[str, str]) -> Recipe:
    path = tmp_path / "recipe.toml"
    path.write_text(f"""
languages = ["de"]
out = "{tmp_path / "out"}"
[images]
source = "{tmp_path / "pictures"}"
[captioner]
kind = "vision_chat"
model = "org/sees"
endpoint = "{server.endpoint}"
styles = {list(styles)}
prompts = {list(styles.values())}
[translator]
model = "org/translator"
""")
    return load_recipe(str(path))


def missing(recipe: Recipe, keys: list[str], folder: Path) -> list[object]:
    images = {key: str(folder / f"{number:03d}.jpg") for number, key in enumerate(keys)}
    return list(CurrentAnswers(Ledger(recipe.out), makers_of(recipe), styles=recipe.styles).missing_captions(images))


def test_a_style_that_comes_later_is_asked_for_alone(server: StandInServer, tmp_path: Path) -> None:
    keys = write_pictures(tmp_path / "pictures", 9)
    one = recipe_with(tmp_path, server, {"tiny": "Say it in one English sentence."})
    run_captioning(one, beam.Create(missing(one, keys, tmp_path / "pictures")), None)
    assert missing(one, keys, tmp_path / "pictures") == []
    two = recipe_with(tmp_path, server, {"long": "Say all of it.", "tiny": "Say it in one English sentence."})
    tasks = missing(two, keys, tmp_path / "pictures")
    assert len(tasks) == 9 and {task.styles for task in tasks} == {("long",)}  # type: ignore[attr-defined]
    run_captioning(two, beam.Create(tasks), None)
    answers = CurrentAnswers(Ledger(two.out), makers_of(two), styles=two.styles).captions()
    assert len(answers) == 18 and {row.text.rpartition(" as ")[2] for row in answers.values() if row.text} == {
        "a sentence.", "a text.",
    }  # fmt: skip
    other = recipe_with(tmp_path, server, {"tiny": "Say it otherwise."})
    assert len(missing(other, keys, tmp_path / "pictures")) == 9, "another prompt is another question"
    forget_captioner()


def test_the_place_of_a_server_decides_nothing() -> None:
    here, there = (Settings(model="org/sees", endpoint=f"http://{name}:1/v1") for name in "ab")
    assert fingerprint_parts(here) == fingerprint_parts(there) == fingerprint_parts(Settings(model="org/sees"))


def test_a_recipe_of_several_captioners_may_hold_one_of_each_kind() -> None:
    sees = Settings(model="org/sees", prefix="sees_")
    recipe = recipe_for(Path("out"), more_captioners=(sees,))
    assert recipe.styles == ("short", "detailed", "sees_short", "sees_detailed")
    with pytest.raises(RecipeError, match="two captioners write style 'short'"):
        replace(recipe, more_captioners=(replace(sees, prefix=""),))
    assert key_of(b"") and sees.starts_server
