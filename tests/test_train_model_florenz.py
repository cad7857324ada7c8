"""Florenz as a whole: the encoder is Florence-2's, generation is the same however it is batched and cached."""

from pathlib import Path

import pytest
import torch
from model_examples import (
    NUM_PICTURE_TOKENS,
    Asked,
    byte_level_tokenizer,
    florence_config,
    miniature,
    picture,
    special_ids,
)
from transformers import CLIPImageProcessorPil, Florence2ForConditionalGeneration

from florenz.train.model.florenz import IGNORED, Florenz
from florenz.train.model.loading import load
from florenz.train.model.sizes import florenz_config

BOTH = pytest.mark.parametrize("decoder", ["florence", "gemma"])
LATENTS = pytest.mark.parametrize("num_latents", [0, 3])
WAYS = {
    "greedy": {"do_sample": False},
    "beam": {"num_beams": 3, "do_sample": False},
    "sampling": {"do_sample": True, "top_k": 20},
}
# Prefixes of three, four and no words in one batch, with prompts of as many lengths.
QUESTIONS = [
    Asked(language="de", picture_CHW=picture(1)),
    Asked(language="fr", picture_CHW=picture(2), style="detailed"),
    Asked(language="en", picture_CHW=picture(3)),
    Asked(language="fr", picture_CHW=picture(4), task="translation", source_text="A red car."),
]


def batch_of(*examples: Asked, decoder: str = "florence", prefix: str = "token") -> tuple[Florenz, dict]:
    model, processor = miniature(decoder, prefix=prefix)
    return model, processor.collate(examples)


def test_encoder_is_exactly_florence_2s() -> None:
    torch.manual_seed(0)
    tokenizer = byte_level_tokenizer()
    reference = Florence2ForConditionalGeneration(florence_config(tokenizer)).eval()
    special = special_ids(tokenizer)
    config = florenz_config(reference.config, reference.config.text_config, num_latents=0, special=special)
    encoder = Florenz(config).eval().encoder
    encoder.vision_tower.load_state_dict(reference.model.vision_tower.state_dict())
    encoder.multi_modal_projector.load_state_dict(reference.model.multi_modal_projector.state_dict())
    encoder.text_encoder.load_state_dict(reference.model.language_model.encoder.state_dict())

    pixels = torch.stack([picture(1), picture(2)])
    prompt_ids = torch.tensor([[0, 40, 41, 42, 2], [0, 50, 2, 1, 1]])
    mask = (prompt_ids != tokenizer.pad_token_id).long()
    image_ids = torch.full((2, NUM_PICTURE_TOKENS), reference.config.image_token_id)
    with torch.no_grad():
        theirs = reference(
            input_ids=torch.cat([image_ids, prompt_ids], dim=1),
            attention_mask=torch.cat([torch.ones_like(image_ids), mask], dim=1),
            pixel_values=encoder.normalise(pixels),
            decoder_input_ids=prompt_ids[:, :1],
        ).encoder_last_hidden_state
        ours = encoder(prompt_ids, attention_mask=mask, pixel_values=pixels).last_hidden_state
        seen = encoder.see(pixels)
        features = reference.get_image_features(encoder.normalise(pixels)).pooler_output
    assert torch.equal(seen, features)
    assert torch.equal(ours, theirs)


def test_pixels_are_normalised_as_florence_2s_processor_does() -> None:
    model, _ = miniature("florence")
    image_processor = CLIPImageProcessorPil(
        do_resize=False, do_center_crop=False, image_mean=model.config.image_mean, image_std=model.config.image_std
    )
    theirs = image_processor(picture(1).permute(1, 2, 0).numpy(), return_tensors="pt").pixel_values
    torch.testing.assert_close(model.encoder.normalise(picture(1)[None]), theirs, rtol=1e-6, atol=1e-6)


