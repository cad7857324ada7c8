"""The pages in a real Chromium (Debian's package), driven by Playwright: what a reader sees, not what the HTML says."""

import json
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from conftest import OURS, ROOT, Dataset

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium fonts-noto-cjk")


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def page(browser: object) -> Iterator[object]:
    context = browser.new_context()  # type: ignore[attr-defined]
    found = context.new_page()
    found.asked, found.dialogs, found.errors = [], [], []
    found.on("request", lambda request: found.asked.append(request.url))
    found.on("dialog", lambda dialog: (found.dialogs.append(dialog.message), dialog.dismiss()))
    found.on("pageerror", lambda error: found.errors.append(str(error)))
    found.on("console", lambda line: found.errors.append(line.text) if line.type == "error" else None)
    yield found
    context.close()


def fonts_of(page: object, selector: str) -> list[str]:
    """The fonts that were really drawn with, by the browser's own account."""
    session = page.context.new_cdp_session(page)  # type: ignore[attr-defined]
    session.send("DOM.enable")
    session.send("CSS.enable")
    root = session.send("DOM.getDocument")["root"]["nodeId"]
    node = session.send("DOM.querySelector", {"nodeId": root, "selector": selector})["nodeId"]
    return [font["familyName"] for font in session.send("CSS.getPlatformFontsForNode", {"nodeId": node})["fonts"]]


def test_the_report_asks_nobody_runs_nothing_and_shows_every_picture(dataset: Dataset, page: object) -> None:
    url = (dataset.out / "report.html").as_uri()
    page.goto(url)  # type: ignore[attr-defined]
    assert {asked for asked in page.asked if not asked.startswith("data:")} == {url}  # type: ignore[attr-defined]
    assert page.dialogs == [] and page.errors == []  # type: ignore[attr-defined]
    widths = page.eval_on_selector_all("img", "all => all.map(one => one.naturalWidth)")  # type: ignore[attr-defined]
    assert len(widths) >= 24 and min(widths) > 0
    assert "<script>alert" in page.inner_text("main")  # type: ignore[attr-defined]


def test_arabic_runs_from_right_to_left_and_chinese_stands_in_a_cjk_font(dataset: Dataset, page: object) -> None:
    page.goto((dataset.out / "report.html").as_uri())  # type: ignore[attr-defined]
    turned = page.eval_on_selector_all(  # type: ignore[attr-defined]
        "[lang=ar]", "all => all.map(one => getComputedStyle(one).direction)"
    )
    assert turned and set(turned) == {"rtl"}
    fonts = fonts_of(page, "[lang=zh]")
    if not any("Noto" in line for line in subprocess.run(["fc-list"], capture_output=True, text=True).stdout.split()):
        pytest.skip("no Noto fonts: apt-get install fonts-noto-cjk")
    assert any("CJK" in font or "Han" in font for font in fonts), fonts


def test_a_phones_width_needs_no_scrolling_sideways(dataset: Dataset, browser: object) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740})  # type: ignore[attr-defined]
    page = context.new_page()
    page.goto((dataset.out / "report.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    context.close()


def test_the_keyboard_reaches_the_samples(dataset: Dataset, page: object) -> None:
    page.goto((dataset.out / "report.html").as_uri())  # type: ignore[attr-defined]
    page.keyboard.press("Tab")  # type: ignore[attr-defined]
    page.keyboard.press("Enter")  # type: ignore[attr-defined]
    assert page.url.endswith("#kept")  # type: ignore[attr-defined]


def test_clicks_and_keys_on_a_sheet_are_kept_by_the_server(dataset: Dataset, page: object) -> None:
    server = subprocess.Popen(
        [str(OURS), "-m", "florenz", "sample", str(dataset.out), "LANGS=ar", "N=6"],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert server.stdout is not None
        lines = [server.stdout.readline(), server.stdout.readline()]
        url = lines[1].split()[1]
        page.goto(url)  # type: ignore[attr-defined]
        page.click("li:nth-child(1) button[data-answer=wrong]")  # type: ignore[attr-defined]
        page.focus("li:nth-child(2) button[data-answer=right]")  # type: ignore[attr-defined]
        page.keyboard.press("Enter")  # type: ignore[attr-defined]
        page.wait_for_function("document.getElementById('count').textContent === '2'")  # type: ignore[attr-defined]
        page.wait_for_function("document.getElementById('state').textContent === 'saved'")  # type: ignore[attr-defined]
        page.wait_for_load_state("networkidle")  # type: ignore[attr-defined]
        assert page.errors == [] and page.dialogs == []  # type: ignore[attr-defined]
        (path,) = (dataset.out / "verdicts").glob("*-ar-*.json")
        assert sorted(json.loads(path.read_text())["answers"].values()) == ["right", "wrong"]
        assert page.eval_on_selector_all(  # type: ignore[attr-defined]
            "ol [lang=ar]", "all => all.every(one => getComputedStyle(one).direction === 'rtl')"
        )
    finally:
        server.terminate()
        server.wait(timeout=60)


def test_a_sheet_opened_as_a_file_hands_its_answers_over_as_json(dataset: Dataset, page: object) -> None:
    (sheet,) = (dataset.out / "samples").glob("*-zh-*.html")
    page.goto(sheet.as_uri())  # type: ignore[attr-defined]
    page.click("li:nth-child(1) button[data-answer=unclear]")  # type: ignore[attr-defined]
    with page.expect_download() as download:  # type: ignore[attr-defined]
        page.click("#download")  # type: ignore[attr-defined]
    record = json.loads(download.value.path().read_text())
    assert record["sample"] == sheet.stem and list(record["answers"].values()) == ["unclear"]
