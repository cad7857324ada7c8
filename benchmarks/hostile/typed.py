"""What may be typed: names of OUT that mean something else elsewhere, recipes without end, counts without bound."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from benchmarks.hostile.place import Done, Place, case, fault


@case
def out_with_signs_of_a_glob(place: Place) -> Iterator[tuple[Done, str]]:
    out = str(place.folder / "a[x]*?")
    (place.folder / "ax").mkdir()
    done = place.run(f"OUT={out}", "COUNT=4", images='"playground"')
    yield done, fault(done, 0) or ("" if Path(out, "manifest.json").is_file() else "no manifest in it")


@case
def out_that_is_no_utf8(place: Place) -> Iterator[tuple[Done, str]]:
    out = str(place.folder / os.fsdecode(b"b\xffc"))
    done = place.run(f"OUT={out}")
    yield done, fault(done, 0, "udcff") or ("" if Path(out, "manifest.json").is_file() else "no manifest in it")


@case
def out_that_is_the_disk(place: Place) -> Iterator[tuple[Done, str]]:
    for out in ("/", str(Path.home())):
        done = place.run(f"OUT={out}")
        yield done, fault(done, 2, "name a folder of its own")


@case
def recipe_without_end(place: Place) -> Iterator[tuple[Done, str]]:
    done = place.run(recipe="/dev/zero")
    yield done, fault(done, 2, "more than 1,048,576 bytes")
    deep = place.folder / "deep.toml"
    deep.write_text("x = " + "[" * 5000 + "]" * 5000)
    done = place.run(recipe=str(deep))
    yield done, fault(done, 2, "cannot read this recipe")


@case
def counts_without_bound(place: Place) -> Iterator[tuple[Done, str]]:
    done = place.run("WORKERS=100000")
    yield done, fault(done, 2, "99,744 more than the limit of 256", "[limits] workers")
    done = place.run(captioner_keys="num_beams = 5000")
    yield done, fault(done, 2, "4,968 more than the limit of 32", "[limits] beams")
