"""A translator during a run: the servers that the recipe names, or one of our own that lives while it is needed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from florenz.limits.table import Limits
from florenz.pipeline.routing import Translator, languages_of
from florenz.recipes.recipe_file import RecipeError
from florenz.translators.client import Client
from florenz.translators.endpoint import ServerError, check_endpoint
from florenz.translators.kernels import check_kernels
from florenz.translators.server import Server

USUAL_CACHE_GIB = 1.0  # of a server on a CPU, unless the recipe says


class Serving:
    """`is_local`: whether the workers are on this machine. Elsewhere each worker machine starts a server of its own."""

    def __init__(self, translator: Translator, log: Path, *, is_local: bool, limits: Limits) -> None:
        self.translator = translator
        self._server = Server(translator.settings, log)
        self._is_ours = is_local and not translator.running_servers
        self._limits = limits
        self._is_proved = False
        self.counts_tokens = True  # unless its servers, when they were proved, said no number of them
        self._knows_kernels = False
        self._launched: float | None = None

    def start(self) -> None:
        """Unless it runs, or is none of ours. One that can't compute would show that a minute from now, without why.

        Raises RecipeError.
        """
        if not self._is_ours:
            return
        if not self._knows_kernels:
            try:
                check_kernels()
            except ServerError as problem:
                raise RecipeError([str(problem)]) from problem
            self._knows_kernels = True
        if not self._server.is_alive():
            self._launched = time.monotonic()
        self._server.start()

    @property
    def seconds_since_start(self) -> float:
        """Of our server, also those in which nobody waited for it; 0 where it is none of ours."""
        return 0.0 if self._launched is None else time.monotonic() - self._launched

    @property
    def is_ours(self) -> bool:
        """Whether we start its server, on this machine."""
        return self._is_ours

    def endpoints(
        self, tell: Callable[[str], None] | None = None, look: Callable[[], None] | None = None
    ) -> tuple[str, ...]:
        """Of servers that are up; none where each worker machine has its own. tell: called with each phase of a start;
        look: now and then meanwhile, and what it raises ends the wait.

        Raises:
            RecipeError: our server never came up, which is a fault of recipe or machine; one that breaks later is not.
            ServerError: it did not come up again.
        """
        if not self._is_ours:
            return self.translator.running_servers
        try:
            self._server.wait_ready(tell=tell, look=look)
        except ServerError as problem:
            if self._server.num_restarts:
                raise
            raise RecipeError([f"{problem}; mend what it names, or name a running server as ENDPOINT"]) from problem
        return (self._server.endpoint,)

    def prove(self, endpoints: Sequence[str], languages: tuple[str, ...]) -> list[str]:
        """One real question to each server, once in a run; what those said that failed, while another answers.

        Raises:
            RecipeError: one answers nothing; what others answer beside it would be mixed with its silence.
            ServerError: all fail.
        """
        from florenz.pipeline.answers.first_batch import NoWord, prove_translators

        if self._is_proved or not endpoints:
            return []
        settings, served = self.translator.settings, languages_of(self.translator, languages)
        clients = [Client(endpoint, settings.model, settings, limits=self._limits) for endpoint in endpoints]
        try:
            failed = prove_translators(clients, served)
        except NoWord as problem:
            raise RecipeError([str(problem)]) from problem
        self._is_proved = True
        self.counts_tokens = any(client.stats.tokens for client in clients)
        return failed

    def can_be_mended(self) -> bool:
        """Whether it is our server, and does not answer. Asked of the server itself: a process that has just crashed is
        still there for a moment.
        """
        if not self._is_ours:
            return False
        try:
            check_endpoint(self._server.endpoint, self.translator.settings.model, limits=self._limits)
        except ServerError:
            return True
        return False

    def restart(self) -> None:
        """Raises ServerError when that was too often."""
        self._launched = time.monotonic()
        self._server.restart()

    def stop(self) -> None:
        self._server.stop()

    @property
    def num_cores(self) -> int | None:
        """Cores that our server computes on, if the machine has no GPU; 0 where it is none of ours, None for all."""
        return self.translator.settings.cpu_threads if self._is_ours else 0

    @property
    def bytes_to_come(self) -> int:
        """What our server has promised itself and may not have touched when it is up: its cache."""
        if not self._is_ours:
            return 0
        cache_gib = self.translator.settings.kv_cache_gib
        return int((USUAL_CACHE_GIB if cache_gib is None else cache_gib) * 2**30)
