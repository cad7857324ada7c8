"""Which shard an image stands in: what a dictionary would say, without holding it."""

import contextlib
import os
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from florenz.shards.owners import Owners
from florenz.shards.writer import ShardInfo

SHARDS = [
    ShardInfo(path=f"{split}-{number:06d}.tar", split=split, samples=1, bytes=1, sha256="", counts={})
    for split in ("train", "val")
    for number in range(2)
]
NAMES = st.text(st.characters(), max_size=3)  # halves of a surrogate among them


@given(st.lists(st.tuples(NAMES, st.integers(0, len(SHARDS) - 1)), max_size=40))
def test_it_says_what_a_dictionary_says(added: list[tuple[str, int]]) -> None:
    owners, expected = Owners(), dict[str, ShardInfo]()
    for image, number in added:
        assert owners.get(image) == expected.get(image)
        owners.add(image, SHARDS[number])
        expected.setdefault(image, SHARDS[number])
    assert len(owners) == len(expected)
    for split in ("train", "val"):
        assert owners.num_images[split] == sum(shard.split == split for shard in expected.values())


def unnamed_files() -> dict[int, int]:
    """Inode -> bytes, of files that this process has open and that nobody else can find."""
    found = []
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the listing's own
            found.append(os.fstat(int(number)))
    return {one.st_ino: one.st_size for one in found if stat.S_ISREG(one.st_mode) and not one.st_nlink}


def test_what_is_larger_than_its_cache_lies_on_the_disk_and_goes_with_it() -> None:
    before = unnamed_files()
    owners = Owners(cache_bytes=256 << 10)
    for number in range(40_000):
        owners.add(f"{number * 7919 % 40_009:032x}", SHARDS[number % 4])
    assert len(owners) == 40_000 and owners.get(f"{7919:032x}") == SHARDS[1] and owners.get("f" * 32) is None
    written = sum(size for inode, size in unnamed_files().items() if inode not in before)
    assert written > 40_000 * 32, "all but what the cache holds"
    owners.close()
    assert unnamed_files().keys() <= before.keys()


def test_a_temporary_disk_that_is_full_is_one_line() -> None:
    owners = Owners()
    owners._table.execute("PRAGMA max_page_count = 2")
    with pytest.raises(OSError, match=r"temporary disk \(database or disk is full\): set TMPDIR"):
        for number in range(10_000):
            owners.add(f"{number:032x}", SHARDS[0])
