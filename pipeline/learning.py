"""When a run learns its alignment tables ahead of the assembly, and from what (`assemble/ahead.py`)."""

from __future__ import annotations

from functools import partial

from florenz.filters.alignment import Pair
from florenz.filters.alignment_check import AlignmentTable, learn_table
from florenz.filters.settings import language_and_fingerprint
from florenz.pipeline.answers.current import CurrentAnswers
from florenz.pipeline.answers.ledger import CaptionRow, TranslationRow
from florenz.pipeline.answers.makers import Makers
from florenz.pipeline.answers.ranges import work_of
from florenz.pipeline.assemble.ahead import LearnedAhead
from florenz.pipeline.assemble.alignment import is_learning, pairs_of
from florenz.pipeline.assemble.build import assembly_of
from florenz.pipeline.assemble.work import Assembly
from florenz.pipeline.beside import MARGIN_BYTES, free_bytes
from florenz.pipeline.image_index import Index
from florenz.pipeline.recipe import Recipe

MAX_IMAGES = 20_000
"""The ledger is read once more for what is learned ahead, and so much more of it that beyond this nothing is gained."""
LEARNING_BYTES = 2 << 30  # of two directions at once, a gigabyte each at most


def learning_ahead(recipe: Recipe, makers: Makers, index: Index, answers: CurrentAnswers) -> LearnedAhead | None:
    """None where there is nothing to learn, or where the translator has not the last word on what is learned from."""
    filters = recipe.filters
    is_wanted = filters.alignment == "learn" and is_learning(filters) and index.num_images <= MAX_IMAGES
    if not is_wanted or recipe.rephrasers or recipe.scorers:
        return None
    assembly = assembly_of(recipe, makers)
    return LearnedAhead(partial(_learned, assembly=assembly, index=index, answers=answers))


def _learned(language: str, assembly: Assembly, index: Index, answers: CurrentAnswers) -> AlignmentTable | None:
    """From what the ledger has now; nothing beside models that leave no memory for it, nor where a table is kept."""
    kept = {language_and_fingerprint(name)[0] for name in assembly.filters.alignment_tables}
    free = free_bytes()
    if language in kept or (free is not None and free < LEARNING_BYTES + MARGIN_BYTES):
        return None
    pairs: list[Pair] = []
    for work in work_of(index, answers):
        here = answers.of(work.range, work.listed)
        rows: list[CaptionRow | TranslationRow] = [*here.captions().values(), *here.all_translations(language)]
        answers.ledger.damaged += here.ledger.damaged  # set aside now, so nobody after us could tell
        pairs += pairs_of(work.images(assembly.out), rows, [language]).get(language, [])
    return learn_table(pairs, language)
