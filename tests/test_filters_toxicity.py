"""[filters.toxicity]: whole words by the user's lists, told from what the source says; from the recipe to the rejects.

The lists here hold harmless words ("Rübe", "turnip"): what is tested is that they are found.
"""

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from filters_examples import CAPTIONS, english_caption, translation
from pipeline_examples import (
    answers_for,
    assemble,
    bytes_of,
    name_of,
    published,
    recipe_for,
    text_of,
    write_ledger,
    write_pictures,
)

from florenz.filters.chain import FilterChain
from florenz.filters.settings import FilterSettings
from florenz.filters.toxicity import MAX_ENTRY_WORDS, Toxicity, WordList, entries_of
from florenz.limits.table import WORD_LIST_BYTES
from florenz.pipeline import preflight
from florenz.pipeline.assemble import word_lists
from florenz.pipeline.assemble.build import assembly_of, read_summary
from florenz.pipeline.assemble.graph import rejects_path, run_assembly
from florenz.pipeline.assemble.rejects import read_rejects
from florenz.pipeline.recipe import Recipe, RecipeError, load_recipe

ROOT = Path(__file__).resolve().parents[1]
PLAYGROUND = ROOT / "configs" / "playground.toml"


def list_of(*entries, language="de"):
    return WordList(entries_of("\n".join(entries), language), language)


@pytest.mark.parametrize(
    ("language", "entry", "text", "is_found"),
    [
        ("de", "rübe", "Eine RÜBE!", True),
        ("de", "rübe", "Eine Rübe\u0301nart", False),
        ("de", "rübe", "Steckrüben und Rüben", False),  # whole words alone
        ("de", "rübe", "Ru\u0308be", True),  # in two characters
        ("de", "STRASSE", "die Straße", True),
        ("de", "dumme rübe", "so eine dumme,  Rübe", False),  # another sign stands between
        ("de", "dumme rübe", "so eine dumme\n Rübe.", True),
        ("de", "dumme-rübe", "so eine dumme Rübe", True),
        ("de", "rübe", "diese Rüben-Rübe", True),
        ("de", "rübe", "Rü\u00adbe", True),  # a soft hyphen, which nobody sees
        ("fr", "navet", "l'navet", True),
        ("en", "a$$", "a house", False),
        ("en", "a$$", "an A$$, indeed", True),
        ("zh", "萝卜", "他是一个大萝卜吗", True),
        ("zh", "萝卜", "他是一个萝大卜吗", False),
        ("zh", "sb", "你是sb吗", True),
        ("zh", "sb", "你是usb吗", False),
        ("ja", "カブ", "これはｶﾌﾞです", True),  # half width
        ("th", "กา", "เขากาแฟ", True),
        ("th", "กา", "เขาก่าแฟ", False),  # a tone mark makes it another syllable
        ("hi", "शलजम", "यह शलजम है", True),
        ("hi", "शल", "यह शलजम है", False),
        ("tr", "şalgam ısı", "ŞALGAM ISI", True),
        ("ru", "репа", "РЕПА", True),
    ],
)
def test_what_a_list_finds(language, entry, text, is_found):
    assert bool(list_of(entry, "other", language=language).found_in(text)) is is_found


def test_entries_that_overlap_are_all_found_and_the_first_that_ends_is_told():
    words = list_of("a b c d", "b c", "c x")
    assert words.found_in("a b c") == "b c"
    assert words.found_in("a b a b c d") == "b c"
    assert words.found_in("b c x") == "b c"
    assert list_of("a b c d", "b c x").found_in("a b c x") == "b c x"
    assert list_of("a a a b").found_in("a a a a a b") == "a a a b"


