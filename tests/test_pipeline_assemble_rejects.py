"""The reject file: everything that was dropped, in an order that does not depend on who dropped it first."""

import random
from pathlib import Path

import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from florenz.pipeline.assemble.rejects import Reject, read_rejects, write_rejects

TEXT = st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=12)
REJECTS = st.lists(st.builds(Reject, **dict.fromkeys(Reject.__dataclass_fields__, TEXT)), max_size=12)


@given(REJECTS, st.randoms(use_true_random=False))
def test_the_same_rejects_give_the_same_bytes_in_any_order(
    tmp_path_factory: object, rejects: list[Reject], shuffler: random.Random
) -> None:
    folder: Path = tmp_path_factory.mktemp("rejects")  # type: ignore[attr-defined]
    write_rejects(str(folder / "a.parquet"), rejects)
    shuffler.shuffle(rejects)
    write_rejects(str(folder / "b.parquet"), rejects)
    assert (folder / "a.parquet").read_bytes() == (folder / "b.parquet").read_bytes()
    assert read_rejects(str(folder / "a.parquet")) == sorted(rejects)


def test_the_file_has_the_columns_of_the_plan_even_without_a_reject(tmp_path: Path) -> None:
    path = tmp_path / "rejects.parquet"
    write_rejects(str(path), [])
    assert {"key", "step", "language", "reason", "detail", "text"} <= set(pq.read_schema(path).names)
    assert read_rejects(str(path)) == []
