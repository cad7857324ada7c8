"""The word-alignment table: what it tells apart, and that it is the same whoever learns it, from whatever order."""

import hashlib
import pickle
import random

import numpy as np
import pytest
from alignment_examples import made_pairs
from filters_examples import translation

from benchmarks.filters_faults import make_cut, make_english_word
from benchmarks.filters_texts import large_pairs
from florenz.filters import alignment_check
from florenz.filters.alignment import (
    BEGINNINGS,
    EARLIER_VIEWS,
    FOLDS,
    NEIGHBOURS,
    WORDS,
    fold_of,
    learn_pair_model,
    learn_pair_models,
    marks,
    num_entries,
    tokens,
    views_ever,
    views_of,
)
from florenz.filters.alignment_check import check_misaligned, chosen_of, fingerprint_of, learn_table, least_score
from florenz.filters.chain import FilterChain
from florenz.filters.cut_word import check_cut_word
from florenz.filters.lexicon import RARE, _distinct, learn_lexicon
from florenz.filters.untranslated_word import check_untranslated_word


@pytest.fixture(scope="module", autouse=True)
def few_are_enough():
    """These sentences have forty words or so: a third of the usual number teaches them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alignment_check, "MIN_PAIRS", 1_500)
        yield


@pytest.fixture(scope="module")
def pairs():
    return made_pairs(1_600)


@pytest.fixture(scope="module")
def table(pairs):
    return learn_table(pairs, "de")


def test_another_text_is_misaligned_and_its_own_is_not(pairs, table):
    shuffled = [
        translation(other, source=source) for (source, _), (_, other) in zip(pairs[:500], pairs[1:501], strict=True)
    ]
    good = [translation(text, source=source) for source, text in pairs[:500]]
    assert sum(not verdict.keep for verdict in check_misaligned(shuffled, {"de": table})) >= 490
    assert sum(not verdict.keep for verdict in check_misaligned(good, {"de": table})) <= 10


def test_a_remark_in_the_language_is_misaligned(pairs, table):
    remark = translation("Leider kann ich Ihnen bei dieser Anfrage nicht helfen.", source=pairs[0][0])
    assert check_misaligned([remark], {"de": table})[0].reason == "misaligned"


def test_bad_pairs_among_those_learned_from_are_found(pairs):
    rng, mixed = random.Random(3), list(pairs)
    bad = rng.sample(range(len(mixed)), len(mixed) // 20)
    for place in bad:
        mixed[place] = (mixed[place][0], rng.choice(pairs)[1])
    table = learn_table(mixed, "de")
    scores = table.scores(mixed)
    good = np.delete(scores, bad)
    assert np.mean(scores[bad] < table.least) >= 0.9
    assert np.mean(good < table.least) <= 0.02


def test_order_and_copies_change_nothing(pairs, table):
    shuffled = [*pairs, *pairs[:100]]
    random.Random(9).shuffle(shuffled)
    again = learn_table(shuffled, "de")
    assert again.fingerprint == table.fingerprint and again.least == table.least
    assert np.array_equal(again.scores(pairs[:200]), table.scores(pairs[:200]))


def test_a_batch_gives_the_scores_of_single_pairs(pairs, table):
    alone = [table.scores([pair])[0] for pair in pairs[:40]]
    assert np.array_equal(table.scores(pairs[:40]), np.array(alone))


def test_too_few_pairs_teach_nothing(pairs):
    assert learn_table(pairs[: alignment_check.MIN_PAIRS - 1], "de") is None
    assert learn_table(pairs, "en") is None


def test_of_too_many_pairs_those_with_the_smallest_hashes_are_taken(pairs, monkeypatch):
    monkeypatch.setattr(alignment_check, "MAX_PAIRS", 1_500)
    first = learn_table(pairs, "de")
    assert first.num_pairs == 1_500
    kept = sorted(pairs, key=alignment_check.hash_of_pair)[:1_500]
    assert learn_table(kept, "de").fingerprint == first.fingerprint


def test_of_long_texts_fewer_pairs_are_learned_from_and_never_too_few(pairs, monkeypatch):
    """What learning costs in memory grows with the product of the lengths."""
    monkeypatch.setattr(alignment_check, "MIN_PAIRS", 1_000)
    costs = [num_entries(pair, "de") for pair in sorted(pairs, key=alignment_check.hash_of_pair)]
    monkeypatch.setattr(alignment_check, "MAX_ENTRIES", sum(costs[:1_500]))
    assert len(chosen_of(pairs, "de")) == 1_500
    monkeypatch.setattr(alignment_check, "MAX_ENTRIES", 1)
    assert len(chosen_of(pairs, "de")) == 1_000
    assert num_entries(("a b", "x y z"), "de") == 9 and num_entries(("a b", "一二三四"), "zh") == 12
    assert num_entries(("a " * 500, "x " * 500), "de") == 61 * 60


def test_the_models_of_all_folds_at_once_are_those_of_each_alone(pairs):
    # So few numbers that any two words stand side by side often, or nowhere.
    chosen = [pair for pair in made_pairs(8_000) if pair[0].split()[-1] in ("1.", "2.", "3.", "4.")]
    for fold, model in enumerate(learn_pair_models(chosen, "de", views_of("de"))):
        alone = learn_pair_model([pair for pair in chosen if fold_of(pair[0]) != fold], "de")
        assert list(model.forwards) == [BEGINNINGS, NEIGHBOURS, WORDS]
        for view in model.backwards:
            assert np.array_equal(model.backwards[view].keys, alone.backwards[view].keys)
            assert np.array_equal(model.backwards[view].probabilities, alone.backwards[view].probabilities)


def test_no_pair_is_judged_by_what_was_learned_from_it(pairs, table):
    """A pair that stands nowhere else: its own fold's model does not know the words that only it has."""
    odd = ("The zyzzyva xylophone zyzzyva xylophone.", "Das Quorblax Wendrim Quorblax Wendrim.")
    taught = learn_table([*pairs, odd], "de")
    own = taught.models[fold_of(odd[0])]
    other = taught.models[(fold_of(odd[0]) + 1) % FOLDS]
    for view, word in ((BEGINNINGS, "quor"), (WORDS, "quorblax"), (NEIGHBOURS, "quorblax wendrim")):
        assert word not in own.forwards[view].explained and word in other.forwards[view].explained


