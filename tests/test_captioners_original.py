"""Alt texts as a captioner: it says nothing about pictures; test_pipeline_answers_alt_texts.py says what it is for."""

import pytest
from contracts.captioner import CaptionerContract
from PIL import Image

from florenz.captioners.contract import Answer, Captioner, CaptionerSettings
from florenz.captioners.original import Settings


class TestOriginal(CaptionerContract):
    other_values = {
        "kind": "other", "model": "another", "revision": "abc", "styles": ("other",), "prefix": "web_", "batch_size": 7,
        "reading_threads": 3,
    }  # fmt: skip

    @pytest.fixture
    def settings(self) -> CaptionerSettings:
        return Settings()

    @pytest.fixture
    def cutting_settings(self) -> None:
        return None

    def test_a_batch_gives_the_answers_that_each_picture_gets_alone(
        self, captioner: Captioner, settings: CaptionerSettings, pictures: list[Image.Image]
    ) -> None:
        """It does not look at its pictures: asked about one, it says that there is no alt text."""
        answers = captioner.caption([captioner.prepare(picture) for picture in pictures], [settings.styles] * 5)
        assert answers == [{"original": Answer(reason="no_alt_text")}] * 5
