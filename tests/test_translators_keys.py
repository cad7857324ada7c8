"""A key for each of several servers: the recipe names a variable, the environment holds the key, and no other server,
file or message gets it.
"""

from pathlib import Path

import pytest
from pipeline_examples import recipe_for

from benchmarks.stand_in_server import Request, StandInServer, status
from florenz.captioners.vision_chat import problems
from florenz.captioners.vision_chat.settings import Settings as VisionSettings
from florenz.pipeline.preflight import _server
from florenz.pipeline.recipe import Translator, load_recipe
from florenz.recipes.recipe_file import RecipeError
from florenz.translators.client import Client
from florenz.translators.endpoint import ServerError, check_endpoint
from florenz.translators.secrets import DOTS, Secret, api_key
from florenz.translators.server import server_environment
from florenz.translators.settings import TranslatorSettings

KEYS = {"FLORENZ_API_KEY": "sk-of-everybody", "FIRST_KEY": "sk-of-the-first", "SECOND_KEY": "sk-of-the-second"}


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)


def settings_of(key_variable: str = "") -> TranslatorSettings:
    return TranslatorSettings(
        model="m", prompt="playground", key_variable=key_variable, max_retries=0, backoff_s=0.01, max_tokens=8
    )


def client_of(server: StandInServer, key_variable: str = "") -> Client:
    settings = settings_of(key_variable)
    return Client(server.endpoint, settings.model, settings)


def test_each_server_gets_its_own_key_and_no_other() -> None:
    with StandInServer("m") as first, StandInServer("m") as second, StandInServer("m") as third:
        for server, variable in ((first, "FIRST_KEY"), (second, "SECOND_KEY"), (third, "")):
            assert client_of(server, variable).translate(["A dog runs."], "de")[0].text
            (headers,) = server.headers
            assert headers["Authorization"] == f"Bearer {KEYS[variable or 'FLORENZ_API_KEY']}"


def test_looking_at_a_server_bears_its_key_too() -> None:
    seen: list[str] = []

    def describe(request: Request) -> None:
        seen.append(request.headers["Authorization"])
        request.send_json({"data": [{"id": "m"}]})

    with StandInServer("m") as server:
        server.describe = describe
        check_endpoint(server.endpoint, "m", key_variable="FIRST_KEY")
        translator = Translator(settings=settings_of("SECOND_KEY"), endpoint=server.endpoint)
        assert list(_server(recipe_for(Path("out"), translator=translator))) == []
    assert seen == ["Bearer sk-of-the-first", "Bearer sk-of-the-second"]


def test_a_variable_that_is_not_set_is_named_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FIRST_KEY")
    with StandInServer("m") as server:
        with pytest.raises(ServerError, match="^FIRST_KEY, which the recipe names as key_variable, is not set: set it"):
            client_of(server, "FIRST_KEY").translate(["A dog runs."], "de")
        assert server.num_requests == 0, "nobody is asked with another server's key"
        translator = Translator(settings=settings_of("FIRST_KEY"), endpoint=server.endpoint)
        (line,) = _server(recipe_for(Path("out"), translator=translator))
    assert "FIRST_KEY" in line and "sk-" not in line


def test_a_refused_key_names_its_variable() -> None:
    with StandInServer("m") as server:
        server.rule = lambda request: status(401, b"sk-of-the-first is no good")
        with pytest.raises(ServerError, match="refuses the API key .*; set FIRST_KEY$"):
            client_of(server, "FIRST_KEY").translate(["A dog runs."], "de")


def test_a_server_that_repeats_its_key_does_not_get_it_into_an_answer() -> None:
    with StandInServer("m", answer=lambda prompt: "Ein Hund sk-of-the-first rennt.") as server:
        (answer,) = client_of(server, "FIRST_KEY").translate(["A dog runs."], "de")
    assert answer.text == "Ein Hund [secret] rennt."


def test_a_server_of_ours_gets_none_of_them() -> None:
    assert isinstance(api_key("FIRST_KEY"), Secret) and repr(api_key("SECOND_KEY")) == DOTS
    environment = server_environment(settings_of(), {**KEYS, "HF_TOKEN": "hf"})
    assert not KEYS.keys() & environment.keys() and environment["HF_TOKEN"] == "hf"


@pytest.mark.parametrize("written", ["sk-of-the-first", "AKIAIOSFODNN7EXAMPLE", "first_key", "A_" * 40 + "B", "A B_C"])
def test_a_key_in_the_place_of_a_variable_s_name_is_refused_and_not_repeated(written: str) -> None:
    for settings in (
        lambda: settings_of(written),
        lambda: VisionSettings(model="m", endpoint="http://a:1", key_variable=written),
    ):
        with pytest.raises(ValueError, match="key_variable is the name of an environment variable") as refused:
            settings()
        assert written not in str(refused.value)


def test_a_recipe_of_several_servers_names_a_variable_for_each_and_holds_no_key(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    translators = "".join(
        f'''
[[translators]]
languages = ["{language}"]
model = "org/{language}"
endpoint = "http://{language}:1/v1"
key_variable = "{variable}"
'''
        for language, variable in (("de", "FIRST_KEY"), ("fr", "SECOND_KEY"))
    )
    path.write_text(f'''
languages = ["de", "fr"]
out = "{tmp_path}/out"
[images]
source = "playground"
[captioner]
model = "playground/models/captioner"
{translators}''')
    recipe = load_recipe(str(path))
    assert [one.settings.key_variable for one in recipe.translators] == ["FIRST_KEY", "SECOND_KEY"]
    assert "sk-" not in str(recipe.to_dict())
    path.write_text(path.read_text().replace('endpoint = "http://fr:1/v1"\n', ""))
    with pytest.raises(RecipeError, match="key_variable is for servers that run already"):
        load_recipe(str(path))
    (line, *_) = problems(VisionSettings(model="m", key_variable="FIRST_KEY"))
    assert "key_variable is for servers that run already" in line


def test_where_a_key_is_decides_no_answer() -> None:
    assert settings_of("FIRST_KEY").sampling() == settings_of().sampling()
