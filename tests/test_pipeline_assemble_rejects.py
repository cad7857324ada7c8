"""The reject file: everything that was dropped, in an order that does not depend on who dropped it first."""

import hashlib
import random
from pathlib import Path

import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from florenz.pipeline.assemble.rejects import REJECTS as SUFFIX
from florenz.pipeline.assemble.rejects import Reject, join_rejects, leave_rejects, read_rejects

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
