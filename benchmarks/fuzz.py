"""Coverage-guided fuzzing of every reader of strangers' bytes: `python -m benchmarks.fuzz MINUTES [TARGET ...]`.

Each target (`fuzz_targets.py`) may raise what its reader promises to raise, and nothing else. atheris (libFuzzer for
Python) mutates the seeds towards lines that no input has reached; each target has a process and an equal share of the
time. What breaks one becomes a file under tests/fuzz_finds/, which `tests/test_hostile_fuzz.py` runs ever after.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

MAX_INPUT_BYTES = 1 << 16


def fuzz(name: str, seconds: int) -> None:
    """Never returns: libFuzzer ends the process, with another exit code than 0 for a find."""
    import atheris

    with atheris.instrument_imports(include=["florenz"]):
        from benchmarks.fuzz_targets import TARGETS
    atheris.Setup([sys.argv[0], f"-max_total_time={seconds}", f"-max_len={MAX_INPUT_BYTES}", "-rss_limit_mb=2048",
                   "-timeout=20", "-print_final_stats=1",
                   *sys.argv[4:]], TARGETS[name].survives)  # fmt: skip
    atheris.Fuzz()


def fuzz_in_a_process(name: str, seconds: int) -> tuple[int, list[Path]]:
    """(inputs tried, files of finds)."""
    from benchmarks.fuzz_targets import FINDS, TARGETS

    with tempfile.TemporaryDirectory() as folder:
        seeds = Path(folder, "seeds")
        seeds.mkdir()
        for number, seed in enumerate(TARGETS[name].seeds()):
            (seeds / f"seed-{number}").write_bytes(seed)
        for find in (FINDS / name).glob("*"):
            (seeds / find.name).write_bytes(find.read_bytes())
        artifacts = Path(folder, "finds")
        artifacts.mkdir()
        words = ["--one", name, str(seconds), f"-artifact_prefix={artifacts}/", str(seeds)]
        done = subprocess.run([sys.executable, "-m", "benchmarks.fuzz", *words], capture_output=True, text=True)
        tried = [line.split()[-1] for line in done.stderr.splitlines() if "number_of_executed_units" in line]
        kept = []
        for artifact in sorted(artifacts.iterdir()):
            content = artifact.read_bytes()
            kept.append(FINDS / name / hashlib.sha256(content).hexdigest()[:16])
            kept[-1].parent.mkdir(parents=True, exist_ok=True)
            kept[-1].write_bytes(content)
        if done.returncode and not kept:
            print(done.stderr[-2000:])
            raise RuntimeError(f"the fuzzer of {name} ended with {done.returncode}")
        return int(tried[0]) if tried else 0, kept


def main(words: list[str]) -> int:
    if words and words[0] == "--one":
        fuzz(words[1], int(words[2]))
    from benchmarks.fuzz_targets import TARGETS

    minutes, chosen = float(words[0]) if words else 10.0, words[1:] or list(TARGETS)
    num_finds = total = 0
    for name in chosen:
        tried, finds = fuzz_in_a_process(name, max(1, round(minutes * 60 / len(chosen))))
        total, num_finds = total + tried, num_finds + len(finds)
        print(f"{name:<10} {tried:>9,} inputs, {len(finds)} finds {' '.join(map(str, finds))}", flush=True)
    print(f"fuzz: {num_finds} finds in {total:,} inputs (goal 0)")
    return 1 if num_finds else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
