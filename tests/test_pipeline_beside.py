"""A translator beside a captioner: which ranges it is handed when, when there is room, and how errors end both."""

import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from florenz.captioners.contract import Captioner
from florenz.limits.table import Limits
from florenz.pipeline.answers import captioning
from florenz.pipeline.answers.captioned import Captioned, Feed
from florenz.pipeline.answers.ranges import RangeWork
from florenz.pipeline.beside import MARGIN_BYTES, Captioning, free_bytes, leaves_cores, leaves_memory
from florenz.pipeline.routing import Translator
from florenz.pipeline.serving import Serving
from florenz.translators.server import Server
from florenz.translators.settings import TranslatorSettings

WORK = [RangeWork(range=name, listed={"de": ["part-x"], "en": []}) for name in "0123"]
HUNG_AFTER_S = 60.0


def part(of_range: str, content: str) -> str:
    return f"en/part-{of_range}-{content * 32}.parquet"


def key(of_range: str, number: int = 0) -> str:
    return f"{of_range}{number:031x}"


def handed(feed: Feed, number: int = 1) -> list[str]:
    """What it hands out next: language and range of each, "" for nothing."""
    found = [feed.next() for _ in range(number)]
    return [f"{one[0]} {one[1].range}" if one else "" for one in found]


def test_ranges_are_handed_on_in_the_order_in_which_they_are_completed() -> None:
    captioned = Captioned(WORK, {"0": 2, "2": 1, "3": 1, "9": 1})
    captioned.note([key("3"), key("0")], [part("3", "a"), part("0", "b")], 1)
    captioned.note([key("0", 1), key("2")], [part("0", "c")], 1)
    feed = captioned.feed(["de"])
    found = [one for _ in feed.tickets if (one := feed.next())]
    assert [one.range for _, one in found] == ["1", "3", "0", "2"]
    assert found[2][1].listed == {"de": ["part-x"], "en": [part("0", "b"), part("0", "c")]}
    assert handed(captioned.feed(["de"]), 2) == ["de 1", "de 3"], "a new graph begins anew"


def test_of_all_that_is_complete_the_first_language_goes_first() -> None:
    captioned = Captioned(WORK[:3], {"1": 1, "2": 1})
    feed = captioned.feed(["fr", "de"])
    assert handed(feed) == ["fr 0"]
    captioned.note([key("1")], [], 1)
    assert handed(feed, 2) == ["fr 1", "de 0"], "the server does not wait for captions while there is something to do"
    captioned.note([key("2")], [], 1)
    assert handed(feed, 3) == ["fr 2", "de 1", "de 2"] and len(feed.tickets) == 6


def test_a_range_is_waited_for_until_its_last_image_is_in_the_ledger() -> None:
    captioned = Captioned(WORK[:1], {"0": 2})
    feed = captioned.feed(["de"])
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(handed, feed)
        captioned.note([key("0")], [], 1)
        with pytest.raises(TimeoutError):
            waiting.result(0.05)
        captioned.note([key("0", 1)], [], 1)
        assert waiting.result(HUNG_AFTER_S) == ["de 0"]


def test_who_waits_is_told_when_captioning_has_ended_before() -> None:
    captioned = Captioned(WORK[:2], {"0": 1})
    feed = captioned.feed(["de", "fr"])
    assert handed(feed, 2) == ["de 1", "fr 1"]
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(handed, feed)
        captioned.end()
        assert waiting.result(HUNG_AFTER_S) == [""]


def test_what_is_left_when_captioning_has_ended_goes_language_by_language() -> None:
    captioned = Captioned(WORK[:3], {"2": 1})
    feed = captioned.feed(["de", "fr"])
    assert handed(feed) == ["de 0"]
    captioned.note([key("2")], [], 1)
    captioned.end()
    assert handed(feed, 6) == ["de 1", "de 2", "fr 0", "fr 1", "fr 2", ""]


