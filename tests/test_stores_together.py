"""Reads of many files: requests are under way together, reads from a disk are not."""

import threading

import pytest

from florenz.stores.together import REQUESTS_IN_FLIGHT, together

HUNG_AFTER_S = 60.0


def test_requests_are_under_way_together_and_come_back_in_order() -> None:
    all_there = threading.Barrier(REQUESTS_IN_FLIGHT)
    paths = [f"s3://bucket/{number}" for number in range(2 * REQUESTS_IN_FLIGHT)]

    def read(path: str) -> str:
        all_there.wait(HUNG_AFTER_S)
        return path.upper()

    assert list(together(read, paths, paths)) == [path.upper() for path in paths]


def test_files_of_a_disk_are_read_by_who_asks_one_after_the_other() -> None:
    threads, paths = list[threading.Thread](), ["/a", "/b", "/c"]

    def read(path: str) -> int:
        threads.append(threading.current_thread())
        return len(threads)

    found = together(read, paths, paths)
    assert next(found) == 1 and len(threads) == 1, "the next is not read before it is asked for"
    assert list(found) == [2, 3] and set(threads) == {threading.current_thread()}


@pytest.mark.parametrize("folder", ["/", "s3://bucket/"])
def test_what_a_read_raises_is_raised(folder: str) -> None:
    def read(path: str) -> str:
        raise FileNotFoundError(path)

    with pytest.raises(FileNotFoundError, match="b"):
        list(together(read, [f"{folder}b", f"{folder}b"], [f"{folder}b", f"{folder}b"]))
