"""Prism: workers as threads of the launcher, and in processes that share nothing with it but OUT."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from contracts.runner import RunnerSuite
from engines.tools import prism_program
from engines.worker_pool import worker_pool

from florenz.pipeline.jobs.settings import BeamSettings
from florenz.pipeline.runners.contract import Running

pytestmark = [pytest.mark.slow, pytest.mark.engines]
TIMEOUT_S = 300


class TestPrismWithThreads(RunnerSuite):
    @pytest.fixture
    def running(self, out: Path) -> Running:
        location = f"--prism_location={prism_program()}"
        beam = BeamSettings(runner="PrismRunner", job_timeout_s=TIMEOUT_S, options=(location,))
        return Running(out=str(out), beam=beam)


class TestPrismWithWorkerProcesses(RunnerSuite):
    @pytest.fixture
    def running(self, out: Path, tmp_path: Path) -> Iterator[Running]:
        location = f"--prism_location={prism_program()}"
        with worker_pool(tmp_path / "pool") as pool:
            words = (location, "--environment_type=EXTERNAL", f"--environment_config={pool}")
            yield Running(out=str(out), beam=BeamSettings(runner="PrismRunner", job_timeout_s=TIMEOUT_S, options=words))
