"""Scenes of the playground as an evaluation set: what the grammars say, and a judge who reads answers."""

from pathlib import Path

import pytest
from contracts.evaluation_set import EvaluationSetSuite, Written

from florenz.playground.captions import LANGUAGES, STYLES, state
from florenz.playground.world import TRUTH, draw_world, picture
from florenz.train.scores.sets import playground

COUNT, SEED = 3, 7


class TestPlayground(EvaluationSetSuite):
    module = playground
    needed = (TRUTH,)

    @pytest.fixture(scope="class")
    def folder(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        folder = tmp_path_factory.mktemp("scenes")
        draw_world(str(folder), count=COUNT, seed=SEED)
        return folder

    @pytest.fixture(scope="class")
    def written(self) -> list[Written]:
        scenes = [picture(SEED, number)[2] for number in range(COUNT)]
        captions = [("caption", language, "") for language in LANGUAGES]
        texts = [
            (task, language, style, state(scene, source, style) if source else "", state(scene, language, style))
            for scene in scenes
            for style in STYLES
            for task, language, source in [*captions, *(("translation", one, "en") for one in LANGUAGES if one != "en")]
        ]
        return [(task, language, style, source, (text,), False) for task, language, style, source, text in texts]

    def test_its_judge_reads_answers(self, folder: Path) -> None:
        judge = playground.Set(folder=str(folder)).judge()
        first, other = (picture(SEED, number)[2] for number in (0, 1))
        english = state(first, "en", "short")
        assert judge(english, "fr", state(first, "fr", "short"))
        assert not judge(english, "fr", state(other, "fr", "short")) and not judge(english, "fr", "une chose")


def test_pictures_that_are_gone_and_a_truth_that_is_none_are_one_line_each(tmp_path: Path) -> None:
    draw_world(str(tmp_path), count=2, seed=SEED)
    (tmp_path / "scene-000001.jpg").unlink()
    (line,) = playground.Set(folder=str(tmp_path)).problems()
    assert "1 of 2 pictures are missing" in line and "scene-000001.jpg" in line
    (tmp_path / TRUTH).write_bytes(b"PAR1 and no table")
    (line,) = playground.Set(folder=str(tmp_path)).problems()
    assert TRUTH in line and "draw them anew" in line
