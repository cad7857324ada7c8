"""A model in an object store is fetched once, whole or not at all, and is the same model as a folder of it."""

import os
from pathlib import Path

import pytest
from object_stores import way_into
from pipeline_examples import MODELS

from benchmarks.stand_in_stores import Faults, StandInStore
from florenz.stores import files, model_cache
from florenz.stores.models import ModelProblem, fingerprint_of_model, local_model, read_config


@pytest.fixture
def url(s3_store: StandInStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    model_cache.fetched.cache_clear()
    folder = f"{s3_store.bucket}/{tmp_path.name}/model"
    for path in (MODELS / "translator").iterdir():
        way_into(s3_store).put(f"{folder}/{path.name}", path.read_bytes())
    return folder


def test_it_has_the_fingerprint_of_the_folder_that_it_is_a_copy_of(url: str) -> None:
    assert fingerprint_of_model(url) == fingerprint_of_model(str(MODELS / "translator"))
    assert read_config(url, "") == read_config(str(MODELS / "translator"), "")


def test_it_is_fetched_once_and_again_when_it_has_changed(url: str, s3_store: StandInStore) -> None:
    first = local_model(url)
    model_cache.fetched.cache_clear()
    s3_store.order()
    assert local_model(url) == first and s3_store.seen().total() == 1, "one listing"
    way_into(s3_store).put(f"{url}/config.json", b"{}")
    model_cache.fetched.cache_clear()
    assert local_model(url) != first and Path(local_model(url), "config.json").read_bytes() == b"{}"


def test_a_copy_that_lacks_a_file_is_made_anew(url: str) -> None:
    folder = Path(local_model(url))
    (folder / "config.json").unlink()
    model_cache.fetched.cache_clear()
    assert Path(local_model(url)) == folder and (folder / "config.json").exists()


def test_a_fetch_that_breaks_off_leaves_no_model(url: str, s3_store: StandInStore) -> None:
    s3_store.order(Faults(method="GET", word="model.safetensors", times=1000, status=403, code="AccessDenied"))
    with pytest.raises(ModelProblem, match="the store refuses it"):
        local_model(url)
    assert os.listdir(Path(model_cache.cache_folder()) / "models") == []


def test_one_that_is_not_there_is_one_line(url: str) -> None:
    with pytest.raises(ModelProblem, match=f"there is no model at {url}-none: check the path"):
        local_model(f"{url}-none")
    with pytest.raises(ModelProblem, match="give it as gs:// or s3://"):
        local_model("memory://model")
    assert local_model("org/name") == "org/name" and files.local_path(f"file://{MODELS}") == str(MODELS)