def test_words_are_seen_with_their_neighbours_where_spaces_stand_between_them():
    assert tokens("Ein Hund bellt!", "de", NEIGHBOURS) == [" ein", "ein hund", "hund bellt", "bellt "]
    assert views_of("de") == (BEGINNINGS, NEIGHBOURS)
    assert views_of("zh") == views_of("th") == EARLIER_VIEWS
    assert views_ever("zh") == (EARLIER_VIEWS,) and views_ever("de") == (views_of("de"), EARLIER_VIEWS)


def test_the_same_words_in_another_order_are_told_apart(pairs, table):
    """By words alone "ein roter Hund und eine graue Katze" is "ein grauer Hund und eine rote Katze"."""
    source = "The red dog waits by the old house 3."
    right, swapped = "Das rot Hund wartet am alt Haus 3.", "Das alt Hund wartet am rot Haus 3."
    by_now = table.scores([(source, right), (source, swapped)])
    by_words = learn_table(pairs, "de", EARLIER_VIEWS).scores([(source, right), (source, swapped)])
    assert by_now[0] > by_now[1] + 1 and by_words[0] == by_words[1]


def test_by_other_views_the_same_pairs_are_another_table(pairs, table):
    """The fingerprint that tables had before there were neighbours is theirs still."""
    earlier = learn_table(pairs, "de", EARLIER_VIEWS)
    hashes = "".join(sorted(map(alignment_check.hash_of_pair, pairs)))
    assert earlier.fingerprint == hashlib.sha256(hashes.encode()).hexdigest()[:16]
    assert table.fingerprint == fingerprint_of(pairs[::-1], views_of("de")) != earlier.fingerprint
    assert earlier.least != table.least


def test_a_model_is_the_same_from_any_order(pairs):
    one, other = learn_pair_model(pairs[:300], "de"), learn_pair_model(pairs[:300][::-1], "de")
    for view in (BEGINNINGS, NEIGHBOURS, WORDS):
        assert np.array_equal(one.forwards[view].keys, other.forwards[view].keys)
        assert np.array_equal(one.forwards[view].probabilities, other.forwards[view].probabilities)


def test_the_threshold_allows_for_bad_pairs():
    rng = np.random.default_rng(0)
    good, bad = rng.normal(1, 0.2, 9_500), rng.normal(-1, 0.2, 500)
    least = least_score(np.concatenate([good, bad]), rng.normal(-1, 0.2, 10_000))
    assert np.mean(bad < least) > 0.97 and np.mean(good < least) < 0.02


def test_the_chain_asks_the_table_last_and_only_where_there_is_one(pairs, table):
    wrong = translation("Der Kellner bringt den Gästen eine Suppe.", source="The red car stands by the old wall 7.")
    assert FilterChain()([wrong])[0].reason == ""
    assert FilterChain()([wrong], {"de": table})[0].reason == "misaligned"
    assert FilterChain()([wrong], {"fr": table})[0].reason == ""
    assert pickle.loads(pickle.dumps(table)).least == table.least


