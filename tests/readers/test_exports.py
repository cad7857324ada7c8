"""Exports in the readers they are made for: as many texts as the manifest counts, and they can be trained on."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from conftest import Dataset, ours, with_older

ENERGON = Path(sys.executable).parent / "energon"


def export(dataset: Dataset, to: Path, **typed: str) -> Path:
    ours("-m", "florenz.exports", str(dataset.out), *(f"{name}={value}" for name, value in typed.items()), f"TO={to}")
    return to


def expected(dataset: Dataset, split: str, task: str, *languages: str) -> list[str]:
    return [text[4] for text in dataset.texts[split] if text[1] == task and (not languages or text[2] in languages)]


def test_open_clip_takes_four_training_steps_on_german_captions(dataset: Dataset, tmp_path: Path) -> None:
    to = export(dataset, tmp_path / "to", FORMAT="webdataset", TASK="caption", LANGS="de", SPLITS="train")
    texts = expected(dataset, "train", "caption", "de")
    shards = "::".join(sorted(str(path) for path in to.glob("train-*.tar")))
    told = json.loads(with_older("open_clip_steps.py", shards, str(len(texts))))
    assert len(told["losses"]) == 4 and all(loss > 0 for loss in told["losses"])
    assert len(told["texts"]) >= 16 and not Counter(told["texts"]) - Counter(texts)


def test_webdataset_reads_the_plain_export_whole(dataset: Dataset, tmp_path: Path) -> None:
    import webdataset as wds

    to = export(dataset, tmp_path / "to", FORMAT="webdataset", TASK="caption", LANGS="de,ar")
    for split in ("train", "choose", "val"):
        urls = sorted(str(path) for path in to.glob(f"{split}-*.tar"))
        samples = list(wds.WebDataset(urls, shardshuffle=False).decode("pil"))
        assert Counter(sample["txt"] for sample in samples) == Counter(expected(dataset, split, "caption", "de", "ar"))
        assert len({sample["__key__"] for sample in samples}) == len(samples)
    assert not list(to.glob("heldout*"))


@pytest.mark.parametrize("task", ["caption", "translation"])
def test_energon_reads_its_export_without_prepare_and_finds_no_fault(
    dataset: Dataset, tmp_path: Path, task: str
) -> None:
    from megatron.energon import DefaultTaskEncoder, WorkerConfig, get_loader, get_val_dataset

    to = export(dataset, tmp_path / "to", FORMAT="energon", TASK=task, LANGS="de,fr" if task == "translation" else "de")
    found = subprocess.run(
        [str(ENERGON), "lint", str(to), "--parallel", "0"], capture_output=True, text=True, timeout=600, check=False
    )
    assert found.returncode == 0 and "Error in shard" not in found.stdout, found.stdout + found.stderr
    languages = ("de", "fr") if task == "translation" else ("de",)
    for part, split in (("train", "train"), ("val", "val"), ("test", "choose")):
        config = WorkerConfig(rank=0, world_size=1, num_workers=0)
        loaded = get_val_dataset(
            str(to), split_part=part, worker_config=config, batch_size=2, task_encoder=DefaultTaskEncoder()
        )
        batches = list(get_loader(loaded))
        texts = [text for batch in batches for text in (batch.caption if task == "caption" else batch.answers)]
        assert Counter(texts) == Counter(expected(dataset, split, task, *languages))
        assert batches[0].image.shape[1:] == (3, 48, 64)


def test_energon_index_is_what_its_own_prepare_writes(dataset: Dataset, tmp_path: Path) -> None:
    import sqlite3

    to = export(dataset, tmp_path / "to", FORMAT="energon", TASK="caption", LANGS="de", SPLITS="train")
    query = "SELECT p.*, s.sample_key, s.byte_offset, s.byte_size FROM sample_parts p JOIN samples s \
        USING (tar_file_id, sample_index) ORDER BY 1, 2, 4"
    mine = sqlite3.connect(to / ".nv-meta" / "index.sqlite").execute(query).fetchall()
    indexes = {path.name: path.read_bytes() for path in to.glob("*.idx")}
    done = subprocess.run(
        [str(ENERGON), "prepare", str(to), "--non-interactive", "--num-workers", "1", "--force-overwrite",
         "--split-parts", "train:train-.*", "--skip-dataset-yaml"],
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert sqlite3.connect(to / ".nv-meta" / "index.sqlite").execute(query).fetchall() == mine != []
    assert {path.name: path.read_bytes() for path in to.glob("*.idx")} == indexes


def test_mosaicml_reads_its_shards(dataset: Dataset, tmp_path: Path) -> None:
    from streaming import StreamingDataset

    to = export(dataset, tmp_path / "to", FORMAT="mds")
    for split in ("train", "choose", "val"):
        loaded = StreamingDataset(local=str(to), split=split, batch_size=1, shuffle=False)
        rows = [loaded[number] for number in range(len(loaded))]
        names = ("key", "task", "language", "style", "text", "source_text")
        assert Counter(tuple(row[name] for name in names) for row in rows) == Counter(dataset.texts[split])
        assert {row["image"].size for row in rows} == {(64, 48)}


def test_trl_collates_conversations_and_their_pictures(dataset: Dataset, tmp_path: Path) -> None:
    import datasets
    from trl.data_utils import is_conversational

    to = export(dataset, tmp_path / "to", FORMAT="conversation", SPLITS="train")
    loaded = datasets.load_dataset("json", data_files=str(to / "train.json"), split="train")
    loaded = loaded.map(lambda row: {"images": [str(to / path) for path in row["images"]]})
    loaded = loaded.cast_column("images", datasets.List(datasets.Image()))
    assert is_conversational(loaded[0])
    said = [turn["content"] for row in loaded for turn in row["messages"] if turn["role"] == "assistant"]
    assert Counter(said) == Counter(text[4] for text in dataset.texts["train"])
    for row in loaded:
        assert row["images"][0].size == (64, 48)
        asked = "".join(turn["value"] for turn in row["conversations"] if turn["from"] == "human")
        assert asked.count("<image>") == len(row["images"]) == 1


def test_trls_collator_makes_a_batch(dataset: Dataset, tmp_path: Path) -> None:
    """With a processor made here: a word-level tokenizer and CLIP's image processor, joined as LLaVA joins them."""
    import datasets
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import CLIPImageProcessor, LlavaProcessor, PreTrainedTokenizerFast
    from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

    to = export(dataset, tmp_path / "to", FORMAT="conversation", SPLITS="train", TASK="caption", LANGS="de")
    loaded = datasets.load_dataset("json", data_files=str(to / "train.json"), split="train")
    loaded = loaded.map(lambda row: {"images": [str(to / path) for path in row["images"]]})
    loaded = loaded.cast_column("images", datasets.List(datasets.Image())).select_columns(["images", "messages"])
    words = {word for row in loaded for turn in row["messages"] for word in turn["content"].split()}
    vocabulary = {word: number for number, word in enumerate(["<pad>", "<unk>", "<image>", "</s>", *sorted(words)])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>", eos_token="</s>",
        additional_special_tokens=["<image>"],
    )  # fmt: skip
    template = (
        "{% for m in messages %}{% if m.content is string %}{{ m.content }}{% else %}{% for c in m.content %}"
        "{% if c.type == 'image' %} <image> {% else %}{{ c.text }}{% endif %}{% endfor %}{% endif %} {% endfor %}"
    )
    processor = LlavaProcessor(
        image_processor=CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=32), tokenizer=fast, patch_size=16,
        vision_feature_select_strategy="default", num_additional_image_tokens=1, chat_template=template,
    )  # fmt: skip
    batch = DataCollatorForVisionLanguageModeling(processor)([loaded[0], loaded[1]])
    assert batch["pixel_values"].shape == (2, 3, 32, 32)
    for row, ids in zip(loaded, batch["input_ids"], strict=False):
        text = fast.decode(ids)
        assert all(turn["content"] in text for turn in row["messages"] if turn["role"] == "assistant")


def test_an_export_loads_as_a_folder_too(dataset: Dataset, tmp_path: Path) -> None:
    import datasets

    to = export(dataset, tmp_path / "to", FORMAT="conversation", TASK="caption", LANGS="de")
    entries = json.loads((to / "val.json").read_text())
    assert [turn["assistant"] for one in entries for turn in one["texts"]] == expected(dataset, "val", "caption", "de")
    loaded = datasets.load_dataset(
        "json", data_files={split: str(to / f"{split}.json") for split in ("train", "val")}, streaming=True
    )
    assert sum(len(row["texts"]) for row in loaded["val"]) == len(expected(dataset, "val", "caption", "de"))
