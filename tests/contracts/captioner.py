"""What every captioner promises. A kind's test subclasses `CaptionerContract`, so that each test here is its test too.

class TestFlorence2(CaptionerContract):
    other_values = {...}

    @pytest.fixture
    def settings(self, ...): ...
"""

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from captioner_examples import noise
from PIL import Image

from contracts.model_kind import ModelKindContract
from florenz.captioners.contract import Answer, Captioner, CaptionerKind, CaptionerSettings, kind_of

MAX_PREPARED_BYTES = 8 << 20  # 768 x 768 px in float32 are 7 MB


class CaptionerContract(ModelKindContract):
    room, asked = "captioners", "known_styles"

    @pytest.fixture
    def settings(self) -> CaptionerSettings:
        """Of a captioner that can be loaded here, in `styles` of which each picture can get any."""
        raise NotImplementedError

    @pytest.fixture
    def cutting_settings(self, settings: CaptionerSettings) -> CaptionerSettings | None:
        """Under which every caption is cut off; None for a captioner that cuts none."""
        raise NotImplementedError

    @pytest.fixture
    def named(self, settings: CaptionerSettings) -> CaptionerSettings:
        """A model that is known by its name alone, because the content of a folder is the same in every revision."""
        return replace(settings, model="org/model")

    @pytest.fixture
    def kind(self, settings: CaptionerSettings) -> CaptionerKind:
        return kind_of(settings)

    @pytest.fixture
    def captioner(self, kind: CaptionerKind, settings: CaptionerSettings) -> Captioner:
        return kind.load(settings)

    @pytest.fixture
    def pictures(self) -> list[Image.Image]:
        return [noise(number) for number in range(5)]

    # -- the light half -----------------------------------------------------------------------------------------------

    def test_it_knows_the_styles_that_it_is_asked_for(self, kind: CaptionerKind, settings: CaptionerSettings) -> None:
        assert settings.styles and set(settings.styles) <= set(kind.known_styles(settings))

    # -- the heavy half -----------------------------------------------------------------------------------------------

    def test_each_picture_gets_one_answer_in_each_of_its_styles(
        self, captioner: Captioner, settings: CaptionerSettings, pictures: list[Image.Image]
    ) -> None:
        first, last = settings.styles[:1], settings.styles[-1:]
        styles = [settings.styles, first, last, settings.styles, last]
        answers = captioner.caption([captioner.prepare(picture) for picture in pictures], styles)
        assert [set(answer_of) for answer_of in answers] == [set(wanted) for wanted in styles]
        assert all(is_whole(answer) for answer_of in answers for answer in answer_of.values())

    def test_a_batch_gives_the_answers_that_each_picture_gets_alone(
        self, captioner: Captioner, settings: CaptionerSettings, pictures: list[Image.Image]
    ) -> None:
        prepared = [captioner.prepare(picture) for picture in pictures]
        together = captioner.caption(prepared, [settings.styles] * len(prepared))
        alone = [captioner.caption([one], [settings.styles])[0] for one in prepared]
        assert list(together) == alone
        assert len(texts_of(together)) > 1, "it does not look at its pictures, so this proves nothing"

    def test_a_large_picture_becomes_small(self, captioner: Captioner) -> None:
        small, large = noise(1), noise(1, width_px=2400, height_px=1800)
        sizes = [len(pickle.dumps(captioner.prepare(picture))) for picture in (small, large)]
        assert max(sizes) <= MAX_PREPARED_BYTES, sizes

    def test_a_caption_that_was_cut_off_says_so(
        self, kind: CaptionerKind, cutting_settings: CaptionerSettings | None, pictures: list[Image.Image]
    ) -> None:
        if cutting_settings is None:
            pytest.skip("it cuts no captions off")
        captioner = kind.load(cutting_settings)
        prepared = [captioner.prepare(picture) for picture in pictures]
        answers = captioner.caption(prepared, [cutting_settings.styles] * len(prepared))
        assert {answer.finish_reason for answer_of in answers for answer in answer_of.values()} == {"length"}


def is_whole(answer: Answer) -> bool:
    """Either a text and why it ended, or why there is none."""
    return not answer.text if answer.reason else answer.finish_reason in ("stop", "length")


def texts_of(answers: Sequence[Mapping[str, Answer]]) -> set[str]:
    return {answer.text for answer_of in answers for answer in answer_of.values()}
