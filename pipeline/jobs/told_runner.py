"""Beam's in-process runner, which says that a graph has failed before it waits for its workers to end.

An error that ends a graph leaves Beam's `run` only when every worker has gone: those that are in the middle of a bundle
finish it first, and those that still start come up first. Whoever waits for the error with an eye on dead workers would
see the first one go, as it was told to, and take that for a death.
"""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

from apache_beam.runners.portability.fn_api_runner import FnApiRunner


class ToldRunner(FnApiRunner):
    """`failed` is done, with the error, as soon as a bundle has failed."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.failed: Future[None] = Future()

    def _execute_bundle(self, *arguments: Any, **more: Any) -> Any:
        try:
            return super()._execute_bundle(*arguments, **more)
        except BaseException as fault:
            if not self.failed.done():
                self.failed.set_exception(fault)
            raise
