"""report.html: what is on it, that strangers' text is text, that it is small, and that nothing on it is made up."""

import json
import re
from dataclasses import asdict, replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from pipeline_examples import key_of, published, recipe_for, text_of, translation_row, write_ledger, write_pictures

from florenz.exports.index import read_index
from florenz.pipeline.answers.ledger import Ledger
from florenz.pipeline.recipe import Recipe
from florenz.reports.__main__ import preview, report
from florenz.reports.charts import Step, idle_share, idle_times, time_line
from florenz.reports.entries import Entry, Text
from florenz.reports.loads import ModelLoad
from florenz.reports.page import choose_rejected, coverage_matrix, funnels, write_page
from florenz.reports.writing import direction, marked
from florenz.shards.manifest import read_manifest

EVIL = '<script>alert("x")</script> <img src=x onerror=alert(1)> "><b>'
COUNT = 12


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    folder = tmp_path_factory.mktemp("page")
    keys = write_pictures(folder / "pictures", COUNT)
    recipe = recipe_for(folder / "out", folder / "pictures", languages=("de", "fr"))
    write_ledger(recipe, keys[1:])
    ledger = Ledger(recipe.out)
    from pipeline_examples import CAPTION_PRINT, TRANSLATION_PRINT, caption_row, number_of

    number = number_of(keys[0])
    ledger.append_captions(CAPTION_PRINT, [caption_row(keys[0], number, style) for style in ("short", "detailed")])
    for language in ("de", "fr"):
        rows = [translation_row(keys[0], number, language, style, text=EVIL) for style in ("short", "detailed")]
        ledger.append_translations(language, TRANSLATION_PRINT, rows)
    published(recipe)
    return recipe


