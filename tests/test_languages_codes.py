"""The language table, and what people are told when they get a code wrong."""

import pytest
from filters_examples import CAPTIONS

from florenz.languages.codes import (
    LANGUAGES,
    NAMES,
    OFTEN_MEANT,
    SOURCE,
    language_problems,
    name_of,
    parse_languages,
    scripts_of_language,
    suggest,
)
from florenz.languages.identification import LanguageIdentifier
from florenz.languages.labels import ALIASES, SCRIPT_LABELS
from florenz.languages.scripts import script_weights


def test_every_language_is_one_that_language_id_can_name() -> None:
    assert len(NAMES) >= 60
    assert set(NAMES) <= LanguageIdentifier().known_languages()
    assert len(set(NAMES.values())) == len(NAMES)


def test_neighbours_are_languages_of_the_table_and_it_is_mutual() -> None:
    for code, language in LANGUAGES.items():
        assert code not in language.neighbours
        assert all(code in LANGUAGES[other].neighbours for other in language.neighbours)


@pytest.mark.parametrize("code", sorted(CAPTIONS))
def test_a_caption_is_written_in_the_scripts_of_its_language(code: str) -> None:
    assert set(script_weights(CAPTIONS[code])) <= scripts_of_language(code)


def test_language_id_strikes_no_language_for_a_script_of_its_own() -> None:
    for code in NAMES:
        assert all(code in SCRIPT_LABELS[script] for script in scripts_of_language(code) - {"LATIN"})
    assert set().union(*SCRIPT_LABELS.values()) - set(NAMES) <= LanguageIdentifier().known_languages() | set(ALIASES)


def test_a_code_has_a_name_or_leads_to_one() -> None:
    assert (name_of(SOURCE), name_of("ca")) == ("English", "Catalan")
    with pytest.raises(ValueError, match="unknown language 'cz': did you mean 'cs' .Czech."):
        name_of("cz")


def test_common_mistakes_lead_to_codes_that_exist() -> None:
    assert set(OFTEN_MEANT.values()) <= set(NAMES)
    assert not set(OFTEN_MEANT) & set(NAMES)


def test_order_is_kept_and_spaces_are_forgiven() -> None:
    assert parse_languages("fr, de ,es") == ("fr", "de", "es")


@pytest.mark.parametrize(
    ("written", "nearest"),
    [
        ("German", "de"),
        ("deutch", "de"),
        ("cz", "cs"),
        ("jp", "ja"),
        ("DE", "de"),
        ("zh-CN", "zh"),
        ("pt_BR", "pt"),
        ("spanisch", "es"),
        ("fra", "fr"),
    ],
)
def test_an_unknown_code_gets_the_nearest_known_one(written: str, nearest: str) -> None:
    assert suggest(written) == nearest
    with pytest.raises(ValueError, match=f"'{written}': did you mean '{nearest}' .{NAMES[nearest]}."):
        parse_languages(f"it,{written}")


def test_a_code_like_no_other_gets_no_wild_guess() -> None:
    with pytest.raises(ValueError, match="unknown language '12345': use an ISO 639-1 code"):
        parse_languages("12345")


def test_english_cannot_be_a_target() -> None:
    with pytest.raises(ValueError, match="'en' is the source language"):
        parse_languages("de,en")


def test_a_repeated_language_is_refused() -> None:
    with pytest.raises(ValueError, match="'de' is given 3 times"):
        parse_languages("de,fr,de,de")


@pytest.mark.parametrize("written", ["", "  "])
def test_nothing_is_not_a_list_of_languages(written: str) -> None:
    with pytest.raises(ValueError, match="no language given"):
        parse_languages(written)


@pytest.mark.parametrize("written", ["de,", ",de", "de,,fr"])
def test_a_stray_comma_is_pointed_out(written: str) -> None:
    with pytest.raises(ValueError, match="stray comma"):
        parse_languages(written)


def test_all_problems_are_told_at_once() -> None:
    assert len(language_problems(("en", "xx", "de", "de", ""))) == 4
    with pytest.raises(ValueError, match="(?s)'en'.*'xx'.*empty.*'de'"):
        parse_languages("en,xx,de,de,")
