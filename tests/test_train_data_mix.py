from collections import Counter
from dataclasses import replace

import pytest
from shards_dataset import COVERED, FRENCH, GERMAN, caption, translation, write_dataset

from florenz.shards.manifest import Manifest
from florenz.shards.schema import Example
from florenz.train.data.counting import MAX_SAMPLES, count_images, sampled
from florenz.train.data.mix import Mix, choose

ALL = {"caption/de": 1.0, "caption/en": 1.0, "translation/de": 1.0, "translation/fr": 1.0}


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return write_dataset(str(tmp_path_factory.mktemp("out")))


def with_counts(manifest: Manifest, **counts: int) -> Manifest:
    """counts: caption_en=90 and so on, in train."""
    train: dict[str, dict[str, int]] = {}
    for pair, number in counts.items():
        task, _, language = pair.partition("_")
        train.setdefault(task, {})[language] = number
    return replace(manifest, counts={"train": train})


def pair_of(example: Example | None) -> str:
    assert example is not None
    return f"{example.task}/{example.language}"


def shares(weights: dict[str, float], examples_of_image: list[tuple[Example, ...]]) -> dict[str, float]:
    """Measured over many images, which take turns to have these examples."""
    num_images = 20_000
    drawn = Counter(
        pair_of(choose(weights, examples_of_image[number % len(examples_of_image)], (0, 0, f"key{number}")))
        for number in range(num_images)
    )
    return {pair: number / num_images for pair, number in drawn.items()}


def test_without_weights_every_pair_has_an_equal_share(manifest: Manifest) -> None:
    weights = Mix().pair_weights(manifest, "train")
    assert weights == ALL
    assert shares(weights, [COVERED]) == pytest.approx(dict.fromkeys(ALL, 0.25), abs=0.015)


def test_weights_in_any_unit_are_the_shares(manifest: Manifest) -> None:
    weights = Mix(weights={"caption/en": 30, "translation/fr": 10}).pair_weights(manifest, "train")
    assert shares(weights, [COVERED]) == pytest.approx({"caption/en": 0.75, "translation/fr": 0.25}, abs=0.015)


def test_a_pair_that_few_images_have_is_drawn_the_more_where_it_is(manifest: Manifest) -> None:
    rare = with_counts(manifest, caption_en=100, translation_de=100, translation_fr=20)
    weights = Mix().pair_weights(rare, "train")
    has_all, lacks_french = COVERED, COVERED[:3]
    drawn = shares(weights, [has_all] + [lacks_french] * 4)
    assert drawn["translation/fr"] == pytest.approx(0.2 * 5 / 7, abs=0.01)  # unweighted it would be 0.2 / 3
    assert drawn["caption/en"] == pytest.approx(drawn["translation/de"], abs=0.015)


def test_a_draw_depends_on_seed_epoch_and_key_alone() -> None:
    def draws(seed: int, epoch: int, examples: tuple[Example, ...] = COVERED) -> list[str]:
        return [pair_of(choose(ALL, examples, (seed, epoch, f"key{number}"))) for number in range(50)]

    assert draws(1, 0) == draws(1, 0, COVERED[::-1])
    assert len({tuple(draws(1, 0)), tuple(draws(1, 1)), tuple(draws(2, 0))}) == 3


def test_over_the_epochs_an_image_contributes_all_its_examples() -> None:
    assert {pair_of(choose(ALL, COVERED, (0, epoch, "key"))) for epoch in range(60)} == set(ALL)


def test_styles_of_a_pair_are_equally_likely() -> None:
    styles = [replace(caption("de", GERMAN), style=style) for style in ("short", "detailed")]
    drawn = Counter(choose({"caption/de": 1.0}, styles, (0, 0, f"key{number}")) for number in range(4000))
    assert drawn[styles[0]] / 4000 == pytest.approx(0.5, abs=0.03)


def test_the_pair_and_its_style_are_drawn_independently() -> None:
    examples = [replace(example, style=style) for example in COVERED[:2] for style in ("short", "detailed")]
    weights = {"caption/de": 1.0, "caption/en": 1.0}
    drawn = Counter(choose(weights, examples, (0, 0, f"key{number}")) for number in range(8000))
    assert [drawn[example] / 8000 for example in examples] == pytest.approx([0.25] * 4, abs=0.03)


def test_an_image_without_any_of_the_pairs_contributes_nothing() -> None:
    assert choose({"caption/fr": 1.0}, COVERED, (0, 0, "key")) is None
    assert choose(ALL, (), (0, 0, "key")) is None


def test_an_example_outside_the_mix_is_never_drawn() -> None:
    examples = (translation("fr", FRENCH), caption("fr", FRENCH))
    assert {pair_of(choose(ALL, examples, (0, 0, f"key{n}"))) for n in range(50)} == {"translation/fr"}


