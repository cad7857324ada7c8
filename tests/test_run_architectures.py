"""Real architectures in miniature, served by a real vLLM over HTTP: loaded, asked in their own template, answering.

Each server takes a minute on an idle machine and several on a busy one, so `make check` asks one that reads text and
one that sees, and `make test-engines` the others.
"""

from importlib.util import find_spec
from pathlib import Path

import pytest
from captioner_examples import noise
from miniature_models import TEXT_MODELS, VISION_MODELS, save_text_model

from florenz.captioners.vision_chat import Settings as Vision
from florenz.captioners.vision_chat import problems
from florenz.pipeline.answers.captioning import forget_captioner, load_captioner
from florenz.translators.client import Client
from florenz.translators.server import Server
from florenz.translators.settings import TranslatorSettings

QUICK = {
    "max_tokens": 12, "max_model_len": 1024, "kv_cache_gib": 0.25, "enforce_eager": True, "cpu_threads": 1,
    "startup_timeout_s": 900.0, "max_sequences": 8,
}  # fmt: skip
FIRST, *OTHERS = TEXT_MODELS
TEXTS = ["A dog is sleeping.", "A house with a garden.", "Two birds."]


@pytest.mark.parametrize("architecture", [FIRST, *(pytest.param(name, marks=pytest.mark.engines) for name in OTHERS)])
def test_a_text_model_is_served_and_answers_through_its_template_and_through_chat(
    architecture: str, tmp_path: Path
) -> None:
    folder = save_text_model(tmp_path / "model", architecture)
    settings = TranslatorSettings(model=str(folder), **QUICK)  # type: ignore[arg-type]
    with Server(settings, tmp_path / "vllm.log") as server:
        server.wait_ready()
        for api in ("completions", "chat"):
            asked = TranslatorSettings(model=str(folder), api=api, **QUICK)  # type: ignore[arg-type]
            client = Client(server.endpoint, str(folder), asked)
            answers = client.translate(TEXTS, "de")
            assert [answer.reason for answer in answers] == [""] * 3
            assert {answer.finish_reason for answer in answers} <= {"stop", "length"} and client.stats.tokens > 0


NEEDS = {"smolvlm": "num2words"}  # packages that only its processor wants, in the server too
FIRST_THAT_SEES, *OTHERS_THAT_SEE = VISION_MODELS


@pytest.mark.parametrize(
    "architecture", [FIRST_THAT_SEES, *(pytest.param(name, marks=pytest.mark.engines) for name in OTHERS_THAT_SEE)]
)
def test_a_vision_language_model_is_served_and_sees_its_pictures(architecture: str, tmp_path: Path) -> None:
    needed = NEEDS.get(architecture, "torch")
    if find_spec(needed) is None:
        pytest.skip(f"{architecture}'s processor needs {needed}: pip install {needed}")
    folder = VISION_MODELS[architecture](tmp_path / "model")
    settings = Vision(model=str(folder), max_side_px=112, **QUICK)  # type: ignore[arg-type]
    assert list(problems(settings)) == []
    try:
        captioner = load_captioner(settings)
        prepared = [captioner.prepare(noise(number)) for number in range(4)]
        found = captioner.caption(prepared, [settings.styles] * 4)
    finally:
        forget_captioner()
    assert all(set(one) == {"short", "detailed"} for one in found)
    assert all(answer.reason == "" for one in found for answer in one.values())
    assert len({one["short"].text for one in found}) > 1, "it says the same to every picture"
