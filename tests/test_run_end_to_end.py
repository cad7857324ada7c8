"""The whole pipeline with everything real: the tiny Florence-2, a vLLM server, Beam, pictures good and bad.

How well the tiny models do is not asked here; `playground/measure.py` and the benchmarks do that.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest
import webdataset
from pipeline_examples import DATA, ROOT, samples_of

from florenz.images.references import relative_uri
from florenz.pipeline.answers.ledger import Ledger
from florenz.pipeline.answers.makers import translator_fingerprint
from florenz.pipeline.assemble.books import KEPT, imbalances, total
from florenz.pipeline.assemble.graph import rejects_path
from florenz.pipeline.assemble.rejects import read_rejects
from florenz.pipeline.image_index import read_index
from florenz.pipeline.recipe import Recipe, load_recipe
from florenz.pipeline.report import RunFacts
from florenz.pipeline.run import run
from florenz.playground.world import picture
from florenz.shards.manifest import read_manifest
from florenz.shards.verify import verify

NUM_SCENES = 24
RECIPE = str(ROOT / "configs" / "playground.toml")
SERVER_PROGRAM = "vllm.entrypoints.openai.api_server"


@dataclass(frozen=True)
class FirstRun:
    """A finished run, only to be read, and what it takes to go on from it."""

    images: Path
    out: Path
    endpoint: str
    facts: RunFacts


def write_images(folder: Path) -> None:
    """Scenes, a copy, things that are no image; photographs and odd image files where the shared data is there."""
    (folder / "scenes").mkdir(parents=True)
    for number in range(NUM_SCENES):
        name, data, _ = picture(7, number)
        (folder / "scenes" / name).write_bytes(data)
    (folder / "copy.jpg").write_bytes(picture(7, 0)[1])
    (folder / "cut.jpg").write_bytes(picture(7, 1)[1][:1500])
    (folder / "empty.png").touch()
    (folder / "notes with a | and ünïcode.md").write_text("no image")
    bad = sorted(path for path in (DATA / "bad_images").rglob("*") if path.is_file() and path.suffix != ".tsv")
    for number, path in enumerate(bad[:: max(1, len(bad) // 40)][:40]):
        shutil.copy(path, folder / f"bad-{number:02d}-{path.name}")
    for path in sorted((DATA / "photos").glob("*.jpg"))[:6]:
        shutil.copy(path, folder / path.name)


def recipe_of(images: Path, out: Path, endpoint: str, **variables: str) -> Recipe:
    given = {"IMAGES": str(images), "OUT": str(out), "ENDPOINT": endpoint, "LANGS": "de,fr", "HELDOUT": "fr"}
    return load_recipe(RECIPE, {**given, **variables})


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, translation_endpoint: str) -> FirstRun:
    folder = tmp_path_factory.mktemp("end-to-end")
    images, out = folder / "images", folder / "out"
    write_images(images)
    facts = run(recipe_of(images, out, translation_endpoint), say=print)
    return FirstRun(images=images, out=out, endpoint=translation_endpoint, facts=facts)


@pytest.fixture
def out(tmp_path: Path, first: FirstRun) -> Path:
    """A copy of the first run's OUT, times of files included, for tests that go on from there."""
    return Path(shutil.copytree(first.out, tmp_path / "out"))


def go_on(first: FirstRun, out: Path, **variables: str) -> RunFacts:
    return run(recipe_of(first.images, out, first.endpoint, **variables), say=print)


def files_below(folder: Path) -> dict[str, tuple[int, int]]:
    """Name -> size and time of writing."""
    stats = {str(path.relative_to(folder)): path.stat() for path in folder.rglob("*") if path.is_file()}
    return {name: (stat.st_size, stat.st_mtime_ns) for name, stat in stats.items()}


def num_captions(out: Path, recipe: Recipe) -> int:
    """Captions that were sent to the translator."""
    language = recipe.languages[0]
    made_by = translator_fingerprint(recipe, recipe.translator.settings)
    return len(Ledger(str(out)).read_translations(language, made_by))


def test_the_dataset_proves_its_coverage(first: FirstRun) -> None:
    findings = verify(str(first.out))
    assert findings.problems == () and findings.proofs
    counts = first.facts.manifest.counts
    for split in ("train", "val"):
        assert counts[split]["caption"]["en"] > 0 and "fr" not in counts[split]["caption"]
    assert counts["train"]["caption"]["de"] > 0 and counts["train"]["translation"]["fr"] > 0
    assert set(counts.get("heldout", {"caption": {"fr": 0}})["caption"]) == {"fr"}


def test_the_report_says_how_full_a_real_server_was(first: FirstRun) -> None:
    """By its own metrics; the captioner, which is in our process, says no tokens."""
    caption, translate = first.facts.loads
    assert (caption.step, translate.step) == ("caption", "translate")
    assert translate.running is not None and translate.queued is not None and translate.idle is not None
    assert translate.tokens_per_s and translate.asked_tokens_per_s and translate.in_flight
    assert caption.in_flight and caption.idle is not None and caption.tokens_per_s is None


def test_every_file_is_in_a_shard_or_among_the_rejects(first: FirstRun) -> None:
    manifest = first.facts.manifest
    written = {
        key: record for split in ("train", "choose", "val") for key, record in samples_of(first.out, split).items()
    }
    rejects = read_rejects(rejects_path(str(first.out), manifest.build))
    dropped = {reject.source for reject in rejects if reject.step in ("read", "write")}
    sources = {record["source"] for record in written.values()}
    num_files = sum(path.is_file() for path in first.images.rglob("*"))
    assert len(sources) + len(dropped) == num_files == manifest.inputs["found"] and not sources & dropped
    index = read_index(str(first.out))
    assert index is not None
    read = {key: relative_uri(index.images[key], str(first.images)) for key in written}
    assert read == {key: record["source"] for key, record in written.items()}


