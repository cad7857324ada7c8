"""The survey: what is missing, range by range, and nothing is looked at again that has not changed."""

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

import pytest
from pipeline_examples import (
    CAPTION_PRINT,
    answers_for,
    caption_row,
    index_of,
    makers_for,
    number_of,
    recipe_for,
    translation_row,
    write_ledger,
    write_pictures,
)

from florenz.pipeline.answers import each_range
from florenz.pipeline.answers import survey as survey_module
from florenz.pipeline.answers.current import CurrentAnswers
from florenz.pipeline.answers.ledger import Ledger
from florenz.pipeline.answers.parts import part_range
from florenz.pipeline.answers.questions import CaptionTask
from florenz.pipeline.answers.ranges import missing_captions, missing_translations
from florenz.pipeline.answers.survey import survey
from florenz.pipeline.answers.surveyed import Survey
from florenz.pipeline.image_index import Index
from florenz.pipeline.recipe import Recipe

NUM_PICTURES = 20


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    write_pictures(tmp_path / "pictures", NUM_PICTURES)
    return recipe_for(tmp_path / "out", tmp_path / "pictures")


@pytest.fixture
def index(recipe: Recipe) -> Index:
    return index_of(recipe)


def look(recipe: Recipe, index: Index) -> Survey:
    return survey(recipe, index, answers_for(recipe).fitted(index.digits))


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ranges that were looked through."""
    seen: list[str] = []
    through: Callable[..., dict] = survey_module._looked

    def noted(work_and_state: tuple, **more: object) -> dict:
        seen.append(work_and_state[0].range)
        return through(work_and_state, **more)

    monkeypatch.setattr(survey_module, "_looked", noted)
    return seen


def captions_in(found: Survey, recipe: Recipe, styles: Collection[str]) -> list[CaptionTask]:
    answers = answers_for(recipe)
    return [
        task for work in found.lacking_captions(styles) for task in missing_captions(work, recipe.out, answers, styles)
    ]


def test_ranges_lack_together_what_the_whole_lacks(recipe: Recipe, index: Index) -> None:
    keys, styles = list(index.images), recipe.styles
    write_ledger(recipe, keys[:9])
    whole, found = answers_for(recipe), look(recipe, index)
    captions, translations = whole.missing_captions(index.images), whole.missing_translations(index.images)
    assert len(captions) == found.caption_tasks(styles) == NUM_PICTURES - 9 and not translations
    assert found.captions() == dict.fromkeys(styles, len(captions)) and found.translations().questions == 0
    Ledger(recipe.out).append_captions(CAPTION_PRINT, [caption_row(key, number_of(key)) for key in keys[9:12]])
    found, answers = look(recipe, index), answers_for(recipe).fitted(index.digits)
    assert found.captions() == {"detailed": NUM_PICTURES - 9, "short": NUM_PICTURES - 12}
    of_ranges = captions_in(found, recipe, styles)
    assert of_ranges == whole.missing_captions(index.images) and len(of_ranges) == found.caption_tasks(styles)
    asked = [task for work in found.lacking_translations() for task in missing_translations(work, recipe.out, answers)]
    wanted = whole.missing_translations(index.images)
    assert len(wanted) == found.translations().questions == 6
    assert found.translations().chars == sum(len(task.source_text) for task in wanted)
    assert sorted(asked, key=repr) == sorted(wanted, key=repr)


def test_each_model_s_share_is_counted_and_asked_for_alone(recipe: Recipe, index: Index) -> None:
    """Captioners go by style, translators by language and number."""
    keys, out = list(index.images), recipe.out
    captions = [caption_row(key, number_of(key), style) for key in keys[:5] for style in ("short", "detailed")]
    Ledger(out).append_captions(CAPTION_PRINT, captions[:-1])
    maker = makers_for(recipe).translators["de"][0]
    makers = replace(makers_for(recipe), translators={"de": (maker, replace(maker, fingerprint="u" * 16))})
    Ledger(out).append_translations("de", "u" * 16, [translation_row(keys[0], number_of(keys[0]), "de")])
    answers = CurrentAnswers(Ledger(out, index.digits), makers, styles=recipe.styles)
    found = survey(recipe, index, answers)
    assert found.translations([("de", 0)]).questions == 9 and found.translations([("de", 1)]).questions == 8
    assert found.caption_tasks(["detailed"]) == NUM_PICTURES - 4 and found.caption_tasks(["short"]) == NUM_PICTURES - 5
    assert found.captioned("short").answers == 5 and found.captioned("detailed").answers == 4
    assert found.captioned("short").chars == sum(len(row.text or "") for row in captions if row.style == "short")
    routes = [("de", 1)]
    asked = [
        task for work in found.lacking_translations(routes) for task in missing_translations(work, out, answers, routes)
    ]
    assert len(asked) == 8 and {task.number for task in asked} == {1}
    lacking = captions_in(found, recipe, ["detailed"])
    assert len(lacking) == NUM_PICTURES - 4 and {task.styles for task in lacking} == {("detailed",)}


def test_some_images_are_asked_about_alone_and_nothing_is_kept_of_it(recipe: Recipe, index: Index) -> None:
    keys = list(index.images)
    write_ledger(recipe, keys[1:])
    answers = answers_for(recipe).fitted(index.digits)
    some = survey(recipe, index, answers, [keys[0], keys[3], keys[-1]])
    assert some.images == 3 and some.captions() == {"short": 1, "detailed": 1} and len(some.parts) <= 3
    assert [task.key for task in captions_in(some, recipe, ["short"])] == [keys[0]]
    assert survey(recipe, index, answers, [keys[1]]).captions() == {}
    assert survey(recipe, index, answers, []).images == 0
    assert look(recipe, index).images == NUM_PICTURES


def test_what_no_worker_could_read_is_counted_apart(recipe: Recipe, index: Index) -> None:
    keys = list(index.images)
    bad = caption_row(keys[0], 0, text=None, reason="unreadable_file")
    Ledger(recipe.out).append_captions(CAPTION_PRINT, [bad, caption_row(keys[1], number_of(keys[1]))])
    found = look(recipe, index).captioned("short")
    assert (found.answers, found.unreadable) == (2, 1)


def test_what_has_not_changed_is_not_looked_at_and_one_answer_is_one_range(
    recipe: Recipe, index: Index, looked: list[str]
) -> None:
    keys = list(index.images)
    write_ledger(recipe, keys[1:])
    first = look(recipe, index)
    assert sorted(looked) == [part.range for part in index.parts]
    looked.clear()
    assert look(recipe, index) == first and looked == []
    Ledger(recipe.out, index.digits).append_captions(CAPTION_PRINT, [caption_row(keys[0], number_of(keys[0]))])
    second = look(recipe, index)
    assert looked == [keys[0][: index.digits]]
    assert second.captions().total() == 1 and second.rows() != first.rows()


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The parts whose bytes were compared with their names, by file name."""
    seen: list[str] = []
    is_whole: Callable[[str, bytes], bool] = survey_module.is_whole

    def noted(path: str, content: bytes) -> bool:
        seen.append(Path(path).name)
        return is_whole(path, content)

    monkeypatch.setattr(survey_module, "is_whole", noted)
    return seen


