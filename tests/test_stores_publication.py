"""Of several who may publish, one does; and who was taken for dead publishes and removes nothing."""

import subprocess
import sys
import uuid
from dataclasses import replace
from pathlib import Path

import pytest
from pipeline_examples import ROOT, assemble, jpeg_of, key_of, recipe_for, write_ledger, write_pictures

from benchmarks.stand_in_stores import StandInStore
from florenz.pipeline.assemble.build import publish, read_summary
from florenz.shards.manifest import manifest_path, read_manifest
from florenz.stores import files
from florenz.stores.errors import OutLost
from florenz.stores.publication import Publication


@pytest.fixture
def path(object_store: StandInStore) -> str:
    return f"{object_store.bucket}/{uuid.uuid4().hex}/manifest.json"


def test_who_comes_second_is_told_and_what_was_published_stays(path: str) -> None:
    one, other = Publication(path), Publication(path)
    one.write(b"first")
    with pytest.raises(OutLost, match=f"another run has written {path}"):
        other.write(b"second")
    assert files.read_bytes(path) == b"first"
    one.write(b"first, again")
    Publication(path).write(b"third")
    assert files.read_bytes(path) == b"third"


def test_on_a_disk_the_lock_is_enough(tmp_path: Path) -> None:
    path = str(tmp_path / "manifest.json")
    one, other = Publication(path), Publication(path)
    one.write(b"1")
    other.write(b"2")
    assert files.read_bytes(path) == b"2"


def test_an_old_run_that_wakes_up_publishes_and_removes_nothing(s3_store: StandInStore, tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", 6)
    recipe = replace(
        recipe_for(tmp_path, tmp_path / "pictures"), out=f"{s3_store.bucket}/{tmp_path.name}", held_out=("fr",)
    )
    write_ledger(recipe, [key_of(jpeg_of(number)) for number in range(6)])
    sleeper = Publication(manifest_path(recipe.out))
    old, old_index = assemble(recipe)
    summary = read_summary(recipe.out, old)
    newer = replace(recipe, held_out=())
    new, new_index = assemble(newer)
    publish(newer, new, read_summary(newer.out, new), new_index, {})
    before = files.list_files(f"{recipe.out}/shards")
    with pytest.raises(OutLost):
        publish(recipe, old, summary, old_index, {}, sleeper)
    assert read_manifest(recipe.out).build == new and files.list_files(f"{recipe.out}/shards") == before


RACE = """
import sys
from florenz.stores.errors import OutLost
from florenz.stores.publication import Publication
for line in sys.stdin:
    publication = Publication(line.strip())
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        publication.write(sys.argv[1].encode())
        print("won", flush=True)
    except OutLost:
        print("lost", flush=True)
"""


@pytest.mark.slow
def test_of_two_publishers_that_race_exactly_one_wins_every_time(path: str) -> None:
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        for name in ("0", "1")
    ]

    def tell(line: str) -> list[str]:
        for racer in racers:
            racer.stdin.write(line)  # type: ignore[union-attr]
            racer.stdin.flush()  # type: ignore[union-attr]
        return [racer.stdout.readline().strip() for racer in racers]  # type: ignore[union-attr]

    try:
        for number in range(100):
            assert tell(f"{path}.{number}\n") == ["ready", "ready"]
            said = tell("\n")
            assert sorted(said) == ["lost", "won"], f"race {number}: {said}"
            assert files.read_bytes(f"{path}.{number}") == b"%d" % said.index("won")
    finally:
        for racer in racers:
            racer.communicate()