def test_the_books_balance(first: FirstRun) -> None:
    assert imbalances(first.facts.books) == []
    manifest = first.facts.manifest
    assert total(first.facts.books, "write", KEPT) == sum(
        shard.samples for shard in manifest.shards if shard.split != "heldout"
    )  # noqa: E501


def test_the_bad_files_have_their_reasons(first: FirstRun) -> None:
    rejects = read_rejects(rejects_path(str(first.out), first.facts.manifest.build))
    reasons = {Path(reject.source).name: reject.reason for reject in rejects if reject.step in ("read", "write")}
    assert reasons["empty.png"] == "empty_file"
    assert Counter(reject.reason for reject in rejects)["duplicate_image"] >= 1
    assert reasons["cut.jpg"] == "damaged_image"
    assert "not_an_image" in reasons.values()


def test_webdataset_and_a_plain_tar_read_the_same_samples(first: FirstRun) -> None:
    manifest = first.facts.manifest
    paths = [str(first.out / "shards" / manifest.build / shard.path) for shard in manifest.shards_of("train")]
    read = {sample["__key__"]: sample for sample in webdataset.WebDataset(paths, shardshuffle=False).decode("pil")}
    plain = samples_of(first.out, "train")
    assert {key: sample["json"] for key, sample in read.items()} == plain
    for sample in read.values():
        assert sample["jpg"].size == (sample["json"]["width"], sample["json"]["height"])
        captions = {caption["style"]: caption["text"] for caption in sample["json"]["captions"]}
        assert sample["txt"] == captions.get("short", sample["txt"])


def test_a_rerun_asks_nothing_and_changes_nothing(first: FirstRun, out: Path) -> None:
    shards_before, ledger_before = files_below(out / "shards"), files_below(out / "ledger" / "translations")
    facts = go_on(first, out)
    assert facts.asked == {"captions": 0, "translations": 0}
    assert facts.manifest == replace(first.facts.manifest, recipe=facts.manifest.recipe), "which names this OUT now"
    assert facts.manifest.recipe == {**first.facts.manifest.recipe, "out": str(out)}
    assert files_below(out / "shards") == shards_before
    assert files_below(out / "ledger" / "translations") == ledger_before


def test_a_new_language_is_asked_for_alone(first: FirstRun, out: Path) -> None:
    before = files_below(out / "ledger" / "translations")
    facts = go_on(first, out, LANGS="de,fr,es", HELDOUT="fr,es")
    recipe = recipe_of(first.images, out, first.endpoint)
    assert facts.asked == {"captions": 0, "translations": num_captions(out, recipe)}
    after = files_below(out / "ledger" / "translations")
    assert {name: after[name] for name in before} == before
    assert {Path(name).parts[0] for name in after.keys() - before.keys()} == {"es"}
    assert facts.manifest.counts["train"]["translation"]["es"] > 0
    assert verify(str(out)).problems == ()


def test_another_held_out_set_asks_nothing(first: FirstRun, out: Path) -> None:
    facts = go_on(first, out, HELDOUT="none")
    assert facts.asked == {"captions": 0, "translations": 0}
    assert facts.manifest.build != first.facts.manifest.build and facts.manifest.held_out == ()
    assert facts.manifest.counts["train"]["caption"]["fr"] == facts.manifest.counts["train"]["translation"]["fr"] > 0
    assert not facts.manifest.shards_of("heldout")
    assert verify(str(out)).problems == ()


def test_an_interrupt_ends_our_own_server_and_the_next_run_finishes(tmp_path: Path) -> None:
    variables = ["LANGS=de,fr", "COUNT=12", f"OUT={tmp_path / 'out'}"]
    command = [sys.executable, "-m", "pipeline", RECIPE, *variables]
    log = tmp_path / "out" / "logs" / "translation-server.log"
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as running:
        try:
            wait_until(
                lambda: log.exists() and log.stat().st_size > 0 and any(map(is_server, family_of(running.pid))), running
            )
            family = family_of(running.pid)
            running.send_signal(signal.SIGINT)
            _, errors = running.communicate(timeout=120)
        finally:
            running.kill()
    assert running.returncode == 130, errors
    assert errors.startswith("florenz: interrupted") and errors.count("\n") == 1, errors
    _, alive = psutil.wait_procs(family, timeout=60)
    assert alive == []
    assert not (tmp_path / "out" / "manifest.json").exists()

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "" and "images     12 found, 12 written" in done.stdout
    assert [process for process in psutil.process_iter() if str(tmp_path) in " ".join(words_of(process))] == []
    assert verify(str(tmp_path / "out")).problems == ()
    assert read_manifest(str(tmp_path / "out")).held_out == ("fr",)


def family_of(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def is_server(process: psutil.Process) -> bool:
    return SERVER_PROGRAM in words_of(process)


def words_of(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def wait_until(is_so: Callable[[], bool], of: subprocess.Popen[str]) -> None:
    """While the run goes on: one that has ended will not make it so."""
    deadline = time.monotonic() + 900
    while not is_so():
        assert of.poll() is None, of.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture(autouse=True, scope="module")
def project_folder() -> object:
    """The default recipe names its models relative to the project."""
    before = os.getcwd()
    os.chdir(ROOT)
    yield
    os.chdir(before)
