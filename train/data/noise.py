"""Noise on what the model reads in training: texts to be translated, and what the decoder has written so far.

Source texts, so that a translation does not lean on them alone: a model that is shown picture and text soon takes the
words from the text, and a language that was only ever translated then never learns to take them from the picture. With
some words lost, the picture has to say what they were, in every language alike (docs/emergence.md). Dropping source
words is an old regulariser of translation (Sennrich et al. 2016, arXiv 1606.02891; Caglayan et al. 2019, arXiv
1903.08678, with pictures beside).

The decoder's own words, so that it does not lean on them alone: a language that was only ever translated is captioned
wrong in a way of its own, the answer begins well and tips into another language at a word that both share ("Dos gatos
verdes a" is Spanish up to "a", and goes on in English), since in captions the words before have always told the
language. With some of those words replaced in training, the prefix and the encoder have to tell it; it did not help.
Unigram noise (Xie et al. 2017, arXiv 1703.02573): a replacement is drawn as often as the word occurs, here in the same
batch, in whatever language.
"""

from __future__ import annotations

import hashlib

import torch

LOST_WORD = "the"  # says least, and is what stands in the caption's sentence of configs/train.toml


def without_words(text: str, *, share: float, draw: tuple[int, int, str]) -> str:
    """The text with a share of its words replaced by LOST_WORD, never more than half of them: a translation of nothing
    would be a caption. share: 0 to 1, the chance of each word.

    draw: (seed, epoch, key), which decides the words: the same in any process, and others in each epoch.
    """
    words = text.split()
    drawn = hashlib.shake_256("\0".join(map(str, ("lost", *draw))).encode()).digest(4 * len(words))
    points = [int.from_bytes(drawn[4 * place : 4 * place + 4], "big") / 2**32 for place in range(len(words))]
    lowest = sorted(range(len(words)), key=points.__getitem__)[: len(words) // 2]
    lost = {place for place in lowest if points[place] < share}
    return " ".join(LOST_WORD if place in lost else word for place, word in enumerate(words))


def unigram_noise(decoder_input_ids_BT: torch.Tensor, *, share: float, num_given: int, pad: int) -> torch.Tensor:
    """The decoder's input ids with a share of the texts' tokens replaced by tokens of the batch's texts.

    share: 0 to 1, the chance of each token. num_given: ids that every row begins with and keeps, which are the start
    and the language. pad: the id that fills rows up; it stays. Draws from torch's global generator for the CPU.
    """
    is_text_BT = decoder_input_ids_BT != pad
    is_text_BT[:, :num_given] = False
    texts_N = decoder_input_ids_BT[is_text_BT]
    if not len(texts_N):
        return decoder_input_ids_BT
    drawn_N = texts_N[torch.randint(len(texts_N), texts_N.shape)]
    noisy_BT = decoder_input_ids_BT.clone()
    noisy_BT[is_text_BT] = torch.where(torch.rand(texts_N.shape) < share, drawn_N, texts_N)
    return noisy_BT
