"""Languages of a dataset and what the trainer can ask for: it works from end to end, or is refused in one line."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from shards_dataset import WITHHELD, edit_samples, write_dataset
from training_examples import write_recipe

from florenz.languages.codes import NAMES, language_problems
from florenz.recipes.recipe_file import RecipeError
from florenz.shards.manifest import Manifest, read_manifest, write_manifest
from florenz.shards.schema import Example, Sample
from florenz.stores import files
from florenz.train import building, preflight
from florenz.train.__main__ import main
from florenz.train.checkpoint import Position, save_checkpoint
from florenz.train.model.family import SIZES
from florenz.train.recipe import load_recipe
from florenz.train.training import Training

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
CATALAN = "Un cotxe vermell està aparcat al costat d'una casa blava a prop del riu."
WORDS = ('size = "playground"', 'size = "playground"\nprefix = "words"')


def dataset_in(language: str, folder: Path) -> Manifest:
    """The small dataset with captions in this language instead of German, and nothing held out."""
    out = folder / "data"
    write_dataset(str(out))

    def renamed(example: Example) -> Example:
        is_german = example.language == "de"
        return replace(example, language=language, text=CATALAN) if is_german else example

    def edited(samples: Sequence[Sample]) -> list[Sample]:
        return [replace(sample, examples=tuple(map(renamed, sample.examples))) for sample in samples]

    for shard in read_manifest(str(out)).shards:
        if shard.split != "heldout":
            edit_samples(out, shard.path, edited)
    manifest = replace(read_manifest(str(out)), languages=(language, "fr"))
    write_manifest(str(out), manifest)
    return manifest


def refusal(recipe: Path, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main([str(recipe)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1, err
    assert not (recipe.parent / "out" / "checkpoints").exists()
    return err


@pytest.mark.parametrize("language", ["ca", "sw", "nn"])
def test_a_language_that_the_paper_does_not_have_is_trained_on(language: str, tmp_path: Path) -> None:
    dataset_in(language, tmp_path)
    recipe = load_recipe(str(write_recipe(tmp_path)))
    manifest, place = preflight.check(recipe)
    this = Training(recipe=recipe, manifest=manifest, place=place, log=None, say=pytest.fail)
    _, processor = building.load_model(recipe, manifest, None)
    batches = building.make_stream(this, recipe.stages[0], processor).batches()
    texts = {text for _ in range(4) for text in processor.encoder_tokenizer.batch_decode(next(batches)["input_ids"])}
    assert any(f"Translate to {NAMES[language]}:" in text for text in texts), texts
    assert f"<|{language}|>" in processor.decoder_tokenizer.get_added_vocab()


def test_a_code_that_is_none_is_refused_in_the_pipelines_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset_in("cz", tmp_path)
    (problem,) = language_problems(("cz",))
    assert refusal(write_recipe(tmp_path), capsys) == f"florenz: data (DATA): {problem}\n"
    line = refusal(write_recipe(tmp_path, ("images = true", 'images = true\nmix = { "caption/cz" = 1 }')), capsys)
    assert line.endswith(f"[stages.vision.mix] 'caption/cz': {problem}\n")


def test_a_language_without_words_is_refused_where_the_prefix_is_of_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset_in("ca", tmp_path)
    line = refusal(write_recipe(tmp_path, WORDS), capsys)
    assert "none to begin a caption in ca with, only in en, de, fr" in line and 'set prefix = "token"' in line
    mixes = [
        ("images = false", 'images = false\nmix = { "translation/fr" = 1 }'),
        ("images = true", 'images = true\nmix = { "caption/en" = 1 }'),
    ]
    preflight.check(load_recipe(str(write_recipe(tmp_path, WORDS, *mixes))))


def test_a_training_that_was_begun_without_words_goes_on(tmp_path: Path) -> None:
    manifest = dataset_in("ca", tmp_path)
    recipe = load_recipe(str(write_recipe(tmp_path, WORDS)))
    identity = preflight.identity_of(recipe, manifest)
    position = Position(stage=0, step=1)
    save_checkpoint(recipe.out, position=position, identity=identity, weights={}, optimizer_state={}, keep=1)
    preflight.check(recipe)


def test_a_manifest_that_hides_a_language_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_manifest(str(tmp_path / "data"), replace(dataset_in("ca", tmp_path), languages=("fr",)))
    line = refusal(write_recipe(tmp_path), capsys)
    assert "examples in ca, which the manifest does not name" in line and "assemble the dataset again" in line


def test_withheld_captions_need_a_known_language_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They are scored when the training has ended, which is late to be told."""
    dataset_in("ca", tmp_path)
    (shard,) = [shard for shard in read_manifest(str(tmp_path / "data")).shards if shard.split == "heldout"]
    edit_samples(
        tmp_path / "data",
        shard.path,
        lambda samples: [replace(sample, examples=(replace(WITHHELD[0], language="xx"),)) for sample in samples],
    )
    assert "data (DATA): unknown language 'xx'" in refusal(write_recipe(tmp_path), capsys)


@pytest.mark.parametrize("size", SIZES)
def test_each_size_has_a_recipe_whose_prompts_name_the_language(size: str, tmp_path: Path) -> None:
    """Sizes that force words cannot take the default; what they are told to take instead takes them."""
    write_dataset(str(tmp_path / "data"), num_images=60)  # some of them to choose by
    variables = {"SIZE": size, "DATA": str(tmp_path / "data"), "OUT": str(tmp_path / "out"), "DEVICE": "cpu"}
    assert preflight.check(load_recipe(str(CONFIGS / "train_both.toml"), variables))
    if SIZES[size].prefix == "words":
        with pytest.raises(RecipeError, match=r"TRAIN_RECIPE=configs/train_both\.toml"):
            preflight.check(load_recipe(str(CONFIGS / "train.toml"), variables))
    else:
        assert preflight.check(load_recipe(str(CONFIGS / "train.toml"), variables))


@pytest.mark.parametrize("place", ["memory://preflight", ""])
def test_shards_in_a_store_are_believed_and_those_on_a_disk_looked_at(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a large dataset every rank would ask a store ten thousand times before the first step."""
    recipe = write_recipe(tmp_path)
    data = f"{place}/{tmp_path.name}" if place else str(tmp_path / "data")
    write_dataset(data)
    opened: list[str] = []
    open_read = files.open_read
    monkeypatch.setattr(files, "open_read", lambda path: opened.append(path) or open_read(path))
    manifest, _ = preflight.check(load_recipe(str(recipe), {"DATA": data}))
    tars = [path for path in opened if path.endswith(".tar")]
    assert len(tars) == (0 if place else len(manifest.shards)) and len(manifest.shards) > 2