def parts_in(recipe: Recipe) -> list[Path]:
    return sorted(
        path for kind in ("captions", "translations") for path in Path(recipe.out, "ledger", kind).rglob("part-*")
    )


def test_a_run_reads_each_part_once_and_the_next_run_again(recipe: Recipe, index: Index, read: list[str]) -> None:
    write_ledger(recipe, list(index.images))
    answers, proved = answers_for(recipe).fitted(index.digits), set[str]()
    first = survey(recipe, index, answers, proved=proved)
    assert read == [], "they were just looked through"
    assert survey(recipe, index, answers, proved=proved) == first and read == []
    for _ in range(2):
        read.clear()
        of_this_run = set[str]()
        assert survey(recipe, index, answers, proved=of_this_run) == first
        assert sorted(read) == sorted(path.name for path in parts_in(recipe))
        assert survey(recipe, index, answers, proved=of_this_run) == first and len(read) == len(parts_in(recipe))


def test_a_look_parses_each_part_once_whatever_it_counts(
    recipe: Recipe, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_ledger(recipe, list(index.images))
    look(recipe, index)  # which merges them first
    Path(recipe.out, "ledger", "survey.json").unlink()
    parsed: list[str] = []
    load = Ledger._load
    monkeypatch.setattr(Ledger, "_load", lambda ledger, parts, kind: parsed.extend(parts) or load(ledger, parts, kind))
    look(recipe, index)
    wanted = [path.name for path in parts_in(recipe)]
    assert sorted(Path(path).name for path in parsed) == sorted(wanted) and wanted


def test_what_is_read_once_stays_as_it_was_first_read(recipe: Recipe, index: Index) -> None:
    keys = list(index.images)
    write_ledger(recipe, keys[:5])
    answers = answers_for(recipe)
    once = answers.once()
    before = once.captions(), once.translations("de"), list(once.all_translations("fr"))
    write_ledger(recipe, keys[5:9])
    assert (once.captions(), once.translations("de"), list(once.all_translations("fr"))) == before
    assert len(answers.captions()) == len(answers.once().captions()) == 9 * len(recipe.styles)
    assert len(answers.once().translations("de")) == 9 * len(recipe.styles) > len(before[1])


@pytest.mark.parametrize("kind", ["captions", "translations"])
def test_a_part_that_goes_or_comes_during_a_run_is_noticed_whatever_was_proved(
    recipe: Recipe, index: Index, looked: list[str], kind: str
) -> None:
    write_ledger(recipe, list(index.images))
    answers, proved = answers_for(recipe).fitted(index.digits), set[str]()
    first = survey(recipe, index, answers, proved=proved)
    path = next(path for path in parts_in(recipe) if kind in path.parts)
    whole = path.read_bytes()
    path.unlink()
    looked.clear()
    without = survey(recipe, index, answers, proved=proved)
    assert looked == [part_range(path.name)] and without.rows() != first.rows()
    assert without.captions() if kind == "captions" else without.translations().questions
    path.write_bytes(whole)
    assert survey(recipe, index, answers, proved=proved) == first


def test_a_part_that_was_found_damaged_is_not_taken_for_proved(recipe: Recipe, index: Index) -> None:
    write_ledger(recipe, list(index.images))
    answers, proved = answers_for(recipe).fitted(index.digits), set[str]()
    first = survey(recipe, index, answers, proved=proved)
    path = parts_in(recipe)[0]
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"?")
    proved.clear()  # the next run
    assert survey(recipe, index, answers, proved=proved).damaged()
    path.write_bytes(whole[:-1] + b"?")
    assert survey(recipe, index, answers, proved=proved).damaged()
    path.write_bytes(whole)
    assert survey(recipe, index, answers, proved=proved) == first


