"""The rooms keep their doors shut: every import of every file is read, nothing is run."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# Room -> the rooms below it that it may use, besides its own. Arrows go downwards, and the order here is from below.
DOORS: dict[str, set[str]] = {
    "limits": set(),
    "stores": {"limits"},
    "languages": set(),
    "recipes": {"limits", "stores"},
    "images": {"limits", "stores"},
    "filters": {"languages"},
    "translators": {"limits", "stores", "recipes", "languages"},
    "captioners": {"stores", "recipes", "images", "translators"},
    "scorers": {"stores", "recipes"},
    "shards": {"limits", "stores", "languages", "images"},
    "exports": {"limits", "stores", "recipes", "languages", "images", "shards"},
    "reports": {"limits", "stores", "recipes", "languages", "images", "shards", "exports"},
    "playground": {"stores"},
    # Of translators alone what asks one for a baseline (train/scores/translator.py).
    "train": {"limits", "stores", "recipes", "languages", "images", "shards", "translators", "playground"},
    "pipeline": {
        "limits", "stores", "recipes", "languages", "images", "filters", "captioners", "translators", "scorers",
        "shards", "exports", "reports", "playground",
    },
    "florenz": {"limits", "pipeline", "train", "exports", "reports", "shards", "stores", "recipes"},
}  # fmt: skip
# Library -> where alone it may be imported.
HOMES = {
    "apache_beam": ("pipeline/",),
    "torch": (
        "train/",
        "captioners/florence2/model.py",
        "scorers/_torch.py",
        "scorers/metricx/model.py",
        "scorers/siglip/model.py",
        "playground/",
    ),
    "fasttext": ("languages/identification.py",),
    "vllm": (),
}
NOT_PACKAGES = {"tests", "installation", "benchmarks"}


def files_of(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def imported_modules(path: Path) -> set[str]:
    """Dotted names, imports inside functions included; `from a import b` is both a and a.b."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def imported_rooms(path: Path) -> set[str]:
    parts = [name.split(".") for name in imported_modules(path)]
    return {part[1] for part in parts if part[0] == "florenz" and len(part) > 1} & set(DOORS)


@pytest.mark.parametrize(
    "path", [path for room in DOORS for path in files_of(room)], ids=lambda p: str(p.relative_to(ROOT))
)
def test_a_file_imports_only_rooms_and_libraries_that_it_may(path: Path) -> None:
    name = path.relative_to(ROOT).as_posix()
    room = name.split("/")[0]
    assert imported_rooms(path) <= {room} | DOORS[room]
    packages = {module.split(".")[0] for module in imported_modules(path)}
    assert not packages & (set(DOORS) - {"florenz"}), "rooms are packages of florenz"
    for library, homes in HOMES.items():
        assert library not in packages or name.startswith(homes or ("nowhere",)), f"{name} imports {library}"


def test_no_arrow_between_rooms_runs_upwards() -> None:
    order = list(DOORS)
    assert all(order.index(below) < order.index(room) for room in order for below in DOORS[room])


def test_every_room_is_looked_at() -> None:
    rooms = {path.parent.name for path in ROOT.glob("*/__init__.py")} - NOT_PACKAGES
    assert rooms == set(DOORS) and all(files_of(room) for room in rooms)
    assert "apache_beam" in imported_modules(ROOT / "pipeline" / "assemble" / "graph.py")


def test_no_two_files_import_each_other_in_a_circle() -> None:
    """Imports inside functions are left out: they are how a circle of values without one of files is written."""
    graph = {module_of(path): top_level_imports(path) for room in DOORS for path in files_of(room)}
    done: set[str] = set()

    def visit(module: str, above: tuple[str, ...]) -> None:
        assert module not in above, f"circle: {' -> '.join((*above[above.index(module) :], module))}"
        if module in done:
            return
        for imported in graph[module] & graph.keys():
            visit(imported, (*above, module))
        done.add(module)

    for module in graph:
        visit(module, ())


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = parts[1:] if parts[0] == "florenz" else parts
    return ".".join(("florenz", *parts)).removesuffix(".__init__")


def top_level_imports(path: Path) -> set[str]:
    names = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def test_no_file_is_named_after_the_library_it_wraps() -> None:
    libraries = {"beam", "apache_beam", "vllm", "torch", "fasttext", "webdataset", "transformers", "pyarrow", "pillow"}
    names = {
        path.stem for room in DOORS for path in files_of(room) if path.parent.name != "formats"
    }  # FORMAT=webdataset
    assert not names & (libraries | {"utils", "common", "helpers", "manager"})
