"""A sheet hides what was decided, the server keeps clicks of its own page alone, and answers become shares."""

import html
import http.client
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
from pipeline_examples import published_pictures, text_of

from florenz.reports.__main__ import report, sample
from florenz.reports.judging import (
    Item,
    SampleError,
    Sheet,
    add_answers,
    draw_sheet,
    judge,
    judgements,
    read_answers,
    read_sheet,
    wilson,
)
from florenz.reports.server import make_server
from florenz.shards.manifest import read_manifest


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> str:
    return published_pictures(tmp_path_factory.mktemp("judging"), 12).out


def sheet(right_kept: int, kept: int, right_lost: int, lost: int, **sizes: int) -> tuple[Sheet, dict[str, str]]:
    items = [Item(item=f"k{n}", key="", style="", text="", kept=True, reason="") for n in range(kept)]
    items += [Item(item=f"l{n}", key="", style="", text="", kept=False, reason="copied") for n in range(lost)]
    answers = {f"k{n}": "right" if n < right_kept else "wrong" for n in range(kept)}
    answers |= {f"l{n}": "right" if n < right_lost else "wrong" for n in range(lost)}
    values = {"num_kept": 900, "num_rejected": 100, **sizes}
    return Sheet(name="s", build="b", language="de", reason="", items=tuple(items), **values), answers


def test_precision_and_recall_weigh_what_the_halves_stand_for() -> None:
    found = judge(*sheet(45, 50, 10, 50))
    assert found.precision is not None and found.precision.value == 0.9
    assert found.recall is not None and found.recall.value == pytest.approx(810 / (810 + 20))
    for share in (found.precision, found.recall):
        assert 0 <= share.low < share.value < share.high <= 1


def test_wilsons_interval_is_the_published_one() -> None:
    """Newcombe 1998, table I: 81 of 263 gives 0.2553 to 0.3662."""
    share = wilson(81, 263)
    assert share is not None and (round(share.low, 4), round(share.high, 4)) == (0.2553, 0.3662)
    assert wilson(0, 0) is None


def test_unclear_counts_for_nothing_and_without_rejects_recall_is_whole() -> None:
    its_sheet, answers = sheet(4, 5, 0, 0, num_rejected=0)
    found = judge(its_sheet, {**answers, "k0": "unclear"})
    assert found.unclear == 1 and found.precision is not None and found.precision.value == 0.75
    assert found.recall is not None and found.recall.value == 1.0
    assert judge(replace(its_sheet, num_rejected=5), answers).recall is None, "nobody looked at what was rejected"


def test_a_sheet_does_not_say_what_was_decided(out: str) -> None:
    name = draw_sheet(out, number=8, language="fr")
    page = html.unescape(Path(out, "samples", f"{name}.html").read_text())
    drawn = read_sheet(out, name)
    assert len(drawn.items) == 8 and all(item.item in page for item in drawn.items)
    assert any(text_of(number, "fr") in page for number in range(4))
    assert "kept" not in page.split("<main>")[1] and "rejected" not in page.split("<main>")[1]
    assert draw_sheet(out, number=8, language="fr") == name, "the same build gives the same sheet"


def test_answers_reach_the_report(out: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = draw_sheet(out, number=6, language="de")
    answers = {item.item: "right" for item in read_sheet(out, name).items}
    (tmp_path / "v.json").write_text(json.dumps({"sample": name, "answers": answers}))
    assert report([out, f"VERDICTS={tmp_path / 'v.json'}"]) == 0
    page = Path(capsys.readouterr().out.strip()).read_text()
    assert "What native readers say" in page and "100.0%" in page
    (found,) = [one for one in judgements(out, read_manifest(out).build) if one.sheet.language == "de"]
    assert found.answered == len(answers)


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ([], "verdicts are an object"),
        ({"sample": "../../etc", "answers": {}}, "not the name of a sheet"),
        ({"sample": "0-none", "answers": {}}, "no sheet '0-none'"),
        ({"sample": "0-\0", "answers": {}}, "not the name of a sheet"),
        ({"sample": "0-\ud800", "answers": {}}, "not the name of a sheet"),
        ({"sample": "0-" + "x" * 5000, "answers": {}}, "not the name of a sheet"),
        ({"sample": "{name}", "answers": {"{item}": ["right"]}}, "is not an answer"),
        ({"sample": "{name}", "answers": {"x" * 5000: "right"}}, "is not an answer"),
        ({"sample": "{name}", "answers": {"x": "right"}}, "is not an answer"),
    ],
)
def test_answers_to_no_sheet_are_refused(out: str, record: object, said: str) -> None:
    name = draw_sheet(out, number=4, language="de")
    if isinstance(record, dict):
        item = read_sheet(out, name).items[0].item
        answers = {key.replace("{item}", item): answer for key, answer in record["answers"].items()}
        record = {"sample": record["sample"].replace("{name}", name), "answers": answers}
    with pytest.raises(SampleError, match=said) as caught:
        add_answers(out, record)
    assert len(str(caught.value)) < 500


@pytest.fixture
def server(out: str) -> Iterator[tuple[ThreadingHTTPServer, str]]:
    name = draw_sheet(out, number=5, language="fr")
    with make_server(out, name) as found:
        thread = threading.Thread(target=found.serve_forever, daemon=True)
        thread.start()
        yield found, name
        found.shutdown()
        thread.join()


def ask(server: ThreadingHTTPServer, method: str, path: str, body: str = "", **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=10)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    reply = connection.getresponse()
    return reply.status, reply.read().decode()


def test_the_server_keeps_clicks_of_its_own_page_alone(server: tuple[ThreadingHTTPServer, str], out: str) -> None:
    found, name = server
    status, page = ask(found, "GET", "/")
    token = page.split('data-token="')[1].split('"')[0]
    item = read_sheet(out, name).items[0].item
    click = json.dumps({"sample": name, "answers": {item: "wrong"}})
    assert status == 200 and token
    assert ask(found, "POST", "/answers", click)[0] == 403
    assert ask(found, "POST", "/answers", click, X_Florenz="guess")[0] == 403
    assert ask(found, "POST", "/answers", click, X_Florenz=token, Host="evil.example")[0] == 403
    assert ask(found, "GET", "/", Host="evil.example")[0] == 404
    assert ask(found, "GET", "/../manifest.json")[0] == 404
    assert ask(found, "POST", "/answers", "x" * 5000, X_Florenz=token)[0] == 413
    assert ask(found, "POST", "/answers", click, X_Florenz=token, Content_Length="\xb2")[0] == 413, "a digit, says str"
    assert ask(found, "POST", "/answers", "[" * 3000, X_Florenz=token)[0] == 400
    assert read_answers(out, name) == {}
    assert ask(found, "POST", "/answers", click, X_Florenz=token)[0] == 204
    assert read_answers(out, name) == {item: "wrong"}
    assert found.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["LANGS=xx"], "has no text in 'xx'"),
        (["LANGS=fr,de"], "name the one language"),
        (["LANGS=fr", "N=0"], "N is '0'"),
        (["LANGS=de", "REASON=../../../x"], "REASON: "),
        ([], "name the one language"),
    ],
)
def test_bad_input_is_one_line(out: str, words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert sample([out, *words]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
