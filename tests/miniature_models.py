"""Real architectures with random weights, small enough to be made in a test and served by a real vLLM.

What they say is noise. That they are loaded, asked in their own template and answer at all is what is tested. Heads of
32 are the smallest that vLLM's CPU attention takes.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    CohereConfig,
    Gemma2Config,
    LlamaConfig,
    MistralConfig,
    PretrainedConfig,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLProcessor,
    Qwen2Config,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
    Qwen3Config,
    SmolVLMConfig,
    SmolVLMImageProcessor,
    SmolVLMProcessor,
    SmolVLMVideoProcessor,
)

TEXTS = ["Translate this image caption from English into German.", "A red car stands by the river.", "Describe it."]
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% if m['content'] is string %}{{ m['content'] }}{% else %}"
    "{% for c in m['content'] %}{% if c['type'] == 'text' %}{{ c['text'] }}{% else %}IMAGE{% endif %}{% endfor %}"
    "{% endif %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
VOCABULARY = 512
SHAPE = {
    "hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 2048,
}  # fmt: skip
QWEN_WORDS = ["<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
SMOL_WORDS = [
    "<fake_token_around_image>", "<image>", "<global-img>", "<end_of_utterance>", "<video>",
    *(f"<row_{row}_col_{column}>" for row in (1, 2) for column in (1, 2)),
]  # fmt: skip
TEXT_MODELS: dict[str, type[PretrainedConfig]] = {
    "llama": LlamaConfig, "qwen2": Qwen2Config, "qwen3": Qwen3Config, "gemma2": Gemma2Config,
    "mistral": MistralConfig, "cohere": CohereConfig,
}  # fmt: skip


def save_text_model(folder: Path, architecture: str) -> Path:
    tokenizer = _tokenizer(TEMPLATE)
    config = TEXT_MODELS[architecture](**SHAPE, **_ids(tokenizer), head_dim=32, tie_word_embeddings=True)
    return _saved(folder, AutoModelForCausalLM, config, tokenizer)


def save_qwen_vl(folder: Path) -> Path:
    template = TEMPLATE.replace("IMAGE", "<|vision_start|><|image_pad|><|vision_end|>")
    tokenizer = _tokenizer(template, QWEN_WORDS)
    ids = dict(zip(QWEN_WORDS, tokenizer.convert_tokens_to_ids(QWEN_WORDS), strict=True))
    config = Qwen2_5_VLConfig(
        text_config={
            **SHAPE, **_ids(tokenizer), "rope_scaling": {"type": "mrope", "mrope_section": [4, 6, 6]},
            "rope_theta": 10000.0,
        },
        vision_config={
            "depth": 2, "hidden_size": 64, "intermediate_size": 128, "num_heads": 2, "out_hidden_size": 128,
            "fullatt_block_indexes": [1], "window_size": 56,
        },
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        **_ids(tokenizer),
    )  # fmt: skip
    pixels = {"min_pixels": 56 * 56, "max_pixels": 112 * 112}
    processor = Qwen2_5_VLProcessor(
        Qwen2VLImageProcessor(**pixels), tokenizer, Qwen2VLVideoProcessor(**pixels), chat_template=template
    )
    return _saved(folder, AutoModelForImageTextToText, config, processor)


def save_smolvlm(folder: Path) -> Path:
    """Pictures are cut into tiles of 56 px, each of which becomes 4 tokens, and seen as a whole besides."""
    template = TEMPLATE.replace("IMAGE", "<image>")
    tokenizer = _tokenizer(template, SMOL_WORDS)
    config = SmolVLMConfig(
        text_config={**SHAPE, **_ids(tokenizer), "head_dim": 32},
        vision_config={
            "image_size": 56, "patch_size": 14, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
            "num_attention_heads": 2,
        },
        scale_factor=2,
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    sizes = {"size": {"longest_edge": 112}, "max_image_size": {"longest_edge": 56}}
    sampling = {"fps": 1, "max_frames": 4, "video_size": {"longest_edge": 56}}
    videos = SmolVLMVideoProcessor(**sizes, video_sampling=sampling)
    processor = SmolVLMProcessor(
        SmolVLMImageProcessor(**sizes), tokenizer, videos, image_seq_len=4, chat_template=template
    )
    return _saved(folder, AutoModelForImageTextToText, config, processor)


VISION_MODELS: dict[str, Callable[[Path], Path]] = {"qwen2_5_vl": save_qwen_vl, "smolvlm": save_smolvlm}


def _tokenizer(template: str, more: list[str] | None = None) -> PreTrainedTokenizerFast:
    words = ["<s>", "</s>", "<pad>", "<|im_start|>", "<|im_end|>", *(more or [])]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(
        TEXTS,
        trainers.BpeTrainer(vocab_size=400, special_tokens=words, initial_alphabet=alphabet, show_progress=False),
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>", chat_template=template,
        model_max_length=2048,
    )  # fmt: skip


def _ids(tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    return {
        "vocab_size": VOCABULARY, "bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }  # fmt: skip


def _saved(folder: Path, kind: Any, config: PretrainedConfig, processor: Any) -> Path:
    torch.manual_seed(7)
    model = kind.from_config(config)
    tokenizer = getattr(processor, "tokenizer", processor)
    with torch.no_grad():  # large enough that what comes out depends on what went in
        for weights in model.parameters():
            if weights.dim() > 1:
                weights.normal_(std=0.2)
        # What no text can show is never said, or an answer might have no word.
        model.get_output_embeddings().weight[[*tokenizer.all_special_ids, *range(len(tokenizer), VOCABULARY)]] = 0.0
    model.to(torch.bfloat16).save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
