"""What a run measured of its models, step by step: the server's own word and our own counts, put together."""

from __future__ import annotations

from collections.abc import Sequence

from florenz.pipeline.answers.busy import Busy, together
from florenz.reports.loads import ModelLoad
from florenz.translators.load import ServerLoad

PLACES = 3


def model_load(
    step: str, model: str, seconds: float, notes: Sequence[Busy], served: ServerLoad | None = None, *, is_shared: bool
) -> ModelLoad:
    """notes: of the workers. served: what its servers said, None for nothing. is_shared: whether the workers ask the
    same servers, or each has a model of its own.
    """
    ours = together(notes, seconds, is_shared=is_shared)
    answer, prompt = (ours.answer_tokens, ours.prompt_tokens) if ours else (0, 0)
    if served is not None and not answer:  # a server that counts in its metrics and not in its replies
        answer, prompt = served.answer_tokens, served.prompt_tokens
    return ModelLoad(
        step=step,
        model=model,
        seconds=round(seconds, 2),
        tokens_per_s=_per_s(answer, seconds),
        asked_tokens_per_s=_per_s(prompt, seconds),
        in_flight=round(ours.in_flight, PLACES) if ours else None,
        running=round(served.running, PLACES) if served else None,
        queued=round(served.queued, PLACES) if served else None,
        idle=_idle(served.idle if served else ours.idle if ours else None),
    )


def _per_s(tokens: int, seconds: float) -> float | None:
    return round(tokens / seconds, PLACES) if tokens and seconds > 0 else None


def _idle(share: float | None) -> float | None:
    return None if share is None else round(share, PLACES)
