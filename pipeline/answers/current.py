"""Which of the ledger's answers count: those of this run's models, in its styles and languages, about the captions that
its images have now. The ledger keeps all others too, since a recipe may come back to them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from florenz.languages.codes import SOURCE
from florenz.pipeline.answers.ledger import CaptionRow, Ledger, TranslationRow
from florenz.pipeline.answers.makers import Again, Makers
from florenz.pipeline.answers.questions import CaptionTask, TranslationTask
from florenz.pipeline.answers.score_rows import Identity, ScoreRow
from florenz.pipeline.answers.scores import as_candidate, best_of, is_asked_again, scored


def translates(row: TranslationRow, caption: CaptionRow | None) -> bool:
    """Whether the row translates this caption, and not one that an earlier captioner gave."""
    return caption is not None and caption.text == row.source_text


class CurrentAnswers:
    """Every method reads the ledger anew: between two calls a model may have answered.

    styles: as in the recipe. within: the range of keys that answers are read of, "" for all.
    """

    def __init__(self, ledger: Ledger, makers: Makers, *, styles: Sequence[str], within: str = "") -> None:
        self._ledger, self._makers, self._styles, self._within = ledger, makers, styles, within

    def of(self, within: str, listed: Mapping[str, Sequence[str]] | None = None) -> CurrentAnswers:
        """The same about one range of keys. listed: its parts by folder, where they have been listed."""
        ledger = Ledger(self._ledger.out, self._ledger.digits, listed)
        return CurrentAnswers(ledger, self._makers, styles=self._styles, within=within)

    def once(self) -> CurrentAnswers:
        """The same for one look, which needs the same answers for several things: they stay as they were first read."""
        return _Once(self._ledger, self._makers, styles=self._styles, within=self._within)

    def fitted(self, digits: int) -> CurrentAnswers:
        """The same, with a ledger that writes for ranges of so many digits."""
        return CurrentAnswers(Ledger(self._ledger.out, digits), self._makers, styles=self._styles)

    @property
    def ledger(self) -> Ledger:
        return self._ledger

    def folders(self) -> list[str]:
        """Those of the ledger that hold the answers."""
        captions = (self._makers.captioners[style].fingerprint for style in self._styles)
        found = [self._ledger.folder_of_captions(fingerprint) for fingerprint in captions]
        for language, several in self._makers.translators.items():
            found += [self._ledger.folder_of_translations(language, maker.fingerprint) for maker in several]
        for language, maker in self._makers.rephrasers.items():
            found.append(self._ledger.folder_of_translations(language, maker.fingerprint))
        for what, maker in self._makers.scorers.items():
            found.append(self._ledger.folder_of_scores(what, maker.fingerprint))
        for (language, _), several in self._makers.again.candidates.items() if self._makers.again else ():
            found += [self._ledger.folder_of_translations(language, maker.fingerprint) for maker in several]
        return list(dict.fromkeys(found))

    def described(self) -> dict[str, Any]:
        """All that decides which answers count and what is asked, for a fingerprint."""
        captioners, translators = self._makers.captioners, self._makers.translators.items()
        rephrasers = [[language, maker.fingerprint] for language, maker in self._makers.rephrasers.items()]
        scorers = [[what, maker.fingerprint] for what, maker in self._makers.scorers.items()]
        return {
            **({"rephrasers": rephrasers} if rephrasers else {}),
            **({"scorers": scorers} if scorers else {}),
            **({"again": _described(self._makers.again)} if self._makers.again else {}),
            "captioners": [[style, captioners[style].fingerprint, captioners[style].prefix] for style in self._styles],
            "translators": [
                [language, maker.fingerprint, maker.context] for language, several in translators for maker in several
            ],
        }

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(self._makers.translators)

    def captions(self) -> dict[tuple[str, str], CaptionRow]:
        """(key, style) -> its captioner's answer, in the order of keys; images that are gone included."""
        makers = {style: self._makers.captioners[style] for style in self._styles}
        found: dict[tuple[str, str], CaptionRow] = {}
        for one in dict.fromkeys((maker.fingerprint, maker.prefix) for maker in makers.values()):
            fingerprint, prefix = one
            for row in self._ledger.read_captions(fingerprint, self._within).values():
                maker = makers.get(prefix + row.style)
                if maker is not None and (maker.fingerprint, maker.prefix) == one:
                    found[row.key, prefix + row.style] = replace(row, style=prefix + row.style) if prefix else row
        return {pair: found[pair] for pair in sorted(found)}

    def translations(self, language: str, number: int = 0) -> dict[tuple[str, str, str], TranslationRow]:
        """(key, style, English text) -> the answer of this one of the language's translators; those about earlier
        captions included.
        """
        fingerprint = self._makers.translators[language][number].fingerprint
        found = self._ledger.read_translations(language, fingerprint, self._within)
        return {identity: replace(row, number=number) for identity, row in found.items()} if number else found

    def all_translations(self, language: str) -> Iterator[TranslationRow]:
        """Of all its translators, one after the other, each in the order of keys."""
        for number in range(len(self._makers.translators[language])):
            answers = self.translations(language, number)
            yield from (answers[identity] for identity in sorted(answers))

    def rephrasings(self, language: str) -> dict[tuple[str, str, str], TranslationRow]:
        """(key, style, translation) -> what the language's rephraser made of it; nothing where it has none."""
        maker = self._makers.rephrasers.get(language)
        return {} if maker is None else self._ledger.read_translations(language, maker.fingerprint, self._within)

    def rephrased_translations(self, language: str) -> Iterator[TranslationRow]:
        """As `all_translations`, each with its rephrasing where there is one."""
        rephrasings = self.rephrasings(language)
        for row in self.all_translations(language):
            found = rephrasings.get((row.key, row.style, row.text)) if row.text else None
            yield row if found is None else replace(row, rephrasing=found)

    def all(self) -> Iterator[CaptionRow | TranslationRow]:
        """The captioners' answers, then the translators', language by language, with their rephrasings and scores; of
        a translation that was asked again the best.
        """
        scores = {what: self.scores(what) for what in self.scored}
        if not scores:
            yield from self._all()
            return
        for row, others in self.with_candidates(scores):
            if isinstance(row, CaptionRow):
                yield scored(row, scores)
                continue
            best, again = scored(row, scores), self._makers.again
            if again is not None and others:
                best = best_of(best, [scored(one, scores) for one in others], again.what, again.facts)
            yield best

    def _all(self) -> Iterator[CaptionRow | TranslationRow]:
        yield from self.captions().values()
        for language in self.languages:
            yield from self.rephrased_translations(language)

    def with_candidates(
        self, scores: Mapping[str, Mapping[Identity, ScoreRow]]
    ) -> Iterator[tuple[CaptionRow | TranslationRow, list[TranslationRow]]]:
        """As `_all`, each with what was said when it was asked again: of those that are to be, and no others."""
        again, known = self._makers.again, dict[tuple[str, int], list[dict[tuple[str, str, str], TranslationRow]]]()
        for row in self._all():
            others: list[TranslationRow] = []
            if again is not None and isinstance(row, TranslationRow) and is_asked_again(row, again, scores[again.what]):
                route = row.language, row.number
                if route not in known:
                    known[route] = [self.candidates(*route, number) for number in range(len(again.candidates[route]))]
                identity = row.key, row.style, row.source_text
                others = [replace(of[identity], number=row.number) for of in known[route] if identity in of]
            yield row, others

    def candidates(self, language: str, number: int, candidate: int) -> dict[tuple[str, str, str], TranslationRow]:
        """(key, style, English text) -> what this translator said when it was asked again for the nth time, from 0."""
        assert self._makers.again is not None
        maker = self._makers.again.candidates[language, number][candidate]
        found = self._ledger.read_translations(language, maker.fingerprint, self._within)
        return {identity: as_candidate(row, candidate) for identity, row in found.items()}

    @property
    def again(self) -> Again | None:
        return self._makers.again

    @property
    def scored(self) -> tuple[str, ...]:
        """What this run's scorers are asked."""
        return tuple(self._makers.scorers)

    def scores(self, what: str) -> dict[Identity, ScoreRow]:
        """What the run's scorer says of this; texts that are gone included."""
        return self._ledger.read_scores(what, self._makers.scorers[what].fingerprint, self._within)

    def missing_captions(self, images: Mapping[str, str]) -> list[CaptionTask]:
        """What to ask the captioner: images (key -> URI) that lack an answer in some style, in the order of keys."""
        answered = self.captions()
        tasks = []
        for key, source in sorted(images.items()):
            if styles := tuple(style for style in self._styles if (key, style) not in answered):
                tasks.append(CaptionTask(key=key, source=source, styles=styles))
        return tasks

    def missing_translations(
        self, images: Collection[str], routes: Collection[tuple[str, int]] | None = None
    ) -> list[TranslationTask]:
        """What to ask the translators, language by language: captions with a text that has no answer there. routes:
        (language, number of its translator) of those that are asked; None: all.
        """
        all_captions = self.captions()
        captions = [row for row in all_captions.values() if row.key in images and row.text]
        tasks = []
        for language in self.languages:
            for number in range(len(self._makers.translators[language])):
                if routes is not None and (language, number) not in routes:
                    continue
                answered = self.translations(language, number)
                context = self._makers.translators[language][number].context
                tasks += [
                    TranslationTask(
                        key=row.key,
                        style=row.style,
                        language=language,
                        source_text=row.text,
                        number=number,
                        context=context_of(row, context, all_captions),
                    )
                    for row in captions
                    if row.text and (row.key, row.style, row.text) not in answered
                ]
        return tasks

    def missing_rephrasings(
        self, images: Collection[str], languages: Collection[str] | None = None
    ) -> list[TranslationTask]:
        """What to ask the rephrasers: translations of the captions that the images have now, each text once. languages:
        of those that are asked; None: all.
        """
        captions = self.captions()
        tasks: dict[tuple[str, str, str, str], TranslationTask] = {}
        for language in self._makers.rephrasers:
            if languages is not None and language not in languages:
                continue
            answered = self.rephrasings(language)
            for row in self.all_translations(language):
                if row.key not in images or not row.text or not translates(row, captions.get((row.key, row.style))):
                    continue
                identity = (row.key, row.style, row.text)
                if identity not in answered:
                    task = TranslationTask(key=row.key, style=row.style, language=language, source_text=row.text)
                    tasks[(language, *identity)] = task
        return list(tasks.values())

    def about(self, images: Mapping[str, str]) -> Iterator[tuple[Any, ...]]:
        """Every answer that a build of these images is made of, in an order that their content decides."""
        captions = self.captions()
        for row in self.all():
            if row.key not in images or not is_current(row, captions):
                continue
            language = SOURCE if isinstance(row, CaptionRow) else row.language
            yield language, row.key, row.style, row.text, row.finish_reason, row.reason
            if row.scores:
                yield language, row.key, row.style, row.scores, row.detail
            if isinstance(row, TranslationRow) and (again := row.rephrasing) is not None:
                yield language, row.key, row.style, again.text, again.finish_reason, again.reason, "rephrased"
                if again.scores:
                    yield language, row.key, row.style, again.scores, "rephrased"


