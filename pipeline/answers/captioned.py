"""What has been captioned so far, for a translator that works beside the captioner, in the same process.

Captioning goes range by range, in an order that the runner decides. As soon as every answer about a range is in the
ledger, the range is handed on, so a translator sees the captions that it would have seen later, in all styles: order
and company decide no question. Of all that is complete the first language goes first: it is done soon after the last
caption, and what is learned from its texts is learned while others are translated. The ledger remains the only thing
that counts; what stands here is lost with the process, and the next run finds the same ranges by looking.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from florenz.pipeline.answers.parts import part_range
from florenz.pipeline.answers.ranges import RangeWork
from florenz.pipeline.here import Here
from florenz.pipeline.ranges import range_of


class CaptioningStopped(Exception):
    """The translator beside it has failed, so no more captions are asked for; no fault of its own."""


class Captioned(Here):
    """Ranges, in the order in which they were completed. Threads share it.

    work: the ranges that a translator is, or will be, asked about. lacking: range -> images whose captions are still to
    be asked for; a range that is not named there is complete.
    """

    def __init__(self, work: Sequence[RangeWork], lacking: Mapping[str, int]) -> None:
        super().__init__()
        self._changed = threading.Condition()
        self._work = {one.range: one for one in work}
        self._lacking = {name: lacking[name] for name in self._work if lacking.get(name)}
        self._completed = [one for one in work if one.range not in self._lacking]
        self._parts: dict[str, list[str]] = {}
        self._is_stopped = self._is_over = False
        self._asked: dict[tuple[str, str], int] = {}

    @property
    def num_ranges(self) -> int:
        return len(self._work)

    @property
    def num_asked(self) -> int:
        """Translations that were asked for, those that were asked for again counted once."""
        with self._changed:
            return sum(self._asked.values())

    # -- for the captioner --------------------------------------------------------------------------------------------

    @property
    def is_stopped(self) -> bool:
        return self._is_stopped

    def note(self, keys: Iterable[str], parts: Iterable[str], digits: int) -> None:
        """All answers about these images are in the ledger, some of them in these new parts. digits: of the ranges."""
        with self._changed:
            for part in parts:
                self._parts.setdefault(part_range(part), []).append(part)
            for key in keys:
                name = range_of(key, digits)
                self._lacking[name] = self._lacking.get(name, 0) - 1
                if self._lacking[name] == 0 and name in self._work:
                    self._completed.append(_with_parts(self._work[name], self._parts.get(name, ())))
            self._changed.notify_all()

    def end(self) -> None:
        """No more captions will come, for whatever reason."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()

    # -- for the translator -------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Ask the captioner for no more; what is being answered still gets into the ledger."""
        self._is_stopped = True

    def feed(self, languages: Collection[str], answered: Callable[[str], None] = lambda language: None) -> Feed:
        """All complete ranges from the first on, for one graph that translates into these. answered: as in `Feed`."""
        return Feed(self, languages, answered)

    def completed(self, least: int) -> list[RangeWork]:
        """The ranges that are complete, in order: waited for until there are so many, or captioning has ended."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_over or len(self._completed) >= least)
            return list(self._completed)

    def note_asked(self, language: str, its_range: str, questions: int) -> None:
        with self._changed:
            self._asked.setdefault((language, its_range), questions)


class Feed(Here):
    """Hands complete ranges to the steps of one graph, each once for every language, in the order of the languages.

    answered: called with each language, once, as soon as all that was found to be translated into it is answered.
    """

    def __init__(
        self, captioned: Captioned, languages: Collection[str], answered: Callable[[str], None] = lambda language: None
    ) -> None:
        super().__init__()
        self._captioned, self._answered = captioned, answered
        self._handing, self._counting = threading.Lock(), threading.Lock()
        self._num_handed = dict.fromkeys(languages, 0)
        self.num_found = self.num_chars = 0
        self._num_ranges_found, self._unanswered = Counter[str](), Counter[str]()
        self._told = set[str]()

    @property
    def tickets(self) -> range:
        """The elements of the graph: as many as ranges, for each language."""
        return range(self._captioned.num_ranges * len(self._num_handed))

    def next(self) -> tuple[str, RangeWork] | None:
        """A language, and a range that is to be translated into it: waited for. None: captioning ended before that."""
        with self._handing:
            completed = self._captioned.completed(min(self._num_handed.values()) + 1)
            for language, number in self._num_handed.items():
                if number < len(completed):
                    self._num_handed[language] += 1
                    return language, completed[number]
            return None

    def note_found(self, language: str, its_range: str, texts: Sequence[str]) -> int | None:
        """What is to be translated of a range. Of how many in all, where this was the last that was handed out."""
        self._captioned.note_asked(language, its_range, len(texts))
        with self._counting:
            self.num_found += len(texts)
            self.num_chars += sum(map(len, texts))
            self._unanswered[language] += len(texts)
            self._num_ranges_found[language] += 1
            is_last = self._num_ranges_found.total() == len(self.tickets)
            is_answered = self._is_newly_answered(language)
        self._tell(language, is_answered)
        return self.num_found if is_last else None

    def note_answered(self, language: str, texts: int) -> None:
        """So many more are in the ledger."""
        with self._counting:
            self._unanswered[language] -= texts
            is_answered = self._is_newly_answered(language)
        self._tell(language, is_answered)

    def _is_newly_answered(self, language: str) -> bool:
        is_all_found = self._num_ranges_found[language] == self._captioned.num_ranges
        is_new = is_all_found and not self._unanswered[language] and language not in self._told
        self._told.update([language] if is_new else ())
        return is_new

    def _tell(self, language: str, is_answered: bool) -> None:
        if is_answered:
            self._answered(language)


def _with_parts(work: RangeWork, parts: Sequence[str]) -> RangeWork:
    """The range, with the parts that have come since it was listed."""
    listed = {folder: list(paths) for folder, paths in work.listed.items()}
    for part in parts:
        listed.setdefault(part.rpartition("/")[0], []).append(part)
    return replace(work, listed=listed)