def test_the_total_is_known_with_the_last_range_and_what_is_asked_again_counts_once() -> None:
    captioned = Captioned(WORK[:2], {})
    for _ in range(2):
        feed = captioned.feed(["de", "fr"])
        told = []
        for _ in feed.tickets:
            language, work = feed.next() or pytest.fail("all are complete")
            told.append(feed.note_found(language, work.range, ["ab"] if language == "de" else ["c"]))
        assert told == [None, None, None, 4] and (feed.num_found, feed.num_chars) == (4, 6)
    assert captioned.num_asked == 4


def test_each_language_is_told_once_when_the_last_of_all_its_texts_is_answered() -> None:
    told: list[str] = []
    feed = Captioned(WORK[:2], {}).feed(["de", "fr", "es"], told.append)
    feed.note_found("de", "0", ["a"])
    feed.note_answered("de", 1)
    assert told == [], "another range may have more of it"
    feed.note_found("de", "1", [])
    assert told == ["de"], "whatever the others lack"
    for its_range in "01":
        feed.note_found("fr", its_range, ["a", "b"])
        feed.note_found("es", its_range, [])
    assert told == ["de", "es"]
    feed.note_answered("fr", 3)
    assert told == ["de", "es"]
    feed.note_answered("fr", 1)
    assert told == ["de", "es", "fr"]


def test_threads_of_this_process_get_the_thing_itself() -> None:
    captioned = Captioned(WORK, {})
    assert pickle.loads(pickle.dumps(captioned)) is captioned
    feed = captioned.feed(["de"])
    assert pickle.loads(pickle.dumps([feed]))[0] is feed


# -- room -------------------------------------------------------------------------------------------------------------


@dataclass
class Taking:
    """A captioner or a translator's serving, of which this alone is asked."""

    num_cores: int | None
    bytes_to_come: int = 0
    is_ours: bool = True


@pytest.mark.parametrize(
    ("captioner", "server", "cores", "is_room"),
    [(1, 1, 2, True), (1, 1, 1, False), (2, 1, 2, False), (1, None, 2, False), (1, None, 64, False),
     (0, None, 1, True), (1, 0, 2, True), (2, 0, 2, False), (8, 8, 16, True)],
)  # fmt: skip
def test_each_model_needs_its_own_cores(captioner: int, server: int | None, cores: int, is_room: bool) -> None:
    room = leaves_cores(cast(Captioner, Taking(captioner)), cast(Serving, Taking(server)), cores)
    assert room is is_room


def test_a_captioner_that_does_not_say_what_it_takes_has_the_machine_for_itself() -> None:
    assert not leaves_cores(cast(Captioner, object()), cast(Serving, Taking(0)), 64)
    assert not leaves_cores(None, cast(Serving, Taking(0)), 64)


def test_a_cache_that_is_not_touched_yet_needs_memory_too() -> None:
    serving = cast(Serving, Taking(1, bytes_to_come=1 << 30))
    assert leaves_memory(serving, MARGIN_BYTES + (1 << 30), None) and leaves_memory(serving, None, None)
    assert not leaves_memory(serving, MARGIN_BYTES + (1 << 30) - 1, None)


def test_a_server_beside_a_captioner_on_its_gpu_needs_memory_there_too() -> None:
    ours, elsewhere = (cast(Serving, Taking(0, is_ours=is_ours)) for is_ours in (True, False))
    assert leaves_memory(ours, None, MARGIN_BYTES) and not leaves_memory(ours, None, MARGIN_BYTES - 1)
    assert leaves_memory(elsewhere, None, 0), "it takes nothing from this GPU"
    assert not leaves_memory(ours, 0, MARGIN_BYTES), "nor is a GPU the machine's memory"


class OnGpu:
    def __init__(self, free_bytes: int | None) -> None:
        self.free_bytes = free_bytes


