"""Measures the two committed models on scenes that they were not trained on: `make measure`; the model cards quote it.

The captioner is asked about pictures, the translator about true captions, each alone, in single precision and greedily;
what both do together, through the pipeline and a real server, is what `make bench-playground` counts.
"""

from __future__ import annotations

import argparse

import torch
from transformers import AutoProcessor, AutoTokenizer, Florence2ForConditionalGeneration, LlamaForCausalLM

from florenz.playground import train_captioner, train_translator
from florenz.playground.train_translator import TASKS, pair, translate
from florenz.playground.translator_model import TARGETS

SEED = 1  # training used another one
MEANT = {
    "short": "alone, in the usual reading",
    "detailed": "detailed",
    "in context": "short, with the detailed one as context",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=1000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    captioner = Florence2ForConditionalGeneration.from_pretrained(train_captioner.MODEL_DIR, dtype=torch.float32)
    processor = AutoProcessor.from_pretrained(train_captioner.MODEL_DIR, backend="pil")
    shares = train_captioner.exact_share(captioner, processor, seed=SEED, scenes=options.scenes)
    for style, share in shares.items():
        print(f"captioner, {style}: {share:.1%} of {options.scenes} unseen scenes exactly right", flush=True)
    translator = LlamaForCausalLM.from_pretrained(train_translator.MODEL_DIR, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(train_translator.MODEL_DIR, padding_side="left")
    for language in TARGETS:
        for task in TASKS:
            asked = [pair(SEED, "measure", number, task, language, unseen=True) for number in range(options.scenes)]
            answers = translate(translator, tokenizer, [one.prompt(language) for one in asked])
            share = sum(answer == one.answer for answer, one in zip(answers, asked, strict=True)) / len(asked)
            print(
                f"translator, {language}, {MEANT[task]}: {share:.1%} of {options.scenes} unseen captions exactly right",
                flush=True,
            )


if __name__ == "__main__":
    main()
