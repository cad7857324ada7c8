"""What a translator's settings put into requests, and which of them the ledger's fingerprint holds."""

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import pytest

from florenz.pipeline.answers.makers import translation_fingerprint
from florenz.pipeline.recipe import load_recipe
from florenz.recipes.fingerprints import deciding, effort
from florenz.translators.family import SAMPLING
from florenz.translators.settings import KNOWN, TranslatorSettings

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
HUB = TranslatorSettings(model="hub/name", revision="abc")  # no weights to hash: its fingerprint is hub/name@abc
OWN_FAMILY = '{"form": "raw", "user": "{language}: {text}"}'
EFFORT = {
    "tensor_parallel",
    "data_parallel",
    "family",
    "key_variable",
    *(
        "prompts_per_request",
        "max_in_flight",
        "max_sequences",
        "request_timeout_s",
        "max_retries",
        "backoff_s",
        "backoff_max_s",
    ),
    *("startup_timeout_s", "max_server_restarts", "max_model_len", "kv_cache_gib", "gpu_memory_utilization"),
    *("enforce_eager", "cpu_threads", "server_args"),
}

# Given out before families were files and settings were marked. Answers lie in people's ledgers under these names:
# a line here never changes, whatever else does.
GIVEN_OUT = {
    "957f511e5cfb1dae": HUB,
    "353426279d75564a": TranslatorSettings(model="hub/name"),
    "ed1a34a8d3c11fcc": replace(HUB, prompt="playground"),
    "94931e607d5953af": replace(HUB, max_tokens=128),
    "d29224a1fda428df": replace(HUB, temperature=0.7, top_p=0.6, repetition_penalty=1.05, seed=7),
    "4025c5fb4b22cf03": replace(HUB, dtype="float32"),
}


@pytest.mark.parametrize("known", GIVEN_OUT)
def test_what_was_paid_for_is_found_again(known: str) -> None:
    assert translation_fingerprint(GIVEN_OUT[known]) == known


def test_what_was_paid_for_by_the_recipes_of_this_repository_is_found_again() -> None:
    playground = load_recipe(str(CONFIGS / "playground.toml")).translator.settings
    local = replace(playground, model=str(CONFIGS.parent / playground.model))
    assert translation_fingerprint(local) == "c692647cc0a393fa"
    florence2 = load_recipe(str(CONFIGS / "florence2.toml"), {"IMAGES": "/pictures"}).translator.settings
    assert translation_fingerprint(florence2) == "d0fb65fd250eca59"


def test_saying_what_is_the_default_asks_nothing_anew() -> None:
    explicit = replace(HUB, temperature=0.0, top_p=1.0, repetition_penalty=1.0, stop=(), top_k=None)
    assert translation_fingerprint(explicit) == translation_fingerprint(HUB)


def test_effort_changes_no_fingerprint_and_all_else_does() -> None:
    assert {field.name for field in fields(HUB)} - deciding(HUB).keys() == EFFORT
    values: dict[str, Any] = {
        "prompts_per_request": 7, "max_in_flight": 9, "max_sequences": 7, "request_timeout_s": 1.0,
        "max_retries": 99, "backoff_s": 1.0, "backoff_max_s": 1.0, "startup_timeout_s": 1.0, "max_server_restarts": 9,
        "max_model_len": 999, "tensor_parallel": 2, "data_parallel": 4,
        "kv_cache_gib": 1.0, "gpu_memory_utilization": 0.5, "enforce_eager": True, "cpu_threads": 3,
        "server_args": ("--quantization", "fp8"), "family": OWN_FAMILY, "key_variable": "MY_KEY",
    }  # fmt: skip
    assert values.keys() == EFFORT
    own = replace(HUB, prompt="own", family=OWN_FAMILY)  # its words are another's; what it says to the model decides
    assert values.pop("family") and own.sampling() != HUB.sampling()
    assert all(replace(HUB, **{name: value}).sampling() == HUB.sampling() for name, value in values.items())
    others: dict[str, Any] = {
        "model": "hub/other", "revision": "def", "prompt": "playground", "max_tokens": 9, "temperature": 1.0,
        "top_p": 0.5, "top_k": 20, "repetition_penalty": 1.1, "stop": ("\n",), "stop_token_ids": (2,), "seed": 1,
        "dtype": "float32", "api": "chat", "template_options": False,
        "context": "detailed", "max_source_chars": 300,
    }  # fmt: skip
    assert others.keys() == deciding(HUB).keys()
    prints = {translation_fingerprint(replace(HUB, **{name: value})) for name, value in others.items()}
    assert len(prints | {translation_fingerprint(HUB)}) == 1 + len(others)


