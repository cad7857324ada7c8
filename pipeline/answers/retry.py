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
from florenz.pipeline.answers.dropped import DroppedTexts
from florenz.pipeline.answers.ledger import CaptionRow, Ledger, TranslationRow
from florenz.pipeline.answers.makers import (
    candidate_settings,
    score_fingerprint,
    style_fingerprints,
    translator_fingerprint,
)
from florenz.pipeline.assemble.coverage import PLACES_IN_HELDOUT_LANGUAGE
from florenz.pipeline.assemble.graph import rejects_path
from florenz.pipeline.assemble.rejects import Reject, iter_rejects
from florenz.pipeline.assemble.score_rules import NOT_SCORED
from florenz.pipeline.recipe import Recipe
from florenz.pipeline.scored import asking_again
from florenz.recipes.recipe_file import RecipeError
from florenz.shards.manifest import ManifestError, read_manifest
from florenz.stores import files

ALL = "all"
UNREADABLE = "unreadable_file"


@dataclass(frozen=True, kw_only=True)
class Retried:
    """How many answers were forgotten, and how many images that could not be read are to be read again."""

    captions: int
    translations: int
    images: int
    rephrasings: int = 0
    scores: int = 0

    def __str__(self) -> str:
        numbers = {
            "captions": self.captions,
            "translations": self.translations,
            "rephrasings": self.rephrasings,
            "scores": self.scores,
            "images": self.images,
        }
        found = [f"{number} {what}" for what, number in numbers.items() if number]
        return ", ".join(found) or "nothing: nothing that was rejected can be asked again"


def forget_rejected(recipe: Recipe, ledger: Ledger, reason: str) -> Retried:
    """Forget what was rejected for this reason, or for any with `ALL`, under the recipe's models and languages.

    Raises:
        RecipeError: nothing was rejected for this reason; the reasons that there are stand in the message.
    """

    def is_meant(reject: Reject) -> bool:
        return _may_differ(reject) and reason in (ALL, reject.reason)

    path = _rejects(recipe.out)
    dropped, images = DroppedTexts(path, is_meant), set[str]()
    reasons = Counter[str]()
    for reject in iter_rejects(path) if path else ():
        reasons[reject.reason] += _may_differ(reject)
        if reject.step == "write" and is_meant(reject):
            images.add(reject.key)

    def is_dropped(row: CaptionRow | TranslationRow, prefix: str = "") -> bool:
        reasons[row.reason] += bool(row.reason)
        if row.reason:
            return reason in (ALL, row.reason)
        language = row.language if isinstance(row, TranslationRow) else SOURCE
        return dropped.hold(row.key, prefix + row.style, language, row.text)

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
    if (again := asking_again(recipe.scorers)) is not None:
        translations += sum(
            ledger.forget_translations(language, translator_fingerprint(recipe, settings), is_dropped)
            for language in recipe.languages
            for translator in recipe.translators_of(language)
            for settings in candidate_settings(translator.settings, again[1])
        )
    rephrasings = sum(
        ledger.forget_translations(language, translator_fingerprint(recipe, rephraser.settings), is_dropped)
        for language in recipe.languages
        if (rephraser := recipe.rephraser_of(language)) is not None
    )
    scores = sum(
        ledger.forget_scores(what, score_fingerprint(scorer), lambda row: bool(row.reason))
        for what, scorer in recipe.scorers.items()
        if reason in (ALL, NOT_SCORED)
    )
    retried = Retried(
        captions=captions, translations=translations, images=len(images), rephrasings=rephrasings, scores=scores
    )
    if reason != ALL and retried == Retried(captions=0, translations=0, images=0):
        raise RecipeError([_nothing_for(reason, reasons)])
    return retried


def _rejects(out: str) -> str | None:
    """The file of the current build; None without one."""
    try:
        path = rejects_path(out, read_manifest(out).build)
    except ManifestError:
        return None
    return path if files.exists(path) else None


def _may_differ(reject: Reject) -> bool:
    if reject.step == "write":
        return reject.reason == UNREADABLE
    if reject.step == "rephrase":
        return bool(reject.text)  # one without a text stands in the ledger, with its reason
    if reject.reason == NOT_SCORED:
        return False  # it is its score that is asked for again
    return reject.step == "filter" or reject.reason == PLACES_IN_HELDOUT_LANGUAGE


def _nothing_for(reason: str, reasons: Counter[str]) -> str:
    known = ", ".join(f"{known} ({number})" for known, number in reasons.most_common() if number)
    return f"REASON: nothing that can be asked again was rejected for '{reason}'; reasons here: {known or 'none'}"
