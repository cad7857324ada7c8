"""The picture of the scores: what stands where, in which colour, and that it is a picture."""

from pathlib import Path

import pytest
from matplotlib.colors import to_hex
from PIL import Image

from florenz.train.scores.plot import COVERED, HELD_OUT, draw, make_figure
from florenz.train.scores.texts import PairScores, TextScores


def scores(exact_match: float, language_fidelity: float | None = 0.9) -> TextScores:
    return TextScores(exact_match=exact_match, chrf=100 * exact_match, language_fidelity=language_fidelity)


def pair(task: str, language: str, cross_entropy: float, *, is_held_out: bool = False, **texts: object) -> PairScores:
    defaults = {"with_prefix": scores(0.5), "without_prefix": scores(0.25), "chance": scores(0.125, 1.0)}
    return PairScores(
        task=task, language=language, is_held_out=is_held_out, num_texts=4, num_tokens=40,
        cross_entropy=cross_entropy, **{**defaults, **texts},
    )  # fmt: skip


PAIRS = [
    pair("caption", "de", 0.5),
    pair("caption", "fr", 1.5, is_held_out=True),
    pair("translation", "fr", 0.25, without_prefix=None, with_prefix=scores(0.75, None)),
]


def test_each_pair_has_its_bar_in_each_panel_from_top_to_bottom() -> None:
    loss, exact, chrf, language = make_figure(PAIRS).axes
    assert [bar.get_width() for bar in loss.patches] == [0.5, 1.5, 0.25]
    assert [bar.get_width() for bar in exact.patches] == [0.5, 0.5, 0.75]
    assert [bar.get_width() for bar in chrf.patches] == [50.0, 50.0, 75.0]
    assert [bar.get_width() for bar in language.patches] == [0.9, 0.9]  # the third language is not known
    assert [label.get_text() for label in loss.get_yticklabels()] == ["caption/de", "caption/fr", "translation/fr"]
    assert loss.yaxis_inverted() and exact.get_xlim() == (0, 1) and chrf.get_xlim() == (0, 100)


def test_held_out_pairs_have_a_colour_of_their_own_and_the_legend_says_so() -> None:
    figure = make_figure(PAIRS)
    assert [to_hex(bar.get_facecolor()) for bar in figure.axes[0].patches] == [COVERED, HELD_OUT, COVERED]
    legend = figure.legends[0]
    colours = {text.get_text(): patch for text, patch in zip(legend.get_texts(), legend.legend_handles, strict=True)}
    assert to_hex(colours["covered"].get_facecolor()) == COVERED
    assert to_hex(colours["held out"].get_facecolor()) == HELD_OUT


def test_marks_stand_at_chance_and_at_what_answers_without_prefix_score() -> None:
    loss, exact, *_ = make_figure(PAIRS).axes
    assert not loss.lines
    diamonds = [(line.get_xdata()[0], line.get_ydata()[0]) for line in exact.lines if line.get_marker() == "D"]
    bars = [list(line.get_xdata()) for line in exact.lines if line.get_marker() != "D"]
    assert diamonds == [(0.25, 0), (0.25, 1)]
    assert bars == [[0.125, 0.125]] * 3


def test_a_pair_without_any_score_of_its_texts_is_drawn(tmp_path: Path) -> None:
    bare = pair("caption", "it", 2.0, with_prefix=None, without_prefix=None, chance=None)
    draw([bare], str(tmp_path / "bare.png"))
    assert [len(axes.patches) for axes in make_figure([bare]).axes] == [1, 0, 0, 0]


@pytest.mark.parametrize("num_pairs", [1, 12])
def test_the_picture_is_a_png_that_grows_with_the_pairs(num_pairs: int, tmp_path: Path) -> None:
    path = tmp_path / "evaluation.png"
    path.write_bytes(b"the one before")
    draw([pair("caption", f"{number}", 1.0) for number in range(num_pairs)], str(path))
    with Image.open(path) as image:
        image.load()
        assert image.format == "PNG" and image.width > 1000 and image.height > 30 * num_pairs
    assert [file.name for file in tmp_path.iterdir()] == ["evaluation.png"]
