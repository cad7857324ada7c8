"""The reject file: everything that was dropped, in an order that does not depend on who dropped it first."""

import hashlib
import random
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from florenz.pipeline.assemble import rejects as rejects_module
from florenz.pipeline.assemble.rejects import REJECTS as SUFFIX
from florenz.pipeline.assemble.rejects import (
    Reject,
    iter_rejects,
    join_rejects,
    leave_out,
    leave_rejects,
    read_rejects,
)

TEXT = st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=12)
REJECTS = st.lists(st.builds(Reject, **dict.fromkeys(Reject.__dataclass_fields__, TEXT)), max_size=12)


NOWHERE = "/nowhere/at/all"


def joined(folder: Path, parts: dict[str, list[Reject]]) -> Path:
    for name, rejects in parts.items():
        leave_rejects(str(folder), name, rejects, NOWHERE)
    path = folder / "rejects.parquet"
    names = sorted(part.name for part in folder.glob(f"*{SUFFIX}"))
    assert join_rejects(str(path), str(folder), names) == hashlib.sha256(path.read_bytes()).hexdigest()
    return path


@given(REJECTS, st.randoms(use_true_random=False))
def test_the_same_rejects_give_the_same_bytes_in_any_order(
    tmp_path_factory: object, rejects: list[Reject], shuffler: random.Random
) -> None:
    one, other = (tmp_path_factory.mktemp("rejects") for _ in range(2))  # type: ignore[attr-defined]
    first = joined(one, {"a": rejects})
    shuffler.shuffle(rejects)
    second = joined(other, {"a": rejects})
    assert first.read_bytes() == second.read_bytes()
    assert read_rejects(str(first)) == sorted(rejects)


def test_parts_stand_one_after_the_other_and_one_without_a_reject_is_none(tmp_path: Path) -> None:
    first, second = (Reject(key=key, step="filter", reason="empty") for key in "ab")
    path = joined(tmp_path, {"b": [second], "0": [], "a": [first]})
    assert read_rejects(str(path)) == [first, second]
    assert not (tmp_path / f"0{SUFFIX}").exists()


def test_the_file_has_the_columns_of_the_plan_even_without_a_reject(tmp_path: Path) -> None:
    path = joined(tmp_path, {})
    assert {"key", "step", "language", "reason", "detail", "text"} <= set(pq.read_schema(path).names)
    assert read_rejects(str(path)) == []


def ranges_of_rejects() -> dict[str, list[Reject]]:
    """Parts as a build leaves them: of ranges of keys, of what is no image, and of a shard."""
    parts = {
        digit: [
            Reject(key=f"{digit}{number:031x}", step="filter", reason="empty", text="x" * number) for number in range(9)
        ]
        for digit in "0379f"
    }
    strangers = [Reject(step="read", reason="not_an_image", source=name) for name in ("a", "b")]
    unread = [Reject(key=f"{digit}{4:031x}", step="write", reason="unreadable_file") for digit in "07"]
    return {**parts, "0": [*strangers, *parts["0"]], "train-000000": unread}


def test_of_one_range_those_row_groups_are_read_that_may_hold_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = joined(tmp_path, ranges_of_rejects())
    read: list[list[int]] = []

    class Watched(pq.ParquetFile):
        def iter_batches(self, batch_size: int, row_groups: list[int]) -> object:  # type: ignore[override]
            read.append(row_groups)
            return super().iter_batches(batch_size, row_groups=row_groups)

    monkeypatch.setattr(rejects_module.pq, "ParquetFile", Watched)
    assert list(iter_rejects(str(path))) == read_rejects(str(path))
    assert read.pop() == read.pop() == list(range(6))
    for digit, groups in {"7": [2, 5], "3": [1, 5], "f": [4], "7" + 31 * "0": [2, 5]}.items():
        found = list(iter_rejects(str(path), digit))
        assert found == [one for one in read_rejects(str(path)) if one.key.startswith(digit)] and found
        assert read[-2] == groups, "the last of all is the shard's, from 0 to 7"
    read.clear()
    assert list(iter_rejects(str(path), "8")) == [] and read == []


def test_what_is_left_without_some_images_is_as_if_they_had_never_been_there(tmp_path: Path) -> None:
    parts = ranges_of_rejects()
    gone = {*(one.key for one in parts["3"]), parts["7"][4].key, parts["f"][0].key}
    left = {name: [one for one in rejects if one.key not in gone] for name, rejects in parts.items()}
    path = joined(tmp_path / "one", parts)
    assert leave_out(str(path), gone) == hashlib.sha256(path.read_bytes()).hexdigest()
    assert path.read_bytes() == joined(tmp_path / "other", left).read_bytes()
    before = path.read_bytes()
    leave_out(str(path), gone)
    assert path.read_bytes() == before, "again changes nothing"