def test_what_other_code_has_counted_is_counted_anew(
    recipe: Recipe, index: Index, looked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    look(recipe, index)
    looked.clear()
    monkeypatch.setattr(survey_module, "code_checksum", lambda entries: "mended")
    look(recipe, index)
    assert sorted(looked) == [part.range for part in index.parts]


def test_the_same_answers_come_to_the_same_whatever_their_parts(recipe: Recipe, index: Index, tmp_path: Path) -> None:
    rows = set()
    for name, size in (("one", 1000), ("two", 3)):
        out = recipe_for(tmp_path / name, recipe.images.source)
        write_ledger(out, list(index.images)[:: 1 if name == "one" else -1], size)
        rows.add(look(out, index_of(out)).rows())
    assert len(rows) == 1


def test_an_engine_finds_what_the_launcher_finds(recipe: Recipe, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    write_ledger(recipe, list(index.images)[:7])
    here = look(recipe, index)
    (Path(recipe.out) / "ledger" / "survey.json").unlink()
    monkeypatch.setattr(each_range, "FEW", 0)
    assert look(recipe, index) == here


def test_a_part_that_is_damaged_later_is_told_and_asked_again(recipe: Recipe, index: Index) -> None:
    write_ledger(recipe, list(index.images))
    assert look(recipe, index).damaged() == []
    path = sorted((Path(recipe.out) / "ledger" / "captions").rglob("part-*.parquet"))[0]
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    found = look(recipe, index)
    (line,) = found.damaged()
    assert path.name in line and [work.range for work in found.lacking_captions(recipe.styles)] == [
        part_range(path.name)
    ]
    assert look(recipe, index).damaged() == [], "told once"


def test_an_answer_that_comes_again_as_it_was_is_there_again(recipe: Recipe, index: Index) -> None:
    """It makes the part that was damaged, under the same name; what was seen without it must not be believed then."""
    write_ledger(recipe, list(index.images))
    first = look(recipe, index)
    path = sorted((Path(recipe.out) / "ledger" / "captions").rglob("part-*.parquet"))[0]
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"?")
    assert look(recipe, index).captions().total() > 0 and not path.exists()
    path.write_bytes(whole)
    assert look(recipe, index) == first


@pytest.mark.parametrize("content", [b"", b"{}", b'{"ranges": [], "checksum": "0"}'])
def test_a_survey_that_can_not_be_believed_is_made_anew(recipe: Recipe, index: Index, content: bytes) -> None:
    write_ledger(recipe, list(index.images)[:3])
    first = look(recipe, index)
    (Path(recipe.out) / "ledger" / "survey.json").write_bytes(content)
    assert look(recipe, index) == first