@dataclass(frozen=True, kw_only=True)
class LaterSettings(TranslatorSettings):
    min_p: float = 0.0
    queue: int = effort(3)


def test_a_field_that_is_added_later_enters_the_fingerprint_by_itself_where_it_is_set() -> None:
    later = LaterSettings(**vars(HUB))
    assert translation_fingerprint(later) == translation_fingerprint(HUB)
    assert translation_fingerprint(replace(later, queue=9)) == translation_fingerprint(HUB)
    assert translation_fingerprint(replace(later, min_p=0.1)) != translation_fingerprint(HUB)


def test_what_the_fingerprint_always_held_are_fields_that_decide() -> None:
    assert {*KNOWN} <= deciding(HUB).keys()


def test_additions_go_into_requests_only_where_they_are_set() -> None:
    usual = {"max_tokens": 256, "seed": 0, "temperature": 0.0, "top_p": 1.0, "repetition_penalty": 1.0}
    assert HUB.request() == {**usual, "add_special_tokens": False}
    more = replace(HUB, top_k=20, stop=("\n",), stop_token_ids=(2, 3))
    assert more.request() == {**HUB.request(), "top_k": 20, "stop": ["\n"], "stop_token_ids": [2, 3]}


def test_a_family_says_what_its_models_need_and_the_recipe_has_the_last_word() -> None:
    hunyuan = replace(HUB, prompt="hunyuan_mt")
    sampling = {name: hunyuan.request()[name] for name in SAMPLING}
    assert sampling == {"temperature": 0.7, "top_p": 0.6, "top_k": 20, "repetition_penalty": 1.05}
    greedy = replace(hunyuan, temperature=0.0)
    assert greedy.request() == {**hunyuan.request(), "temperature": 0.0}
    assert greedy.sampling() != hunyuan.sampling()
    assert replace(HUB, prompt="seed_x").request()["add_special_tokens"] is True


def test_stops_of_family_and_recipe_are_both_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    from florenz.translators import settings as module

    family = replace(module.family_named("alma"), stop=("\n",), stop_token_ids=(2,))
    monkeypatch.setattr(module, "family_named", lambda name: family)
    request = replace(HUB, prompt="alma", stop=("</s>", "\n"), stop_token_ids=(9,)).request()
    assert request["stop"] == ["\n", "</s>"] and request["stop_token_ids"] == [2, 9]


def test_wrong_settings_are_all_named_at_once() -> None:
    with pytest.raises(ValueError) as caught:
        TranslatorSettings(
            model=" ", max_tokens=0, max_in_flight=0, temperature=-1, top_k=0, backoff_s=0, gpu_memory_utilization=2
        )
    problems = str(caught.value).splitlines()
    told = ["model is empty", "max_tokens is 0", "max_in_flight is 0", "backoff_s is 0", "gpu_memory_utilization is 2"]
    told += ["temperature is -1", "top_k is 0"]
    assert len(problems) == len(told) and all(
        line.startswith(start) for line, start in zip(problems, told, strict=True)
    )
    with pytest.raises(ValueError, match="max_model_len is 256: choose more than max_tokens = 256"):
        TranslatorSettings(model="m", max_model_len=256)


def test_parallelism_said_twice_is_refused_and_sequences_are_those_of_all_copies() -> None:
    with pytest.raises(ValueError, match="server_args has --tensor-parallel-size, which tensor_parallel = 2 says"):
        replace(HUB, tensor_parallel=2, server_args=("--tensor-parallel-size", "2"))
    with pytest.raises(ValueError, match="data_parallel is 0"):
        replace(HUB, data_parallel=0)
    assert (HUB.sequences, replace(HUB, max_sequences=64).sequences) == (None, 64)
    assert replace(HUB, max_sequences=64, data_parallel=4).sequences == 256
    assert replace(HUB, data_parallel=2, tensor_parallel=2).sequences == 512


def test_a_remark_in_a_family_of_ones_own_asks_nothing_anew_and_its_words_do() -> None:
    def asked(text: str) -> str:
        return translation_fingerprint(replace(HUB, prompt="own", family=text))

    remarked = OWN_FAMILY.replace("}'", "}").removesuffix("}") + ', "licence": "MIT"}'
    assert asked(remarked) == asked(OWN_FAMILY) != translation_fingerprint(HUB)
    assert asked(OWN_FAMILY.replace("{language}: ", "{language} - ")) != asked(OWN_FAMILY)


def test_an_unknown_family_is_refused_with_the_nearest() -> None:
    with pytest.raises(ValueError, match="prompt = 'chatt'.*did you mean 'chat'"):
        replace(HUB, prompt="chatt").sampling()
