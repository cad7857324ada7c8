"""Step 5 for one image, cover: the examples that the recipe allows, of the texts that the filters kept. Pure functions.

`coverage.py` has the plan itself; here it is made for each of several translators, every text gets the name of who made
it, and what went in and came out is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from florenz.images.sidecars import NOTHING, About
from florenz.languages.codes import SOURCE
from florenz.languages.identification import LanguageIdentifier
from florenz.pipeline.answers.ledger import CaptionRow, TranslationRow
from florenz.pipeline.assemble.books import IN, KEPT, WITHHOLD, Tally, rejected
from florenz.pipeline.assemble.coverage import Coverage, CoverageReject, plan_examples, withheld_examples
from florenz.pipeline.assemble.filtering import ImageTexts
from florenz.pipeline.assemble.rejects import Reject
from florenz.pipeline.assemble.score_rules import told
from florenz.shards.schema import TASKS, Caption, Example, style_rank

# The ways in which the texts of a sample were made.
CAPTIONED, TRANSLATED, REPHRASED = "captioned", "translated", "rephrased"


@dataclass(frozen=True, kw_only=True)
class CoveredImage:
    """What the shards get of one image. Without examples there is no sample. about, damage, concepts: as in
    `ImageTexts`.
    """

    key: str
    source: str
    captions: tuple[Caption, ...]
    examples: tuple[Example, ...]
    withheld: tuple[Example, ...]
    rejects: tuple[Reject, ...] = ()
    tally: Tally = field(default_factory=Counter)
    about: About = NOTHING
    damage: str = ""
    concepts: str = ""


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
    has_captions = not texts.concepts
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
            identified=_identified(captions, translations, held_out, identifier, known) if has_captions else {},
            has_captions=has_captions,
        )
        is_counted = partial(_is_counted, number=number)  # the English captions come again with each
        rejects += [_reject_of_cover(texts, reject) for reject in filter(is_counted, coverage.rejects)]
        planned = [example for example in coverage.examples if is_counted(example)]
        possible = _possible_examples(captions, translations, held_out, has_captions)
        tally.update(_counted(coverage, possible, number))
        all_withheld = withheld_examples(
            captions, translations, languages=languages, held_out=held_out, has_captions=has_captions
        )
        withheld_here = filter(is_counted, all_withheld)
        examples += _credited(planned, makers, number, texts.captions, rows)
        withheld += _credited(withheld_here, makers, number, texts.captions, rows)
    if texts.concepts:
        tally.update([(WITHHOLD, "", IN), (WITHHOLD, "", KEPT)])
    tally["write", "", IN] += 1
    if not examples:
        tally["write", "", rejected("no_examples")] += 1
        rejects.append(Reject(key=texts.key, step="write", reason="no_examples", source=texts.source))
    return CoveredImage(
        key=texts.key,
        source=texts.source,
        captions=tuple(_captions_of(texts, captioners)),
        examples=tuple(sorted(examples, key=partial(_place, languages=[SOURCE, *languages]))),
        withheld=tuple(withheld) if examples else (),
        rejects=tuple(rejects),
        tally=tally,
        about=texts.about,
        damage=texts.damage,
        concepts=texts.concepts,
    )


def _captions_of(texts: ImageTexts, captioners: Mapping[str, str]) -> Iterator[Caption]:
    for style, row in texts.captions.items():
        yield Caption(
            style=style, text=row.text or "", made_by=captioners[style], way=CAPTIONED, scores=told(row.scores)
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
    examples: Iterable[Example],
    makers: _MadeBy,
    number: int,
    captions: Mapping[str, CaptionRow],
    rows: Mapping[tuple[str, str], TranslationRow],
) -> list[Example]:
    """Each with who made its text, how, and its scores. A caption in another language than English was translated."""

    def credited(example: Example) -> Example:
        if example.language == SOURCE:
            scores = told(captions[example.style].scores)
            return replace(example, made_by=makers.captioners[example.style], way=CAPTIONED, scores=scores)
        row, translator = rows[example.style, example.language], makers.translators[example.language][number]
        scores = told(row.scores)
        if row.rephrasing is None:
            return replace(example, made_by=translator, way=TRANSLATED, scores=scores, notes=row.detail)
        maker = makers.rephrasers[example.language]
        notes = "; ".join([f"translated by {translator}", *([row.detail] if row.detail else [])])
        return replace(example, made_by=maker, way=REPHRASED, scores=scores, notes=notes)

    return [credited(example) for example in examples]


def _possible_examples(
    captions: Mapping[str, str],
    translations: Mapping[tuple[str, str], str],
    held_out: Sequence[str],
    has_captions: bool,
) -> Counter[str]:
    """language -> how many examples its kept texts could become: counted apart from the plan, so that the books can
    catch it.

    An English caption could become one; a translation one as translation and, unless it is held out, one as caption; a
    translation whose English caption is gone can become nothing and counts once. Without captions, only translations.
    """
    numbers: Counter[str] = Counter()
    for _ in captions if has_captions else ():
        numbers[SOURCE] += 1
    for style, language in translations:
        is_whole = has_captions and style in captions and language not in held_out
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
