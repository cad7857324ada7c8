"""Workers that are threads of the launcher, for an engine on the same machine: Beam's LOOPBACK, on loopback only.

Beam's own listens on every interface of the machine, and runs whatever code it is sent.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

HOST = "127.0.0.1"


@contextlib.contextmanager
def workers_in_this_process() -> Iterator[str]:
    """host:port at which an engine asks for a worker."""
    import grpc
    from apache_beam.portability.api import beam_fn_api_pb2_grpc
    from apache_beam.runners.worker.worker_pool_main import BeamFnExternalWorkerPoolServicer
    from apache_beam.utils.thread_pool_executor import shared_unbounded_instance

    server = grpc.server(shared_unbounded_instance())
    port = server.add_insecure_port(f"{HOST}:0")
    pool = BeamFnExternalWorkerPoolServicer()
    beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(pool, server)
    server.start()
    try:
        yield f"{HOST}:{port}"
    finally:
        server.stop(0)
