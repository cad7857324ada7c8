"""What decides a build's bytes is found by reading imports: nothing is left out, and nothing more is in."""

from pathlib import Path

import pytest

from florenz.pipeline.assemble import code
from florenz.pipeline.assemble.code import ENTRIES, code_checksum, import_closure

ROOT = Path(__file__).resolve().parents[1]


def names() -> set[str]:
    return {module.removeprefix("florenz.") for module in import_closure(ENTRIES)}


def test_everything_that_makes_samples_and_tars_is_in_the_closure() -> None:
    filters = {f"filters.{path.stem}" for path in (ROOT / "filters").glob("*.py") if path.stem != "__init__"}
    assert names() >= filters | {
        "images.decoding", "images.sources", "languages.identification", "languages.scripts",
        "pipeline.assemble.coverage", "pipeline.assemble.covering", "pipeline.assemble.filtering",
        "pipeline.assemble.work", "shards.plan", "shards.schema", "shards.writer", "stores.files",
    }  # fmt: skip


def test_what_only_looks_at_a_dataset_or_asks_models_is_not() -> None:
    outside = (
        "shards.verify",
        "shards.reader",
        "pipeline.report",
        "pipeline.run",
        "pipeline.recipe",
        "pipeline.progress",
    )
    assert not names() & set(outside)
    assert not any(name.startswith(("translators", "captioners", "train", "playground")) for name in names())


def test_no_heavy_library_decides_unseen() -> None:
    """Beam wires and decides nothing: what workers do can be read and run without it."""
    for path in import_closure(ENTRIES).values():
        assert "apache_beam" not in path.read_text()


def package(root: Path, name: str, **files: str) -> None:
    folder = root / name
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    for stem, text in files.items():
        (folder / f"{stem}.py").write_text(text)


def test_a_change_in_an_imported_file_changes_the_checksum_and_in_another_one_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(
        tmp_path, "world",
        entry="from world.direct import value\ndef work():\n    from world import late\n    return late, value\n",
        direct="import world.indirect\nvalue = 1\n", indirect="x = 1\n", late="y = 1\n", other="z = 1\n",
    )  # fmt: skip
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(code, "PACKAGE", "world")
    entries = ("world.entry",)
    assert set(import_closure(entries)) == {"world.entry", "world.direct", "world.indirect", "world.late"}

    def checksum() -> str:
        return code_checksum.__wrapped__(entries)

    seen = [checksum()]
    for name in ("direct", "indirect", "late", "entry"):
        path = tmp_path / "world" / f"{name}.py"
        path.write_text(path.read_text() + "# mended\n")
        seen.append(checksum())
    assert len(set(seen)) == len(seen)
    (tmp_path / "world" / "other.py").write_text("z = 2\n")
    assert checksum() == seen[-1]
