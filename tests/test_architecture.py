"""The rooms keep their doors shut: every import of every file is read, nothing is run."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("pipeline", "translators", "filters", "shards", "train", "playground", "configs")
# Importing file or room -> rooms it may use besides its own.
DOORS = {
    "pipeline": {"translators", "filters", "shards", "playground", "configs"},
    "shards/verify.py": {"filters"},
    "configs": {"shards"},
    "train": {"shards", "configs"},
    "train/score.py": {"filters"},
}
# Library -> where alone it may be imported.
HOMES = {
    "apache_beam": ("pipeline/",),
    "torch": ("train/", "pipeline/captioner.py", "playground/"),
    "fasttext": ("filters/language_id.py",),
    "vllm": (),
}


def files_of(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def imported_packages(path: Path) -> set[str]:
    """Top-level names, imports inside functions included."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize(
    "path", [path for room in ROOMS for path in files_of(room)], ids=lambda p: str(p.relative_to(ROOT))
)
def test_a_file_imports_only_rooms_and_libraries_that_it_may(path: Path) -> None:
    name = path.relative_to(ROOT).as_posix()
    room = name.split("/")[0]
    allowed = {room} | DOORS.get(room, set()) | DOORS.get(name, set())
    packages = imported_packages(path)
    assert packages & set(ROOMS) <= allowed
    for library, homes in HOMES.items():
        assert library not in packages or name.startswith(homes or ("nowhere",)), f"{name} imports {library}"


def test_every_room_that_is_there_is_looked_at() -> None:
    assert all(files_of(room) for room in ROOMS)
    assert "apache_beam" in imported_packages(ROOT / "pipeline" / "assemble.py")


def test_no_file_is_named_after_the_library_it_wraps() -> None:
    libraries = {"beam", "apache_beam", "vllm", "torch", "fasttext", "webdataset", "transformers", "pyarrow", "pillow"}
    names = {path.stem for room in ROOMS for path in files_of(room)}
    assert not names & (libraries | {"utils", "common", "helpers", "manager"})
