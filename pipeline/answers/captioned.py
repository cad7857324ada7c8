"""What has been captioned so far, for a translator that works beside the captioner, in the same process.

Captioning goes range by range, in an order that the runner decides. As soon as every answer about a range is in the
ledger, the range is handed on, so a translator sees the captions that it would have seen later, in all styles: order
and company decide no question. The ledger remains the only thing that counts; what stands here is lost with the
process, and the next run finds the same ranges by looking.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
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
        self._asked: dict[str, int] = {}

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

    def feed(self, answered: Callable[[str], None] = lambda language: None) -> Feed:
        """All complete ranges from the first on, for one graph. answered: as in `Feed`."""
        return Feed(self, answered)

    def completed(self, number: int) -> list[RangeWork]:
        """The range that was completed as this one, from 0 on: waited for. Once captioning has ended, it and all that
        were completed later; none if there are no such.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._is_over or len(self._completed) > number)
            return self._completed[number:] if self._is_over else [self._completed[number]]

    def note_asked(self, its_range: str, questions: int) -> None:
        with self._changed:
            self._asked.setdefault(its_range, questions)


class Feed(Here):
    """Hands complete ranges to the steps of one graph, each once.

    answered: called with each language, once, as soon as all that was found to be translated into it is answered.
    """

    def __init__(self, captioned: Captioned, answered: Callable[[str], None] = lambda language: None) -> None:
        super().__init__()
        self._captioned, self._answered = captioned, answered
        self._handing, self._counting = threading.Lock(), threading.Lock()
        self._next = self.num_found = self.num_chars = 0
        self._ranges_found, self._told = set[str](), set[str]()
        self._unanswered: Counter[str] = Counter()

    @property
    def tickets(self) -> range:
        """The elements of the graph: as many as ranges."""
        return range(self._captioned.num_ranges)

    def next(self) -> list[RangeWork]:
        """Waits for a range. All that are left, once captioning has ended; none: it ended before more were complete."""
        with self._handing:
            found = self._captioned.completed(self._next)
            self._next += len(found)
            return found

    def note_found(self, its_range: str, texts: Mapping[str, Sequence[str]]) -> int | None:
        """What is to be translated in a range: language -> texts. Of how many in all, where this was the last range."""
        number = sum(map(len, texts.values()))
        self._captioned.note_asked(its_range, number)
        with self._counting:
            self.num_found += number
            self.num_chars += sum(len(text) for several in texts.values() for text in several)
            self._unanswered.update({language: len(several) for language, several in texts.items()})
            self._ranges_found.add(its_range)
            answered = self._newly_answered()
        self._tell(answered)
        return self.num_found if self._is_all_found else None

    def note_answered(self, language: str, texts: int) -> None:
        """So many more are in the ledger."""
        with self._counting:
            self._unanswered[language] -= texts
            answered = self._newly_answered()
        self._tell(answered)

    @property
    def _is_all_found(self) -> bool:
        return len(self._ranges_found) == self._captioned.num_ranges

    def _newly_answered(self) -> list[str]:
        if not self._is_all_found:
            return []
        new = [one for one, left in self._unanswered.items() if left == 0 and one not in self._told]
        self._told.update(new)
        return new

    def _tell(self, languages: Iterable[str]) -> None:
        for language in languages:
            self._answered(language)


def _with_parts(work: RangeWork, parts: Sequence[str]) -> RangeWork:
    """The range, with the parts that have come since it was listed."""
    listed = {folder: list(paths) for folder, paths in work.listed.items()}
    for part in parts:
        listed.setdefault(part.rpartition("/")[0], []).append(part)
    return replace(work, listed=listed)
