"""What a server says of its load, read as strangers' words: right sums, right means, and silence for nonsense."""

import threading
from collections.abc import Iterator

import pytest

from benchmarks.stand_in_server import Request, StandInServer, list_models
from florenz.limits.table import Limits
from florenz.translators.load import Look, ServerWatch, load_of, read_metrics

PAGE = """# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{{engine="0",model_name="m"}} {running}
vllm:num_requests_running{{engine="1",model_name="m"}} 2.0
vllm:num_requests_waiting{{engine="0",model_name="m"}} {waiting}
vllm:num_requests_waiting_by_reason{{reason="capacity"}} 99.0
vllm:generation_tokens_total{{engine="0",model_name="m"}} {answered}
vllm:prompt_tokens_total{{engine="0",model_name="m"}} 1.5e+03
vllm:generation_tokens_created{{engine="0",model_name="m"}} 1.79e+09
"""


def page(running: object = 6.0, waiting: object = 3.0, answered: object = 1000.0) -> str:
    return PAGE.format(running=running, waiting=waiting, answered=answered)


def look(at: float, running: float = 0.0, waiting: float = 0.0, answer: float = 0.0, prompt: float = 0.0) -> Look:
    return Look(at=at, running=running, waiting=waiting, answer_tokens=answer, prompt_tokens=prompt)


def test_a_page_of_metrics_is_summed_over_engines_and_its_like_names_are_left_out() -> None:
    found = read_metrics(page(), at=1.0)
    assert found == look(1.0, running=8.0, waiting=3.0, answer=1000.0, prompt=1500.0)


@pytest.mark.parametrize(
    "said",
    ["", "{}", page(running="NaN"), page(waiting="-1"), page(answered="1e999"), page(answered="x"), page()[:400]],
)
def test_what_says_no_load_is_no_load(said: str) -> None:
    assert read_metrics(said, at=1.0) is None


def test_means_are_over_time_and_not_over_looks() -> None:
    looks = [look(0.0, running=0.0), look(1.0, running=0.0), look(2.0, running=4.0), look(10.0, running=4.0, waiting=8)]
    found = load_of([looks])
    assert found is not None and found.seconds == 10.0
    assert found.running == pytest.approx((0 + 2 + 4 * 8) / 10)
    assert found.queued == pytest.approx(8 * 4 / 10)
    assert found.idle == pytest.approx((1 + 0.5) / 10)


def test_a_server_that_was_started_again_counts_on() -> None:
    looks = [look(0, answer=100, prompt=10), look(1, answer=160, prompt=30), look(2, answer=5, prompt=5)]
    found = load_of([looks])
    assert found is not None and (found.answer_tokens, found.prompt_tokens) == (65, 25)


def test_several_servers_run_together_what_each_runs() -> None:
    busy, idle = [look(0, running=4), look(2, running=4)], [look(0), look(2)]
    found = load_of([busy, idle])
    assert found is not None and found.running == 4 and found.idle == 0.5


class Metrics:
    """Replies with a page; `seen` is set after the third look."""

    def __init__(self, said: str, status: int = 200) -> None:
        self.said, self.status, self.looks, self.seen = said, status, 0, threading.Event()

    def __call__(self, request: Request) -> None:
        if request.path != "/metrics":
            list_models(request)
            return
        self.looks += 1
        if self.looks >= 3:
            self.seen.set()
        request.send(self.said.encode(), self.status)


@pytest.fixture
def server() -> Iterator[StandInServer]:
    with StandInServer("m") as running:
        yield running


def test_a_server_is_looked_at_while_the_block_runs(server: StandInServer) -> None:
    server.describe = metrics = Metrics(page())
    with ServerWatch([server.endpoint], every_s=0.001) as watch:
        assert metrics.seen.wait(60)
    assert watch.load is not None and watch.load.running == 8.0 and watch.load.queued == 3.0 and watch.load.idle == 0.0


@pytest.mark.parametrize(("said", "status"), [("nothing here", 404), ("<html>", 200), (page() * 100, 200)])
def test_a_server_without_metrics_is_left_alone_after_the_first_look(
    server: StandInServer, said: str, status: int
) -> None:
    server.describe = metrics = Metrics(said, status)
    with ServerWatch([server.endpoint], every_s=0.001, limits=Limits(reply_bytes=20_000)) as watch:
        pass
    assert watch.load is None and 1 <= metrics.looks <= 2


def test_a_server_out_of_reach_stops_nobody(server: StandInServer) -> None:
    endpoint = server.endpoint
    server.stop()
    with ServerWatch([endpoint], every_s=0.001) as watch:
        pass
    assert watch.load is None