def test_the_detail_names_the_words_that_do_not_go_together(pairs, table):
    source = "The red car stands by the old wall 7."
    wrong = translation("Das grün Schiff schläft am alt Dach 7.", source=source)
    (verdict,) = check_misaligned([wrong], {"de": table})
    text, _, rest = verdict.detail.partition("; ")
    assert "schläft" in text and "schiff" in text and "old" not in rest
    assert "car" in rest and "stands" in rest


@pytest.mark.parametrize(
    ("text", "language", "kinds"),
    [
        ("Was ist das?", "de", ["?"]),
        ("这是什么？", "zh", ["?"]),
        ("ما هذا؟", "ar", ["?"]),
        ("„Ja, gut!“", "de", ["!", '"', ","]),
    ],
)
def test_marks_of_all_writings_are_the_same_kinds(text, language, kinds):
    assert marks(text) == kinds
    assert tokens(text, language, "words")[-len(kinds) :] == kinds


def test_a_text_that_ends_in_the_middle_of_a_word_is_told(table):
    source = "The red ship lies by the old water 3."
    cut = translation("Das rot Schiff liegt am alt Wass.", source=source)
    (verdict,) = check_cut_word([cut], {"de": table})
    assert verdict.reason == "cut_word" and "'wass'" in verdict.detail and "'wasser'" in verdict.detail
    assert FilterChain()([cut], {"de": table})[0].reason == "cut_word"
    assert FilterChain()([cut])[0].keep


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Das rot Schiff liegt am alt Wasser.", "a whole word"),
        ("Das rot Schiff liegt am alt Mau.", "the source says nothing of a Mauer"),
        ("Das rot Schiff liegt am alt Wasse.", "one letter may be another form"),
        ("Das rot Schiff liegt am alt Xyl.", "no word begins so"),
    ],
)
def test_what_ends_in_no_cut_word_is_kept(table, text, why):
    candidate = translation(text, source="The red ship lies by the old water 3.")
    assert check_cut_word([candidate], {"de": table})[0].keep, why


def test_human_german_is_not_cut_and_what_is_cut_is_found():
    pairs = list(dict.fromkeys(large_pairs("de")))[:7000]
    if not pairs:
        pytest.skip("shared large pairs are absent")
    table = learn_table(pairs, "de")
    good = [translation(text, source=source) for source, text in pairs[:2000]]
    assert sum(not verdict.keep for verdict in check_cut_word(good, {"de": table})) <= 20
    rng = random.Random(4)
    cut = [translation(text, source=pair[0]) for pair in pairs[:2000] if (text := make_cut(pair, "de", rng, pairs))]
    assert len(cut) > 500 and sum(not v.keep for v in check_cut_word(cut, {"de": table})) >= 0.4 * len(cut)


@pytest.mark.parametrize(
    ("text", "word"), [("Das red Schiff liegt am alt Wasser.", "red"), ("The rot Schiff liegt am alt Wasser.", "the")]
)
def test_a_word_left_in_english_is_told(table, text, word):
    candidate = translation(text, source="The red ship lies by the old water 3.")
    (verdict,) = check_untranslated_word([candidate], {"de": table})
    assert verdict.reason == "untranslated_word" and repr(word) in verdict.detail
    assert check_untranslated_word([candidate], {"fr": table})[0].keep


def test_the_chain_asks_for_a_word_left_in_english_only_where_there_is_a_table(table):
    candidate = translation("Das rot Schiff liegt am old Wasser.", source="The red ship lies by the old water 3.")
    assert FilterChain()([candidate], {"de": table})[0].reason == "untranslated_word"
    assert FilterChain()([candidate])[0].keep


@pytest.mark.parametrize(
    ("source", "text", "why"),
    [
        ("The red ship lies by the old water.", "Das rot Schiff liegt am alt Wasser.", "nothing is left"),
        ("The Red ship lies by the old water.", "Das Red Schiff liegt am alt Wasser.", "a name"),
        ('The ship "red" lies by the old water.', "Das Schiff „red“ liegt am alt Wasser.", "quoted"),
        ("The zyzzyva ship lies by the old water.", "Das zyzzyva Schiff liegt am alt Wasser.", "unknown to the run"),
        ("The old ship lies by the water.", "Das alt Schiff liegt am Wasser red.", "not in its source"),
    ],
)
def test_what_is_not_left_in_english_is_kept(table, source, text, why):
    assert check_untranslated_word([translation(text, source=source)], {"de": table})[0].keep, why


