"""Noise on source texts and on the decoder's words: what is replaced, by what, how often; training resumes exactly."""

import dataclasses
from pathlib import Path

import pytest
import torch
from training_examples import losses, recipe_in, train_quietly

from florenz.train.data.noise import LOST_WORD, unigram_noise, without_words
from florenz.train.recipe import Recipe

pytestmark = pytest.mark.usefixtures("one_build")
PAD, START, GERMAN, FRENCH = 0, 1, 2, 3
NOISE = ("batch_size = 4", "batch_size = 4\nunigram_noise = 0.5")


SENTENCE = "Two red cars stand to the left of one blue house on a street."
DRAWS = [(0, 0, f"{number:032x}") for number in range(400)]


def test_the_share_is_the_chance_of_each_word_and_the_others_stay_where_they_are() -> None:
    words = SENTENCE.split()
    num_lost = [0] * len(words)
    for draw in DRAWS:
        left = without_words(SENTENCE, share=0.3, draw=draw).split()
        assert len(left) == len(words) and all(one in (word, LOST_WORD) for one, word in zip(left, words, strict=True))
        for place, one in enumerate(left):
            num_lost[place] += one == LOST_WORD
    others = [num_lost[place] / len(DRAWS) for place, word in enumerate(words) if word != LOST_WORD]
    assert all(0.2 < share < 0.4 for share in others)  # each within four deviations of 0.3
    assert without_words(SENTENCE, share=0.0, draw=DRAWS[0]) == SENTENCE


def test_half_of_a_text_always_stays() -> None:
    for text in ("Ducks at sea.", "Two red ducks.", "Sea.", ""):
        kept = [
            len(words) - words.count(LOST_WORD)
            for draw in DRAWS
            for words in [without_words(text, share=0.9, draw=draw).split()]
        ]
        assert min(kept) == -(-len(text.split()) // 2)


def test_seed_epoch_and_image_decide_which_words_are_lost() -> None:
    drawn = {
        without_words(SENTENCE, share=0.5, draw=draw) for draw in [(0, 0, "a"), (1, 0, "a"), (0, 1, "a"), (0, 0, "b")]
    }
    assert len(drawn) == 4
    assert without_words(SENTENCE, share=0.5, draw=(0, 0, "a")) in drawn


def ids(num_rows: int = 200) -> torch.Tensor:
    """(num_rows, 12): start, language, then texts of 0 to 9 tokens: of German 10 to 19, of French 20 to 29."""
    rows = []
    for row in range(num_rows):
        language, first = ((GERMAN, 10), (FRENCH, 20))[row % 2]
        text = [first + place for place in range(row % 10)]
        rows.append([START, language, *text, *[PAD] * (10 - len(text))])
    return torch.tensor(rows)


def noisy(share: float, seed: int = 0) -> torch.Tensor:
    torch.manual_seed(seed)
    return unigram_noise(ids(), share=share, num_given=2, pad=PAD)


def test_start_language_and_padding_stay() -> None:
    changed = noisy(0.99) != ids()
    assert changed.any() and not changed[:, :2].any() and not changed[ids() == PAD].any()
    assert (noisy(0.99) == PAD).equal(ids() == PAD)


def test_the_share_is_the_chance_of_each_token() -> None:
    texts = ids() >= 10
    share = float((noisy(0.3) != ids())[texts].float().mean())
    assert 0.2 < share < 0.36  # of 900 tokens; one in twenty is replaced by its like
    assert noisy(0.0).equal(ids())


def test_replacements_come_from_all_the_batch_as_often_as_they_occur() -> None:
    """The first token of the texts stands in nine rows of ten, the last in one."""
    drawn = noisy(0.99)[ids() >= 10]
    counts = torch.bincount(drawn, minlength=30)
    assert set(drawn.tolist()) <= {*range(10, 19), *range(20, 29)}
    assert counts[10] > 3 * counts[18] and counts[20] > 3 * counts[28]
    german = (ids() >= 10) & (ids() < 20)
    assert (noisy(0.99)[german] >= 20).any()


def test_the_seed_decides_it() -> None:
    assert noisy(0.5).equal(noisy(0.5)) and not noisy(0.5).equal(noisy(0.5, seed=1))


def test_a_batch_of_empty_texts_is_left_alone() -> None:
    empty = ids()[:1]
    assert unigram_noise(empty, share=0.9, num_given=2, pad=PAD).equal(empty)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    recipe = recipe_in(tmp_path_factory.mktemp("finished"), NOISE)
    train_quietly(recipe)
    return recipe


@pytest.mark.slow
def test_a_training_goes_through_it(finished: Recipe, tmp_path: Path) -> None:
    plain = dataclasses.replace(
        finished,
        out=str(tmp_path / "out"),
        stages=tuple(dataclasses.replace(stage, unigram_noise=0.0) for stage in finished.stages),
    )
    train_quietly(plain)
    assert losses(plain.out)[0] != losses(finished.out)[0]
    assert plain.identity() != finished.identity()


@pytest.mark.slow
def test_a_training_that_goes_on_draws_the_same_noise(finished: Recipe, tmp_path: Path) -> None:
    again = dataclasses.replace(finished, out=str(tmp_path / "out"))
    train_quietly(again)
    newest = Path(again.out) / "checkpoints" / "step-00000006" / "model.safetensors"
    newest.write_bytes(newest.read_bytes()[:-1] + b"\0")  # so that it begins again at an earlier one
    train_quietly(again)
    assert losses(again.out) == losses(finished.out)
