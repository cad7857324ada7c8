"""Step 3, translate: English caption -> one text per target language, from a vLLM server.

The room `translators/` knows how to ask; this file knows what is asked and puts the answers into the ledger, request by
request, as they come back. It is a step of its own and not Beam's RunInference, which asks batch by batch and waits for
all of one before it goes on: the server would run empty at the end of each.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import apache_beam as beam

from florenz.limits.table import Limits
from florenz.pipeline.answers.busy import Meter, leave
from florenz.pipeline.answers.captioned import Feed
from florenz.pipeline.answers.first_batch import FirstTranslations, NoWord, prove_translator, said_to_texts
from florenz.pipeline.answers.ledger import Ledger, TranslationRow
from florenz.pipeline.answers.questions import TranslationTask
from florenz.pipeline.budget import UNLIMITED, Budget
from florenz.pipeline.progress import ProgressAddress, advance, count
from florenz.translators.answer import Answer
from florenz.translators.client import Client
from florenz.translators.endpoint import DEFAULTS, ServerError, check_endpoint
from florenz.translators.settings import TranslatorSettings
from florenz.translators.shared_server import SharedServer
from florenz.translators.stream import Asker, Question, Stream


class Translate(beam.DoFn):
    """Asks for each task; what comes back is in the ledger, at the latest when Beam's bundle ends.

    The window of questions in flight lives as long as the worker's copy of this step; a stream that has failed is made
    anew for the bundle that Beam tries next.

    endpoints: of servers that are up when the graph starts; none: the server of the worker's own machine, which is
    looked for, or started, by the first worker that needs it, and started again when it has died. digits: of the ranges
    that the ledger is written for. feed: where the questions come from, told of what is answered.
    """

    def __init__(
        self,
        settings: TranslatorSettings,
        *,
        endpoints: Sequence[str],
        out: str,
        fingerprint: str,
        progress: ProgressAddress,
        limits: Limits = DEFAULTS,
        budget: Budget = UNLIMITED,
        digits: int = 0,
        step: str = "translate",
        feed: Feed | None = None,
    ) -> None:
        super().__init__()
        self._budget, self._digits, self._step, self._feed = budget, digits, step, feed
        self._settings, self._endpoints, self._limits = settings, tuple(endpoints), limits
        self._out, self._fingerprint, self._progress = out, fingerprint, progress
        self._stream: Stream | None = None

    def setup(self) -> None:
        self._first = FirstTranslations(self._settings.model, self._said_to_texts)
        settings, limits = self._settings, self._limits
        self._shared_server = None if self._endpoints else SharedServer(settings)
        self._is_proved = self._shared_server is None
        own = () if self._shared_server is None else (self._shared_server.endpoint(),)
        self._clients = [
            Client(endpoint, settings.model, settings, limits=limits) for endpoint in self._endpoints or own
        ]

    def start_bundle(self) -> None:
        self.teardown()
        self._meter, self._counted_before = Meter(), self._counted()
        self._stream = Stream(
            self._clients, self._keep, replace=self._started_again, in_flight=self._meter.add
        ).__enter__()
        self._num_asked = 0

    def process(self, task: TranslationTask) -> None:
        assert self._stream is not None, "Beam starts a bundle before it hands out its elements"
        if self._budget.is_used_up(sum(client.stats.tokens for client in self._clients)):
            return  # unasked, and so missing when the same command runs again
        self._prove(task.language)
        self._num_asked += 1
        self._stream.put(Question(text=task.source_text, language=task.language, context=task.context, tag=task))

    def finish_bundle(self) -> None:
        assert self._stream is not None
        self._stream.drain()
        count(self._step, self._num_asked)
        self.teardown()
        counted = {name: number - self._counted_before[name] for name, number in self._counted().items()}
        leave(self._out, self._step, self._meter.busy(**counted))

    def teardown(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def _prove(self, language: str) -> None:
        """A question before the first that counts, to this machine's own server; the launcher has asked all others.
        Raises ServerError where there is no word in the answers; a server that is gone is the stream's to replace.
        """
        if self._is_proved:
            return
        try:
            prove_translator(self._clients[0], [language])
        except NoWord as problem:
            raise ServerError(str(problem)) from problem
        except ServerError:
            return
        self._is_proved = True

    def _said_to_texts(self, language: str) -> list[set[str]]:
        return [said_to_texts(client, language) for client in self._clients]

    def _counted(self) -> dict[str, int]:
        """Tokens, as the servers say, since this copy of the step began."""
        stats = [client.stats for client in self._clients]
        return {
            "answer_tokens": sum(one.completion_tokens for one in stats),
            "prompt_tokens": sum(one.prompt_tokens for one in stats),
        }

    def _started_again(self, lost: Asker, problem: ServerError) -> Client | None:
        """The machine's own server, where it has died. ServerError when that was too often."""
        if self._shared_server is None or self._lives(lost):
            return None
        settings, limits = self._settings, self._limits
        before = self._clients[0].stats
        self._clients = [Client(self._shared_server.endpoint(), settings.model, settings, limits=limits)]
        self._clients[0].stats.add(completion_tokens=before.completion_tokens, prompt_tokens=before.prompt_tokens)
        return self._clients[0]

    def _lives(self, asker: Asker) -> bool:
        try:
            settings = self._settings
            check_endpoint(asker.endpoint, settings.model, limits=self._limits, key_variable=settings.key_variable)
        except ServerError:
            return False
        return True

    def _keep(self, questions: Sequence[Question], answers: Sequence[Answer]) -> None:
        """Into the ledger with them, each into its language's folder."""
        self._first.check(questions, answers)
        rows: dict[str, list[TranslationRow]] = defaultdict(list)
        for question, answer in zip(questions, answers, strict=True):
            rows[question.language].append(_row(question.tag, answer))
        for language, answered in rows.items():
            Ledger(self._out, self._digits).append_translations(language, self._fingerprint, answered)
            if self._feed is not None:
                self._feed.note_answered(language, len(answered))
        advance(self._progress, self._step, len(answers))


def _row(task: TranslationTask, answer: Answer) -> TranslationRow:
    return TranslationRow(
        key=task.key,
        style=task.style,
        language=task.language,
        source_text=task.source_text,
        text=None if answer.reason else answer.text,
        finish_reason=answer.finish_reason,
        reason=answer.reason,
        detail=answer.detail,
    )