class Page(HTMLParser):
    """Tags with their attributes, and the text."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(Path(path).read_text())

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_page_shows_pictures_with_all_languages_and_rejects_with_their_reason(recipe: Recipe) -> None:
    page = Page(write_page(recipe.out))
    pictures = [attributes["src"] for tag, attributes in page.tags if tag == "img"]
    assert len(pictures) >= COUNT and all(str(src).startswith("data:image/jpeg;base64,") for src in pictures)
    for language in ("en", "de", "fr"):
        assert any(text_of(number, language) in page.text for number in range(4))
    manifest = read_manifest(recipe.out)
    for by_reason in manifest.rejected.values():
        assert by_reason and all(reason in page.text for reason in by_reason)


def test_strangers_text_is_text(recipe: Recipe) -> None:
    page = Page(write_page(recipe.out))
    assert EVIL in page.text
    assert "script" not in {tag for tag, _ in page.tags}
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]


def test_a_page_asks_nobody_for_anything(recipe: Recipe) -> None:
    page = Page(write_page(recipe.out))
    policy = next(a["content"] for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert str(policy).startswith("default-src 'none'; img-src data:;")
    links = [a[name] for _, a in page.tags for name in ("src", "href", "action", "srcset") if name in a]
    assert links and all(str(link).startswith(("data:", "#")) for link in links)
    assert not re.search(r"url\(|@import", Path(recipe.out, "report.html").read_text())


def test_the_same_build_gives_the_same_page(recipe: Recipe) -> None:
    first = Path(write_page(recipe.out)).read_bytes()
    assert Path(write_page(recipe.out)).read_bytes() == first
    assert len(first) < 1_000_000


def test_the_matrix_is_the_manifests(recipe: Recipe) -> None:
    manifest = read_manifest(recipe.out)
    for language, cells in coverage_matrix(manifest):
        for split, task, number, forbidden in cells:
            assert number == manifest.counts[split].get(task, {}).get(language, 0)
            assert forbidden == (language == "fr" and task == "caption" and split != "heldout")
            assert not (forbidden and number)


def test_a_funnel_counts_what_the_books_count() -> None:
    books = [
        {"step": "translate", "language": "de", "outcome": "in", "number": 10},
        {"step": "translate", "language": "de", "outcome": "kept", "number": 9},
        {"step": "translate", "language": "de", "outcome": "rejected:request_failed", "number": 1},
        {"step": "filter", "language": "de", "outcome": "in", "number": 9},
        {"step": "filter", "language": "de", "outcome": "kept", "number": 6},
        {"step": "filter", "language": "de", "outcome": "rejected:copied", "number": 3},
        {"step": "read", "language": "", "outcome": "in", "number": 5},
    ]
    (found,) = funnels(books)
    assert (found.asked, found.answered, found.passed) == (10, 9, 6)
    assert found.reasons == (("copied", 3), ("request_failed", 1))


def test_lengths_are_drawn_and_said(recipe: Recipe) -> None:
    """Of a dozen images all texts are looked at, so the numbers are those of the whole build."""
    manifest = read_manifest(recipe.out)
    table = read_index(recipe.out, manifest.build, manifest.shards, ["split", "language", "text"]).to_pylist()
    lengths = sorted(len(row["text"]) for row in table if row["language"] == "de" and row["split"] != "heldout")
    said = f"{len(lengths)} texts, median {lengths[len(lengths) // 2]}, longest {lengths[-1]} characters"
    page = Page(write_page(recipe.out))
    assert said in page.text
    charts = [tag for name, tag in page.tags if name == "svg" and tag.get("class") == "histogram"]
    assert f"de: {said}" in {chart["aria-label"] for chart in charts} and len(charts) == len(manifest.languages) + 1


def test_every_kind_of_reject_comes_before_the_second_of_one() -> None:
    def lost(key: str, reason: str) -> Entry:
        text = Text(task="", language="de", style="", text=key, source_text="", verdict="rejected", reason=reason)
        return Entry(key=key, source="", texts=(text,))

    entries = [*(lost(f"{number:032x}", "copied") for number in range(50)), lost("f" * 32, "empty")]
    chosen = choose_rejected(entries)
    assert len(chosen) == 24 and {text.reason for _, text in chosen[:2]} == {"copied", "empty"}


def test_words_that_caused_it_are_marked_and_escaped() -> None:
    assert marked("Ein <b> Auto", "'<b>' stands in it") == "Ein <mark>&lt;b&gt;</mark> Auto"
    assert marked("Ein <b> Auto", "nothing quoted") == "Ein &lt;b&gt; Auto"
    assert "\u202e" not in marked("a\u202eb", "") and "\\u202e" in marked("a\u202eb", "")


def test_direction_is_that_of_the_script() -> None:
    assert [direction(code) for code in ("ar", "he", "fa", "dv", "de", "zh", "")] == ["rtl"] * 4 + ["ltr"] * 3


def test_neither_model_is_busy_between_them() -> None:
    steps = [Step(name="read", started=0, ended=2), Step(name="caption", started=2, ended=5, items=30),
             Step(name="translate", started=7, ended=9), Step(name="assemble", started=9, ended=12)]  # fmt: skip
    assert idle_times(steps) == [(0, 2), (5, 7), (9, 12)]
    assert "10.0/s" in time_line(steps, idle_times(steps))
    assert idle_times([]) == [] and time_line([], []) == ""
    assert idle_share(steps) == pytest.approx(7 / 12) and idle_share(steps[:1]) is None and idle_share([]) is None


def test_steps_at_once_are_idle_where_none_of_their_models_was_busy() -> None:
    steps = [Step(name="caption", started=1, ended=8), Step(name="server", started=0, ended=3),
             Step(name="translate", started=3, ended=10)]  # fmt: skip
    assert idle_times(steps) == [(0, 1)], "nobody measured"
    assert idle_times(steps, [(2.0, 4.0), (3.0, 5.0), (6.0, 9.0)]) == [(0, 2.0), (5.0, 6.0), (9.0, 10)]
    assert idle_share(steps, [(2.0, 4.0), (3.0, 5.0), (6.0, 9.0)]) == pytest.approx(0.4)


def test_the_run_before_stands_beside_this_one(recipe: Recipe, tmp_path: Path) -> None:
    manifest = read_manifest(recipe.out)
    before = {"counts": {"train": {"caption": {"de": 999}}}, "seconds": {"caption": 77.0}, "books": []}
    load = asdict(ModelLoad(step="translate", model="<b>org/m", seconds=3.0, running=200.25))
    record = {"build": manifest.build, "books": [], "seconds": {"caption": 1.0}, "timeline": [], "before": before}
    record["loads"] = [load]
    Path(recipe.out, "report.json").write_text(json.dumps(record))
    page = Page(write_page(recipe.out))
    Path(recipe.out, "report.json").unlink()
    assert "before 999" in page.text and "77.0" in page.text
    assert "<b>org/m" in page.text and "200.2" in page.text, "how full the models were"


def test_a_preview_holds_every_text_of_one_image(recipe: Recipe, capsys: pytest.CaptureFixture[str]) -> None:
    key = key_of(next(Path(recipe.images.source).glob("000.jpg")).read_bytes())
    assert preview([recipe.out, f"KEY={key[:8]}"]) == 0
    page = Page(capsys.readouterr().out.strip())
    assert EVIL in page.text and key in page.text and "Rejected" in page.text
    assert len([tag for tag, _ in page.tags if tag == "img"]) == 1


@pytest.mark.parametrize(
    ("command", "words", "said"),
    [
        (preview, ["KEY=zz"], "KEY 'zz': no image of build"),
        (preview, ["KEYS=zz"], "unknown variable KEYS: did you mean 'KEY'?"),
        (report, ["VERDICTS=missing.json"], "missing.json does not exist"),
    ],
)
def test_bad_input_is_one_line(
    recipe: Recipe, command: object, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command([recipe.out, *words]) == 2  # type: ignore[operator]
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


def test_no_dataset_is_said_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report([str(tmp_path)]) == 2
    assert "manifest.json does not exist" in capsys.readouterr().err


def test_a_page_of_a_build_without_its_pictures_is_still_a_page(recipe: Recipe, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(recipe.out, tmp_path / "out")
    copy = replace(recipe, out=str(tmp_path / "out"))
    for shard in (tmp_path / "out" / "shards").rglob("*.tar"):
        shard.write_bytes(b"")
    assert "no picture in the build" in Page(write_page(copy.out)).text