class _Once(CurrentAnswers):
    def __init__(self, ledger: Ledger, makers: Makers, *, styles: Sequence[str], within: str = "") -> None:
        super().__init__(ledger, makers, styles=styles, within=within)
        self._captions: dict[tuple[str, str], CaptionRow] | None = None
        self._translations: dict[tuple[str, int], dict[tuple[str, str, str], TranslationRow]] = {}

    def captions(self) -> dict[tuple[str, str], CaptionRow]:
        if self._captions is None:
            self._captions = super().captions()
        return self._captions

    def translations(self, language: str, number: int = 0) -> dict[tuple[str, str, str], TranslationRow]:
        if (language, number) not in self._translations:
            self._translations[language, number] = super().translations(language, number)
        return self._translations[language, number]


def _described(again: Again) -> list[Any]:
    """All that decides what is asked again."""
    routes = [[*route, [one.fingerprint for one in several]] for route, several in again.candidates.items()]
    return [again.what, again.threshold, again.facts.lower_is_better, routes]


def is_current(row: CaptionRow | TranslationRow, captions: Mapping[tuple[str, str], CaptionRow]) -> bool:
    return isinstance(row, CaptionRow) or translates(row, captions.get((row.key, row.style)))


def context_of(row: CaptionRow, style: str, captions: Mapping[tuple[str, str], CaptionRow]) -> str:
    """The image's caption in the style that rides along; "" where there is none, or it is this one."""
    context = captions.get((row.key, style)) if style != row.style else None
    return context.text or "" if context is not None else ""
