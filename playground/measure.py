"""Measures the two committed models on scenes that they were not trained on: `make measure`; the model cards quote it.

The captioner is asked about pictures, the translator about true captions, each alone, in single precision and greedily;
what both do together, through the pipeline and a real server, is what `make bench-playground` counts.
"""

from __future__ import annotations

import argparse

import torch
from transformers import AutoProcessor, AutoTokenizer, Florence2ForConditionalGeneration, LlamaForCausalLM

from florenz.playground import train_captioner, train_translator
from florenz.playground.captions import STYLES, state
from florenz.playground.scene import Scene, is_unseen, random_for, sample_scene, usual_reading
from florenz.playground.translator_model import TARGETS, prompt_of

BATCH_SIZE = 100
SEED = 1  # training used another one


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=1000)
    options = parser.parse_args()
    model = Florence2ForConditionalGeneration.from_pretrained(train_captioner.MODEL_DIR, dtype=torch.float32)
    processor = AutoProcessor.from_pretrained(train_captioner.MODEL_DIR, backend="pil")
    shares = train_captioner.exact_share(model, processor, seed=SEED, scenes=options.scenes)
    for style, share in shares.items():
        print(f"captioner, {style}: {share:.1%} of {options.scenes} unseen scenes exactly right", flush=True)
    for is_ambiguous in (False, True):
        for language, style_shares in translator_shares(options.scenes, is_ambiguous).items():
            kind = "ambiguous (usual sense)" if is_ambiguous else "unambiguous"
            told = ", ".join(f"{style} {share:.1%}" for style, share in style_shares.items())
            print(f"translator, {kind}, {language}: {told} of {options.scenes} unseen captions", flush=True)


@torch.inference_mode()
def translator_shares(captions: int, is_ambiguous: bool) -> dict[str, dict[str, float]]:
    """language -> style -> share of greedy translations exactly right, an ambiguous noun being in its usual sense."""
    model = LlamaForCausalLM.from_pretrained(train_translator.MODEL_DIR, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(train_translator.MODEL_DIR, padding_side="left")
    shares: dict[str, dict[str, float]] = {language: {} for language in TARGETS}
    for style in STYLES:
        scenes = [_unseen_caption(number, style, is_ambiguous) for number in range(captions)]
        for language in TARGETS:
            right = 0
            for start in range(0, captions, BATCH_SIZE):
                batch = scenes[start : start + BATCH_SIZE]
                prompts = [prompt_of(state(scene, "en", style), language) for scene in batch]
                inputs = tokenizer(prompts, padding=True, return_tensors="pt")
                ids = model.generate(
                    inputs.input_ids, attention_mask=inputs.attention_mask, max_new_tokens=128, do_sample=False
                )
                answers = tokenizer.batch_decode(ids[:, inputs.input_ids.shape[1] :], skip_special_tokens=True)
                wanted = [state(scene, language, style) for scene in batch]
                right += sum(answer == text for answer, text in zip(answers, wanted, strict=True))
            shares[language][style] = right / captions
    return shares


def _unseen_caption(number: int, style: str, is_ambiguous: bool) -> Scene:
    """A scene whose English caption the translator was never trained on."""
    rng = random_for(SEED, "measure", style, number)
    while True:
        scene = sample_scene(rng)
        if scene.is_ambiguous is is_ambiguous and is_unseen(state(scene, "en", style)):
            return usual_reading(scene)


if __name__ == "__main__":
    main()
