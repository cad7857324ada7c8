"""Noise on what the decoder has written so far, so that it does not lean on it alone.

A language that was only ever translated is captioned wrong in a way of its own: the answer begins well and tips into
another language at a word that both share ("Dos gatos verdes a" is Spanish up to "a", and goes on in English), since in
captions the words before have always told the language. With some of those words replaced in training, the prefix
and the encoder have to tell it; docs/emergence.md says whether that helps. Unigram noise (Xie et al. 2017,
arXiv 1703.02573): a replacement is drawn as often as the word occurs, here in the same batch, in whatever language.
"""

from __future__ import annotations

import torch


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
