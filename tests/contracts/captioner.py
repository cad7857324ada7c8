"""What every captioner promises. A kind's test subclasses `CaptionerContract`, so that each test here is its test too.

class TestFlorence2(CaptionerContract):
    other_values = {...}

    @pytest.fixture
    def settings(self, ...): ...
"""

import base64
import json
import pickle
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import pytest
from captioner_examples import noise
from PIL import Image

import florenz.captioners
from florenz.captioners.contract import Answer, Captioner, CaptionerKind, CaptionerSettings, kind_of
from florenz.recipes.fingerprints import deciding, fingerprint

HEAVY = ("torch", "transformers", "apache_beam", "vllm")
MAX_PREPARED_BYTES = 8 << 20  # 768 x 768 px in float32 are 7 MB
LIGHT_HALF = """
import base64, json, pickle, sys
import florenz.captioners
florenz.captioners.__path__[:] = json.loads(sys.argv[1])
from florenz.captioners.contract import kind_of
settings = pickle.loads(base64.b64decode(sys.argv[2]))
kind = kind_of(settings)
told = list(kind.problems(settings))
kind.known_styles(settings), kind.fingerprint_parts(settings)
print(json.dumps([told, sorted(sys.modules)]))
"""


class CaptionerContract:
    other_values: Mapping[str, Any]
    """Field of the settings -> a value that is right and not the one in `named`; every field has one."""

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

    def test_settings_reach_a_worker_as_they_were(self, settings: CaptionerSettings) -> None:
        assert pickle.loads(pickle.dumps(settings)) == settings
        assert hash(settings) == hash(replace(settings)), "a process keeps one captioner for each"

    def test_settings_belong_to_their_kind(self, kind: CaptionerKind, settings: CaptionerSettings) -> None:
        assert type(settings) is kind.Settings and kind.Settings(model="org/model").kind == settings.kind

    def test_it_knows_the_styles_that_it_is_asked_for(self, kind: CaptionerKind, settings: CaptionerSettings) -> None:
        assert settings.styles and set(settings.styles) <= set(kind.known_styles(settings))

    def test_the_light_half_finds_no_fault_and_imports_nothing_heavy(self, settings: CaptionerSettings) -> None:
        folders = json.dumps(list(florenz.captioners.__path__))
        pickled = base64.b64encode(pickle.dumps(settings)).decode()
        asked = [sys.executable, "-c", LIGHT_HALF, folders, pickled]
        done = subprocess.run(asked, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        told, modules = json.loads(done.stdout)
        assert told == [] and not {module.split(".")[0] for module in modules} & set(HEAVY)

    def test_what_decides_an_answer_changes_the_fingerprint_and_nothing_else_does(
        self, kind: CaptionerKind, named: CaptionerSettings
    ) -> None:
        assert set(self.other_values) == {field.name for field in fields(named)}
        before = fingerprint(kind.fingerprint_parts(named))
        assert fingerprint(kind.fingerprint_parts(replace(named))) == before
        for name, value in self.other_values.items():
            assert getattr(named, name) != value, f"{name} has this value already"
            after = fingerprint(kind.fingerprint_parts(replace(named, **{name: value})))
            assert (after != before) == (name in deciding(named)), name

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
