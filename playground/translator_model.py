"""The tiny translator's shape: a decoder-only Llama that vLLM serves as it is, one model for all five languages.

A prompt is the English text and a token that names the target language: `A red cat.<|de|>`; the answer ends with
`</s>`. A description of the picture may ride along, as in the paper: `A red bat. ### (It is daytime. ...)<|de|>`; the
answer is then the translation of what stands before the marker, and the marker.
"""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

TARGETS = ("de", "fr", "es", "ru", "zh")
MAX_TOKENS = 256
MARKER = "###"


def prompt_of(text: str, language: str, context: str = "") -> str:
    """The same format as the prompt family "playground" in `translators/families`; a test holds the two together."""
    return f"{text} {MARKER} ({context})<|{language}|>" if context else f"{text}<|{language}|>"


def answer_of(text: str, *, has_context: bool) -> str:
    """What is answered to a prompt with or without a context."""
    return f"{text} {MARKER}" if has_context else text


def build_tokenizer(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """A byte-level BPE trained on `texts` in all six languages; it puts `<s>` in front of every prompt by itself."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    languages = [f"<|{language}|>" for language in TARGETS]
    trainer = trainers.BpeTrainer(
        vocab_size=1600,
        special_tokens=["<s>", "</s>", "<pad>", *languages],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        max_token_length=24,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", tokenizer.token_to_id("<s>"))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        additional_special_tokens=languages,
        model_max_length=MAX_TOKENS,
        clean_up_tokenization_spaces=False,
    )


def build_model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """Llama with random weights; about one million parameters. Heads of 32 are the smallest that vLLM's CPU attention
    takes.
    """
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=128,
            intermediate_size=384,
            num_hidden_layers=4,
            num_attention_heads=4,
            num_key_value_heads=4,
            head_dim=32,
            max_position_embeddings=MAX_TOKENS,
            tie_word_embeddings=True,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )  # fmt: skip
    )
