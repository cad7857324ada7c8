"""Step 4 for one image, filter: its answers, those that have a text, those that the checks keep. Pure functions.

The graph only maps these over the images; everything that decides something about the data stands here, and in
`covering.py`, which goes on from what is kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from florenz.filters.alignment_check import NO_TABLES, AlignmentTable
from florenz.filters.chain import FilterChain
from florenz.filters.verdict import Candidate, Verdict
from florenz.images.references import relative_uri
from florenz.images.sidecars import NOTHING, About
from florenz.languages.codes import SOURCE
from florenz.pipeline.answers.ledger import CaptionRow, TranslationRow
from florenz.pipeline.assemble.books import IN, KEPT, Tally, rejected
from florenz.pipeline.assemble.rejects import Reject
from florenz.pipeline.assemble.score_rules import ScoreRule, booked_by_source, judged


@dataclass(frozen=True, kw_only=True)
class ImageTexts:
    """One image and every answer that the ledger has for it; what a later step rejected is in `rejects`, counted in
    `tally`.
    """

    key: str
    source: str
    captions: Mapping[str, CaptionRow]
    translations: Mapping[tuple[str, str], TranslationRow]
    rejects: tuple[Reject, ...] = ()
    tally: Tally = field(default_factory=Counter)
    more: tuple[Mapping[tuple[str, str], TranslationRow], ...] = ()
    """As `translations`, which are those of each language's first translator: of its second, its third, ..."""

    identified: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """(style, language) -> what language ID read in the text while it was filtered; empty before that. Nothing about
    `more`."""

    about: About = NOTHING
    """What its source says of it: URL, licence, alternative text."""

    damage: str = ""
    """What is wrong with the picture, which is written anew; "" for nothing."""

    concepts: str = ""
    """What it shows that nobody may learn to caption; "" for nothing."""


def gather(
    key: str,
    source: str,
    captions: Sequence[CaptionRow],
    translations: Sequence[TranslationRow],
    *,
    styles: Sequence[str],
    languages: Sequence[str],
    num_translators: Mapping[str, int] | None = None,
    rephrased: Collection[str] = (),
) -> ImageTexts:
    """All answers for one image; those without a text become rejects of steps caption, translate and rephrase.
    `rephrased`: languages whose translations were shown to a rephraser.

    A question that has no answer at all is counted `in` and nowhere else, so that the books show it. `num_translators`:
    language -> how many were asked, where it is not one.
    """
    tally: Tally = Counter()
    rejects: list[Reject] = []
    by_style = {row.style: row for row in captions if row.style in styles}
    kept_captions: dict[str, CaptionRow] = {}
    for style in styles:
        tally["caption", SOURCE, IN] += 1
        row = by_style.get(style)
        if row is not None:
            _settle(row, "caption", SOURCE, tally, rejects, source)
            if row.text is not None:
                kept_captions[style] = row
    asked = {(row.style, row.language, row.number): row for row in translations if _answers(row, kept_captions)}
    several = [(target, number) for target in languages for number in range((num_translators or {}).get(target, 1))]
    kept: list[dict[tuple[str, str], TranslationRow]] = [{} for _ in range(1 + max(number for _, number in several))]
    for language, number in several:
        for style, caption in kept_captions.items():
            if not caption.text:
                continue  # an empty caption is rejected by the filter and was not sent to the translator
            tally["translate", language, IN] += 1
            answer = asked.get((style, language, number))
            if answer is not None:
                _settle(answer, "translate", language, tally, rejects, source)
                if answer.text is not None:
                    kept[number][style, language] = answer
                if answer.text and language in rephrased:
                    tally["rephrase", language, IN] += 1
                    if answer.rephrasing is not None and answer.rephrasing.reason:
                        _settle(answer.rephrasing, "rephrase", language, tally, rejects, source)
    return ImageTexts(
        key=key,
        source=source,
        captions=kept_captions,
        translations=kept[0],
        more=tuple(kept[1:]),
        rejects=tuple(rejects),
        tally=tally,
    )


def filter_texts(texts: ImageTexts, chain: FilterChain) -> ImageTexts:
    """Each text is kept, or rejected with the reason of the first filter that says no."""
    return filter_images([texts], chain)[0]


def filter_images(
    images: Sequence[ImageTexts],
    chain: FilterChain,
    tables: Mapping[str, AlignmentTable] = NO_TABLES,
    rules: Sequence[ScoreRule] = (),
    source: str = "",
) -> list[ImageTexts]:
    """The same for several images in one call of the chain, which is faster and changes no verdict. `tables`: what was
    learned from the run's pairs, by language. `rules`: for what the filters keep, by its scores. `source`: of the
    images, as the recipe gives it.
    """
    rows = [_rows(texts) for texts in images]
    verdicts = iter(chain([_candidate(row) for of_image in rows for row in of_image], tables))
    asked = [[(row, judged(row.scores, next(verdicts), rules)) for row in of_image] for of_image in rows]
    return [_filtered(texts, of_image, rules, source) for texts, of_image in zip(images, asked, strict=True)]


