"""A fresh Florenz from the weights of others: Florence-2 for the encoder, Florence-2 or Gemma-2 for the decoder.

Weights come from the hub or from folders, as safetensors, and no code comes with them. While a model is put together
its parts are in memory twice.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from transformers import (
    AutoTokenizer,
    BartConfig,
    Florence2Config,
    Florence2ForConditionalGeneration,
    Gemma2Config,
    Gemma2ForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from florenz.train.data.processor import Processor, Settings, add_language_tokens
from florenz.train.data.prompts import PAPER, PREFIX_WORDS, PrefixKind, Prompts
from florenz.train.model.family import Size, size_named
from florenz.train.model.florenz import Florenz, FlorenzConfig
from florenz.train.model.gemma import GemmaDecoder
from florenz.train.model.meta import without_weights
from florenz.train.model.parts import parts_of
from florenz.train.model.sizes import (
    TINY_LAYERS,
    TINY_WIDTH,
    bart_with_vocabulary,
    florenz_config,
    tiny_gemma2_config,
)
from florenz.train.model.vocabulary import added_rows, mean_rows

Model = TypeVar("Model", bound=PreTrainedModel)

LANGUAGES = tuple(PREFIX_WORDS)  # the paper's


def build(
    size: str,
    *,
    florence: str | None = None,
    gemma: str | None = None,
    tokenizer: str | None = None,
    decoder_width: int | None = None,
    decoder_layers: int | None = None,
    image_px: int | None = None,
    prefix: PrefixKind | None = None,
    num_latents: int | None = None,
    random_parts: Sequence[str] = (),
    languages: Sequence[str] = LANGUAGES,
    prompts: Prompts = PAPER,
    styles: Sequence[str] = (),
    dtype: torch.dtype = torch.float32,
    with_weights: bool = True,
) -> tuple[Florenz, Processor]:
    """A model of that size with its processor, on the CPU, in training mode.

    florence, gemma, tokenizer: hub names or folders, instead of the size's own; so image_px, prefix and num_latents.
    decoder_width, decoder_layers: of a Gemma-2 that no weights are loaded for. random_parts: from `parts.PARTS`, those
    that start from random weights although there are others. languages: those that get a token of their own if the
    prefix is one. prompts, styles: for the processor. What no weights are loaded for (latents, cross-attention beside
    Gemma-2, a tiny Gemma-2) is random, by torch's seed. with_weights: without, none are read, and the model
    has no memory for any and waits for a checkpoint's (`meta.py`).

    Raises:
        ValueError: unknown size, weights that are not there, a vocabulary that does not belong to the weights.
    """
    chosen = size_named(size)
    settings = Settings(
        image_px=chosen.image_px if image_px is None else image_px,
        prefix=prefix or chosen.prefix,
        max_prompt_tokens=chosen.max_prompt_tokens,
        max_text_tokens=chosen.max_text_tokens,
        prompts=prompts,
        styles=tuple(styles),
    )
    florence, gemma = florence or chosen.florence, gemma or chosen.gemma
    if decoder_width or decoder_layers:
        _check_has_tiny_gemma(size, gemma)
    processor, num_tokens = _processor(florence, tokenizer or chosen.tokenizer, settings, languages)
    encoder_tokenizer, decoder_tokenizer = processor.encoder_tokenizer, processor.decoder_tokenizer
    latents = chosen.num_latents if num_latents is None else num_latents
    width, layers = decoder_width or TINY_WIDTH, decoder_layers or TINY_LAYERS
    if not with_weights:
        decoder_config = _decoder_config(chosen, florence, gemma, decoder_tokenizer, num_tokens, width, layers)
        return _skeleton(florence, decoder_config, decoder_tokenizer, latents, dtype).train(), processor
    source = _load(Florence2ForConditionalGeneration, florence, dtype)
    if chosen.decoder == "florence":
        model = _with_florence_decoder(source, encoder_tokenizer, decoder_tokenizer, latents)
    elif gemma is None:
        model = _with_tiny_gemma(source, decoder_tokenizer, latents, width=width, layers=layers)
    else:
        weights = _load(Gemma2ForCausalLM, gemma, dtype)
        model = _with_gemma_decoder(source, weights, decoder_tokenizer, num_tokens, latents)
    _copy_encoder(source, model)
    if random_parts:
        _forget(model, random_parts)
    return model.train(), processor


def _check_has_tiny_gemma(size: str, gemma: str | None) -> None:
    if size_named(size).decoder != "gemma" or gemma is not None:
        raise ValueError(
            f"decoder_width and decoder_layers are of a Gemma-2 that no weights are loaded for, which {size} has not "
            "here: leave them out"
        )


def _processor(encoder: str, decoder: str, settings: Settings, languages: Sequence[str]) -> tuple[Processor, int]:
    """Of the tokenizers with these names, and how many tokens the decoder's had before languages got their own."""
    encoder_tokenizer, decoder_tokenizer = _load_tokenizer(encoder), _load_tokenizer(decoder)
    num_tokens = len(decoder_tokenizer)
    if settings.prefix == "token":
        add_language_tokens(decoder_tokenizer, languages)
    processor = Processor(encoder_tokenizer=encoder_tokenizer, decoder_tokenizer=decoder_tokenizer, settings=settings)
    return processor, num_tokens


