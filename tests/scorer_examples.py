"""Scorers in miniature: the real architectures with random weights. What they say is noise, how they say it is not."""

from pathlib import Path

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import (
    MT5Config,
    MT5ForConditionalGeneration,
    PreTrainedTokenizerFast,
    SiglipConfig,
    SiglipImageProcessor,
    SiglipModel,
    T5Tokenizer,
)

from florenz.scorers.metricx import Settings as MetricXSettings
from florenz.scorers.siglip import Settings as SigLIPSettings

LETTERS = "abcdefghijklmnopqrstuvwxyzäöüßABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:;!?'-éèàçê"
NUM_SENTINELS = 20
MIDDLE, SPREAD = 12.0, 4.0
PROBES = ("source: A red car. candidate: Ein rotes Auto.", "source: A dog. candidate: Un chien", "source: a")


class Untied(MT5ForConditionalGeneration):
    """With a last layer of its own, as MetricX has in its files; transformers 5 would save the word embeddings."""

    _tied_weights_keys = {
        "encoder.embed_tokens.weight": "shared.weight",
        "decoder.embed_tokens.weight": "shared.weight",
    }


def save_metricx(folder: Path, *, name: str = "metricx") -> Path:
    """Scores lie about the middle of the scale, and differ from text to text."""
    torch.manual_seed(5)
    vocab = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), *((letter, -3.0) for letter in LETTERS)]
    vocab += [(f"<extra_id_{number}>", 0.0) for number in range(NUM_SENTINELS - 1, -1, -1)]
    tokenizer = T5Tokenizer(vocab=vocab, extra_ids=NUM_SENTINELS)
    config = MT5Config(
        vocab_size=128, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_decoder_layers=2, num_heads=4,
        tie_word_embeddings=False, decoder_start_token_id=0,
    )  # fmt: skip
    model = Untied(config).eval()
    with torch.no_grad():
        for weights in model.parameters():
            if weights.dim() > 1:
                weights.normal_(std=0.3)
        states = torch.stack([_last_state(model, tokenizer, probe) for probe in PROBES])
        mean, differing = states.mean(0), states[0] - states[1]
        across = differing - mean * (differing @ mean) / (mean @ mean)
        row = MIDDLE * mean / (mean @ mean) + SPREAD * across / (across @ across)
        model.lm_head.weight[tokenizer.convert_tokens_to_ids("<extra_id_10>")] = row
    path = folder / name
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    assert "lm_head.weight" in load_file(path / "model.safetensors")
    return path


def _last_state(model: Untied, tokenizer: T5Tokenizer, text: str) -> torch.Tensor:
    ids = torch.tensor([tokenizer(text, add_special_tokens=False)["input_ids"]])
    return model(input_ids=ids, decoder_input_ids=torch.zeros((1, 1), dtype=torch.long), output_hidden_states=True)[
        "decoder_hidden_states"
    ][-1][0, 0]


def save_siglip(folder: Path, *, name: str = "siglip") -> Path:
    """32 px pictures and 16 tokens; weights large enough that cosines differ."""
    torch.manual_seed(6)
    tower = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(special_tokens=["<pad>"], initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(["a"], trainer)
    words = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", model_input_names=["input_ids"])
    model = SiglipModel(
        SiglipConfig(
            text_config={**tower, "vocab_size": len(words), "max_position_embeddings": 16, "projection_size": 32},
            vision_config={**tower, "image_size": 32, "patch_size": 8},
        )
    )
    with torch.no_grad():
        for weights in model.parameters():
            if weights.dim() > 1:
                weights.normal_(std=0.4)
    path = folder / name
    model.save_pretrained(path)
    words.save_pretrained(path)
    SiglipImageProcessor(size={"height": 32, "width": 32}).save_pretrained(path)
    return path


def siglip_settings(folder: Path, **changes: object) -> SigLIPSettings:
    return SigLIPSettings(**{"model": str(folder), "cpu_threads": 1, **changes})  # type: ignore[arg-type]


def score_token(folder: Path) -> int:
    found: int = T5Tokenizer.from_pretrained(folder).convert_tokens_to_ids("<extra_id_10>")
    return found


def metricx_settings(folder: Path, **changes: object) -> MetricXSettings:
    values = {"model": str(folder), "score_token_id": score_token(folder), "cpu_threads": 1, **changes}
    return MetricXSettings(**values)  # type: ignore[arg-type]
