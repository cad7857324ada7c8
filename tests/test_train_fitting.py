"""What does not fit is said in a line, before anything is allocated; fine-tuning starts from a finished model."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from training_examples import losses, one_build, recipe_in, train_quietly, write_recipe

from florenz.recipes.recipe_file import RecipeError
from florenz.shards.manifest import read_manifest
from florenz.train import building
from florenz.train.__main__ import main
from florenz.train.distributed import Place
from florenz.train.fitting import init_problems, largest_px, memory_problems, picture_problems
from florenz.train.model import loading
from florenz.train.model.loading import load
from florenz.train.model.sizes import config_of
from florenz.train.recipe import load_recipe

PAPER = Path(__file__).resolve().parents[1] / "configs"


def config_file(folder: Path, size: str) -> str:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config_of(size).to_dict()))
    return str(folder)


@pytest.mark.parametrize(
    ("its", "own"), [("0.4b", "1.0b"), ("1.0b", "3.5b"), ("3.5b", "11.2b"), ("playground", "0.4b")]
)
def test_a_model_of_another_size_is_refused_by_its_configuration_alone(tmp_path: Path, its: str, own: str) -> None:
    init = config_file(tmp_path / "init", its)
    recipe = load_recipe(str(PAPER / "paper_finetune.toml"), {"SIZE": own, "INIT": init})
    (problem,) = init_problems(recipe)
    assert init in problem and "of another size" in problem and "\n" not in problem
    assert list(init_problems(replace(recipe, model=replace(recipe.model, size=its)))) == []


def test_a_folder_without_a_model_is_refused_with_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = write_recipe(tmp_path)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.json").write_text('{"model_type": "bart"}')
    for folder, words in (("none", "No such file"), ("other", "it is a bart")):
        assert main([str(recipe), f"INIT={tmp_path}/{folder}"]) == 2
        out, err = capsys.readouterr()
        assert out == "" and err.count("\n") == 1 and "init (INIT)" in err and words in err
    assert not (tmp_path / "out").exists()


def test_pictures_that_are_too_large_are_refused_and_the_papers_are_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert largest_px("0.4b") >= 768 and largest_px("3.5b") >= 768
    recipe = load_recipe(str(PAPER / "paper_finetune.toml"))
    assert list(picture_problems(recipe)) == []
    path = write_recipe(tmp_path, ("images = true\n", "images = true\nimage_px = 768\n"))
    assert largest_px("playground") < 768
    assert main([str(path)]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and f"at most {largest_px('playground')} px" in err and not (tmp_path / "out").exists()


def test_the_largest_picture_goes_through_and_a_larger_one_does_not() -> None:
    from florenz.train.model.florenz import Florenz

    torch.manual_seed(0)
    model = Florenz(config_of("playground")).eval()
    most = largest_px("playground")
    question = {"input_ids": torch.ones(1, 112, dtype=torch.long), "decoder_input_ids": torch.ones(1, 2).long()}
    with torch.no_grad():
        model(**question, pixel_values=torch.zeros(1, 3, most, most, dtype=torch.uint8))
        with pytest.raises((ValueError, IndexError, RuntimeError)):
            model(**question, pixel_values=torch.zeros(1, 3, 2 * most, 2 * most, dtype=torch.uint8))


def test_too_little_memory_of_a_gpu_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = load_recipe(str(PAPER / "paper_0.4b.toml"))
    for gib, number in ((6, 1), (139, 0)):
        properties = SimpleNamespace(total_memory=gib << 30, name="a GPU")
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device, found=properties: found)
        found = list(memory_problems(recipe, Place(rank=0, world_size=8, device=torch.device("cuda", 0))))
        assert len(found) == number
        assert all("GiB on each of 8 GPUs, and a GPU has" in line for line in found)
    assert list(memory_problems(recipe, Place(rank=0, world_size=8, device=torch.device("cpu")))) == []


def test_a_training_starts_from_another_ones_model_and_keeps_its_last_picture_size(tmp_path: Path) -> None:
    with one_build():
        first = recipe_in(tmp_path)
        train_quietly(first)
        init = f"{first.out}/model"
        change = ('size = "playground"', f'size = "playground"\ninit = "{init}"')
        larger = ("images = true\n", "images = true\nimage_px = 64\nweight_decay = 0.5\n")
        second = recipe_in(tmp_path, change, larger, OUT=str(tmp_path / "second"))
        train_quietly(second)
    assert losses(second.out)[0] < losses(first.out)[0]  # it has seen these texts before
    start, _ = load(init)
    end, processor = load(f"{second.out}/model")
    assert processor.image_px == 64
    frozen = [model.encoder.text_encoder.layernorm_embedding.weight for model in (start, end)]
    assert torch.equal(*frozen)
    assert not torch.equal(end.lm_head.weight, start.lm_head.weight)


def test_fine_tuning_reads_one_model_and_one_of_another_vocabulary_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 11.2B, Florence-2's and Gemma's weights beside them would be 45 GB more, on the hub and in memory."""
    read: list[str] = []
    reads = loading._load
    monkeypatch.setattr(loading, "_load", lambda kind, *rest: read.append(kind.__name__) or reads(kind, *rest))
    source, processor = loading.build("playground")
    source.save_pretrained(tmp_path / "init")
    processor.save_pretrained(tmp_path / "init")
    recipe = recipe_in(tmp_path, ('size = "playground"', f'size = "playground"\ninit = "{tmp_path}/init"'))
    manifest = read_manifest(recipe.data)
    read.clear()
    model, _ = building.load_model(recipe, manifest, None)
    assert read == ["Florenz"]
    own = dict(model.named_parameters())
    assert own.keys() == dict(source.named_parameters()).keys()
    assert all(torch.equal(own[name], other) for name, other in source.named_parameters())
    assert model.lm_head.weight is model.decoder.embed_tokens.weight
    config = json.loads((tmp_path / "init" / "config.json").read_text())
    config["decoder_config"]["vocab_size"] += 1
    (tmp_path / "init" / "config.json").write_text(json.dumps(config))
    with pytest.raises(RecipeError, match="its decoder has the words of vocabulary"):
        building.load_model(recipe, manifest, None)
    assert read == ["Florenz"]
