"""Step 5, cover: which (task, language) examples the kept texts of one image may become.

Every language gets translation examples; a held-out language gets no caption example. The withheld captions are
planned apart, for the heldout shards only. Pure functions over one image: what language ID says about the texts
is passed in, so the plan can be computed again anywhere and comes out the same.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from florenz.languages.codes import SOURCE
from florenz.shards.schema import Example, style_rank

PLACES_IN_HELDOUT_LANGUAGE = "places_in_heldout_language"
NO_ENGLISH_CAPTION = "no_english_caption"


@dataclass(frozen=True, kw_only=True)
class CoverageReject:
    """A kept text that may not become an example of this task, and why."""

    task: str
    language: str
    style: str
    text: str
    reason: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """What one image gives: examples in the order (task, language, style), and what was dropped."""

    examples: tuple[Example, ...]
    rejects: tuple[CoverageReject, ...]


def plan_examples(
    captions: Mapping[str, str],
    translations: Mapping[tuple[str, str], str],
    *,
    languages: Sequence[str],
    held_out: Collection[str],
    identified: Mapping[tuple[str, str], str],
    has_captions: bool = True,
) -> Coverage:
    """The examples of one image for the train, choose and val shards.

    captions: style -> English caption. translations: (style, language) -> text. languages: the targets, in the
    recipe's order. identified: (style, language) -> the language that language ID finds in that text, with "en" for
    the English captions; it needs an entry for every text that would become a caption example (`KeyError` if not:
    an unchecked text must not pass for a checked one), and none at all when nothing is held out. has_captions: False
    for an image that shows a withheld concept: it gives translation examples only.

    Books: each English caption gives one caption example or reject. Each translation gives one translation example
    and, if its language is not held out, one caption example or reject; without an English caption in its style,
    it gives one reject only.
    """
    _check_languages(translations, languages, held_out)
    orphans = [
        _without_english(style, language, translations[style, language])
        for style, language in _ordered(translations, languages)
        if style not in captions
    ]
    translated = {pair: text for pair, text in translations.items() if pair[0] in captions}
    texts = {(style, SOURCE): text for style, text in captions.items()} | translated

    caption_examples, misplaced = [], []
    for style, language in _ordered(texts if has_captions else {}, [SOURCE, *languages]):
        if language in held_out:
            continue
        text = texts[style, language]
        if held_out and identified[style, language] in held_out:
            misplaced.append(_misplaced(style, language, text, identified[style, language]))
        else:
            caption_examples.append(Example(task="caption", language=language, style=style, text=text))

    translation_examples = [
        Example(
            task="translation",
            language=language,
            style=style,
            text=translated[style, language],
            source_language=SOURCE,
            source_text=captions[style],
        )
        for style, language in _ordered(translated, languages)
    ]
    return Coverage(examples=(*caption_examples, *translation_examples), rejects=(*misplaced, *orphans))


def withheld_examples(
    captions: Mapping[str, str],
    translations: Mapping[tuple[str, str], str],
    *,
    languages: Sequence[str],
    held_out: Collection[str],
    has_captions: bool = True,
) -> tuple[Example, ...]:
    """The caption examples that `plan_examples` withholds; for the heldout shards, never for training.

    Of an image without captions all of them, English included.
    """
    _check_languages(translations, languages, held_out)
    texts = {(style, SOURCE): text for style, text in captions.items()} | dict(translations)
    return tuple(
        Example(task="caption", language=language, style=style, text=texts[style, language])
        for style, language in _ordered(texts, [SOURCE, *languages])
        if (language in held_out or not has_captions) and style in captions
    )


def _ordered(pairs: Iterable[tuple[str, str]], languages: Sequence[str]) -> list[tuple[str, str]]:
    """(style, language) pairs by language in the given order, then by style; whatever order the mapping had."""
    rank = {language: position for position, language in enumerate(languages)}
    return sorted(pairs, key=lambda pair: (rank[pair[1]], style_rank(pair[0])))


def _check_languages(
    translations: Iterable[tuple[str, str]], languages: Sequence[str], held_out: Collection[str]
) -> None:
    # A string passes for a collection of languages, and "fr" in "fr,es" is true: the one slip that hides a leak.
    assert not isinstance(held_out, str), f"held_out must be a collection of codes, not {held_out!r}"
    assert SOURCE not in languages, "English is the source and cannot be a target"
    assert set(held_out) <= set(languages), f"held out but not a target: {sorted(set(held_out) - set(languages))}"
    strangers = {language for _, language in translations} - set(languages)
    assert not strangers, f"translations in languages the recipe does not name: {sorted(strangers)}"


def _misplaced(style: str, language: str, text: str, identified: str) -> CoverageReject:
    return CoverageReject(
        task="caption",
        language=language,
        style=style,
        text=text,
        reason=PLACES_IN_HELDOUT_LANGUAGE,
        detail=f"language ID reads it as {identified}",
    )


def _without_english(style: str, language: str, text: str) -> CoverageReject:
    return CoverageReject(
        task="translation",
        language=language,
        style=style,
        text=text,
        reason=NO_ENGLISH_CAPTION,
        detail=f"the English caption in style {style} was rejected",
    )
