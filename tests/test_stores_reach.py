"""What other machines can't find is refused before any work is sent to them (test_pipeline_preflight.py says how)."""

import pytest

from florenz.stores.reach import reaches_others


@pytest.mark.parametrize("path", ["gs://bucket/a", "s3://bucket/a"])
@pytest.mark.parametrize("may_share_folders", [False, True])
def test_object_stores_are_the_same_everywhere(path: str, may_share_folders: bool) -> None:
    assert reaches_others(path, may_share_folders=may_share_folders)


@pytest.mark.parametrize("path", ["/mnt/all/a", "file:///mnt/all/a"])
def test_an_absolute_path_may_be_on_a_shared_disk(path: str) -> None:
    assert reaches_others(path, may_share_folders=True) and not reaches_others(path, may_share_folders=False)


@pytest.mark.parametrize("path", ["data/out", "./out", "~/out", "file://out", "memory://out", ""])
def test_what_is_relative_or_in_one_process_reaches_nobody(path: str) -> None:
    assert not reaches_others(path, may_share_folders=True)
