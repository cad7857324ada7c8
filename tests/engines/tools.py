"""What the engines need of a machine. A tool that is missing skips a test with the reason, or, where FLORENZ_ENGINES is
set to `required`, fails it.
"""

import os
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn

import pytest

from florenz.pipeline.runners import prism
from florenz.pipeline.runners.contract import Running

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "florenz"
FLINK = Path(__file__).parent / "flink"
BUILT_WITHIN_S = 1800


def missing(reason: str) -> NoReturn:
    if os.environ.get("FLORENZ_ENGINES") == "required":
        pytest.fail(f"{reason} (FLORENZ_ENGINES=required)")
    pytest.skip(reason)


def prism_program() -> Path:
    """The program of the installed Beam's version; made once by `go install`, about two minutes of CPU."""
    path = prism.prism_path(Running(out=""))
    if not path.is_file():
        if shutil.which("go") is None:
            missing(f"Prism is not there ({path}) and there is no go to make it")
        source = f"{prism.SOURCE}@v{version('apache-beam')}"
        _build(["go", "install", source], GOBIN=str(path.parent))
    return path


def flink_driver() -> list[str]:
    """The command that runs a pipeline's proto on a Flink in its own process; jars and classes are made once."""
    if shutil.which("java") is None or shutil.which("javac") is None or shutil.which("mvn") is None:
        missing("the Flink driver needs a JDK and Maven (java, javac, mvn)")
    folder = CACHE / "flink"
    folder.mkdir(parents=True, exist_ok=True)
    classpath = folder / "classpath.txt"
    if not _all_there(classpath):
        output = f"-Dmdep.outputFile={classpath}"
        _build(["mvn", "-q", "-B", "-f", str(FLINK / "pom.xml"), "dependency:build-classpath", output])
    classes = folder / "classes"
    sources = sorted(str(path) for path in (FLINK / "src").rglob("*.java"))
    _build(["javac", "-nowarn", "-cp", classpath.read_text(), "-d", str(classes), *sources])
    opened = ("java.lang", "java.util", "java.nio", "sun.nio.ch", "java.time")
    opens = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in opened]
    return ["java", "-Xmx1g", *opens, "-cp", f"{classes}{os.pathsep}{classpath.read_text()}", "florenz.Driver"]


def _all_there(classpath: Path) -> bool:
    return classpath.is_file() and all(Path(jar).is_file() for jar in classpath.read_text().split(os.pathsep))


def _build(command: list[str], **environment: str) -> None:
    polite = ["nice", "-n", "10", *command]
    done = subprocess.run(
        polite, env={**os.environ, **environment}, capture_output=True, text=True, timeout=BUILT_WITHIN_S
    )
    if done.returncode:
        missing(f"{' '.join(command[:3])} ended with status {done.returncode}: {(done.stderr or done.stdout)[-500:]}")
