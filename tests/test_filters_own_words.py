"""[[filters.words]]: patterns of the user's own, in the recipe, in the chain, and in time that grows with the text."""

import time
from pathlib import Path

import pytest
from filters_examples import CAPTIONS, english_caption, translation

from florenz.filters.chain import FilterChain
from florenz.filters.own_words import OwnWords, check_own_words
from florenz.filters.settings import FilterSettings
from florenz.pipeline.recipe import RecipeError, load_recipe

PLAYGROUND = Path(__file__).resolve().parents[1] / "configs" / "playground.toml"


def verdicts(candidates, *words):
    return FilterChain(FilterSettings(words=words))(candidates)


def test_a_match_is_dropped_under_the_users_name_and_quoted():
    brands = OwnWords(name="brand_names", pattern=r"(?i)\bauto\b")
    dropped, kept = verdicts([translation(CAPTIONS["de"]), translation(CAPTIONS["fr"], "fr")], brands)
    assert dropped.reason == "brand_names" and "'Auto parkt" in dropped.detail
    assert kept.keep and kept.language == "fr"


def test_languages_and_sources_narrow_it():
    stock = {"name": "stock", "pattern": "(?i)car|Auto"}
    texts = [translation(CAPTIONS["de"]), english_caption("A red car is parked in front of a house.")]
    assert [one.reason for one in verdicts(texts, OwnWords(**stock))] == ["stock", "stock"]
    assert [one.reason for one in verdicts(texts, OwnWords(**stock, languages=("en",)))] == ["", "stock"]
    assert [one.reason for one in verdicts(texts, OwnWords(**stock, only_added=True))] == ["", "stock"]


def test_the_first_in_order_gives_the_reason_and_batches_change_nothing():
    words = (OwnWords(name="first", pattern="Auto"), OwnWords(name="second", pattern="Auto|voiture"))
    texts = [translation(CAPTIONS["de"]), translation(CAPTIONS["fr"], "fr"), translation("\ud800 Auto")]
    together = verdicts(texts, *words)
    assert [one.reason for one in together] == ["first", "second", "control_characters"]
    assert together == [verdicts([one], *words)[0] for one in texts]


def test_time_grows_with_the_text_whatever_the_pattern():
    words = OwnWords(name="evil", pattern=r"(a+)+b|(a|aa)+$x")

    start = time.process_time()
    assert check_own_words([translation("a" * 200_000)], [words])[0].keep
    assert time.process_time() - start < 5  # a pattern that is tried back and forth takes years


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"name": "Brand", "pattern": "x"}, "small letters, digits and _"),
        ({"name": "mojibake", "pattern": "x"}, "a filter's own reason"),
        ({"name": "open", "pattern": "(x"}, "pattern of 'open' can't be used"),
        ({"name": "back", "pattern": r"(x)\1"}, "pattern of 'back' can't be used"),
        ({"name": "none", "pattern": ""}, "1 to 10000 characters"),
        ({"name": "where", "pattern": "x", "languages": ("qq",)}, "the language 'qq'"),
        ({"name": "all", "pattern": "x*"}, "matches where nothing stands"),
        ({"name": "ends", "pattern": r"\bдом\b"}, "knows no letter beyond a to z"),
        ({"name": "end", "pattern": r"(?i)\bcafé\b"}, "knows no letter beyond a to z"),
    ],
)
def test_what_cannot_be_used_is_refused(given, said):
    with pytest.raises(ValueError, match=said):
        OwnWords(**given)


def test_a_pattern_reads_letters_and_not_bytes():
    patterns = {"green": "gr[üu]n", "shouted": "(?i)größe", "whole": "^.{4}$"}
    words = tuple(OwnWords(name=name, pattern=pattern) for name, pattern in patterns.items())
    found = check_own_words([translation(text) for text in ("Ein grünes Haus", "Welche GRÖßE", "Öfen")], words)
    assert [(one.reason, one.detail.partition(" matches")[0]) for one in found] == [
        ("green", "'grünes Haus'"), ("shouted", "'GRÖßE'"), ("whole", "'Öfen'"),
    ]  # fmt: skip


def test_ends_of_words_in_any_letters_are_found_as_the_refusal_says():
    words = (OwnWords(name="houses", pattern=r"(?i)(?:^|\PL)дом(?:\PL|$)"),)
    texts = ["Вот дом.", "Дом", "Домик", "Вот дома", "мой-дом!"]
    found = check_own_words([translation(text, "ru") for text in texts], words)
    assert [verdict.reason for verdict in found] == ["houses", "houses", "", "", "houses"]


def recipe_with(tmp_path, lines):
    path = tmp_path / "recipe.toml"
    path.write_text(PLAYGROUND.read_text() + "\n" + lines)
    return load_recipe(str(path), {"OUT": str(tmp_path / "out"), "LANGS": "de"})


def test_the_recipe_holds_several(tmp_path):
    lines = "[[filters.words]]\nname = 'brands'\npattern = 'ACME'\nlanguages = ['de']\n[[filters.words]]\n"
    recipe = recipe_with(tmp_path, lines + "name = 'stock'\npattern = 'stock photo'\nonly_added = true\n")
    first, second = recipe.filters.words
    assert (first.name, first.languages, second.only_added) == ("brands", ("de",), True)
    assert recipe.to_dict()["filters"]["words"][0]["pattern"] == "ACME"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("[[filters.words]]\nname = 'a_b'\npatern = 'x'\n", "unknown key 'patern': did you mean 'pattern'"),
        ("[[filters.words]]\nname = 'a_b'\n", "pattern is missing"),
        ("[[filters.words]]\nname = 'a_b'\npattern = '('\n", "can't be used"),
        ("[filters]\nwords = ['x']\n", "expected a section with name, pattern"),
        ("[[filters.words]]\nname = 'a_b'\npattern = 'x'\n" * 2, "have one name"),
    ],
)
def test_the_recipe_says_what_is_wrong(tmp_path, lines, said):
    with pytest.raises(RecipeError, match=said):
        recipe_with(tmp_path, lines)
