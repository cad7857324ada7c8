"""What a run learns ahead: from which pairs, when not at all, and that damage it meets is told."""

from pathlib import Path

import pytest
from pipeline_examples import (
    TRANSLATION_PRINT,
    answers_for,
    index_of,
    jpeg_of,
    key_of,
    makers_for,
    recipe_for,
    text_of,
    write_ledger,
    write_pictures,
)

from florenz.filters.alignment_check import AlignmentTable
from florenz.filters.order import LEARNED_CHECKS
from florenz.filters.settings import FilterSettings
from florenz.pipeline import learning
from florenz.pipeline.answers.current import CurrentAnswers
from florenz.pipeline.assemble.ahead import LearnedAhead
from florenz.pipeline.learning import LEARNING_BYTES, learning_ahead
from florenz.scorers.metricx import Settings as Scorer

NUM_PICTURES = 12
STYLES = ("short", "detailed")


class World:
    """An OUT with all answers, and what tables were learned from there."""

    def __init__(self, folder: Path) -> None:
        self.out, self.learned_from = folder / "out", dict[str, list[tuple[str, str]]]()
        self.recipe = recipe_for(self.out, folder / "pictures")
        write_pictures(folder / "pictures", NUM_PICTURES)
        write_ledger(self.recipe, [key_of(jpeg_of(number)) for number in range(NUM_PICTURES)], rows_per_part=4)
        self.index = index_of(self.recipe)
        self.answers: CurrentAnswers = answers_for(self.recipe).fitted(self.index.digits)

    def note(self, pairs: list[tuple[str, str]], language: str) -> AlignmentTable:
        self.learned_from[language] = pairs
        return AlignmentTable(language, (), (), 0.0, len(pairs), "abc")

    def ahead(self, **changes: object) -> LearnedAhead | None:
        recipe = recipe_for(self.out, self.recipe.images.source, **changes)
        return learning_ahead(recipe, makers_for(recipe), self.index, self.answers)

    def learns(self, language: str) -> bool:
        ahead = self.ahead()
        assert ahead is not None
        ahead.begin(language)
        return ahead.table(language, "abc") is not None


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(tmp_path)
    monkeypatch.setattr(learning, "learn_table", world.note)
    monkeypatch.setattr(learning, "free_bytes", lambda: None)
    return world


def test_all_pairs_of_the_language_are_learned_from_and_no_others(world: World) -> None:
    assert world.learns("fr")
    assert set(world.learned_from) == {"fr"} and len(world.learned_from["fr"]) == NUM_PICTURES * len(STYLES)
    expected = {(text_of(one, "en", style), text_of(one, "fr", style)) for one in range(4) for style in STYLES}
    assert set(world.learned_from["fr"]) <= expected
    assert world.answers.ledger.damaged == []


def test_a_damaged_part_that_it_sets_aside_is_told_by_the_runs_ledger(world: World) -> None:
    part = next((world.out / "ledger" / "translations" / "fr" / TRANSLATION_PRINT).glob("part-*"))
    part.write_bytes(part.read_bytes()[:-1] + b"?")
    assert world.learns("fr")
    assert len(world.learned_from["fr"]) < NUM_PICTURES * len(STYLES)
    (line,) = world.answers.ledger.damaged
    assert part.name in line and "is damaged" in line


def test_without_memory_beside_the_models_nothing_is_learned(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "free_bytes", lambda: LEARNING_BYTES)
    assert not world.learns("fr") and not world.learned_from


def test_nothing_is_learned_where_a_recipe_wants_none_or_others_have_the_last_word(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert world.ahead() is not None
    assert world.ahead(filters=FilterSettings(alignment="off")) is None
    assert world.ahead(filters=FilterSettings(disabled=LEARNED_CHECKS)) is None
    assert world.ahead(scorers={"quality": Scorer(model="org/scorer", threshold=5.0)}) is None
    kept = world.ahead(filters=FilterSettings(alignment_tables=("fr-0123456789abcdef",)))
    assert kept is not None
    kept.begin("fr")
    assert kept.table("fr", "abc") is None and not world.learned_from
    monkeypatch.setattr(learning, "MAX_IMAGES", NUM_PICTURES - 1)
    assert world.ahead() is None
