"""`make retry`: what was rejected is forgotten, so that the run that follows asks for it again, and for nothing else.

Three kinds of rejects have a second chance: an item that got a reason instead of an answer (in the ledger), an answer
that a filter dropped (in the rejects of the current build), and an image that could not be read while the shards were
written. Everything else was decided by the recipe or by the bytes of the image, and would come out the same again.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import partial

from florenz.languages.codes import SOURCE
from florenz.pipeline.answers.ledger import CaptionRow, Ledger, TranslationRow
from florenz.pipeline.answers.makers import style_fingerprints, translator_fingerprint
from florenz.pipeline.assemble.coverage import PLACES_IN_HELDOUT_LANGUAGE
from florenz.pipeline.assemble.graph import rejects_path
from florenz.pipeline.assemble.rejects import Reject, read_rejects
from florenz.pipeline.recipe import Recipe
from florenz.recipes.recipe_file import RecipeError
from florenz.shards.manifest import ManifestError, read_manifest

ALL = "all"
UNREADABLE = "unreadable_file"


@dataclass(frozen=True, kw_only=True)
class Retried:
    """How many answers were forgotten, and how many images that could not be read are to be read again."""

    captions: int
    translations: int
    images: int
    rephrasings: int = 0

    def __str__(self) -> str:
        numbers = {
            "captions": self.captions,
            "translations": self.translations,
            "rephrasings": self.rephrasings,
            "images": self.images,
        }
        found = [f"{number} {what}" for what, number in numbers.items() if number]
        return ", ".join(found) or "nothing: nothing that was rejected can be asked again"


def forget_rejected(recipe: Recipe, ledger: Ledger, reason: str) -> Retried:
    """Forget what was rejected for this reason, or for any with `ALL`, under the recipe's models and languages.

    Raises:
        RecipeError: nothing was rejected for this reason; the reasons that there are stand in the message.
    """
    rejects = [reject for reject in _rejects(recipe.out) if _may_differ(reject)]
    reasons = Counter(reject.reason for reject in rejects)
    dropped_texts = {
        (reject.key, reject.style, reject.language, reject.text) for reject in rejects if reason in (ALL, reject.reason)
    }
    images = {reject.key for reject in rejects if reject.step == "write" and reason in (ALL, reject.reason)}

    def is_dropped(row: CaptionRow | TranslationRow, prefix: str = "") -> bool:
        reasons[row.reason] += bool(row.reason)
        if row.reason:
            return reason in (ALL, row.reason)
        language = row.language if isinstance(row, TranslationRow) else SOURCE
        return (row.key, prefix + row.style, language, row.text) in dropped_texts

    captions = sum(
        ledger.forget_captions(fingerprint, partial(is_dropped, prefix=captioner.prefix))
        for captioner in recipe.captioners
        for fingerprint in dict.fromkeys(style_fingerprints(captioner).values())
    )
    translations = sum(
        ledger.forget_translations(language, translator_fingerprint(recipe, translator.settings), is_dropped)
        for language in recipe.languages
        for translator in recipe.translators_of(language)
    )
    rephrasings = sum(
        ledger.forget_translations(language, translator_fingerprint(recipe, rephraser.settings), is_dropped)
        for language in recipe.languages
        if (rephraser := recipe.rephraser_of(language)) is not None
    )
    retried = Retried(captions=captions, translations=translations, images=len(images), rephrasings=rephrasings)
    if reason != ALL and retried == Retried(captions=0, translations=0, images=0):
        raise RecipeError([_nothing_for(reason, reasons)])
    return retried


def _rejects(out: str) -> list[Reject]:
    """Those of the current build; none without one."""
    try:
        return read_rejects(rejects_path(out, read_manifest(out).build))
    except (ManifestError, FileNotFoundError):
        return []


def _may_differ(reject: Reject) -> bool:
    if reject.step == "write":
        return reject.reason == UNREADABLE
    if reject.step == "rephrase":
        return bool(reject.text)  # one without a text stands in the ledger, with its reason
    return reject.step == "filter" or reject.reason == PLACES_IN_HELDOUT_LANGUAGE


def _nothing_for(reason: str, reasons: Counter[str]) -> str:
    known = ", ".join(f"{known} ({number})" for known, number in reasons.most_common() if number)
    return f"REASON: nothing that can be asked again was rejected for '{reason}'; reasons here: {known or 'none'}"