def test_pixels_that_are_normalised_already_are_refused() -> None:
    model, batch = batch_of(Asked(picture_CHW=picture()))
    batch["pixel_values"] = batch["pixel_values"].float()
    with pytest.raises(ValueError, match="uint8 wanted"):
        model(**batch)


@BOTH
@LATENTS
@pytest.mark.parametrize("way", WAYS)
def test_cache_does_not_change_the_text(decoder: str, num_latents: int, way: str) -> None:
    model, processor = miniature(decoder, prefix="words", num_latents=num_latents)
    ids = []
    for use_cache in (True, False):
        torch.manual_seed(5)
        ids.append(model.generate(**processor.ask(QUESTIONS), **WAYS[way], use_cache=use_cache, max_new_tokens=12))
    assert torch.equal(*ids)
    assert len(set(ids[0][0].tolist())) > 5  # a text, not one token for ever


@BOTH
@LATENTS
@pytest.mark.parametrize("way", ["greedy", "beam"])
def test_a_batch_of_languages_gives_the_texts_of_one_by_one(decoder: str, num_latents: int, way: str) -> None:
    model, processor = miniature(decoder, prefix="words", num_latents=num_latents)

    def answers(questions: list[Asked]) -> list[str]:
        return processor.answers(model.generate(**processor.ask(questions), **WAYS[way], max_new_tokens=12))

    together = answers(QUESTIONS)
    assert together == [answers([question])[0] for question in QUESTIONS]
    assert together[0].startswith("Das Bild zeigt") and together[1].startswith("L'image montre")
    assert len(set(together)) == len(QUESTIONS)


@BOTH
def test_padding_changes_neither_logits_nor_loss(decoder: str) -> None:
    model, processor = miniature(decoder)
    short = Asked(text="Ein Auto.", picture_CHW=picture(1))
    long = Asked(language="fr", style="detailed", text="Une voiture rouge est garée.", picture_CHW=picture(2))
    alone, together = processor.collate([short]), processor.collate([short, long])
    num_text = alone["labels"].shape[1]
    assert together["labels"].shape[1] > num_text and together["input_ids"].shape[1] > alone["input_ids"].shape[1]
    with torch.no_grad():
        logits, logits_of_two = model(**alone).logits[0], model(**together).logits[0, :num_text]
        losses = [model(**processor.collate([example])).loss for example in (short, long)]
        loss_of_two = model(**together).loss
    torch.testing.assert_close(logits, logits_of_two, rtol=1e-4, atol=1e-4)
    counts = [int((row != IGNORED).sum()) for row in together["labels"]]
    mean = sum(loss * count for loss, count in zip(losses, counts, strict=True)) / sum(counts)
    torch.testing.assert_close(loss_of_two, mean, rtol=1e-4, atol=1e-4)


@BOTH
def test_labels_that_are_ignored_do_not_count(decoder: str) -> None:
    model, batch = batch_of(Asked(), decoder=decoder)
    batch["labels"][:, 3:] = IGNORED
    with torch.no_grad():
        output = model(**batch)
    log_probabilities = output.logits[0, :3].log_softmax(-1)
    expected = -log_probabilities[range(3), batch["labels"][0, :3]].mean()
    torch.testing.assert_close(output.loss, expected)


@BOTH
def test_text_alone_is_a_batch_too_and_a_picture_makes_a_difference(decoder: str) -> None:
    model, without = batch_of(Asked(), decoder=decoder)
    assert "pixel_values" not in without
    with torch.no_grad():
        losses = {float(model(**without).loss)}
        losses |= {float(model(**without, pixel_values=picture(seed)[None]).loss) for seed in (1, 2)}
    assert len(losses) == 3


def test_decoder_sees_as_many_states_as_there_are_latents() -> None:
    model, processor = miniature("florence", num_latents=3)
    for question in (Asked(picture_CHW=picture()), Asked(style="detailed")):
        with torch.no_grad():
            states = model(**processor.collate([question])).encoder_last_hidden_state
        assert states.shape == (1, 3, model.config.florence_config.text_config.d_model)


