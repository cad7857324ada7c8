"""Which of the ledger's answers count: those of this run's models, in its styles and languages, about the captions that
its images have now. The ledger keeps all others too, since a recipe may come back to them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from florenz.languages.codes import SOURCE
from florenz.pipeline.answers.ledger import CaptionRow, Ledger, TranslationRow
from florenz.pipeline.answers.makers import Makers
from florenz.pipeline.answers.questions import CaptionTask, TranslationTask


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
        return list(dict.fromkeys(found))

    def described(self) -> dict[str, Any]:
        """All that decides which answers count and what is asked, for a fingerprint."""
        captioners, translators = self._makers.captioners, self._makers.translators.items()
        rephrasers = [[language, maker.fingerprint] for language, maker in self._makers.rephrasers.items()]
        return {
            **({"rephrasers": rephrasers} if rephrasers else {}),
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
        """The captioners' answers, then the translators', language by language, with their rephrasings."""
        yield from self.captions().values()
        for language in self.languages:
            yield from self.rephrased_translations(language)

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
                        context=_context_of(row, context, all_captions),
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
        for caption in captions.values():
            if caption.key in images:
                yield SOURCE, caption.key, caption.style, caption.text, caption.finish_reason, caption.reason
        for language in self.languages:
            for row in self.rephrased_translations(language):
                if row.key in images and translates(row, captions.get((row.key, row.style))):
                    yield language, row.key, row.style, row.text, row.finish_reason, row.reason
                    if (again := row.rephrasing) is not None:
                        yield language, row.key, row.style, again.text, again.finish_reason, again.reason, "rephrased"


def _context_of(row: CaptionRow, style: str, captions: Mapping[tuple[str, str], CaptionRow]) -> str:
    """The image's caption in the style that rides along; "" where there is none, or it is this one."""
    context = captions.get((row.key, style)) if style != row.style else None
    return context.text or "" if context is not None else ""