def _rows(texts: ImageTexts) -> list[CaptionRow | TranslationRow]:
    """All texts; a rephrasing comes right after its translation."""
    translations = [*texts.translations.values(), *(row for one in texts.more for row in one.values())]
    return [*texts.captions.values(), *(one for row in translations for one in _ways_to_say(row))]


def _ways_to_say(row: TranslationRow) -> list[TranslationRow]:
    """The translation, and the rephrasing of it in its place, where there is one with a text."""
    if row.rephrasing is None or row.rephrasing.text is None:
        return [row]
    again = row.rephrasing
    return [row, replace(row, text=again.text, finish_reason=again.finish_reason, scores=again.scores)]


def _chosen(
    judged: Sequence[tuple[CaptionRow | TranslationRow, Verdict]], tally: Tally, rejects: list[Reject], source: str
) -> Iterator[tuple[CaptionRow | TranslationRow, Verdict]]:
    """One of each text's ways to be said: the rephrasing if the filters keep it, else the translation. Those that are
    rephrased, alone, have a `rephrasing` from here on.
    """
    waiting = list(reversed(judged))
    while waiting:
        row, verdict = waiting.pop()
        if not isinstance(row, TranslationRow) or row.rephrasing is None:
            yield row, verdict
            continue
        translation = replace(row, rephrasing=None)
        if row.rephrasing.text is None:  # why stands in the books already
            yield translation, verdict
            continue
        again, its_verdict = waiting.pop()
        if its_verdict.keep:
            tally["rephrase", row.language, KEPT] += 1
            yield again, its_verdict
        else:
            tally["rephrase", row.language, rejected(its_verdict.reason)] += 1
            rejects.append(_reject(again, "rephrase", its_verdict.reason, its_verdict.detail, source))
            yield translation, verdict


def _filtered(
    texts: ImageTexts,
    judged: Sequence[tuple[CaptionRow | TranslationRow, Verdict]],
    rules: Sequence[ScoreRule],
    source: str,
) -> ImageTexts:
    tally, rejects = Counter(texts.tally), list(texts.rejects)
    place = relative_uri(texts.source, source) if rules else ""
    captions, identified = {}, {}
    translations: list[dict[tuple[str, str], TranslationRow]] = [{} for _ in range(1 + len(texts.more))]
    for row, verdict in _chosen(judged, tally, rejects, texts.source):
        language = _language(row)
        tally["filter", language, IN] += 1
        if rules:
            tally.update(booked_by_source(place, language, row.scores, verdict, rules))
        if not verdict.keep:
            tally["filter", language, rejected(verdict.reason)] += 1
            rejects.append(_reject(row, "filter", verdict.reason, verdict.detail, texts.source))
            continue
        tally["filter", language, KEPT] += 1
        number = row.number if isinstance(row, TranslationRow) else 0
        if verdict.language and number == 0:
            identified[row.style, language] = verdict.language
        if isinstance(row, CaptionRow):
            captions[row.style] = row
        else:
            translations[number][row.style, row.language] = row
    return replace(
        texts,
        captions=captions,
        translations=translations[0],
        more=tuple(translations[1:]),
        rejects=tuple(rejects),
        tally=tally,
        identified=identified,
    )


def _answers(row: TranslationRow, captions: Mapping[str, CaptionRow]) -> bool:
    """Whether the row translates the caption that the image has now, not one that an earlier captioner gave."""
    return row.style in captions and captions[row.style].text == row.source_text


def _settle(
    row: CaptionRow | TranslationRow, step: str, language: str, tally: Tally, rejects: list[Reject], source: str
) -> None:
    if row.text is not None:
        tally[step, language, KEPT] += 1
    else:
        tally[step, language, rejected(row.reason)] += 1
        rejects.append(_reject(row, step, row.reason, row.detail, source))


def _language(row: CaptionRow | TranslationRow) -> str:
    return row.language if isinstance(row, TranslationRow) else SOURCE


def _candidate(row: CaptionRow | TranslationRow) -> Candidate:
    source = row.source_text if isinstance(row, TranslationRow) else ""
    return Candidate(source=source, text=row.text or "", language=_language(row), finish_reason=row.finish_reason)


def _reject(row: CaptionRow | TranslationRow, step: str, reason: str, detail: str, source: str) -> Reject:
    return Reject(
        key=row.key, step=step, language=_language(row), style=row.style, reason=reason, detail=detail,
        text=row.text or "", source=source,
    )  # fmt: skip
