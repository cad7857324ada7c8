"""What goes wrong inside a graph arrives as what it was, with the message that tells a user what to do."""

from collections.abc import Callable
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from florenz.languages.identification import LanguageModelError
from florenz.pipeline.jobs.errors import faults_of_graphs, original_fault
from florenz.pipeline.runners.contract import Running, graph
from florenz.stores.files import StoreError
from florenz.translators.endpoint import ServerError

MESSAGE = "http://127.0.0.1:1/v1: ConnectError: refused (tried 7 times); see whether the server lives, then run again"


def asking(error: Exception) -> Callable[[int], None]:
    def ask(element: int) -> None:  # local, so that Beam ships its code: the workers don't know this file
        raise error

    return ask


def run_graph(error: Exception) -> None:
    flags = ["--runner=FnApiRunner", "--direct_num_workers=1", "--direct_running_mode=in_memory"]
    with faults_of_graphs(), beam.Pipeline(options=PipelineOptions(flags)) as pipeline:
        _ = pipeline | beam.Create([1]) | "ask" >> beam.Map(asking(error))


@pytest.mark.parametrize(
    "error",
    [
        ServerError(MESSAGE),
        StoreError("cannot open s3://b: install s3fs"),
        LanguageModelError("language ID model x is no file: correct it"),
        OSError(28, "No space left on device"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_in_a_worker_comes_out_as_what_it_was(error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        run_graph(error)
    assert str(error) in str(caught.value) and "\n" not in str(caught.value)
    assert "while running" not in str(caught.value)


@pytest.mark.slow
def test_an_error_in_another_process_comes_out_as_what_it_was(tmp_path: Path) -> None:
    """Through our own door: Beam, left alone, may wait for ever for its worker processes after an error."""
    with pytest.raises(ServerError) as caught, graph(Running(out=str(tmp_path), workers=2), "read") as pipeline:
        _ = pipeline | beam.Create([1]) | "ask" >> beam.Map(asking(ServerError(MESSAGE)))
    assert str(caught.value) == MESSAGE


def test_an_error_that_no_user_can_mend_keeps_its_traceback() -> None:
    with pytest.raises(Exception, match="Traceback|a bug of ours") as caught:
        run_graph(ZeroDivisionError("a bug of ours"))
    assert not isinstance(caught.value, ServerError | OSError)


def test_a_graph_without_errors_is_left_alone() -> None:
    with faults_of_graphs():
        pass
    with pytest.raises(ServerError, match="as it is"), faults_of_graphs():
        raise ServerError("as it is")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Traceback ...\ntranslators.endpoint.ServerError: it died [while running 'translate/Run']", "it died"),
        ("ServerError: first\nKeyError: 'x'\ntranslators.endpoint.ServerError: second\n", "second"),
        ("pipeline.x.ServerErrors: no such kind", None),
        ("the words ServerError: in the middle of a line", None),
        ("", None),
    ],
)
def test_the_last_known_error_is_read_from_the_tracebacks(text: str, expected: str | None) -> None:
    fault: Callable[[], Exception | None] = lambda: original_fault(text)  # noqa: E731
    assert (str(fault()) if fault() else None) == expected
