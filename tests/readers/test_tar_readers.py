"""webdataset, torchdata and Energon on the shards as they are."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import webdataset as wds
from conftest import Dataset, is_withheld, texts_of_record, with_older

SPLITS = ("train", "choose", "val", "heldout")


@pytest.mark.parametrize("split", SPLITS)
def test_webdataset_reads_every_text(dataset: Dataset, split: str) -> None:
    urls = [str(path) for path in dataset.shards(split)]
    samples = list(wds.WebDataset(urls, shardshuffle=False).decode("pil"))
    assert len(samples) == dataset.num_samples(split)
    assert [text for sample in samples for text in texts_of_record(sample["json"])] == dataset.texts[split]
    assert {sample["jpg"].size for sample in samples} == {(64, 48)}
    assert all(sample["txt"] == sample["json"]["captions"][0]["text"] for sample in samples)


def test_webdataset_pointed_at_the_whole_folder_sees_nothing_withheld(dataset: Dataset) -> None:
    urls = sorted(str(path) for path in (dataset.out / "shards").rglob("*.tar"))
    texts = [text for sample in wds.WebDataset(urls, shardshuffle=False) for text in texts_of(sample)]
    assert len(texts) == sum(len(dataset.texts[split]) for split in SPLITS if split != "heldout")
    assert not [text for text in texts if is_withheld(dataset, text)]


def texts_of(sample: dict) -> list:
    return texts_of_record(json.loads(sample["json"]))


def test_torchdata_takes_up_where_it_was_stopped(dataset: Dataset) -> None:
    from torchdata.stateful_dataloader import StatefulDataLoader

    urls = [str(path) for path in dataset.shards("train")]
    pipeline = wds.WebDataset(urls, shardshuffle=False, nodesplitter=wds.split_by_node).map(texts_of)
    loader = StatefulDataLoader(pipeline, batch_size=None, num_workers=0)
    batches = iter(loader)
    first = [next(batches) for _ in range(5)]
    state = loader.state_dict()
    again = StatefulDataLoader(pipeline, batch_size=None, num_workers=0)
    again.load_state_dict(state)
    texts = [text for sample in [*first, *again] for text in sample]
    assert [tuple(text) for text in texts] == dataset.texts["train"]


def test_wids_reads_every_sample_by_its_number(dataset: Dataset) -> None:
    listed = [one for one in dataset.manifest["shards"] if one["split"] == "train"]
    words = [*(str(one["samples"]) for one in listed), *(str(dataset.out / one["path"]) for one in listed)]
    records = json.loads(with_older("wids_texts.py", *words))
    assert [text for record in reversed(records) for text in texts_of_record(record)] == dataset.texts["train"]


ENERGON = Path(sys.executable).parent / "energon"


def energon(*words: str) -> str:
    done = subprocess.run([str(ENERGON), *words], capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_energon_prepares_all_shards_at_once_and_reads_a_batch(dataset: Dataset, tmp_path: Path) -> None:
    """It refuses keys that stand in two shards, so `heldout` is prepared with the rest here."""
    from megatron.energon import (
        Cooker,
        DefaultTaskEncoder,
        TextSample,
        WorkerConfig,
        basic_sample_keys,
        get_loader,
        get_val_dataset,
        stateless,
    )

    for split in SPLITS:
        for shard in dataset.shards(split):
            (tmp_path / shard.name).hardlink_to(shard)
    energon(
        "prepare", str(tmp_path), "--non-interactive", "--num-workers", "1", "--sample-type", "CrudeWebdataset",
        "--split-parts", "train:train-.*", "--split-parts", "val:val-.*", "--split-parts", "test:heldout-.*",
    )  # fmt: skip

    @stateless
    def cook(sample: dict) -> TextSample:
        return TextSample(**basic_sample_keys(sample), text=json.dumps(sample["json"]))

    class Encoder(DefaultTaskEncoder):
        cookers = [Cooker(cook)]

    for part, split in (("train", "train"), ("val", "val"), ("test", "heldout")):
        config = WorkerConfig(rank=0, world_size=1, num_workers=0)
        found = get_val_dataset(
            str(tmp_path), split_part=part, worker_config=config, batch_size=4, task_encoder=Encoder()
        )
        batches = list(get_loader(found))
        texts = [text for batch in batches for record in batch.text for text in texts_of_record(json.loads(record))]
        assert Counter(texts) == Counter(dataset.texts[split])
