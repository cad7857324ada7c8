"""The pairs that a table is learned from are a pure function of all pairs, however Beam adds them up."""

import random

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that, equal_to

from florenz.filters.order import LEARNED_CHECKS
from florenz.filters.settings import FilterSettings
from florenz.pipeline.answers.ledger import CaptionRow, TranslationRow
from florenz.pipeline.assemble.alignment import SmallestHashes, is_learning, pairs_of
from florenz.pipeline.assemble.filtering import gather

PAIRS = [(f"source {number}", f"text {number}") for number in range(500)]


def combined(parts, limit):
    combiner = SmallestHashes(limit)
    accumulators = []
    for part in parts:
        accumulator = combiner.create_accumulator()
        for start in range(0, len(part), 3):
            accumulator = combiner.add_input(accumulator, part[start : start + 3])
        accumulators.append(accumulator)
    return combiner.extract_output(combiner.merge_accumulators(accumulators))


@pytest.mark.parametrize("size", [1, 7, 500])
def test_order_and_bundles_do_not_change_the_choice(size):
    shuffled = list(PAIRS) * 2
    random.Random(size).shuffle(shuffled)
    parts = [shuffled[start : start + size] for start in range(0, len(shuffled), size)]
    found = combined(parts, 40)
    assert found == combined([PAIRS], 40) and len(found) == 40


def test_beam_gives_the_same(tmp_path):
    with beam.Pipeline(runner="apache_beam.runners.portability.fn_api_runner.FnApiRunner") as pipeline:
        found = (
            pipeline
            | beam.Create([("de", PAIRS[start : start + 60]) for start in range(0, len(PAIRS), 40)])
            | beam.Reshuffle()
            | beam.CombinePerKey(SmallestHashes(25))
        )
        assert_that(found, equal_to([("de", combined([PAIRS], 25))]))


CAPTION, TEXT = "A dog runs.", "Ein Hund läuft."
STYLES, LANGUAGES = ("short", "detailed"), ("de", "fr")


def captions_of(key):
    return [CaptionRow(key=key, style=style, text=f"{CAPTION} {key} {style}") for style in STYLES]


def translated(caption, language="de", **said):
    answer = {"text": f"{TEXT} {caption.key}", "source_text": caption.text, **said}
    return TranslationRow(key=caption.key, style=caption.style, language=language, **answer)


def answers():
    """(images, answers): what a table is learned from, and one of each kind that it is not learned from."""
    keys = ["a", "b", "c", "d", "gone"]
    captions = {key: captions_of(key) for key in keys}
    captions["b"][1] = CaptionRow(key="b", style="detailed", text="")
    captions["c"][0] = CaptionRow(key="c", style="short", text=None, reason="not_an_image")
    rows = [row for key in keys for row in captions[key]]
    rows += [translated(row, language) for row in rows if row.text for language in LANGUAGES if row.key != "d"]
    rows += [
        translated(captions["a"][0], source_text="What an earlier captioner said.", text="Etwas anderes."),
        translated(captions["a"][0], number=1, text="Was der zweite Übersetzer sagt."),
        translated(captions["a"][0], language="it"),
        translated(captions["b"][1], source_text="", text="Nichts."),
        translated(captions["c"][0], source_text="It had none.", text="Sie hatte keine."),
        translated(captions["d"][0], text=None, reason="translator_refused"),
        translated(captions["d"][1], text=""),
    ]
    return {key: f"{key}.jpg" for key in keys if key != "gone"}, rows


def test_pairs_are_what_the_images_have_now_in_the_words_of_the_first_translator():
    images, rows = answers()
    found = pairs_of(images, rows, LANGUAGES)
    gathered = [
        gather(
            key,
            source,
            [row for row in rows if isinstance(row, CaptionRow) and row.key == key],
            [row for row in rows if isinstance(row, TranslationRow) and row.key == key],
            styles=STYLES,
            languages=LANGUAGES,
            num_translators={"de": 2},
        )
        for key, source in images.items()
    ]
    for language in LANGUAGES:
        wanted = [(row.source_text, row.text) for one in gathered for row in one.translations.values()
                  if row.language == language and row.source_text and row.text]  # fmt: skip
        assert sorted(found[language]) == sorted(wanted) and len(wanted) == 4
    assert set(found) == set(LANGUAGES)
    assert pairs_of(images, rows, ["fr"]) == {"fr": found["fr"]}


def test_the_recipe_turns_it_off():
    assert is_learning(FilterSettings())
    assert not is_learning(FilterSettings(alignment="off"))
    assert not is_learning(FilterSettings(disabled=LEARNED_CHECKS))
    assert is_learning(FilterSettings(disabled=("misaligned",)))
    with pytest.raises(ValueError, match="alignment = 'on': choose learn or off"):
        FilterSettings(alignment="on")
