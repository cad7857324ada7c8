"""What language ID answers, whatever text it is given, and where it finds its model."""

import pickle

import fasttext
import numpy as np
import pytest
from filters_examples import CAPTIONS, ENGLISH

from florenz.languages.hierarchy import read_hierarchy
from florenz.languages.identification import LanguageIdentifier, LanguageModelError, find_model
from florenz.languages.labels import ALIASES

IDENTIFIER = LanguageIdentifier()


def identify(text):
    return IDENTIFIER.identify([text])[0]


@pytest.mark.parametrize("language", sorted(CAPTIONS))
def test_caption_is_identified(language):
    assert identify(CAPTIONS[language]).language == language


def test_english_is_identified_in_capitals_too():
    assert identify(ENGLISH).language == "en"
    assert identify(ENGLISH.upper()).language == "en"


def test_answers_keep_the_order_of_the_texts():
    languages = [seen.language for seen in IDENTIFIER.identify([CAPTIONS["ru"], CAPTIONS["zh"], CAPTIONS["fr"]])]
    assert languages == ["ru", "zh", "fr"]
    assert IDENTIFIER.identify([]) == []


def test_probabilities_are_ranked_and_sum_to_one():
    seen = identify(CAPTIONS["cs"])
    assert sum(seen.probabilities.values()) == pytest.approx(1.0)
    assert seen.probability == max(seen.probabilities.values()) == seen.probability_of("cs")
    assert seen.probability_of("no such language") == 0.0


@pytest.mark.parametrize("text", ["两只狗在雪地里奔跑", "一只鸟", "十年前他住在這裡。", "今天早饭我吃了些腌鲱鱼。"])
def test_han_letters_without_kana_are_chinese(text):
    assert identify(text).language == "zh"


def test_kana_make_japanese_and_one_kana_does_not():
    assert identify("外国人って面白いなあ。").language == "ja"
    assert identify("外国人って面白いなあ。").probability_of("zh") == 0.0
    assert identify("优の良品商店里有很多红色的苹果和香蕉").language == "zh"


@pytest.mark.parametrize("dialect", ["你用啲咩嚟撩耳屎㗎？", "你住在那裡多久了?"])
def test_dialect_labels_count_for_the_language_they_are_written_as(dialect):
    seen = identify(dialect)
    assert seen.language == "zh"
    assert ALIASES.keys().isdisjoint(seen.probabilities)


def test_a_letter_rules_alphabets_out():
    assert identify("Він її знає").probability_of("ru") == 0.0
    assert identify("Мы были дома").probability_of("uk") == 0.0


def test_latin_letters_rule_cyrillic_languages_out():
    assert identify("Tom roubou o diamante.").probability_of("ru") == 0.0


@pytest.mark.parametrize("text", ["", " ", "1234", "... !?", "🎉"])
def test_text_without_letters_is_undetermined(text):
    assert (identify(text).language, identify(text).probability) == ("und", 0.0)


@pytest.mark.parametrize("text", ["one\ntwo", "\ud83d alone", "nul\x00nul", "a" * 100_000, "ß" * 3, "\u2028x"])
def test_any_string_gets_an_answer(text):
    assert 0.0 <= identify(text).probability <= 1.0


def test_known_languages_are_those_that_can_be_told():
    known = IDENTIFIER.known_languages()
    assert known.issuperset({"en", *CAPTIONS})
    assert not known & {"tlh", "und", "wuu", "xx"}


def test_identifier_travels_to_workers():
    copy = pickle.loads(pickle.dumps(IDENTIFIER))
    assert copy.identify([ENGLISH])[0].language == "en"


def test_missing_model_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("FLORENZ_LID", str(tmp_path / "nowhere.ftz"))
    with pytest.raises(LanguageModelError, match="nowhere.ftz is no file: correct it or unset FLORENZ_LID"):
        IDENTIFIER.identify(["text"])


def test_damaged_model_is_named(tmp_path):
    damaged = tmp_path / "damaged.ftz"
    damaged.write_bytes(b"not a model")
    with pytest.raises(LanguageModelError, match=r"damaged\.ftz cannot be read"):
        LanguageIdentifier(str(damaged)).identify(["text"])


def test_all_probabilities_are_fasttexts_own():
    """The tree that is read from the model's file, against what fastText finds when it walks it."""
    model = fasttext.load_model(find_model())
    hierarchy = read_hierarchy(find_model())
    assert list(hierarchy.labels) == model.get_labels()
    lines = [*CAPTIONS.values(), ENGLISH, "x", "12", "ok 的", "ა"]
    vectors = np.array([model.get_sentence_vector(line) for line in lines])
    for line, row in zip(lines, hierarchy.probabilities(vectors), strict=True):
        ((labels,), (probabilities,)) = model.predict([line], k=-1)
        theirs = dict(zip(labels, probabilities.tolist(), strict=True))
        ours = dict(zip(hierarchy.labels, row.tolist(), strict=True))
        assert ours == pytest.approx({label: theirs.get(label, 0.0) for label in ours}, rel=1e-3, abs=2e-5)


def test_a_model_without_a_tree_is_asked_itself(tmp_path):
    text = tmp_path / "train.txt"
    rows = [f"__label__{code} {caption}" for code, caption in {**CAPTIONS, "en": ENGLISH}.items()]
    text.write_text("\n".join(rows * 20))
    model = fasttext.train_supervised(str(text), loss="softmax", dim=8, lr=1.0, epoch=50, thread=1, verbose=0)
    model.save_model(str(tmp_path / "own.bin"))
    assert read_hierarchy(str(tmp_path / "own.bin")) is None
    found = LanguageIdentifier(str(tmp_path / "own.bin")).identify([CAPTIONS["de"], ENGLISH, "12"])
    assert [one.language for one in found] == ["de", "en", "und"]
    assert sum(found[0].probabilities.values()) == pytest.approx(1.0)


def test_an_answer_does_not_depend_on_what_is_asked_with_it():
    texts = [*CAPTIONS.values(), ENGLISH, "", "12", "\ud800", "ok"] * 3
    together = IDENTIFIER.identify(texts)
    assert together == [identify(text) for text in texts]
    assert together[::-1] == IDENTIFIER.identify(texts[::-1])
    assert together[:-1] == IDENTIFIER.identify(texts[:-1])


def test_capitals_with_a_dot_are_read_like_small_letters():
    shouted, said = LanguageIdentifier().identify(["İKİ KEDİ EVİN İÇİNDE", "iki kedi evin içinde"])
    assert shouted == said and said.language == "tr"
