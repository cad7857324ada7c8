"""What the readers' tests share: one dataset, made by the project's own environment, and its truth from plain tarfile.

These tests run in an environment of their own (`make test-readers`): the readers' packages and ours exclude each other.
"""

import json
import os
import subprocess
import sys
import tarfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OURS = ROOT / ".venv" / "bin" / "python"

# Before any reader is imported: nothing is looked for on a hub, nothing is kept between runs.
os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}

Text = tuple[str, str, str, str, str, str]  # key, task, language, style, text, source_text


def ours(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the project's Python from its root."""
    done = subprocess.run([str(OURS), *words], cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def with_older(script: str, *words: str) -> str:
    """The last line that a script of this folder prints, with the older packages first on the path."""
    older = Path(sys.prefix) / "older"
    done = subprocess.run(
        [sys.executable, str(Path(__file__).parent / script), *words],
        env={**os.environ, "PYTHONPATH": str(older)}, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()[-1]


@dataclass(frozen=True)
class Dataset:
    """out: the folder. manifest: as JSON. texts: split -> every text in it, from the bytes of the shards."""

    out: Path
    manifest: dict
    texts: dict[str, list[Text]]

    @property
    def build(self) -> str:
        return self.manifest["build"]

    def shards(self, split: str) -> list[Path]:
        return [self.out / one["path"] for one in self.manifest["shards"] if one["split"] == split]

    def num_samples(self, split: str) -> int:
        return sum(one["samples"] for one in self.manifest["shards"] if one["split"] == split)

    def counts(self, split: str) -> Counter:
        """(task, language) -> number, as the manifest says."""
        counts = self.manifest["counts"][split]
        return Counter({(task, lang): n for task, by_language in counts.items() for lang, n in by_language.items()})

    def held_out_captions(self) -> set[str]:
        return {text[4] for text in self.texts["heldout"]}


def texts_of_record(record: dict) -> list[Text]:
    return [
        (record["key"], one["task"], one["language"], one["style"], one["text"], one["source_text"])
        for one in record["examples"]
    ]


def is_withheld(dataset: Dataset, text: Text) -> bool:
    return text[1] == "caption" and text[2] in dataset.manifest["held_out"]


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("dataset")
    os.environ["HF_HOME"] = str(tmp_path_factory.mktemp("hf"))
    ours(str(ROOT / "tests" / "readers" / "make_dataset.py"), str(folder))
    out = folder / "out"
    manifest = json.loads((out / "manifest.json").read_text())
    texts: dict[str, list[Text]] = {}
    for shard in manifest["shards"]:
        with tarfile.open(out / shard["path"]) as tar:
            for name in tar.getnames():
                if name.endswith(".json"):
                    record = json.load(tar.extractfile(name))  # type: ignore[arg-type]
                    texts.setdefault(shard["split"], []).extend(texts_of_record(record))
    found = Dataset(out=out, manifest=manifest, texts=texts)
    for split, its_texts in texts.items():
        assert Counter((text[1], text[2]) for text in its_texts) == found.counts(split)
    assert found.held_out_captions(), "nothing is withheld: these tests would prove nothing"
    return found