def test_any_list_finds_what_plain_search_finds():
    """Against another way to say it: each entry, with a space at both ends, in the text."""
    import random

    draw = random.Random(3)
    entries = [" ".join(draw.choices("abcd", k=draw.randint(1, 4))) for _ in range(12)]
    entries = [entry for entry in entries if " " in entry]
    words = list_of(*entries)
    outcomes = set()
    for _ in range(500):
        text = " ".join(draw.choices("abcde", k=draw.randint(1, 12)))
        is_there = any(f" {entry} " in f" {text} " for entry in entries)
        assert bool(words.found_in(text)) is is_there, text
        outcomes.add(is_there)
    assert outcomes == {True, False}


def chain_of(disabled=(), **lists):
    settings = FilterSettings(toxicity=Toxicity(lists=dict.fromkeys(lists, "x")), disabled=disabled)
    made = {language: list_of(*entries, language=language) for language, entries in lists.items()}
    return FilterChain(settings, word_lists=lambda: made)


GERMAN = CAPTIONS["de"]
ADDED = translation(GERMAN)
PRESENT = translation(GERMAN, source="A red car is parked next to an old barn, say.")
ENGLISH_TOXIC = english_caption("A red barn is standing beside the road.")


def test_what_was_added_is_told_from_what_was_there():
    chain = chain_of(de=["altes haus", "auto"], en=["barn"])
    added, present, caption, other = chain([ADDED, PRESENT, ENGLISH_TOXIC, translation(CAPTIONS["fr"], "fr")])
    assert (added.reason, present.reason, caption.reason, other.reason) == ("added_toxicity", "toxic", "toxic", "")
    assert added.detail == "'auto' is on the list for de; nothing in its source is on that for en"
    assert present.detail == "'auto' is on the list for de; its source has 'barn'"
    assert "'barn' is on the list for en" in caption.detail
    assert other.language == "fr", "language ID is asked as ever about what is kept"


def test_without_an_english_list_nobody_can_tell():
    assert [one.reason for one in chain_of(de=["auto"])([ADDED, PRESENT])] == ["toxic", "toxic"]


def test_a_reason_can_be_switched_off_and_batches_change_nothing():
    lists = {"de": ["auto"], "en": ["barn"]}
    texts = [ADDED, PRESENT, ENGLISH_TOXIC]
    assert [one.reason for one in chain_of(("toxic",), **lists)(texts)] == ["added_toxicity", "", ""]
    chain = chain_of(**lists)
    assert chain(texts) == [chain([one])[0] for one in texts]
    assert [one.keep for one in FilterChain()(texts)] == [True, True, True], "off by default"


def test_time_grows_with_the_text_and_a_megabyte_takes_under_a_second():
    words = list_of(" ".join(["a"] * (MAX_ENTRY_WORDS - 1) + ["b"]), "中" * (MAX_ENTRY_WORDS - 1) + "国", "rübe")
    for unit in ("a ", "a", "中", "$", "ü\u0301", "\u00ad", "ก่"):
        text = unit * (1_000_000 // len(unit.encode()))
        words.found_in(unit * 10)
        start = time.process_time()
        assert words.found_in(text) == ""
        assert time.process_time() - start < 1, unit


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "it has no entry"),
        ("# a remark\n\n", "it has no entry"),
        ("rübe\n***\n", r"line 2 has no letter and no digit: '\*\*\*'"),
        ("a " * 33, "line 1 has 33 words, 32 are allowed"),
        ("a\n" * 100_001, "100,001 entries, 100,000 are allowed"),
    ],
)
def test_a_list_that_cannot_be_used_is_refused(content, said):
    with pytest.raises(ValueError, match=said):
        entries_of(content, "de")


def test_a_list_may_have_remarks_and_a_byte_order_mark():
    assert entries_of("\ufeff# of 2026\nrübe\r\n\n#hash\n", "de") == ["rübe", "#hash"]


# -- the recipe -------------------------------------------------------------------------------------------------------


def recipe_with(tmp_path, lines):
    path = tmp_path / "recipe.toml"
    path.write_text(PLAYGROUND.read_text() + "\n" + lines)
    return load_recipe(str(path), {"OUT": str(tmp_path / "out"), "LANGS": "de"})


