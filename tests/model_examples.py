"""The family in miniature for the tests of train/: every architecture for real, with two layers and 32 px."""

import string
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import (
    BartConfig,
    Florence2Config,
    Florence2ForConditionalGeneration,
    Gemma2Config,
    Gemma2ForCausalLM,
    PreTrainedTokenizerFast,
)
from transformers.models.florence2.configuration_florence2 import Florence2VisionConfig

from florenz.train.data.processor import Processor, Settings, add_language_tokens
from florenz.train.data.prompts import PrefixKind
from florenz.train.model.florenz import Florenz
from florenz.train.model.sizes import bart_with_vocabulary, florenz_config

IMAGE_PX = 32
NUM_PICTURE_TOKENS = 5  # 2 x 2 patches and their mean
NUM_UNREADABLE = 4 + 256  # special tokens and bytes, in the decoder's vocabulary
LANGUAGES = ("en", "de", "fr")
SENTENCES = [
    "A red car stands beside a house.", "Ein rotes Auto steht neben einem Haus.",
    "Une voiture rouge est garée.", "Describe this image in German.", "Translate to French:",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A question with its answer, as the stream's examples have them."""

    task: str = "caption"
    language: str = "de"
    style: str = "short"
    source_text: str = ""
    text: str = "Ein rotes Auto."
    picture_CHW: torch.Tensor | None = None


def picture(seed: int = 0) -> torch.Tensor:
    """Noise, uint8 (3, 32, 32)."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (3, IMAGE_PX, IMAGE_PX), dtype=torch.uint8, generator=generator)


def byte_level_tokenizer(*, special: tuple[str, ...] = ("<s>", "<pad>", "</s>", "<unk>")) -> PreTrainedTokenizerFast:
    """Like Florence-2's."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=330, special_tokens=list(special), initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )


def sentence_piece_tokenizer() -> PreTrainedTokenizerFast:
    """Like Gemma-2's: spaces are part of tokens, and what no token has is written in bytes."""
    names = ["<pad>", "<eos>", "<bos>", "<unk>", *(f"<0x{byte:02X}>" for byte in range(256))]
    letters = sorted({"▁", *"".join(SENTENCES).replace(" ", ""), *string.ascii_letters})
    merges = [("▁", "r"), ("▁r", "o"), ("D", "a"), ("Da", "s"), ("▁", "B"), ("i", "l"), ("▁B", "il"), ("▁Bil", "d")]
    names += letters + [first + second for first, second in merges]
    vocabulary = {name: index for index, name in enumerate(dict.fromkeys(names))}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, byte_fallback=True, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<bos>", pad_token="<pad>", eos_token="<eos>", unk_token="<unk>"
    )


def florence_config(tokenizer: PreTrainedTokenizerFast) -> Florence2Config:
    text = BartConfig(
        vocab_size=len(tokenizer) + 1, d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4,
        decoder_attention_heads=4, encoder_ffn_dim=64, decoder_ffn_dim=64, max_position_embeddings=96, dropout=0.0,
        init_std=0.2, **special_ids(tokenizer), decoder_start_token_id=tokenizer.eos_token_id, forced_eos_token_id=None,
    )  # fmt: skip
    vision = Florence2VisionConfig(
        depths=(1, 1, 1, 1), embed_dim=(8, 8, 16, 16), num_heads=(1, 1, 2, 2), num_groups=(1, 1, 2, 2),
        patch_stride=(4, 2, 2, 1), window_size=4, projection_dim=32, drop_path_rate=0.0, max_position_embeddings=8,
        initializer_range=0.2,
    )  # fmt: skip
    return Florence2Config(
        text_config=text.to_dict(), vision_config=vision.to_dict(), image_token_id=len(tokenizer),
        decoder_start_token_id=tokenizer.eos_token_id, **special_ids(tokenizer),
    )  # fmt: skip


def gemma_config(tokenizer: PreTrainedTokenizerFast) -> Gemma2Config:
    """The window of four tokens is shorter than any text or encoder state here."""
    return Gemma2Config(
        vocab_size=len(tokenizer), hidden_size=48, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=16, query_pre_attn_scalar=16, sliding_window=4, initializer_range=0.2,
        **special_ids(tokenizer),
    )  # fmt: skip


def special_ids(tokenizer: PreTrainedTokenizerFast) -> dict[str, int]:
    return {role: getattr(tokenizer, role) for role in ("bos_token_id", "eos_token_id", "pad_token_id")}


def miniature(
    decoder: str, *, prefix: PrefixKind = "token", num_latents: int = 0, seed: int = 0
) -> tuple[Florenz, Processor]:
    """A random model with either decoder, in eval mode, gates open; its processor knows LANGUAGES."""
    torch.manual_seed(seed)
    encoder_tokenizer, decoder_tokenizer = byte_level_tokenizer(), sentence_piece_tokenizer()
    if prefix == "token":
        add_language_tokens(decoder_tokenizer, LANGUAGES)
    florence = florence_config(encoder_tokenizer)
    special = special_ids(decoder_tokenizer)
    if decoder == "florence":
        config = bart_with_vocabulary(florence.text_config, len(decoder_tokenizer), special)
    else:
        config = gemma_config(decoder_tokenizer)
    model = Florenz(florenz_config(florence, config, num_latents=num_latents, special=special)).eval()
    if decoder == "gemma":
        for layer in model.decoder.layers:
            torch.nn.init.constant_(layer.gate, 0.7)
    with torch.no_grad():
        model.lm_head.weight[:NUM_UNREADABLE] = 0.0  # it writes letters, not ends and broken characters
    processor = Processor(
        encoder_tokenizer=encoder_tokenizer,
        decoder_tokenizer=decoder_tokenizer,
        settings=Settings(image_px=IMAGE_PX, prefix=prefix, max_prompt_tokens=80, max_text_tokens=60),
    )
    return model, processor


def save_florence(folder: Path) -> Florence2ForConditionalGeneration:
    """A random Florence-2 as the hub would have it: weights, configuration, tokenizer."""
    torch.manual_seed(1)
    tokenizer = byte_level_tokenizer()
    model = Florence2ForConditionalGeneration(florence_config(tokenizer)).eval()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model


def save_gemma(folder: Path) -> Gemma2ForCausalLM:
    """A random Gemma-2 with its tokenizer."""
    torch.manual_seed(2)
    tokenizer = sentence_piece_tokenizer()
    model = Gemma2ForCausalLM(gemma_config(tokenizer)).eval()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model


def edit_settings(processor: Processor, **changes: Any) -> Processor:
    """The same processor with other settings."""
    return Processor(
        encoder_tokenizer=processor.encoder_tokenizer,
        decoder_tokenizer=processor.decoder_tokenizer,
        settings=replace(processor.settings, **changes),
    )
