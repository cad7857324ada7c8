"""A pool of worker processes, as it stands beside each machine of a cluster: `python worker_pool.py PORT_FILE`.

Beam's own `worker_pool_main`, but on loopback alone, and it tells its port. It ends when its standard input does.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONDONTWRITEBYTECODE")


@contextlib.contextmanager
def worker_pool(folder: Path, *, modules: Path = ROOT, environment: dict[str, str] | None = None) -> Iterator[str]:
    """host:port of a pool whose workers know nothing of this process: another folder, another environment.

    `modules`: where they import florenz from.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    kept["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"  # Beam starts "python"
    with (folder / "pool.log").open("ab") as log:
        pool = subprocess.Popen(
            [sys.executable, str(Path(__file__).resolve())],
            cwd=folder,
            env={**kept, "PYTHONPATH": str(modules), **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
    try:
        assert pool.stdout is not None and pool.stdin is not None
        yield f"127.0.0.1:{int(pool.stdout.readline())}"
    finally:
        pool.stdin.close()
        try:
            pool.wait(timeout=30)
        except subprocess.TimeoutExpired:
            pool.kill()
            pool.wait()


def serve() -> None:
    import grpc
    from apache_beam.portability.api import beam_fn_api_pb2_grpc
    from apache_beam.runners.worker.worker_pool_main import BeamFnExternalWorkerPoolServicer, kill_process_gracefully
    from apache_beam.utils.thread_pool_executor import shared_unbounded_instance

    server = grpc.server(shared_unbounded_instance())
    port = server.add_insecure_port("127.0.0.1:0")
    pool = BeamFnExternalWorkerPoolServicer(use_process=True)
    beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(pool, server)
    server.start()
    print(port, flush=True)
    sys.stdin.read()  # until whoever started us closes it, or is gone
    server.stop(0)
    for process in pool._worker_processes.values():
        kill_process_gracefully(process, timeout=2)
    os._exit(0)


if __name__ == "__main__":
    serve()
