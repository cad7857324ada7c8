"""What every scorer promises. A kind's test subclasses `ScorerContract`, so that each test here is its test too."""

import math
from dataclasses import replace

import pytest
from captioner_examples import noise

from contracts.model_kind import ModelKindContract
from florenz.scorers.contract import Question, Scorer, ScorerKind, ScorerSettings, kind_of, threshold_problems

TEXTS = (
    ("A red car.", "Ein rotes Auto.", "de"),
    ("A small dog sleeps beside a tree.", "Un petit chien.", "fr"),
    ("", "Two blue birds sit on a very old wall near the river.", "en"),
    ("A cat.", "Katze", "de"),
    ("A house with a garden.", "Ein Haus mit Garten, und noch viel mehr, was niemand sieht.", "de"),
)


class ScorerContract(ModelKindContract):
    room, asked = "scorers", "facts"

    @pytest.fixture
    def settings(self) -> ScorerSettings:
        """Of a scorer that can be loaded here."""
        raise NotImplementedError

    @pytest.fixture
    def named(self, settings: ScorerSettings) -> ScorerSettings:
        """A model that is known by its name alone, because the content of a folder is the same in every revision."""
        return replace(settings, model="org/model", threshold=kind_of(settings).facts(settings).highest)

    @pytest.fixture
    def kind(self, settings: ScorerSettings) -> ScorerKind:
        return kind_of(settings)

    @pytest.fixture
    def scorer(self, kind: ScorerKind, settings: ScorerSettings) -> Scorer:
        return kind.load(settings)

    # -- the light half -----------------------------------------------------------------------------------------------

    def test_a_threshold_on_no_side_of_which_a_score_can_be_is_one_line(
        self, kind: ScorerKind, settings: ScorerSettings
    ) -> None:
        facts = kind.facts(settings)
        assert threshold_problems(settings) == []
        for good in (facts.lowest, facts.highest, None):
            assert threshold_problems(replace(settings, threshold=good)) == []
        for bad in (facts.lowest - 1, facts.highest + 1):
            (told,) = threshold_problems(replace(settings, threshold=bad))
            assert f"threshold is {bad:g}" in told and "is better" in told

    # -- the heavy half -----------------------------------------------------------------------------------------------

    def questions(self, kind: ScorerKind, settings: ScorerSettings, scorer: Scorer) -> list[Question]:
        needs_image = kind.facts(settings).needs_image
        return [
            Question(source=source, text=text, language=language, picture=scorer.prepare(picture))
            if needs_image
            else Question(source=source, text=text, language=language)
            for (source, text, language), picture in zip(TEXTS, map(noise, range(5)), strict=True)
        ]

    def test_each_text_gets_a_number_within_bounds_that_it_would_get_alone(
        self, kind: ScorerKind, settings: ScorerSettings, scorer: Scorer
    ) -> None:
        facts, questions = kind.facts(settings), self.questions(kind, settings, scorer)
        together = list(scorer.score(questions))
        assert len(together) == len(questions) and len(set(together)) > 2, "it does not look at what it scores"
        assert all(math.isfinite(score) and facts.lowest <= score <= facts.highest for score in together)
        alone = [scorer.score([one])[0] for one in questions]
        assert together == pytest.approx(alone, abs=1e-4)
        few_at_once = kind.load(replace(settings, batch_size=2))
        assert list(few_at_once.score(questions)) == pytest.approx(together, abs=1e-4)

    def test_nothing_to_score_is_nothing(self, scorer: Scorer) -> None:
        assert list(scorer.score([])) == []