def test_the_recipe_names_a_file_for_each_language(tmp_path):
    recipe = recipe_with(tmp_path, "[filters.toxicity]\nlists = { de = 'd.txt', en = 'e.txt' }\n")
    assert recipe.filters.toxicity == Toxicity(lists={"de": "d.txt", "en": "e.txt"})
    assert recipe.to_dict()["filters"]["toxicity"] == {"lists": {"de": "d.txt", "en": "e.txt"}}


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("[filters.toxicity]\n", "toxicity: lists is missing"),
        ("[filters.toxicity]\nlists = {}\n", "lists names no file"),
        ("[filters.toxicity]\nlists = 'de.txt'\n", "expected a table, each value a text in quotes"),
        ("[filters.toxicity]\nlists = { de = 3 }\n", "expected a text in quotes"),
        ("[filters.toxicity]\nlists = { qq = 'x' }\n", "the language 'qq', which is not known"),
        ("[filters.toxicity]\nlists = { de = ' ' }\n", "names no file for de"),
        ("[filters.toxicity]\nlist = { de = 'x' }\n", "unknown key 'list': did you mean 'lists'"),
        ("[filters]\ntoxicity = 'x'\n", "expected a section with lists"),
        (
            "[[filters.words]]\nname = 'toxic'\npattern = 'x'\n[filters.toxicity]\nlists = { de = 'x' }\n",
            "toxic is a reason of",
        ),
    ],
)
def test_the_recipe_says_what_is_wrong(tmp_path, lines, said):
    with pytest.raises(RecipeError, match=said) as caught:
        recipe_with(tmp_path, lines)
    assert len(caught.value.problems) == 1


