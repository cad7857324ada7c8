"""What other machines can't find is refused before any work is sent to them."""

import pytest

from florenz.stores.reach import reach_problems


@pytest.mark.parametrize("path", ["gs://bucket/a", "s3://bucket/a", "/mnt/all/a", "file:///mnt/all/a"])
def test_a_path_that_all_machines_have_passes(path: str) -> None:
    assert list(reach_problems({"OUT": path})) == []


@pytest.mark.parametrize("path", ["data/out", "./out", "~/out", "file://out", "memory://out", ""])
def test_a_path_of_this_machine_is_refused_by_name(path: str) -> None:
    (problem,) = reach_problems({"IMAGES": path, "OUT": "s3://bucket/out"})
    assert problem.startswith(f"IMAGES {path!r} is ") and problem.endswith("an absolute path that all machines have")
