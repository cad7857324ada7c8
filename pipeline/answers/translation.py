"""Step 3, translate: English caption -> one text per target language, from a vLLM server, through Beam's RunInference.

The room `translators/` knows how to ask; this file knows what is asked and puts the answers into the ledger, request by
request, as they come back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from apache_beam.ml.inference.base import ModelHandler

from florenz.limits.table import Limits
from florenz.pipeline.answers.ledger import Ledger, TranslationRow
from florenz.pipeline.answers.questions import TranslationTask
from florenz.pipeline.progress import ProgressAddress, advance, count
from florenz.translators.answer import Answer
from florenz.translators.client import Client, Keep
from florenz.translators.endpoint import DEFAULTS, ServerError, check_endpoint
from florenz.translators.settings import TranslatorSettings
from florenz.translators.shared_server import SharedServer


class ServerHere:
    """Translations from the server of the worker's own machine, which is started again when it has died.

    Settings travel; the server is looked for, or started, where a worker loads its model.
    """

    def __init__(self, settings: TranslatorSettings, limits: Limits) -> None:
        self._settings, self._limits, self._server = settings, limits, SharedServer(settings)
        self._client = self._connect()

    def translate(self, texts: Sequence[str], language: str, keep: Keep) -> list[Answer]:
        """As `Client.translate`. ServerError when the server lives and fails, or has died too often."""
        while True:
            client = self._client
            try:
                return client.translate(texts, language, keep)
            except ServerError:
                if self._lives(client):
                    raise
                self._client = self._connect()

    def _connect(self) -> Client:
        return Client(self._server.endpoint(), self._settings.model, self._settings, limits=self._limits)

    def _lives(self, client: Client) -> bool:
        try:
            check_endpoint(client.endpoint, client.model, limits=self._limits)
        except ServerError:
            return False
        return True


class TranslationHandler(ModelHandler[TranslationTask, TranslationRow, "Client | ServerHere"]):
    """What RunInference needs to know about translating.

    endpoint: of a server that is up when the graph starts; empty for one on each worker's own machine.
    """

    def __init__(
        self,
        settings: TranslatorSettings,
        *,
        endpoint: str,
        out: str,
        fingerprint: str,
        progress: ProgressAddress,
        limits: Limits = DEFAULTS,
    ) -> None:
        super().__init__()
        self._settings, self._endpoint, self._limits = settings, endpoint, limits
        self._out, self._fingerprint, self._progress = out, fingerprint, progress

    def load_model(self) -> Client | ServerHere:
        if not self._endpoint:
            return ServerHere(self._settings, self._limits)
        return Client(self._endpoint, self._settings.model, self._settings, limits=self._limits)

    def batch_elements_kwargs(self) -> Mapping[str, Any]:
        """As many at once as keep all requests in flight busy."""
        size = self._settings.prompts_per_request * self._settings.max_in_flight
        return {"min_batch_size": size, "max_batch_size": size}

    def run_inference(
        self, batch: Sequence[TranslationTask], model: Client | ServerHere, inference_args: dict[str, Any] | None = None
    ) -> Iterable[TranslationRow]:
        by_language: dict[str, list[TranslationTask]] = defaultdict(list)
        for task in batch:
            by_language[task.language].append(task)
        rows: list[TranslationRow] = []
        for language, tasks in sorted(by_language.items()):
            keep = partial(self._keep, tasks)
            answers = model.translate([task.source_text for task in tasks], language, keep)
            rows += [_row(task, answer) for task, answer in zip(tasks, answers, strict=True)]
            count("translate", len(tasks))
        return rows

    def _keep(self, tasks: Sequence[TranslationTask], place: int, answers: Sequence[Answer]) -> None:
        """Answers to the tasks from this place on: into the ledger with them."""
        answered = [_row(task, answer) for task, answer in zip(tasks[place:], answers, strict=False)]
        Ledger(self._out).append_translations(tasks[place].language, self._fingerprint, answered)
        advance(self._progress, "translate", len(answered))


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