def test_a_pattern_of_that_name_stays_allowed_without_lists(tmp_path):
    assert recipe_with(tmp_path, "[[filters.words]]\nname = 'toxic'\npattern = 'x'\n").filters.toxicity is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file"),
        (b"r\xfcbe\n", "is no UTF-8 text (byte 1): save it as UTF-8"),
        (b"x" * (WORD_LIST_BYTES + 1), "more than 1,048,576 bytes, the limit: keep the words that matter"),
        (b"\n", "it has no entry"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_before_the_run(tmp_path, content, said):
    path = tmp_path / "de.txt"
    if content is not None:
        path.write_bytes(content)
    (line,) = word_lists.problems(Toxicity(lists={"de": str(path)}))
    assert said in line and str(path) in line and "\n" not in line


def test_a_run_ends_with_one_line_and_code_2(tmp_path):
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(PLAYGROUND.read_text() + "\n[filters.toxicity]\nlists = { de = 'nowhere.txt' }\n")
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", str(recipe), "LANGS=de", "COUNT=2", f"OUT={tmp_path / 'out'}"],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("nowhere.txt") == 1 and "Traceback" not in done.stderr


def test_what_has_no_effect_is_said():
    lines = list(word_lists.warnings(Toxicity(lists={"de": "x", "cs": "y"}), ("de", "fr")))
    assert len(lines) == 2 and "no text of this run is in cs" in lines[0] and "without one for en" in lines[1]
    assert list(word_lists.warnings(Toxicity(lists={"de": "x", "en": "y"}), ("de",))) == []
    assert list(word_lists.warnings(None, ("de",))) == []


# -- the assembly -----------------------------------------------------------------------------------------------------

NUM_PICTURES = 8


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    """Texts about cars of four colours; the list for German says "rotes Auto", that for English "blue"."""
    keys = write_pictures(tmp_path / "pictures", NUM_PICTURES)
    (tmp_path / "de.txt").write_text("rotes Auto\nblaues Auto\n")
    (tmp_path / "en.txt").write_text("BLUE\n")
    lists = {language: str(tmp_path / f"{language}.txt") for language in ("de", "en")}
    made = recipe_for(tmp_path / "out", tmp_path / "pictures", filters=FilterSettings(toxicity=Toxicity(lists=lists)))
    write_ledger(made, keys)
    return made


def test_texts_with_listed_words_are_rejects_of_the_build_and_the_rest_is_written(recipe: Recipe) -> None:
    manifest = published(recipe)
    rejects = [one for one in read_rejects(rejects_path(recipe.out, manifest.build)) if one.step == "filter"]
    reds, blues = ({text_of(number, language, style) for language in ("de", "en") for style in ("short", "detailed")}
                   for number in (0, 1))  # fmt: skip
    added = {one.text for one in rejects if one.reason == "added_toxicity"}
    toxic = {one.text for one in rejects if one.reason == "toxic"}
    assert added and added <= reds and all("rotes" in text for text in added)
    assert toxic and toxic <= blues and {one.language for one in rejects if one.reason == "toxic"} == {"de", "en"}
    assert manifest.rejected["filter"]["toxic"]["de"] > 0 and sum(shard.samples for shard in manifest.shards) > 0


def test_what_a_list_holds_decides_the_name_and_its_place_does_not(recipe: Recipe, tmp_path: Path) -> None:
    build, index = assemble(recipe)
    moved = tmp_path / "moved.txt"
    (tmp_path / "de.txt").rename(moved)
    lists = {"de": str(moved), "en": recipe.filters.toxicity.lists["en"]}
    elsewhere = replace(recipe, filters=FilterSettings(toxicity=Toxicity(lists=lists)))
    assert name_of(elsewhere, index) == build
    moved.write_text("grünes Auto\n")
    assert name_of(elsewhere, index) != build


def test_a_recipe_without_lists_has_the_name_that_it_had_before_there_were_any(
    recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parts of a name, as they are hashed, hold nothing of it."""
    seen = []
    monkeypatch.setattr("florenz.pipeline.assemble.build.fingerprint", lambda parts: seen.append(parts) or "b" * 16)
    _, index = assemble(replace(recipe, filters=FilterSettings()))
    name_of(recipe, index)
    off, on = (str(parts["assembly"]) for parts in (seen[0], seen[-1]))
    assert "toxicity" not in off and "word_lists" not in off and "disabled" in off
    assert "word_lists" in on and ".txt" not in on


def test_workers_and_order_change_no_byte_and_lists_lie_in_out_while_in_use(recipe: Recipe, tmp_path: Path) -> None:
    published(recipe)
    two = replace(recipe, out=str(tmp_path / "two"), workers=2)
    write_ledger(two, write_pictures(tmp_path / "pictures", NUM_PICTURES)[::-1], 3)
    published(two)
    assert bytes_of(Path(recipe.out)) == bytes_of(Path(two.out))
    kept = Path(recipe.out) / "ledger" / "words"
    assert sorted(path.name[:3] for path in kept.iterdir()) == ["de-", "en-"]
    published(replace(recipe, filters=FilterSettings()))
    assert list(kept.iterdir()) == [], "those of other builds go"


def test_a_list_that_is_edited_while_captions_are_written_is_told(recipe: Recipe) -> None:
    from pipeline_examples import index_of, makers_for

    index = index_of(recipe)
    assembly = replace(assembly_of(recipe, makers_for(recipe)), build="b" * 16)
    Path(recipe.filters.toxicity.lists["de"]).write_text("anderes\n")
    with pytest.raises(RecipeError, match="that for de changed during the run: run again"):
        run_assembly(assembly, index, answers_for(recipe).fitted(index.digits), None, recipe.running)
    with pytest.raises(FileNotFoundError):
        read_summary(recipe.out, "b" * 16)


def test_a_run_checks_the_lists_before_it_starts(recipe: Recipe) -> None:
    Path(recipe.filters.toxicity.lists["de"]).unlink()
    assert [line for line in preflight._tables(recipe) if "de.txt" in line]
