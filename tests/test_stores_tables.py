"""Parquet tables in memory are read without a thread that could outlive its process."""

import io
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_architecture import DOORS, ROOT, files_of

from florenz.stores.tables import read_schema, read_table

TABLE = pa.table({"key": ["a", "b"], "number": [1, 2]}).replace_schema_metadata({"made": "here"})


def bytes_of(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, write_page_checksum=True)
    return buffer.getvalue()


def test_what_was_written_is_read() -> None:
    content = bytes_of(TABLE)
    assert read_table(content).equals(TABLE, check_metadata=True)
    assert read_table(content, columns=["number"]).equals(TABLE.select(["number"]))
    assert read_schema(content).equals(TABLE.schema, check_metadata=True)


def test_a_damaged_page_is_found_where_it_is_asked_for() -> None:
    content = bytes_of(pa.table({"key": ["one text that stands in its page as it is"]}))
    damaged = content.replace(b"one text", b"two text", 1)
    with pytest.raises((OSError, pa.ArrowException)):
        read_table(damaged, verify=True)


@pytest.mark.parametrize("content", [b"", b"PAR1 and no table"])
def test_what_is_no_table_is_an_error(content: bytes) -> None:
    for read in (read_table, read_schema):
        with pytest.raises((OSError, pa.ArrowException)):
            read(content)


def test_no_thread_is_started(tmp_path: Path) -> None:
    tasks = Path("/proc/self/task")
    if not tasks.is_dir():
        pytest.skip("the system does not list a process's threads")
    (tmp_path / "table").write_bytes(bytes_of(TABLE))
    code = (
        "import sys; from pathlib import Path; from florenz.stores.tables import read_schema, read_table\n"
        f"count = lambda: len(list(Path({str(tasks)!r}).iterdir()))\n"
        "content = Path(sys.argv[1]).read_bytes(); before = count()\n"
        "read_table(content), read_table(content, columns=['key'], verify=True), read_schema(content)\n"
        "print(count() - before)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "table")]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout == "0\n"


def test_every_room_reads_tables_so() -> None:
    assert not [path for room in DOORS for path in files_of(room) if "pq.read_table(" in path.read_text()]
