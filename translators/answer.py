"""What comes back for one source text: a translation, or the reason why there is none."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One cleaned answer. `reason` is empty exactly when the model answered.

    Reasons: `translator_refused` (the server rejects this prompt, as one that is too long), `translator_failed` (it
    breaks on this prompt alone), `translator_bad_reply` (what it returns for this prompt can't be read). They are the
    item's own fault: the server answered a harmless prompt right after, so that asking again would bring the same.
    """

    text: str
    finish_reason: str = ""  # the server's word: "stop", or "length" when max_tokens cut the text off
    reason: str = ""
    detail: str = ""  # of a reason; of a translation, by which way it was got where that is not the usual one
