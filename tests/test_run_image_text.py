"""[filters.image_text]: how well texts fit their images, in captions and examples, and a threshold that drops."""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pipeline_examples import samples_of
from scorer_examples import save_siglip, siglip_settings
from test_run_scores import rejects_in, sections
from test_run_several_models import HEAD, SENTENCES, run_with

from benchmarks.stand_in_server import StandInServer
from florenz.filters.verdict import Verdict
from florenz.pipeline.__main__ import main
from florenz.pipeline.answers.ledger import Ledger
from florenz.pipeline.answers.makers import score_fingerprint
from florenz.pipeline.assemble.books import kept_by_source
from florenz.pipeline.assemble.score_rules import ScoreRule, booked_by_source
from florenz.shards.schema import parse_scores

NUM_CAPTIONS, NUM_TRANSLATIONS = 12, 24


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_siglip(tmp_path_factory.mktemp("scorer"))


@pytest.fixture
def server() -> Iterator[StandInServer]:
    with ExitStack() as stack:
        yield stack.enter_context(StandInServer("org/a", lambda prompt: SENTENCES["org/a"][prompt[-4:-2]]))


def image_text(model: Path, more: str = "") -> str:
    return f'[filters.image_text]\nmodel = "{model}"\ncpu_threads = 1\nbatch_size = 5\n{more}\n'


def test_captions_and_translations_are_scored_and_dropped_where_they_fit_worse(
    server: StandInServer, model: Path, tmp_path: Path
) -> None:
    facts = run_with(tmp_path, *sections(server, image_text(model)))
    ledger, fingerprint = Ledger(str(tmp_path / "out")), score_fingerprint(siglip_settings(model))
    rows = list(ledger.read_scores("image_text", fingerprint).values())
    assert facts.asked["scores"] == len(rows) == NUM_CAPTIONS + NUM_TRANSLATIONS
    of_text = {(row.key, row.style, row.language): row.score for row in rows}
    for split in ("train", "choose", "val"):
        for key, sample in samples_of(tmp_path / "out", split).items():
            for one in [{"language": "en", **caption} for caption in sample["captions"]] + sample["examples"]:
                expected = {"image_text": pytest.approx(of_text[key, one["style"], one["language"]], abs=1e-4)}
                assert parse_scores(one["scores"]) == expected

    scores = sorted(row.score or 0.0 for row in rows)
    threshold = scores[len(scores) // 4]
    worse = {place for place, score in of_text.items() if score is not None and score < threshold}
    facts = run_with(tmp_path, *sections(server, image_text(model, f"threshold = {threshold!r}")))
    assert facts.asked == {"captions": 0, "translations": 0, "scores": 0}
    dropped = [one for one in rejects_in(tmp_path, facts.manifest.build) if one.reason == "unlike_image"]
    assert {(one.key, one.style, one.language) for one in dropped} == worse and worse
    assert all("(higher is better)" in one.detail and " is below " in one.detail for one in dropped)
    # Per source too, which the playground has one of: what was dropped, and the books balance.
    of_language = Counter(language for _, _, language in worse)
    went_in = Counter(language for _, _, language in of_text)
    assert kept_by_source(facts.books) == [
        ("image_text", ".", language, went_in[language], went_in[language] - of_language[language])
        for language in ("de", "en", "fr")
    ]
    assert f"| image_text | . | de | {went_in['de']} |" in (tmp_path / "out" / "REPORT.md").read_text()


@pytest.mark.parametrize(
    ("source", "folder"),
    [
        ("coco/train/1.jpg", "coco"),
        ("1.jpg", "."),
        ("00000.tar?member=a/b.jpg&offset=512&size=3", "."),
        ("laion/00000.tar?member=1.jpg&offset=512&size=3", "laion"),
    ],
)
def test_a_source_is_the_first_folder_below_images(source: str, folder: str) -> None:
    rules = [
        ScoreRule(what="image_text", reason="unlike_image", threshold=0.1, lower_is_better=False),
        ScoreRule(what="quality", reason="low_quality", threshold=5.0, lower_is_better=True),
    ]
    scores, step = (("image_text", 0.2), ("quality", 1.0)), f"image_text of {folder}"
    booked = booked_by_source(source, "de", scores, Verdict(keep=True), rules)
    assert list(booked) == [(step, "de", "in"), (step, "de", "kept")]
    of_others = booked_by_source(source, "de", scores, Verdict(keep=False, reason="low_quality"), rules)
    assert list(of_others) == []


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("threshold = 2", "threshold is 2, and scores of a siglip go from -1 to 1, higher is better"),
        ("threshold = 0.1\ncandidates = 2", "candidates is 2: nothing is asked again for this"),
        ('kind = "metricx"', "kind = 'metricx' looks at no image: choose one like 'siglip'"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    server: StandInServer, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: str, told: str
) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(HEAD.format(out=tmp_path / "out") + "".join(sections(server, image_text(model, more))))
    assert main([str(path)]) == 2
    said = capsys.readouterr().err
    assert told in said and said.count("\n") == 1, said
