"""How long filters and shards will take, measured on the images of a plan's sample: nothing is written.

Three parts of an assembly are tried on the sample's answers in this process: filtering and covering, making the shards'
pictures, and learning word alignment, which a run of this size may do and a sample never does; a large run is spread
over more processes than this one (`runners.contract.spread`). What it leaves out (the engine's own work, index,
checksums) is a tenth to a fifth.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial

from florenz.filters.alignment import FOLDS, learn_pair_model
from florenz.filters.alignment_check import MAX_PAIRS, MIN_PAIRS, NO_TABLES
from florenz.filters.chain import FilterChain
from florenz.pipeline.answers.current import CurrentAnswers
from florenz.pipeline.answers.ranges import work_of
from florenz.pipeline.assemble.alignment import is_learning
from florenz.pipeline.assemble.filtering import ImageTexts
from florenz.pipeline.assemble.graph import IMAGES_FOR_A_PROCESS
from florenz.pipeline.assemble.word_lists import lists_of
from florenz.pipeline.assemble.work import Assembly, covered, picture_of, texts_of
from florenz.pipeline.image_index import Index, read_range
from florenz.pipeline.rates import Rate
from florenz.pipeline.runners.contract import Running, spread

OWN_SHARE = 1.15  # of the engine, the index and the checksums
EACH_FURTHER = 0.64  # of what the first process does: `benchmarks.scale --two-workers`, 100,000 images


def assembly_rate(
    assembly: Assembly, index: Index, answers: CurrentAnswers, keys: Collection[str], running: Running
) -> Rate | None:
    """For a run over all images of the index; None without an image of these keys."""
    assembly = replace(assembly, concepts="")  # what is withheld takes no longer, and its table is not in OUT yet
    texts = [
        one
        for work in work_of(index, answers, keys)
        for one in texts_of(read_range(assembly.out, work.range), answers.of(work.range, work.listed).all(), assembly)
        if one.key in keys
    ]
    if not texts:
        return None
    chain = FilterChain(assembly.filters, word_lists=partial(lists_of, assembly.filters.toxicity))
    covered(texts[:1], chain, NO_TABLES, assembly)  # models are loaded once
    started = time.monotonic()
    images = covered(texts, chain, NO_TABLES, assembly)
    for image in images:
        if image.examples:
            picture_of(image, assembly)
    per_image_s = (time.monotonic() - started) / len(texts) * OWN_SHARE
    num_pairs = index.num_images * len(assembly.styles)
    learns = is_learning(assembly.filters) and num_pairs >= MIN_PAIRS
    fixed_s = learning_s(texts, assembly.languages, num_pairs) if learns else 0.0
    further = spread(running, index.num_images // IMAGES_FOR_A_PROCESS).workers - 1
    return Rate(per_s=(1 + EACH_FURTHER * further) / max(per_image_s, 1e-9), fixed_s=fixed_s, chars=0.0)


def learning_s(texts: Sequence[ImageTexts], languages: Sequence[str], num_pairs: int) -> float:
    """Of so many pairs in each language: a model for each fold from the pairs of all others, then all pairs and as many
    shuffled ones are scored, and what is kept is scored once more.
    """
    seconds = 0.0
    for language in languages:
        rows = [row for one in texts for row in one.translations.values() if row.language == language]
        pairs = [(row.source_text, row.text) for row in rows if row.source_text and row.text]
        if not pairs:
            continue
        started = time.monotonic()
        model = learn_pair_model(pairs, language)
        learned = time.monotonic()
        model.features(pairs)
        scored = time.monotonic()
        learned_from = min(num_pairs, MAX_PAIRS)
        seconds += (learned - started) * (FOLDS - 1) * learned_from / len(pairs)
        seconds += (scored - learned) * (2 * learned_from + num_pairs) / len(pairs)
    return seconds