def test_latents_do_not_see_padding() -> None:
    model, processor = miniature("florence", num_latents=3)
    short, long = Asked(), Asked(style="detailed", language="fr")
    with torch.no_grad():
        alone = model(**processor.collate([short])).encoder_last_hidden_state[0]
        together = model(**processor.collate([short, long])).encoder_last_hidden_state[0]
    torch.testing.assert_close(alone, together, rtol=1e-4, atol=1e-4)


@BOTH
@LATENTS
def test_what_is_saved_is_what_is_loaded(decoder: str, num_latents: int, tmp_path: Path) -> None:
    model, processor = miniature(decoder, num_latents=num_latents)
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {path.name for path in tmp_path.iterdir()}
    loaded, loaded_processor = load(str(tmp_path))
    batch = loaded_processor.collate([Asked(picture_CHW=picture())])
    with torch.no_grad():
        assert torch.equal(loaded.eval()(**batch).logits, model(**batch).logits)
    assert loaded.generation_config.eos_token_id == loaded_processor.decoder_tokenizer.eos_token_id


@BOTH
def test_embeddings_and_head_of_the_decoder_are_one_table(decoder: str, tmp_path: Path) -> None:
    model, processor = miniature(decoder)
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    for one in (model, load(str(tmp_path))[0]):
        assert one.lm_head.weight is one.decoder.embed_tokens.weight
    assert model.encoder.text_encoder.embed_tokens.weight is not model.lm_head.weight


@BOTH
@pytest.mark.parametrize("use_reentrant", [True, False])
def test_activation_checkpointing_gives_the_same_gradients(decoder: str, use_reentrant: bool) -> None:
    gradients = []
    for checkpointing in (False, True):
        model, batch = batch_of(Asked(picture_CHW=picture()), decoder=decoder)
        model.train()
        if checkpointing:
            model.gradient_checkpointing_enable({"use_reentrant": use_reentrant})
            assert model.is_gradient_checkpointing
        model(**batch).loss.backward()
        gradients.append({name: parameter.grad for name, parameter in model.named_parameters()})
    for name, gradient in gradients[1].items():
        torch.testing.assert_close(gradients[0][name], gradient, rtol=1e-5, atol=1e-6, msg=name)


@BOTH
@LATENTS
def test_every_parameter_learns_from_one_batch(decoder: str, num_latents: int) -> None:
    model, processor = miniature(decoder, num_latents=num_latents)
    model(**processor.collate([Asked(picture_CHW=picture())])).loss.backward()
    assert [name for name, parameter in model.named_parameters() if parameter.grad is None] == []


@BOTH
def test_loss_falls(decoder: str) -> None:
    model, batch = batch_of(Asked(picture_CHW=picture()), decoder=decoder)
    optimizer = torch.optim.AdamW(model.train().parameters(), lr=3e-3)
    losses = []
    for _ in range(12):
        loss = model(**batch).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_too_long_a_text_is_refused_by_learned_positions() -> None:
    model, batch = batch_of(Asked())
    batch["decoder_input_ids"] = torch.full((1, 97), 5)
    with pytest.raises(ValueError, match="96 positions, 97 tokens"):
        model(**batch | {"labels": None})


def test_too_long_a_prompt_is_refused() -> None:
    model, batch = batch_of(Asked(picture_CHW=picture()))
    batch["input_ids"] = torch.full((1, 92), 5)
    batch["attention_mask"] = torch.ones(1, 92, dtype=torch.long)
    with pytest.raises(ValueError, match="97 tokens, the encoder has 96 positions"):
        model(**batch)


def test_unknown_decoders_are_refused() -> None:
    model, _ = miniature("gemma")
    model.config.decoder_config.model_type = "llama"
    with pytest.raises(ValueError, match="bart .* or gemma2"):
        Florenz(model.config)
