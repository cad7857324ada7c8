"""Steps 4 and 5 for one image: filter its texts, and cover: plan the examples that the recipe allows. Pure functions.

The graph in `assemble.py` only maps these over the images; everything that decides something about the data stands
here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from florenz.filters.alignment_check import NO_TABLES, AlignmentTable
from florenz.filters.chain import FilterChain
from florenz.filters.verdict import Candidate, Verdict
from florenz.images.sidecars import NOTHING, About
from florenz.languages.codes import SOURCE
from florenz.languages.identification import LanguageIdentifier
from florenz.pipeline.answers.ledger import CaptionRow, TranslationRow
from florenz.pipeline.assemble.books import IN, KEPT, Tally, rejected
from florenz.pipeline.assemble.coverage import Coverage, CoverageReject, plan_examples, withheld_examples
from florenz.pipeline.assemble.rejects import Reject
from florenz.shards.schema import TASKS, Caption, Example, style_rank

CAPTIONED, TRANSLATED, REPHRASED = (
    "captioned",
    "translated",
    "rephrased",
)  # the ways in which the texts of a sample were made


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


@dataclass(frozen=True, kw_only=True)
class CoveredImage:
    """What the shards get of one image. Without examples there is no sample. about, damage: as in `ImageTexts`."""

    key: str
    source: str
    captions: tuple[Caption, ...]
    examples: tuple[Example, ...]
    withheld: tuple[Example, ...]
    rejects: tuple[Reject, ...] = ()
    tally: Tally = field(default_factory=Counter)
    about: About = NOTHING
    damage: str = ""


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
    images: Sequence[ImageTexts], chain: FilterChain, tables: Mapping[str, AlignmentTable] = NO_TABLES
) -> list[ImageTexts]:
    """The same for several images in one call of the chain, which is faster and changes no verdict. `tables`: what was
    learned from the run's pairs, by language.
    """
    rows = [_rows(texts) for texts in images]
    verdicts = iter(chain([_candidate(row) for of_image in rows for row in of_image], tables))
    judged = [[(row, next(verdicts)) for row in of_image] for of_image in rows]
    return [_filtered(texts, of_image) for texts, of_image in zip(images, judged, strict=True)]


def _rows(texts: ImageTexts) -> list[CaptionRow | TranslationRow]:
    """All texts; a rephrasing comes right after its translation."""
    translations = [*texts.translations.values(), *(row for one in texts.more for row in one.values())]
    return [*texts.captions.values(), *(one for row in translations for one in _ways_to_say(row))]


def _ways_to_say(row: TranslationRow) -> list[TranslationRow]:
    """The translation, and the rephrasing of it in its place, where there is one with a text."""
    if row.rephrasing is None or row.rephrasing.text is None:
        return [row]
    return [row, replace(row, text=row.rephrasing.text, finish_reason=row.rephrasing.finish_reason)]


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


def _filtered(texts: ImageTexts, judged: Sequence[tuple[CaptionRow | TranslationRow, Verdict]]) -> ImageTexts:
    tally, rejects = Counter(texts.tally), list(texts.rejects)
    captions, identified = {}, {}
    translations: list[dict[tuple[str, str], TranslationRow]] = [{} for _ in range(1 + len(texts.more))]
    for row, verdict in _chosen(judged, tally, rejects, texts.source):
        language = _language(row)
        tally["filter", language, IN] += 1
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


def cover(
    texts: ImageTexts,
    *,
    languages: Sequence[str],
    held_out: Sequence[str],
    captioners: Mapping[str, str],
    translators: Mapping[str, Sequence[str]],
    identifier: LanguageIdentifier,
    rephrasers: Mapping[str, str] | None = None,
) -> CoveredImage:
    """The examples that the plan allows; a kept text that may become none, in any split, is a reject of step cover.

    captioners: style -> who made its captions. translators: language -> who made the texts in it, one after the other.
    Each of them is planned for as if it were the only one. rephrasers: language -> who put texts in it better.
    """
    makers = _MadeBy(captioners=captioners, translators=translators, rephrasers=rephrasers or {})
    captions = {style: row.text or "" for style, row in texts.captions.items()}
    tally, rejects = Counter(texts.tally), list(texts.rejects)
    examples: list[Example] = []
    withheld: list[Example] = []
    for number, rows in enumerate((texts.translations, *texts.more)):
        translations = {pair: row.text or "" for pair, row in rows.items()}
        known = texts.identified if number == 0 else _of_english(texts.identified)
        coverage = plan_examples(
            captions,
            translations,
            languages=languages,
            held_out=held_out,
            identified=_identified(captions, translations, held_out, identifier, known),
        )
        is_counted = partial(_is_counted, number=number)  # the English captions come again with each
        rejects += [_reject_of_cover(texts, reject) for reject in filter(is_counted, coverage.rejects)]
        planned = [example for example in coverage.examples if is_counted(example)]
        tally.update(_counted(coverage, _possible_examples(captions, translations, held_out), number))
        withheld_here = withheld_examples(captions, translations, languages=languages, held_out=held_out)
        examples += _credited(planned, makers, number, rows)
        withheld += _credited(withheld_here, makers, number, rows)
    tally["write", "", IN] += 1
    if not examples:
        tally["write", "", rejected("no_examples")] += 1
        rejects.append(Reject(key=texts.key, step="write", reason="no_examples", source=texts.source))
    return CoveredImage(
        key=texts.key,
        source=texts.source,
        captions=tuple(
            Caption(style=style, text=text, made_by=captioners[style], way=CAPTIONED)
            for style, text in captions.items()
        ),
        examples=tuple(sorted(examples, key=partial(_place, languages=[SOURCE, *languages]))),
        withheld=tuple(withheld) if examples else (),
        rejects=tuple(rejects),
        tally=tally,
        about=texts.about,
        damage=texts.damage,
    )


def _counted(coverage: Coverage, possible: Mapping[str, int], number: int) -> Tally:
    """What went into the plan for one number of translator, and what came of it; English with the first alone."""
    tally: Tally = Counter()
    for reject in coverage.rejects:
        tally["cover", reject.language, rejected(reject.reason)] += 1
    for example in coverage.examples:
        tally["cover", example.language, KEPT] += 1
    for language, amount in possible.items():
        tally["cover", language, IN] += amount
    return Counter({entry: amount for entry, amount in tally.items() if number == 0 or entry[1] != SOURCE})


def _reject_of_cover(texts: ImageTexts, reject: CoverageReject) -> Reject:
    return Reject(
        key=texts.key,
        step="cover",
        language=reject.language,
        style=reject.style,
        reason=reject.reason,
        detail=reject.detail,
        text=reject.text,
        source=texts.source,
    )


def _is_counted(about: Example | CoverageReject, number: int) -> bool:
    return number == 0 or about.language != SOURCE


def _of_english(identified: Mapping[tuple[str, str], str]) -> dict[tuple[str, str], str]:
    return {pair: found for pair, found in identified.items() if pair[1] == SOURCE}


def _place(example: Example, languages: Sequence[str]) -> tuple[int, int, tuple[int, str]]:
    """By task, language and style; what several translators made of one caption stays in their order."""
    return TASKS.index(example.task), languages.index(example.language), style_rank(example.style)


@dataclass(frozen=True, kw_only=True)
class _MadeBy:
    """As in `cover`."""

    captioners: Mapping[str, str]
    translators: Mapping[str, Sequence[str]]
    rephrasers: Mapping[str, str]


def _credited(
    examples: Iterable[Example], makers: _MadeBy, number: int, rows: Mapping[tuple[str, str], TranslationRow]
) -> list[Example]:
    """Each with who made its text, and how. A caption in another language than English was translated too."""

    def credited(example: Example) -> Example:
        if example.language == SOURCE:
            return replace(example, made_by=makers.captioners[example.style], way=CAPTIONED)
        row, translator = rows[example.style, example.language], makers.translators[example.language][number]
        if row.rephrasing is None:
            return replace(example, made_by=translator, way=TRANSLATED, notes=row.detail)
        notes = "; ".join([f"translated by {translator}", *([row.detail] if row.detail else [])])
        return replace(example, made_by=makers.rephrasers[example.language], way=REPHRASED, notes=notes)

    return [credited(example) for example in examples]


def _possible_examples(
    captions: Mapping[str, str], translations: Mapping[tuple[str, str], str], held_out: Sequence[str]
) -> Counter[str]:
    """language -> how many examples its kept texts could become: counted apart from the plan, so that the books can
    catch it.

    An English caption could become one; a translation one as translation and, unless it is held out, one as caption; a
    translation whose English caption is gone can become nothing and counts once.
    """
    numbers: Counter[str] = Counter()
    for _ in captions:
        numbers[SOURCE] += 1
    for style, language in translations:
        is_whole = style in captions and language not in held_out
        numbers[language] += 2 if is_whole else 1
    return numbers


def _identified(
    captions: Mapping[str, str],
    translations: Mapping[tuple[str, str], str],
    held_out: Sequence[str],
    identifier: LanguageIdentifier,
    known: Mapping[tuple[str, str], str],
) -> dict[tuple[str, str], str]:
    """(style, language) -> what language ID reads in the text. Only what the filters have not asked is asked here, and
    nothing when nothing is held out.
    """
    texts = {(style, SOURCE): text for style, text in captions.items()} | dict(translations)
    unasked = {pair: text for pair, text in texts.items() if pair not in known}
    if not held_out or not unasked:
        return dict(known) if held_out else {}
    found = identifier.identify(list(unasked.values()))
    return dict(known) | {pair: one.language for pair, one in zip(unasked, found, strict=True)}


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
