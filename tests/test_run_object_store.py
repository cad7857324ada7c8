"""Whole runs whose OUT, and images, lie in an object store: the same bytes as on a disk, and every fault one line."""

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import forked_runs
import pytest
from object_stores import way_into
from pipeline_examples import ROOT

from benchmarks.stand_in_server import stand_in_process
from benchmarks.stand_in_stores import Faults, StandInStore, Way
from benchmarks.torture import RECIPE, draw_torture_world
from florenz.stores import lease

COMPARED = ("shards/", "rejects/")


class World:
    """A world in a store, a recipe, and the place where runs are started."""

    def __init__(self, folder: Path, store: StandInStore, endpoint: str) -> None:
        self.folder, self.store, self.way = folder, store, way_into(store)
        self.images, self.out = f"{store.bucket}/{folder.name}/images", f"{store.bucket}/{folder.name}/out"
        for picture in sorted(draw_torture_world(folder, num_images=6).iterdir()):
            self.way.put(f"{self.images}/{picture.name}", picture.read_bytes())
        (folder / "recipe.toml").write_text(RECIPE.format(out=self.out, images=self.images, endpoint=endpoint))
        (folder / "playground").symlink_to(ROOT / "playground")

    def run(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        recipe = str(self.folder / "recipe.toml")
        environment = {**self.store.variables, **environment}
        return forked_runs.run("-m", "florenz.pipeline", recipe, *words, environment=environment, folder=self.folder)

    def result(self) -> dict[str, bytes]:
        return {name: self.way.get(f"{self.out}/{name}") or b"" for name in of_build(self.way, self.out)}


def of_build(way: Way, out: str) -> list[str]:
    return [name for name in way.names(out) if name.startswith(COMPARED)]


def on_disk(out: Path) -> Mapping[str, bytes]:
    names = [str(path.relative_to(out)) for path in sorted(out.rglob("*")) if path.is_file()]
    return {name: (out / name).read_bytes() for name in names if name.startswith(COMPARED)}


@pytest.fixture
def world(object_store: StandInStore, tmp_path: Path) -> Iterator[World]:
    with stand_in_process() as endpoint:
        yield World(tmp_path, object_store, endpoint)


def test_a_run_in_a_store_writes_what_one_on_a_disk_does_and_asks_nothing_twice(world: World) -> None:
    first = world.run()
    assert first.returncode == 0, first.stderr
    result = world.result()
    assert any(name.endswith(".tar") for name in result)
    # The ledger on a disk: from the same answers come the same name and the same bytes.
    out = world.folder / "out"
    for name in world.way.names(f"{world.out}/ledger"):
        part = out / "ledger" / name
        part.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(world.way.get(f"{world.out}/ledger/{name}") or b"")
    local = world.run(f"OUT={out}")
    assert local.returncode == 0 and "0 captions, 0 translations" in local.stdout, local.stderr
    assert on_disk(out) == result
    again = world.run()
    assert again.returncode == 0 and "0 captions, 0 translations" in again.stdout
    assert world.result() == result
    verified = forked_runs.run("-m", "florenz.shards.verify", world.out, environment=world.store.variables)
    assert verified.returncode == 0 and "every SHA-256 as in the manifest" in verified.stdout, verified.stderr
    retried = world.run("RETRY=all")
    assert retried.returncode == 0 and "asking again for" in retried.stdout


def test_faults_of_a_store_are_one_line_and_nothing_is_lost(world: World) -> None:
    wrong = world.run("OUT=" + world.out.replace("florenz-bucket", "no-such-bucket"))
    assert wrong.returncode == 2 and "there is no such bucket: check its name" in wrong.stderr
    assert len(wrong.stderr.splitlines()) == 1, wrong.stderr
    world.store.order(Faults(method="PUT", times=100_000, status=403, code="AccessDenied"))
    refused = world.run()
    assert refused.returncode == 2 and "the store refuses it (403 AccessDenied" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1, refused.stderr
    # Rights that end in the middle: what was answered until then stays, and the same command goes on.
    world.store.order(Faults(method="PUT", word="translations", skip=1, times=100_000, status=403, code="ExpiredToken"))
    stopped = world.run()
    assert stopped.returncode == 1 and "403 ExpiredToken" in stopped.stderr, stopped.stderr
    assert (
        stopped.stderr.splitlines()[-1].endswith("run the same command to go on") and "Traceback" not in stopped.stderr
    )
    assert any(name.startswith("ledger/captions/") for name in world.way.names(world.out))
    world.store.order()
    after = world.run()
    assert after.returncode == 0 and "asked      0 captions" in after.stdout


def test_a_busy_store_slows_a_run_and_does_not_stop_it(world: World) -> None:
    faults = [
        Faults(method=method, skip=skip, times=2, status=503) for method in ("GET", "PUT") for skip in (5, 15, 25)
    ]
    world.store.order(
        *faults, Faults(method="PUT", skip=9, reset="after"), Faults(method="GET", skip=12, reset="before")
    )
    ran = world.run()
    assert ran.returncode == 0, ran.stderr


def test_a_second_run_is_refused_in_one_line(world: World) -> None:
    with lease.lease_out(world.out):
        second = world.run()
        assert second.returncode == 2 and "is in use by another run (process" in second.stderr
        assert len(second.stderr.splitlines()) == 1, second.stderr