def _decoder_config(
    chosen: Size,
    florence: str,
    gemma: str | None,
    tokenizer: PreTrainedTokenizerBase,
    num_own_tokens: int,
    width: int,
    layers: int,
) -> BartConfig | Gemma2Config:
    """As `build` makes it from weights, from the configurations that lie beside them."""
    special = _special_ids(tokenizer)
    if chosen.decoder == "florence":
        return bart_with_vocabulary(Florence2Config.from_pretrained(florence).text_config, len(tokenizer), special)
    if gemma is None:
        return tiny_gemma2_config(len(tokenizer), special, width=width, layers=layers)
    config = Gemma2Config.from_pretrained(gemma)
    vocab_size = len(tokenizer) if len(tokenizer) > num_own_tokens else config.vocab_size
    return Gemma2Config(**{**config.to_dict(), "vocab_size": vocab_size, **special})


def _skeleton(
    florence: str,
    decoder_config: BartConfig | Gemma2Config,
    tokenizer: PreTrainedTokenizerBase,
    num_latents: int,
    dtype: torch.dtype,
) -> Florenz:
    config = Florence2Config.from_pretrained(florence)
    special = _special_ids(tokenizer)
    with without_weights():
        return _empty(florenz_config(config, decoder_config, num_latents=num_latents, special=special), dtype)


def load(folder: str) -> tuple[Florenz, Processor]:
    """A model and its processor as `save_pretrained` of both left them. `ValueError` if the folder holds none."""
    processor = Processor.from_pretrained(folder)
    return _load(Florenz, folder, torch.float32), processor


def start_from(folder: str, model: Florenz) -> None:
    """Give a model, which may have no memory for weights yet, those of a finished one.

    `ValueError` if the folder holds none, or one of other sizes, which its configuration tells before any is read.
    """
    config = FlorenzConfig.from_pretrained(folder)
    if problem := fault_of_init(folder, config.to_dict(), model.config.to_dict()):
        raise ValueError(problem)
    model.load_state_dict(_load(Florenz, folder, model.dtype).state_dict(), assign=True)
    model.tie_weights()


# What makes two models' weights fit each other: key of the configuration -> what it is called in a message.
_SHAPES = {
    "model_type": "kind of decoder", "hidden_size": "width", "d_model": "width", "num_hidden_layers": "layers",
    "vocab_size": "words of vocabulary",
}  # fmt: skip


def fault_of_init(folder: str, found: dict[str, Any], wanted: dict[str, Any]) -> str:
    """Why a model of one configuration cannot start from one of another; "" if nothing speaks against it."""
    for part, name in (("decoder_config", "decoder"), ("florence_config", "encoder")):
        its, own = found.get(part) or {}, wanted.get(part) or {}
        if part == "florence_config":
            its, own = its.get("text_config") or {}, own.get("text_config") or {}
        for key, words in _SHAPES.items():
            if key in own and its.get(key) != own[key]:
                return (
                    f"init {folder!r} is of another size: its {name} has the {words} {its.get(key)}, this size's "
                    f"{own[key]}: choose the SIZE that it was trained with"
                )
    if "num_latents" in wanted and found.get("num_latents", 0) != wanted["num_latents"]:
        return f"init {folder!r} has {found.get('num_latents')} latents, this recipe {wanted.get('num_latents')}"
    return ""


def _forget(model: Florenz, parts: Sequence[str]) -> None:
    """Give these parts the weights of a fresh model, by torch's seed."""
    fresh = parts_of(_empty(model.config, model.dtype))
    with torch.no_grad():
        for part, parameters in parts_of(model).items():
            for (_, parameter), (_, new) in zip(parameters, fresh[part], strict=True):
                if part in parts:
                    parameter.copy_(new)


