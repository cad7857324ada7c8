"""What every store must do, whatever lies behind it: its test subclasses `StoreSuite` and adds its own way in.

A store is never checked through itself: `put`, `get` and `names` go round it, to where the bytes are. What a store
can't do yet stands in its subclass, as a strict expected failure with its reason.
"""

import os
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import pytest

from florenz.stores import files
from florenz.stores.contract import Store
from florenz.stores.errors import StoreError

ODD_NAMES = (
    "a b", " a", "ü.jpg", "图片.jpg", "[x].txt", "a#b", "a%20b", "a?b", "a*b", "a+b&c=d", "a'b", "{a}", "-rf",
    ".hidden",
)  # fmt: skip
NUM_RACES = 100


class StoreSuite:
    """store: what is tested. Each test gets a `folder` of its own, a URL or path that holds nothing."""

    store: ClassVar[Store]

    @pytest.fixture
    def folder(self, tmp_path: Path) -> str:
        raise NotImplementedError

    def put(self, path: str, content: bytes) -> None:
        """Make a file by other means than the store."""
        raise NotImplementedError

    def get(self, path: str) -> bytes | None:
        """What is there, found by other means than the store; None if there is no such file."""
        raise NotImplementedError

    def names(self, folder: str) -> list[str]:
        """Of all files below a folder, unfinished ones included, relative to it and sorted; by other means."""
        raise NotImplementedError

    def write(self, path: str, content: bytes) -> None:
        with self.store.atomic_write(path) as file:
            file.write(content)

    # -- which store --------------------------------------------------------------------------------------------------

    def test_its_paths_are_given_to_it(self, folder: str) -> None:
        assert files.store_of(folder) is self.store

    # -- reading ------------------------------------------------------------------------------------------------------

    def test_what_others_have_put_there_is_read_whole_and_from_any_place(self, folder: str) -> None:
        path = files.join(folder, "a", "b.bin")
        self.put(path, b"0123456789")
        assert self.store.read_bytes(path) == b"0123456789"
        with self.store.open_read(path) as file:
            assert file.seek(0, os.SEEK_END) == 10
            file.seek(4)
            assert (file.read(3), file.read(), file.read()) == (b"456", b"789", b"")

    def test_two_readers_of_one_file_do_not_disturb_each_other(self, folder: str) -> None:
        path = files.join(folder, "a.bin")
        self.put(path, b"0123456789")
        with self.store.open_read(path) as one, self.store.open_read(path) as other:
            assert (one.read(2), other.read(3), one.read(2), other.read(3)) == (b"01", b"012", b"23", b"345")

    def test_a_file_that_is_not_there_is_said_by_name(self, folder: str) -> None:
        path = files.join(folder, "none.bin")
        with pytest.raises(FileNotFoundError, match="none.bin"):
            self.store.read_bytes(path)
        with pytest.raises(FileNotFoundError, match="none.bin"):
            self.store.open_read(path)

    # -- writing ------------------------------------------------------------------------------------------------------

    def test_a_file_appears_when_its_writing_has_ended_and_not_before(self, folder: str) -> None:
        path = files.join(folder, "a", "b.bin")
        with self.store.atomic_write(path) as file:
            file.write(b"ha")
            file.flush()
            assert self.get(path) is None and not self.store.exists(path) and files.list_files(folder) == []
            file.write(b"lf")
        assert self.get(path) == b"half"
        assert self.names(folder) == ["a/b.bin"]

    @pytest.mark.parametrize("problem", [ValueError, OSError, KeyboardInterrupt])
    def test_after_an_error_nothing_is_there(self, folder: str, problem: type[BaseException]) -> None:
        with pytest.raises(problem), self.store.atomic_write(files.join(folder, "a.bin")) as file:
            file.write(b"half")
            raise problem
        assert self.names(folder) == []

    def test_after_an_error_what_was_there_stays(self, folder: str) -> None:
        path = files.join(folder, "a.bin")
        self.put(path, b"old")
        with pytest.raises(ZeroDivisionError), self.store.atomic_write(path) as file:
            file.write(b"newer")
            raise ZeroDivisionError
        assert self.get(path) == b"old" and self.names(folder) == ["a.bin"]

    def test_a_file_takes_the_place_of_a_longer_one(self, folder: str) -> None:
        path = files.join(folder, "a.bin")
        self.put(path, b"long before")
        self.write(path, b"now")
        assert self.get(path) == b"now" and self.names(folder) == ["a.bin"]

    def test_an_empty_file_is_a_file(self, folder: str) -> None:
        path = files.join(folder, "a.bin")
        self.write(path, b"")
        assert self.get(path) == b"" == self.store.read_bytes(path) and self.store.exists(path)

    def test_large_content_arrives_as_it_was(self, folder: str) -> None:
        content = random.Random(0).randbytes((12 << 20) + 1)
        path = files.join(folder, "large.bin")
        with self.store.atomic_write(path) as file:
            for start in range(0, len(content), 1_000_003):
                file.write(content[start : start + 1_000_003])
        assert self.get(path) == content and self.store.read_bytes(path) == content

    def test_a_reader_sees_one_writing_or_the_other_and_no_mixture(self, folder: str) -> None:
        path = files.join(folder, "a.bin")
        contents = {bytes([letter]) * (200_000 + letter) for letter in b"abcd"}
        self.put(path, min(contents))
        with ThreadPoolExecutor(4) as pool:
            writers = [pool.submit(self.write, path, content) for _ in range(5) for content in sorted(contents)]
            seen = {self.store.read_bytes(path)}
            while not all(writer.done() for writer in writers):
                seen.add(self.store.read_bytes(path))
            for writer in writers:
                writer.result()
        assert seen <= contents and self.get(path) in contents and self.names(folder) == ["a.bin"]

    # -- names --------------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("name", ODD_NAMES)
    def test_an_odd_name_is_a_name(self, folder: str, name: str) -> None:
        path = files.join(folder, f"in {name}", name)
        self.write(path, b"1")
        assert self.get(path) == b"1" and self.names(folder) == [f"in {name}/{name}"]
        assert files.list_files(folder) == [path] and self.store.exists(path)
        assert self.store.read_bytes(path) == b"1"
        self.store.remove(path)
        assert self.names(folder) == []

    def test_files_are_listed_at_any_depth_and_in_the_order_of_their_names(self, folder: str) -> None:
        names = ["B.txt", "a.txt", "a/b/c.txt", "a/z.txt", "b/[0].txt", "b/ä.txt", "b/图.txt"]
        for name in reversed(names):
            self.put(files.join(folder, name), b"")
        assert files.list_files(folder) == [files.join(folder, name) for name in names]
        assert sorted(self.store.list_names(folder)) == names
        assert sorted(self.store.list_names(files.join(folder, "a"))) == ["b/c.txt", "z.txt"]

    def test_a_neighbour_whose_name_begins_the_same_is_not_listed(self, folder: str) -> None:
        self.put(files.join(folder, "train", "a"), b"")
        self.put(files.join(folder, "train-old", "b"), b"")
        assert list(self.store.list_names(files.join(folder, "train"))) == ["a"]

    def test_a_folder_that_is_not_there_holds_nothing(self, folder: str) -> None:
        assert list(self.store.list_names(files.join(folder, "none"))) == []

    def test_what_others_do_meanwhile_shows_at_once(self, folder: str) -> None:
        path = files.join(folder, "a", "b.bin")
        assert not self.store.exists(path) and list(self.store.list_names(folder)) == []
        self.put(path, b"")
        assert self.store.exists(path) and list(self.store.list_names(folder)) == ["a/b.bin"]

    def test_a_folder_of_something_exists(self, folder: str) -> None:
        self.put(files.join(folder, "a", "b.bin"), b"")
        assert self.store.exists(files.join(folder, "a")) and not self.store.exists(files.join(folder, "b"))

    # -- removing -----------------------------------------------------------------------------------------------------

    def test_what_is_removed_is_gone_and_nothing_else_is(self, folder: str) -> None:
        for name in ("a.bin", "a.bin.txt", "b/a.bin"):
            self.put(files.join(folder, name), b"")
        self.store.remove(files.join(folder, "a.bin"))
        assert self.names(folder) == ["a.bin.txt", "b/a.bin"] and not self.store.exists(files.join(folder, "a.bin"))

    def test_removing_what_is_not_there_is_no_error(self, folder: str) -> None:
        self.store.remove(files.join(folder, "none.bin"))
        self.store.remove(files.join(folder, "no folder", "none.bin"))

    # -- its facts are true -------------------------------------------------------------------------------------------

    def test_a_local_path_is_one_for_the_system(self, folder: str) -> None:
        path = files.join(folder, "a.bin")
        self.put(path, b"1")
        local = files.local_path(path)
        assert (local is not None) == self.store.FACTS.is_local
        assert local is None or Path(local).read_bytes() == b"1"

    def test_the_first_one_creates_a_file_and_the_second_one_is_refused(self, folder: str) -> None:
        self._needs_create()
        path = files.join(folder, "a", "b.bin")
        assert self.store.create(path, b"first") is True
        assert self.store.create(path, b"second") is False
        assert self.get(path) == b"first" and self.names(folder) == ["a/b.bin"]

    def test_what_another_has_put_there_is_not_created_anew_until_it_is_removed(self, folder: str) -> None:
        self._needs_create()
        path = files.join(folder, "a.bin")
        self.put(path, b"theirs")
        assert self.store.create(path, b"mine") is False and self.get(path) == b"theirs"
        self.store.remove(path)
        assert self.store.create(path, b"mine") is True and self.get(path) == b"mine"

    def test_of_two_who_create_one_file_exactly_one_comes_first_every_time(self, folder: str) -> None:
        self._needs_create()
        with ThreadPoolExecutor(2) as pool:
            for number in range(NUM_RACES):
                path = files.join(folder, f"{number}.lock")
                start = threading.Barrier(2)
                race = [pool.submit(self._create_after, start.wait, path, content) for content in (b"one", b"two")]
                won = [one.result() for one in race]
                assert sorted(won) == [False, True]
                assert self.get(path) == (b"one" if won[0] else b"two")
        assert self.names(folder) == sorted(f"{number}.lock" for number in range(NUM_RACES))

    def test_a_store_that_cannot_tell_who_came_first_says_so_and_writes_nothing(self, folder: str) -> None:
        if self.store.FACTS.can_create_only:
            pytest.skip("it can")
        with pytest.raises(StoreError, match="a.bin"):
            self.store.create(files.join(folder, "a.bin"), b"1")
        assert self.names(folder) == []

    def _create_after(self, wait: Callable[[], int], path: str, content: bytes) -> bool:
        wait()
        return self.store.create(path, content)

    def _needs_create(self) -> None:
        if not self.store.FACTS.can_create_only:
            pytest.skip("it cannot create only")

    # -- swapping -----------------------------------------------------------------------------------------------------

    def test_a_file_is_swapped_only_for_the_version_that_was_read(self, folder: str) -> None:
        self._needs(self.store.FACTS.can_swap)
        path = files.join(folder, "a", "b.json")
        assert self.store.read_versioned(path) is None
        first = self.store.swap(path, b"first", None)
        assert first is not None and self.store.swap(path, b"another", None) is None
        found = self.store.read_versioned(path)
        assert found is not None and (found.content, found.version) == (b"first", first)
        second = self.store.swap(path, b"second", found.version)
        assert second not in (None, first) and self.get(path) == b"second"
        assert self.store.swap(path, b"too late", first) is None and self.get(path) == b"second"
        assert self.store.swap(path, b"third", second) is not None and self.get(path) == b"third"

    def test_what_another_wrote_or_removed_meanwhile_is_not_swapped(self, folder: str) -> None:
        self._needs(self.store.FACTS.can_swap)
        path = files.join(folder, "a.json")
        version = self.store.swap(path, b"mine", None)
        self.put(path, b"theirs")
        assert self.store.swap(path, b"mine again", version) is None and self.get(path) == b"theirs"
        found = self.store.read_versioned(path)
        self.store.remove(path)
        assert found is not None and self.store.swap(path, b"mine", found.version) is None and self.get(path) is None

    def test_of_two_who_swap_one_version_exactly_one_does_every_time(self, folder: str) -> None:
        self._needs(self.store.FACTS.can_swap)
        path = files.join(folder, "manifest.json")
        version = self.store.swap(path, b"start", None)
        with ThreadPoolExecutor(2) as pool:
            for number in range(NUM_RACES):
                start = threading.Barrier(2)
                contents = (b"one %d" % number, b"two %d" % number)
                race = [pool.submit(self._swap_after, start.wait, path, content, version) for content in contents]
                won = [one.result() for one in race]
                assert [one is None for one in won].count(True) == 1
                version = won[0] or won[1]
                assert self.get(path) == contents[won[0] is None]

    # -- stamps and ranges --------------------------------------------------------------------------------------------

    def test_a_listing_says_how_large_each_file_is_and_whether_it_was_written_anew(self, folder: str) -> None:
        self._needs(self.store.FACTS.has_stamps)
        for name, content in (("a/b.bin", b"12345"), ("c.bin", b"")):
            self.put(files.join(folder, name), content)
        first = {entry.name: entry for entry in self.store.list_entries(folder)}
        again = {entry.name: entry for entry in self.store.list_entries(folder)}
        assert first == again and {name: entry.size for name, entry in first.items()} == {"a/b.bin": 5, "c.bin": 0}
        assert all(entry.stamp and entry.modified > 1.7e9 for entry in first.values())
        self.put(files.join(folder, "a/b.bin"), b"54321")
        after = {entry.name: entry for entry in self.store.list_entries(folder)}
        assert after["a/b.bin"].stamp != first["a/b.bin"].stamp and after["c.bin"] == first["c.bin"]

    def test_pieces_of_a_file_come_in_the_order_in_which_they_are_asked_for(self, folder: str) -> None:
        self._needs(self.store.FACTS.reads_ranges)
        content = random.Random(1).randbytes(3_000_000)
        path = files.join(folder, "a.tar")
        self.put(path, content)
        ranges = [(2_000_000, 10), (0, 1), (5, 0), (2_999_999, 1), (7, 1_500_000), (1, 1), (2_000_003, 4)]
        assert self.store.read_ranges(path, ranges) == [content[at : at + size] for at, size in ranges]
        assert (
            self.store.read_ranges(path, [(2_999_998, 10)]) == [content[-2:]] and self.store.read_ranges(path, []) == []
        )
        behind = [(3_000_000, 5), (0, 3), (9_000_000, 1)]
        assert self.store.read_ranges(path, behind) == [b"", content[:3], b""]
        assert self.store.read_ranges(path, behind[:1]) == [b""]
        with pytest.raises(FileNotFoundError, match="none.bin"):
            self.store.read_ranges(files.join(folder, "none.bin"), [(0, 1)])

    def test_a_file_is_read_from_anywhere_in_steps_of_any_size(self, folder: str) -> None:
        content = random.Random(2).randbytes(2_500_000)
        path = files.join(folder, "large.bin")
        self.put(path, content)
        rng = random.Random(3)
        with self.store.open_read(path) as file:
            for _ in range(40):
                at, size = rng.randrange(len(content) + 10), rng.choice((1, 512, 70_000, 300_000, -1))
                file.seek(at)
                assert file.read(size) == (content[at:] if size < 0 else content[at : at + size])
            file.seek(0)
            assert b"".join(iter(lambda: file.read(100_000), b"")) == content

    def _swap_after(self, wait: Callable[[], int], path: str, content: bytes, version: str | None) -> str | None:
        wait()
        return self.store.swap(path, content, version)

    def _needs(self, ability: bool) -> None:
        if not ability:
            pytest.skip("it says that it cannot")
