"""What an installed wheel puts into a user's environment, and what the command line says."""

import os
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import forked_runs
import pytest
from pipeline_examples import instant_answer

from benchmarks.stand_in_server import StandInServer
from florenz import completion
from florenz.commands import COMMANDS
from florenz.recipes.recipe_file import RecipeError, read_recipe_file

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


def run_installed(installed: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(installed)}
    command = [sys.executable, "-m", "florenz", *words]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=500, check=False)


def test_recipes_and_the_playgrounds_models_come_with_it_whole(installed: Path) -> None:
    for folder in ("configs", "playground/models"):
        sources = {path.relative_to(ROOT): path.read_bytes() for path in (ROOT / folder).rglob("*") if path.is_file()}
        assert sources and {name: (installed / "florenz" / name).read_bytes() for name in sources} == sources


@pytest.mark.slow
def test_it_makes_a_dataset_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    model = "playground/models/translator"
    with StandInServer(model, instant_answer) as server:
        words = ("dataset", "LANGS=de", "COUNT=4", "OUT=out", f"ENDPOINT={server.endpoint}")
        done = run_installed(installed, tmp_path, *words)
    assert done.returncode == 0, done.stderr
    assert "4 found, 4 written" in done.stdout and {path.name for path in tmp_path.iterdir()} == {"out"}
    assert run_installed(installed, tmp_path, "verify", "out").returncode == 0


def test_a_recipe_of_ones_own_comes_before_that_of_the_same_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_recipe_file("configs/playground.toml") == read_recipe_file("playground")
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "playground.toml").write_text("seed = 5")
    assert read_recipe_file("configs/playground.toml") == {"seed": 5}
    with pytest.raises(RecipeError, match="No such file"):
        read_recipe_file("configs/missing.toml")


def test_what_the_installation_lacks_is_told_by_its_doctor(installed: Path, tmp_path: Path) -> None:
    done = run_installed(installed, tmp_path, "doctor")
    lines = {line[4:24].strip(): line[:2] for line in done.stdout.splitlines()}
    assert {"python", "packages", "vllm", "recipes", "playground's models"} <= lines.keys(), done.stderr
    assert lines["recipes"] == lines["playground's models"] == "ok"
    assert done.returncode == ("!!" in lines.values())


def test_the_doctor_answers_where_every_package_is_missing(installed: Path, tmp_path: Path) -> None:
    """It is asked when something is missing, so it may need nothing itself."""
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(installed)}
    command = [sys.executable, "-S", "-m", "florenz", "doctor"]  # -S: without site-packages
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stderr == ""
    (packages,) = [line for line in done.stdout.splitlines() if " packages " in line]
    assert packages.startswith("!!") and "torch" in packages and "pyarrow" in packages


COMMANDS_OF_MAKE = (
    "dataset", "plan", "retry", "train", "evaluate", "emergence", "law", "decoder",
    "verify", "progress", "report", "preview", "sample", "export", "publish", "remove",
)  # fmt: skip


@pytest.mark.parametrize("target", COMMANDS_OF_MAKE)
def test_makes_targets_call_the_console_script(target: str) -> None:
    typed = {"retry": "REASON=wrong_language", "plan": "SAMPLE=20", "preview": "KEY=42cb"}.get(target, "OUT=a b")
    done = subprocess.run(
        ["make", "--no-print-directory", "--dry-run", target, typed],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    name, _, value = typed.partition("=")
    called = shlex.split(done.stdout.splitlines()[-1])
    assert called[:4] == [".venv/bin/python", "-m", "florenz", target] and target in COMMANDS
    assert {f"{name}={value}", value} & set(called[4:])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["pub"], ["publish"]),
        (["dataset", "LAN"], ["LANGS="]),
        (["retry", "RE"], ["REASON="]),
        (["remove", "K"], ["KEYS="]),
        (["remove", "OUT", "KEYS", "=", "ke"], ["keys.txt"]),
        (["evaluate", "BENCH"], ["BENCHMARK=", "BENCHMARK_DATA="]),
    ],
)
def test_bash_completes_commands_variables_and_files(tmp_path: Path, words: list[str], expected: list[str]) -> None:
    (tmp_path / "keys.txt").write_text("")
    (tmp_path / "completion").write_text(completion.script("bash"))
    typed = " ".join(f"'{word}'" for word in ("florenz", *words))
    line = f"source ./completion; COMP_WORDS=({typed}); COMP_CWORD={len(words)}; _florenz"
    command = ["bash", "-c", f'{line}; printf "%s\\n" "${{COMPREPLY[@]}}"']
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert sorted(done.stdout.split()) == expected and done.stderr == ""


def test_fish_and_zsh_get_every_command() -> None:
    assert all(f"-a {command} " in completion.script("fish") for command in COMMANDS)
    assert completion.script("zsh").startswith("autoload -U +X bashcompinit")
    assert completion.main(["tcsh"]) == 2


def florenz(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "florenz", *words], cwd=ROOT, capture_output=True, text=True)


def test_help_names_every_command() -> None:
    done = florenz("--help")
    assert done.returncode == 0 and all(f"  {name} " in done.stdout for name in COMMANDS)
    assert florenz().returncode == 2


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_says_its_variables_and_imports_nothing_heavy(command: str) -> None:
    code = (
        "import sys; from florenz.__main__ import main; code = main(sys.argv[1:]);"
        "heavy = {'torch', 'apache_beam', 'pyarrow', 'numpy', 'transformers', 'huggingface_hub', 'PIL', 'jinja2'};"
        "print(heavy & sys.modules.keys());"
        "sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code, command, "--help"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith("usage: ") and done.stdout.endswith("set()\n"), done.stdout
    assert done.stdout.count("\n") >= 3 and done.stderr == ""


def test_an_unknown_command_is_refused_with_the_nearest() -> None:
    done = florenz("datset")
    assert done.returncode == 2 and done.stderr == "florenz: unknown command 'datset': did you mean 'dataset'?\n"


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.slow
def test_every_command_refuses_bad_input_with_exit_code_2(command: str) -> None:
    words = ["unknown"] if command == "doctor" else []  # which takes none
    assert forked_runs.run("-m", "florenz", command, *words).returncode == 2