def test_a_word_that_the_language_has_taken_over_is_kept(pairs):
    """Also one that it shares by chance; of words that no translation has one in a hundred may be such a slip."""
    taken_over = [(source, text.replace(" rot ", " red ")) for source, text in pairs]
    slips = taken_over[:3] + pairs[3:]
    left = translation("Das red Schiff liegt am alt Wasser.", source="The red ship lies by the old water 3.")
    verdicts = [
        check_untranslated_word([left], {"de": learn_table(learned_from, "de")})[0].keep
        for learned_from in (taken_over, slips)
    ]
    assert verdicts == [True, False]


def test_human_german_has_no_word_left_in_english_and_what_has_is_found():
    pairs = list(dict.fromkeys(large_pairs("de")))[:7000]
    if not pairs:
        pytest.skip("shared large pairs are absent")
    table = learn_table(pairs, "de")
    good = [translation(text, source=source) for source, text in pairs]
    assert sum(not verdict.keep for verdict in check_untranslated_word(good, {"de": table})) <= 7
    rng = random.Random(4)
    left = [
        translation(text, source=pair[0])
        for pair in pairs
        if (text := make_english_word(pair, "de", rng, pairs)) and text != pair[1]
    ]
    assert len(left) > 3000
    assert sum(not verdict.keep for verdict in check_untranslated_word(left, {"de": table})) >= 0.4 * len(left)


def test_a_lexicon_says_how_often_a_word_stood_there():
    pairs = [("a red cat", "ein Auto"), ("a cat", "ein Tier"), *((f"a red bus {n}", f"ein Bus {n}") for n in range(9))]
    lexicon = learn_pair_model(pairs, "de").forwards["words"]
    assert [lexicon.times_given(word) for word in ("red", "bus", "cat", "7", "nothing")] == [10, 9, 2, 0, 0]
    assert lexicon.given_frequency("red") == pytest.approx(10 / 41) and lexicon.given_frequency("7") == 0.0
    assert lexicon.frequency("bus") == pytest.approx(9 / 31) and lexicon.frequency("auto") == 0.0
    alike = learn_pair_model(pairs[2:], "de").forwards["words"]
    assert alike.times_given("bus") == 2, "all that is known is at least as rare as what occurs twice"


def test_a_lexicon_of_nothing_but_rare_words_takes_all_for_one():
    model = learn_pair_model([("a red car", "ein rotes Auto"), ("two dogs", "zwei Hunde")], "de")
    assert list(model.forwards["words"].explained) == [RARE]
    own, other = (
        model.features([pair]).cells for pair in (("a red car", "ein rotes Auto"), ("a big car", "ein Tal da"))
    )
    assert np.array_equal(own, other)


@pytest.mark.parametrize("size", [900, 5_000], ids=["by a table", "by sorting"])
def test_distinct_keys_are_found_and_numbered(size):
    keys = np.random.default_rng(0).integers(0, 800, 1_000)
    unique, places = _distinct(keys, size)
    assert unique.tolist() == sorted(set(keys.tolist())) and np.array_equal(unique[places], keys)


def test_many_rows_are_looked_up_like_each_alone():
    """Many by a table of all pairs of words, few by searching."""
    words = [f"word {number}" for number in range(12)]
    rng = random.Random(0)
    rows = [(rng.sample(words, 5), rng.sample(words, 6)) for _ in range(300)]
    lexicon = learn_lexicon(rows[:200])
    together, alone = lexicon.words(rows), [lexicon.words([row]) for row in rows]
    assert len(together.nats) * 6 > 13 * 13 > 6 * 6, "there are more words to look up than pairs, and fewer"
    for name in ("nats", "frequencies", "is_rare", "places"):
        assert np.array_equal(getattr(together, name), np.concatenate([getattr(one, name) for one in alone]))
    assert len(set(together.nats.tolist())) > 100


def test_words_that_nobody_in_the_run_writes_speak_against_a_translation(pairs, table):
    """A run of few words has no rare ones, so nothing is learned of them."""
    source, text = pairs[0]
    assert RARE in table.models[0].forwards["words"].explained
    worse = [text.replace(word, f"{word}quax") for word in ("Das", "am")]
    assert (table.scores([(source, one) for one in worse]) < table.scores([(source, text)])).all()


def test_a_run_of_one_source_is_scored_by_models_that_learned_nothing():
    pairs = [("A red car.", f"Ein rotes Auto {number}.") for number in range(20)]
    model = learn_pair_models(pairs, "de", views_of("de"))[fold_of("A red car.")]
    assert not len(model.forwards["words"].keys)
    assert np.isfinite(model.features(pairs).means).all()
