"""The first step of every graph: what the launcher hands to the workers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import apache_beam as beam

from florenz.pipeline.runners.contract import Running, facts_of
from florenz.pipeline.workers.agreement import Given, expected_of_workers


def given(items: Iterable[Any], running: Running) -> beam.PTransform:
    """These items; where workers are elsewhere, only after a worker has shown that it fits (see agreement.py)."""
    if facts_of(running).is_on_this_machine:
        return beam.Create(items)
    return Given(items, expected_of_workers(running.out))
