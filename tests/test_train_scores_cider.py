"""CIDEr-D against the formula written out again, and by hand on a case of one word."""

import math
from collections import Counter

import numpy as np
import pytest

from florenz.train.scores.cider import cider, words_of

REFERENCES = [
    ("A red car stands by a house.", "The red car is near the house", "A car."),
    ("Two dogs run on the beach.", "Dogs running in sand by the sea", "Two brown dogs play."),
    ("A man rides a red bicycle down the street.", "The man on a bike"),
]
ANSWERS = ["A red car near a house", "a dog a dog a dog a dog a dog", "A man rides a red bicycle down the street."]


def plainly(answers: list[str], references: list[tuple[str, ...]]) -> list[float]:
    """CIDEr-D of the paper's equations, with vectors over all n-grams of each length; lengths in bigrams."""

    def grams(text: str, n: int) -> Counter[tuple[str, ...]]:
        words = words_of(text)
        return Counter(zip(*(words[start:] for start in range(n)), strict=False))

    scores = []
    for answer, texts in zip(answers, references, strict=True):
        of_texts = []
        for text in texts:
            similarities = []
            for n in (1, 2, 3, 4):
                names = sorted(set(grams(answer, n)) | set(grams(text, n)))
                holding = [sum(any(name in grams(one, n) for one in of) for of in references) for name in names]
                idf = np.array([math.log(len(references) / max(1, number)) for number in holding])
                candidate = np.array([grams(answer, n)[name] for name in names]) * idf
                reference = np.array([grams(text, n)[name] for name in names]) * idf
                norm = np.linalg.norm(candidate) * np.linalg.norm(reference)
                similarities.append((np.minimum(candidate, reference) @ reference) / norm if norm else 0.0)
            gap = max(len(words_of(answer)) - 1, 0) - max(len(words_of(text)) - 1, 0)
            of_texts.append(10 * np.mean(similarities) * math.exp(-(gap**2) / (2 * 6.0**2)))
        scores.append(100 * float(np.mean(of_texts)))
    return scores


def test_it_is_the_formula() -> None:
    assert cider(ANSWERS, REFERENCES).tolist() == pytest.approx(plainly(ANSWERS, REFERENCES))
    assert cider(ANSWERS, REFERENCES)[0] > cider(ANSWERS, REFERENCES)[1]  # saying one thing again and again is no use


def test_a_text_that_is_its_only_reference_scores_a_thousand() -> None:
    texts = ["a red car stands here", "two brown dogs run fast"]
    assert cider(texts, [(text,) for text in texts]).tolist() == pytest.approx([1000.0, 1000.0])
    assert cider(texts[::-1], [(text,) for text in texts]).tolist() == [0.0, 0.0]


def test_by_hand() -> None:
    """One word of two is right: its cosine is 1/2 by 1-grams, 0 by all longer ones, so 10 * (1/2) / 4 * 100 = 125."""
    assert cider(["red car", "dog"], [("red house",), ("cat",)])[0] == pytest.approx(125.0)


def test_an_empty_answer_scores_nothing() -> None:
    assert cider(["", "a dog"], [("a car",), ("a dog",)]).tolist()[0] == 0.0


def test_words_are_letters_without_case_and_punctuation_and_chinese_is_cut_up() -> None:
    assert words_of("A man’s RED car, by 2 houses!") == ["a", "mans", "red", "car", "by", "2", "houses"]
    assert words_of("图为一只鹤。") == list("图为一只鹤")
    assert words_of("Красный дом.") == ["красный", "дом"]