def test_the_fullest_gpu_of_the_captioners_that_are_loaded_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(captioning._LOADED, "_open", [object(), OnGpu(None)])
    assert captioning.free_on_gpu() is None
    monkeypatch.setattr(captioning._LOADED, "_open", [OnGpu(5), object(), OnGpu(3), OnGpu(None)])
    assert captioning.free_on_gpu() == 3
    captioning.forget_captioner()
    assert captioning.free_on_gpu() is None, "one that has gone leaves all of it"


def test_free_memory_is_the_machine_s_and_at_most_the_container_s(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    assert free_bytes(meminfo, tmp_path) is None
    meminfo.write_text("MemTotal:       64 kB\nMemAvailable:    40 kB\nHugePages_Total:       0\n")
    assert free_bytes(meminfo, tmp_path) == 40 * 1024
    (tmp_path / "memory.current").write_text("20000\n")
    (tmp_path / "memory.stat").write_text("anon 9000\ninactive_file 5000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert free_bytes(meminfo, tmp_path) == 40 * 1024
    (tmp_path / "memory.max").write_text("30000\n")
    assert free_bytes(meminfo, tmp_path) == 15000


def test_a_server_s_start_is_counted_from_its_launch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Also what passes while nobody waits for it; a second word that it is to start is none."""
    now, lives = [100.0], [False]
    monkeypatch.setattr("florenz.pipeline.serving.time.monotonic", lambda: now[0])
    monkeypatch.setattr("florenz.pipeline.serving.check_kernels", lambda: None)
    monkeypatch.setattr(Server, "is_alive", lambda server: lives[0])
    monkeypatch.setattr(Server, "start", lambda server: lives.__setitem__(0, True))
    settings = TranslatorSettings(model="m", prompt="playground")
    serving = Serving(Translator(settings=settings), tmp_path / "log", is_local=True, limits=Limits())
    assert serving.seconds_since_start == 0
    for at in (100.0, 130.0):
        now[0] = at
        serving.start()
    now[0] = 142.0
    assert serving.seconds_since_start == 42
    named = Translator(settings=settings, endpoint="http://a:1/v1")
    elsewhere = Serving(named, tmp_path / "log", is_local=True, limits=Limits())
    elsewhere.start()
    assert elsewhere.seconds_since_start == 0 and (serving.num_cores, elsewhere.num_cores) == (None, 0)


# -- errors -----------------------------------------------------------------------------------------------------------


def test_what_ends_the_captioner_ends_the_block_and_wakes_who_waits() -> None:
    captioned = Captioned(WORK[:1], {"0": 1})

    def caption(_: Captioned) -> None:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="disk is full"), Captioning(caption, captioned):
        assert captioned.feed(["de"]).next() is None


def test_what_ends_the_block_stops_the_captioner_which_is_waited_for() -> None:
    captioned, seen = Captioned(WORK[:1], {"0": 1}), threading.Event()
    ended = []

    def caption(_: Captioned) -> None:
        while not captioned.is_stopped:
            seen.wait(0.01)
        ended.append(True)
        raise OSError("and so is the disk")

    with pytest.raises(ValueError, match="the server is gone"), Captioning(caption, captioned):
        raise ValueError("the server is gone")
    assert ended, "nothing is written any more when the run ends"


def test_of_two_errors_the_first_is_told() -> None:
    captioned = Captioned(WORK[:1], {"0": 1})

    def caption(_: Captioned) -> None:
        raise OSError("the first")

    with pytest.raises(OSError, match="the first"), Captioning(caption, captioned) as captioning:
        assert captioned.feed(["de"]).next() is None
        with pytest.raises(OSError, match="the first"):
            while True:  # as who waits for a server does
                captioning.check()
        raise ValueError("what came of it")


def test_an_interrupt_waits_for_nobody() -> None:
    captioned, release = Captioned(WORK[:1], {"0": 1}), threading.Event()

    def caption(_: Captioned) -> None:
        release.wait(HUNG_AFTER_S)

    with pytest.raises(KeyboardInterrupt), Captioning(caption, captioned):
        raise KeyboardInterrupt
    assert captioned.is_stopped and not release.is_set()
    release.set()
