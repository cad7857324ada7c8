"""An OUT of schema version 1, made before the rooms: answers that were paid for outlive every change.

Its pictures are of the playground's first world, and the tiny models that answered have been trained anew since, for
the second one. So its pictures are given as pictures of anybody's, and the models are taken for what they were.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from florenz.pipeline.answers.makers import caption_fingerprint, translation_fingerprint
from florenz.pipeline.recipe import load_recipe
from florenz.pipeline.run import run
from florenz.shards.manifest import read_manifest, shard_path
from florenz.shards.plan import SPLITS
from florenz.shards.reader import iter_samples
from florenz.shards.schema import Example, Sample
from florenz.shards.verify import verify

ROOT = Path(__file__).resolve().parents[1]
OLD = Path(__file__).parent / "data" / "version_1"
NOBODY = "http://127.0.0.1:9/v1"
PICTURES = "old_out/images/*.jpg"
MODELS_THEN = {
    "captioner": "sha256:cc0bfa1756fa1eeda4fdf3a5279929ce",
    "translator": "sha256:4e78b318f848ea4f09e2f139a57a926a",
}


@pytest.fixture
def out(tmp_path: Path) -> Iterator[Path]:
    """A copy under the name it was made with, in a folder from which the recipe's models are found."""
    before = os.getcwd()
    shutil.copytree(OLD, tmp_path / "old_out")
    (tmp_path / "playground").symlink_to(ROOT / "playground")
    os.chdir(tmp_path)
    _forget_fingerprints()
    yield tmp_path / "old_out"
    _forget_fingerprints()
    os.chdir(before)


def _forget_fingerprints() -> None:
    for cached in (caption_fingerprint, translation_fingerprint):
        cached.cache_clear()


def fingerprint_then(folder: str, _: object) -> str:
    return MODELS_THEN[Path(folder).name]


def samples_of(out: Path) -> dict[str, list[object]]:
    """Split -> its samples in order, but for what version 1 did not hold or held in another form."""
    manifest = read_manifest(str(out))
    return {
        split: [
            (sample.image, sample.jpeg, Path(sample.source).name, sample.caption_texts, examples_of(sample))
            for shard in manifest.shards_of(split)
            for sample in iter_samples(shard_path(str(out), manifest.build, shard.path))
        ]
        for split in SPLITS
    }


def examples_of(sample: Sample) -> list[Example]:
    return [replace(example, way="") for example in sample.examples]


def test_an_old_dataset_is_read_and_verified(out: Path) -> None:
    findings = verify("old_out")
    assert findings.problems == () and findings.proofs
    assert sum(len(samples) for samples in samples_of(out).values()) == sum(
        shard.samples for shard in read_manifest("old_out").shards
    )


def recipe_then(out: Path) -> str:
    """The playground's recipe as it was: no caption rode along with another, so other questions were asked."""
    lines = (ROOT / "configs" / "playground.toml").read_text().splitlines(keepends=True)
    left = [line for line in lines if not line.startswith("context = ")]
    assert len(left) == len(lines) - 1
    path = out.parent / "then.toml"
    path.write_text("".join(left))
    return str(path)


def test_an_old_ledger_answers_every_question_and_gives_the_same_samples(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No server is there to be asked: a question would end the run."""
    before, build = samples_of(out), read_manifest("old_out").build
    variables = {"LANGS": "de,fr", "IMAGES": PICTURES, "OUT": "old_out", "ENDPOINT": ""}
    recipe = load_recipe(recipe_then(out), variables)
    monkeypatch.setattr(
        "florenz.stores.models._fingerprint_of_folder", lambda folder, _: MODELS_THEN[Path(folder).name]
    )
    monkeypatch.setattr("florenz.translators.server.Server.start", lambda self: pytest.fail("a server was started"))
    facts = run(recipe, say=print)
    assert facts.asked == {"captions": 0, "translations": 0}
    assert facts.manifest.build != build, "other code, so another name, once"
    assert samples_of(out) == before
    assert verify("old_out").problems == ()


RUN = f"""
import os, sys
from florenz.pipeline.__main__ import main
from florenz.stores import models
models._fingerprint_of_folder = lambda folder, _: {MODELS_THEN}[os.path.basename(folder)]
code = main(sys.argv[1:])
print("imported:", *sorted({{"torch", "transformers", "vllm"}} & sys.modules.keys()))
sys.exit(code)
"""


def in_a_process(out: Path, *variables: str, modules: Path = ROOT) -> subprocess.CompletedProcess[str]:
    words = [recipe_then(out), f"IMAGES={PICTURES}", "OUT=old_out", *variables]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(modules), str(ROOT)])}
    return subprocess.run(
        [sys.executable, "-c", RUN, *words],
        cwd=out.parent,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_a_run_that_asks_nothing_imports_no_model_library(out: Path) -> None:
    done = in_a_process(out, "LANGS=de,fr")
    assert done.returncode == 0, done.stderr
    assert "asked      0 captions, 0 translations" in done.stdout and done.stdout.endswith("imported:\n")


def test_kernels_are_proved_also_where_only_a_language_is_new(out: Path, tmp_path: Path) -> None:
    (tmp_path / "modules" / "vllm").mkdir(parents=True)
    (tmp_path / "modules" / "vllm" / "__init__.py").touch()
    (tmp_path / "modules" / "vllm" / "_C_AVX2.abi3.so").write_bytes(b"no library")
    done = in_a_process(out, "LANGS=de,fr,es", modules=tmp_path / "modules")
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    assert "vLLM's CPU kernels can't be loaded" in done.stderr
    assert not (out / "logs" / "translation-server.log").exists(), "no server was started"
