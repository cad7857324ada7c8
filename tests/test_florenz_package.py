"""What an installed wheel puts into a user's environment, and what the command line says."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from florenz.commands import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
NOT_SOURCE = ("data", "build", "tests")
BUILD = "import setuptools.build_meta as backend, sys; print(backend.build_wheel(sys.argv[1]))"


def not_source(folder: str, names: list[str]) -> list[str]:
    is_top = Path(folder) == ROOT
    return [name for name in names if name == "__pycache__" or (is_top and (name[0] == "." or name in NOT_SOURCE))]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as site-packages would be after an installation of the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    checkout = Path(shutil.copytree(ROOT, folder / "checkout", ignore=not_source))
    subprocess.run([sys.executable, "-c", BUILD, str(folder)], cwd=checkout, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site-packages")
    return folder / "site-packages"


def test_a_wheel_holds_every_room_as_a_package_of_florenz_and_nothing_beside(installed: Path) -> None:
    assert {path.name for path in installed.iterdir() if not path.name.endswith(".dist-info")} == {"florenz"}
    rooms = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {
        "florenz",
        "installation",
        "benchmarks",
        "tests",
    }
    for room in rooms:
        sources = {str(path.relative_to(ROOT)) for path in (ROOT / room).rglob("*.py")}
        found = {str(path.relative_to(installed / "florenz")) for path in (installed / "florenz" / room).rglob("*.py")}
        assert found == sources
    assert (installed / "florenz" / "languages" / "lid.176.ftz").is_file()


def test_an_installed_florenz_works_beside_a_users_own_train_py(installed: Path, tmp_path: Path) -> None:
    for name in ("train", "filters", "pipeline"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('not ours')")
    code = "import florenz.pipeline.recipe as recipe, florenz.train.recipe; print(recipe.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(installed)}, capture_output=True, text=True
    )
    assert done.returncode == 0 and done.stdout.startswith(str(installed)), done.stderr


def florenz(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "florenz", *words], cwd=ROOT, capture_output=True, text=True)


def test_help_names_every_command() -> None:
    done = florenz("--help")
    assert done.returncode == 0 and all(f"  {name} " in done.stdout for name in COMMANDS)
    assert florenz().returncode == 2


@pytest.mark.parametrize("command", ["dataset", "train", "export", "progress", "report", "preview", "sample"])
def test_help_of_a_command_says_its_variables_and_imports_nothing_heavy(command: str) -> None:
    code = (
        "import sys; from florenz.__main__ import main; code = main(sys.argv[1:]);"
        "print({'torch', 'apache_beam', 'pyarrow', 'transformers', 'PIL', 'jinja2'} & sys.modules.keys());"
        "sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code, command, "--help"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith("usage: ") and done.stdout.endswith("set()\n"), done.stdout
    assert done.stdout.count("\n") > 3 and done.stderr == ""


def test_an_unknown_command_is_refused_with_the_nearest() -> None:
    done = florenz("datset")
    assert done.returncode == 2 and done.stderr == "florenz: unknown command 'datset': did you mean 'dataset'?\n"


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.slow
def test_every_command_refuses_bad_input_with_exit_code_2(command: str) -> None:
    assert florenz(command).returncode == 2