def _copy_encoder(source: Florence2ForConditionalGeneration, model: Florenz) -> None:
    model.encoder.vision_tower.load_state_dict(source.model.vision_tower.state_dict())
    model.encoder.multi_modal_projector.load_state_dict(source.model.multi_modal_projector.state_dict())
    model.encoder.text_encoder.load_state_dict(source.model.language_model.encoder.state_dict())


def _with_florence_decoder(
    source: Florence2ForConditionalGeneration,
    encoder_tokenizer: PreTrainedTokenizerBase,
    decoder_tokenizer: PreTrainedTokenizerBase,
    num_latents: int,
) -> Florenz:
    special = _special_ids(decoder_tokenizer)
    config = bart_with_vocabulary(source.config.text_config, len(decoder_tokenizer), special)
    model = _empty(florenz_config(source.config, config, num_latents=num_latents, special=special), source.dtype)
    weights = source.model.language_model.decoder.state_dict()
    weights["embed_tokens.weight"] = mean_rows(weights["embed_tokens.weight"], encoder_tokenizer, decoder_tokenizer)
    model.decoder.load_state_dict(weights)
    return model


def _with_tiny_gemma(
    source: Florence2ForConditionalGeneration,
    tokenizer: PreTrainedTokenizerBase,
    num_latents: int,
    *,
    width: int,
    layers: int,
) -> Florenz:
    special = _special_ids(tokenizer)
    config = tiny_gemma2_config(len(tokenizer), special, width=width, layers=layers)
    return _empty(florenz_config(source.config, config, num_latents=num_latents, special=special), source.dtype)


def _with_gemma_decoder(
    source: Florence2ForConditionalGeneration,
    gemma: Gemma2ForCausalLM,
    tokenizer: PreTrainedTokenizerBase,
    num_own_tokens: int,
    num_latents: int,
) -> Florenz:
    """num_own_tokens: of the tokenizer before language tokens were added; those get mean rows."""
    weights = gemma.model.state_dict()
    rows = weights["embed_tokens.weight"]
    if num_own_tokens > len(rows):
        raise ValueError(
            f"Gemma-2 has {len(rows)} tokens and its tokenizer {num_own_tokens}: they don't belong together"
        )
    special = _special_ids(tokenizer)
    if len(tokenizer) > num_own_tokens:
        weights["embed_tokens.weight"] = torch.cat([rows[:num_own_tokens], added_rows(rows, tokenizer, num_own_tokens)])
    config = Gemma2Config(**{**gemma.config.to_dict(), "vocab_size": len(weights["embed_tokens.weight"]), **special})
    model = _empty(florenz_config(source.config, config, num_latents=num_latents, special=special), source.dtype)
    _, unexpected = model.decoder.load_state_dict(weights, strict=False)  # what is missing is the cross-attention
    assert not unexpected, unexpected
    assert isinstance(model.decoder, GemmaDecoder)
    model.decoder.start_cross_norms()
    return model


def _empty(config: FlorenzConfig, dtype: torch.dtype) -> Florenz:
    # Not `.to(dtype)`: that would round the rotary frequencies too.
    model: Florenz = Florenz._from_config(config, dtype=dtype)
    return model


def _special_ids(tokenizer: PreTrainedTokenizerBase) -> dict[str, int]:
    special = {role: getattr(tokenizer, role) for role in ("bos_token_id", "eos_token_id", "pad_token_id")}
    if absent := [role for role, index in special.items() if index is None]:
        raise ValueError(f"the decoder's tokenizer {tokenizer.name_or_path} has no {absent[0]}: take another one")
    return special


def _load(kind: type[Model], name: str, dtype: torch.dtype) -> Model:
    """All weights of `kind` from hub or folder; `ValueError` if they are not there, or not all, or of another kind."""
    try:
        model, found = kind.from_pretrained(name, dtype=dtype, use_safetensors=True, output_loading_info=True)
    except (OSError, SafetensorError) as problem:
        raise ValueError(f"no {kind.__name__} can be loaded from '{name}': {_first_line(problem)}") from problem
    for fault in ("missing_keys", "mismatched_keys", "error_msgs"):
        if found[fault]:
            raise ValueError(f"'{name}' is not a whole {kind.__name__}: {fault} {sorted(map(str, found[fault]))[0]}")
    return model


def _load_tokenizer(name: str) -> PreTrainedTokenizerBase:
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError) as problem:
        raise ValueError(f"no tokenizer can be loaded from '{name}': {_first_line(problem)}") from problem
    return tokenizer


def _first_line(problem: BaseException) -> str:
    return str(problem).strip().partition("\n")[0]
