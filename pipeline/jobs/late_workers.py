"""Beam's handler of a worker process, for workers that connect only when their run is over.

At the end of a run Beam tells each worker to go, but not those that have not connected yet: such a worker comes, waits
for work, and Beam waits for the worker, for ever. It happens where an error ends a run while the second of two workers
still starts. Told here is every worker; one that comes later finds the word waiting.
"""

from apache_beam.portability import python_urns
from apache_beam.runners.portability.fn_api_runner.worker_handlers import SubprocessSdkWorkerHandler, WorkerHandler
from apache_beam.utils.sentinel import Sentinel


@WorkerHandler.register_environment(python_urns.SUBPROCESS_SDK, bytes)  # in the place of Beam's own
class PatientWorkerHandler(SubprocessSdkWorkerHandler):
    def stop_worker(self) -> None:
        self.control_conn.push(Sentinel.sentinel)
        super().stop_worker()