@pytest.mark.parametrize(
    ("pair", "advice"),
    [
        ("caption/fr", "train has no example of caption/fr: its captioning is held out"),
        ("translaton/fr", "no example of translaton/fr: do you mean translation/fr?"),
        ("caption/xx", "it has caption/de, caption/en, translation/de, translation/fr"),
    ],
)
def test_a_pair_that_the_split_lacks_is_refused_by_name(manifest: Manifest, pair: str, advice: str) -> None:
    with pytest.raises(ValueError, match=advice.replace("?", r"\?")):
        Mix(weights={"caption/en": 1, pair: 1}).pair_weights(manifest, "train")


def test_a_pair_that_is_listed_with_no_examples_is_as_good_as_absent(manifest: Manifest) -> None:
    emptied = with_counts(manifest, caption_en=10, caption_de=0)
    assert Mix().pair_weights(emptied, "train") == {"caption/en": 1.0}
    with pytest.raises(ValueError, match="train has no example of caption/de"):
        Mix(weights={"caption/de": 1}).pair_weights(emptied, "train")


def test_a_split_without_examples_is_refused(manifest: Manifest) -> None:
    with pytest.raises(ValueError, match="the split val has no examples"):
        Mix().pair_weights(with_counts(manifest, caption_en=10), "val")


@pytest.mark.parametrize("weight", [0, -1, float("nan"), float("inf")])
def test_a_weight_that_is_no_share_is_refused(weight: float) -> None:
    with pytest.raises(ValueError, match="the weight of caption/en is .*: give a number above 0, or leave"):
        Mix(weights={"caption/en": weight})


def in_styles(examples: tuple[Example, ...], styles: tuple[str, ...]) -> list[Example]:
    return [replace(example, style=style) for example in examples for style in styles]


def test_two_styles_of_a_pair_are_one_image_to_the_mix(manifest: Manifest) -> None:
    """Equal shares were 1 : 2 where one pair had two styles and the other one."""
    examples = [*in_styles(COVERED[:1], ("short", "detailed")), *COVERED[1:2]]
    images = [examples] * 10
    counted = with_counts(manifest, caption_en=20, caption_de=10)
    num_images = count_images(counted, "train", Mix(), iter(images))
    assert num_images == {"caption/en": 10, "caption/de": 10}
    weights = Mix().pair_weights(counted, "train", num_images)
    assert shares(weights, [tuple(examples)]) == pytest.approx({"caption/en": 0.5, "caption/de": 0.5}, abs=0.015)


def test_images_of_a_pair_are_those_that_have_it_in_the_styles_of_the_mix(manifest: Manifest) -> None:
    both, one = in_styles(COVERED[:2], ("short", "detailed")), in_styles(COVERED[:2], ("detailed",))
    counted = with_counts(manifest, caption_en=60, caption_de=60)  # 20 images of each kind
    short = Mix(styles=("short",))
    assert count_images(counted, "train", short, iter([both, one])) == {"caption/en": 20, "caption/de": 20}
    assert {example.style for example in short.usable(both)} == {"short"} and short.usable(one) == []
    nothing = count_images(counted, "train", Mix(styles=("paragraph",)), iter([both, one]))
    with pytest.raises(ValueError, match="train has no examples in the style paragraph"):
        Mix(styles=("paragraph",)).pair_weights(counted, "train", nothing)


def test_a_pair_that_no_sampled_image_has_counts_its_texts(manifest: Manifest) -> None:
    counted = with_counts(manifest, caption_en=100, translation_fr=3)
    assert count_images(counted, "train", Mix(), iter([COVERED[:1]])) == {"caption/en": 100, "translation/fr": 3}


def test_a_small_split_is_read_whole_and_a_large_one_in_a_few_shards() -> None:
    assert list(sampled([2, 0, 1])) == [(0, 0), (0, 1), (2, 0)]
    places = list(sampled([100_000] * 50))
    assert len(places) == len(set(places)) == MAX_SAMPLES and len({shard for shard, _ in places}) == 4
    assert all(0 <= index < 100_000 for _, index in places) and max(index for _, index in places) > 90_000
    assert len(list(sampled([MAX_SAMPLES, 1]))) > MAX_SAMPLES // 4  # a shard smaller than its part is read whole


def test_copies_of_english_are_a_pair_of_their_own(manifest: Manifest) -> None:
    mix = Mix(copy_english=True)
    assert "translation/en" in mix.pair_weights(manifest, "train")
    copies = [example for example in mix.usable(COVERED) if (example.task, example.language) == ("translation", "en")]
    (copy,) = copies
    assert copy.text == copy.source_text == COVERED[0].text and copy.source_language == "en"
    assert mix.usable(COVERED[1:]) == list(COVERED[1:])
    assert "translation/en" not in Mix().pair_weights(manifest, "train")
