"""Both trainers in miniature: what a batch asks for, that a few steps lower the loss, that a saved model comes back."""

import copy
import math
from itertools import islice
from pathlib import Path

import pytest
import torch
from PIL import Image
from transformers import (
    AutoProcessor,
    AutoTokenizer,
    Florence2ForConditionalGeneration,
    Florence2Processor,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from florenz.playground import train_captioner, train_translator, training
from florenz.playground.captioner_model import IMAGE_SIDE_PX, IMAGE_TOKENS, TASK_PROMPTS
from florenz.playground.captions import LANGUAGES, STYLES, state
from florenz.playground.draw import SIDE_PX
from florenz.playground.scene import KINDS, is_unseen, random_for, sample_scene, usual_reading
from florenz.playground.training import IGNORED, Plan, fit, learning_rate
from florenz.playground.translator_model import TARGETS, build_model, build_tokenizer, prompt_of
from florenz.translators.prompts import prompt_family


def words(count: int, languages: tuple[str, ...]) -> list[str]:
    scenes = [sample_scene(random_for(0, "words", number)) for number in range(count)]
    return [state(scene, language, style) for scene in scenes for language in languages for style in STYLES]


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return build_tokenizer(words(300, LANGUAGES))


@pytest.fixture(scope="module")
def processor() -> Florence2Processor:
    bare = train_captioner.build_processor(train_captioner.build_tokenizer([]))
    texts = words(300, ("en",)) + list(bare.task_prompts_without_inputs.values())
    return train_captioner.build_processor(train_captioner.build_tokenizer(texts))


@pytest.fixture(scope="module")
def prompts(processor: Florence2Processor) -> dict[str, torch.Tensor]:
    blank = Image.new("RGB", (96, 96))
    return {
        style: processor(images=blank, text=prompt, return_tensors="pt").input_ids[0]
        for style, prompt in TASK_PROMPTS.items()
    }


@pytest.fixture
def captioner(processor: Florence2Processor) -> Florence2ForConditionalGeneration:
    torch.manual_seed(0)
    return train_captioner.build_model(processor.tokenizer)


@pytest.fixture
def translator(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    torch.manual_seed(0)
    return build_model(tokenizer)


def caption_batch(processor: Florence2Processor, batch_size: int) -> dict[str, torch.Tensor]:
    return next(iter(train_captioner.Batches(processor, seed=0, batch_size=batch_size, first_step=0)))


# --- the rate ---


def test_the_rate_rises_for_a_tenth_of_the_steps_and_falls_to_nearly_nothing() -> None:
    rates = [learning_rate(step, steps=200, peak=2.0) for step in range(200)]
    assert rates[0] == pytest.approx(0.1) and rates[9] == pytest.approx(1.0)
    assert max(rates) == rates[19] == rates[20] == pytest.approx(2.0)
    assert all(before < after for before, after in zip(rates[:19], rates[1:20], strict=True))
    assert all(before > after for before, after in zip(rates[20:], rates[21:], strict=False))
    assert rates[110] == pytest.approx(1.0) and 0 < rates[-1] < 0.001


def test_the_rate_of_a_run_of_few_steps_is_finite_and_positive() -> None:
    for steps in range(1, 15):
        rates = [learning_rate(step, steps=steps, peak=1.0) for step in range(steps)]
        assert all(math.isfinite(rate) and 0 < rate <= 1 for rate in rates)


# --- what the translator is asked for ---


def test_a_prompt_begins_with_the_start_token_and_ends_with_the_language(tokenizer: PreTrainedTokenizerFast) -> None:
    for language in TARGETS:
        tokens = tokenizer.convert_ids_to_tokens(tokenizer(prompt_of("A red cat.", language)).input_ids)
        assert tokens[0] == "<s>" and tokens[-1] == f"<|{language}|>" and tokens.count("<s>") == 1
        assert "</s>" not in tokens


def test_the_pipeline_asks_in_the_format_that_was_trained(tokenizer: PreTrainedTokenizerFast) -> None:
    asked = prompt_family("playground").build(["Two red mice."], "de", {})[0]
    trained = tokenizer(prompt_of("Two red mice.", "de")).input_ids
    assert tokenizer(asked, add_special_tokens=False).input_ids == trained


def test_any_caption_survives_the_translators_vocabulary(tokenizer: PreTrainedTokenizerFast) -> None:
    for text in [*words(40, LANGUAGES), "Œuf, ñandú, ёж — 两只猫 😀"]:
        assert tokenizer.decode(tokenizer(text).input_ids, skip_special_tokens=True) == text


def test_labels_of_the_translator_are_the_answer_alone(tokenizer: PreTrainedTokenizerFast) -> None:
    batches = train_translator.Batches(tokenizer, seed=0, batch_size=10, first_step=0)
    for step, (ids, labels) in enumerate(islice(batches, 2)):
        assert ids.shape == labels.shape and ids.shape[0] == 10
        for row in range(10):
            number, language = 10 * step + row, TARGETS[row % len(TARGETS)]
            pair = train_translator.pair(0, "train", number, STYLES[step], language, unseen=False)
            answer = labels[row][labels[row] != IGNORED]
            assert answer[-1] == tokenizer.eos_token_id
            assert tokenizer.decode(answer[:-1]) == pair[1]
            prompt = tokenizer(prompt_of(pair[0], language)).input_ids
            assert ids[row, : len(prompt)].tolist() == prompt
            assert (labels[row, : len(prompt)] == IGNORED).all()
            end = len(prompt) + len(answer)
            assert ids[row, len(prompt) : end].tolist() == answer.tolist()
            assert (ids[row, end:] == tokenizer.pad_token_id).all() and (labels[row, end:] == IGNORED).all()


def test_batches_go_on_where_they_are_told_to(tokenizer: PreTrainedTokenizerFast) -> None:
    whole = list(islice(train_translator.Batches(tokenizer, seed=0, batch_size=3, first_step=0), 4))
    later = list(islice(train_translator.Batches(tokenizer, seed=0, batch_size=3, first_step=2), 2))
    assert all(
        torch.equal(a, b) for old, new in zip(whole[2:], later, strict=True) for a, b in zip(old, new, strict=True)
    )
    assert not torch.equal(whole[0][0], whole[2][0])


def test_pairs_keep_to_their_side_and_to_the_usual_sense() -> None:
    for unseen in (False, True):
        for number in range(30):
            rng = random_for(0, "sides", number)
            source, target = train_translator.pair(0, "sides", number, "short", "de", unseen=unseen)
            assert is_unseen(source) is unseen
            readings = (usual_reading(sample_scene(rng)) for _ in range(2000))
            scene = next(scene for scene in readings if state(scene, "en", "short") == source)
            assert state(scene, "de", "short") == target


def test_padding_does_not_change_the_translators_loss(
    tokenizer: PreTrainedTokenizerFast, translator: LlamaForCausalLM
) -> None:
    """The trainer gives no attention mask: on the right, padding is out of a causal model's sight."""
    batches = train_translator.Batches(tokenizer, seed=0, batch_size=1, first_step=0)
    ids, labels = batches.collate([batches.row(0, "short")])
    padded_ids = torch.nn.functional.pad(ids, (0, 9), value=tokenizer.pad_token_id)
    padded_labels = torch.nn.functional.pad(labels, (0, 9), value=IGNORED)
    plain, padded = (
        translator(input_ids=ids, labels=labels).loss,
        translator(input_ids=padded_ids, labels=padded_labels).loss,
    )
    assert padded.item() == pytest.approx(plain.item(), abs=1e-5)


# --- what the captioner is asked for ---


def test_labels_of_the_captioner_are_both_captions_without_padding(processor: Florence2Processor) -> None:
    batch = caption_batch(processor, 6)
    assert batch["pixels"].shape == (6, 3, IMAGE_SIDE_PX, IMAGE_SIDE_PX)
    assert batch["regions"].shape == (6, IMAGE_TOKENS - 1)
    for number in range(6):
        drawn = train_captioner.draw_numbered(0, "train", number, unseen=False)
        for style in STYLES:
            labels = batch[style][number]
            kept = labels[labels != IGNORED].tolist()
            assert kept[0] == processor.tokenizer.bos_token_id and kept[-1] == processor.tokenizer.eos_token_id
            assert processor.tokenizer.decode(kept[1:-1]) == state(drawn.scene, "en", style)
            assert processor.tokenizer.pad_token_id not in kept
            assert labels[: len(kept)].tolist() == kept  # padding only on the right


def test_drawn_scenes_keep_to_their_side_and_are_seen_through_jpeg() -> None:
    for unseen in (False, True):
        for number in range(5):
            drawn = train_captioner.draw_numbered(0, "sides", number, unseen=unseen)
            assert is_unseen(drawn.scene) is unseen
            assert drawn.image.size == (SIDE_PX, SIDE_PX) and drawn.image.mode == "RGB"
            assert len(drawn.things) == sum(group.count for group in drawn.scene.groups)


def test_region_labels_name_the_patch_under_each_centre() -> None:
    labels = train_captioner.region_labels([("cat", 0.0, 0.0), ("bus", 100.0, 40.0), ("key", 192.0, 192.0)])
    named = {patch: KINDS[label] for patch, label in enumerate(labels.tolist()) if label != IGNORED}
    assert named == {0: "cat", 1 * 6 + 3: "bus", 35: "key"}  # patches are 32 px wide


def test_the_region_loss_leaves_out_the_mean_token_and_empty_patches() -> None:
    torch.manual_seed(0)
    head, features = torch.nn.Linear(8, len(KINDS)), torch.randn(1, IMAGE_TOKENS, 8)
    labels = torch.full((1, IMAGE_TOKENS - 1), IGNORED)
    labels[0, 5] = 3
    wanted = -torch.log_softmax(head(features[0, 6]), dim=-1)[3]
    assert train_captioner.region_loss(head, features, labels).item() == pytest.approx(wanted.item(), abs=1e-6)


def test_a_picture_becomes_37_tokens_before_the_prompt(
    processor: Florence2Processor, prompts: dict[str, torch.Tensor], captioner: Florence2ForConditionalGeneration
) -> None:
    image_id = processor.tokenizer.convert_tokens_to_ids("<image>")
    for prompt in prompts.values():
        assert (prompt[:IMAGE_TOKENS] == image_id).all() and not (prompt[IMAGE_TOKENS:] == image_id).any()
    assert len({tuple(prompt.tolist()) for prompt in prompts.values()}) == 2
    features = captioner.get_image_features(caption_batch(processor, 2)["pixels"]).pooler_output
    assert features.shape == (2, IMAGE_TOKENS, 128) and IMAGE_TOKENS == 37


def test_the_caption_loss_is_the_models_own(
    processor: Florence2Processor, prompts: dict[str, torch.Tensor], captioner: Florence2ForConditionalGeneration
) -> None:
    """The trainer looks at each picture once for both styles; the result must be that of two ordinary calls."""
    batch = caption_batch(processor, 3)
    captioner.eval()
    with torch.no_grad():
        features = captioner.get_image_features(batch["pixels"]).pooler_output
        ours = train_captioner.caption_loss(captioner, prompts, batch, features).item()
        ordinary = [
            captioner(input_ids=prompt.expand(3, -1), pixel_values=batch["pixels"], labels=batch[style]).loss.item()
            for style, prompt in prompts.items()
        ]
    assert ordinary[0] != pytest.approx(ordinary[1], abs=1e-3)
    assert ours == pytest.approx(sum(ordinary) / 2, abs=1e-5)


# --- miniatures ---


class Killed(Exception):
    """Stands for the end of the process in the middle of a step."""


def fit_translator(
    folder: Path, tokenizer: PreTrainedTokenizerFast, *, steps: int, batch_size: int, killed_in_step: int | None = None
) -> tuple[LlamaForCausalLM, list[float], list[float]]:
    """The real loop on a fresh model; the model, and loss and rate of every step."""
    torch.manual_seed(0)
    model = build_model(tokenizer)
    plan = Plan(steps=steps, batch_size=batch_size, peak_rate=2e-3, seed=0, state=folder)
    optimizer = torch.optim.AdamW([{"params": list(model.parameters()), "peak": plan.peak_rate}], lr=1.0)
    losses: list[float] = []
    rates: list[float] = []

    def loss_of(batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        if len(losses) + 1 == killed_in_step:
            raise Killed
        loss = model(input_ids=batch[0], labels=batch[1]).loss
        losses.append(loss.item())
        rates.append(optimizer.param_groups[0]["lr"])
        return loss

    def batches_from(step: int) -> train_translator.Batches:
        return train_translator.Batches(tokenizer, seed=0, batch_size=batch_size, first_step=step)

    fit(model, optimizer, batches_from=batches_from, loss_of=loss_of, score=lambda: "scored", plan=plan, name="tiny")
    return model, losses, rates


@pytest.mark.slow
def test_a_few_steps_lower_the_translators_loss(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast, capsys: pytest.CaptureFixture[str]
) -> None:
    _, losses, rates = fit_translator(tmp_path, tokenizer, steps=14, batch_size=10)
    assert losses[0] == pytest.approx(math.log(len(tokenizer)), abs=0.5)  # nothing is known yet
    assert sum(losses[-2:]) / 2 < losses[0] - 1
    assert rates == [learning_rate(step, steps=14, peak=2e-3) for step in range(14)]
    assert capsys.readouterr().out == "tiny: step 14 scored\n"
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.pt"]


@pytest.mark.slow
def test_a_resumed_training_is_the_uninterrupted_one(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "SCORE_EVERY_STEPS", 2)
    for folder in ("whole", "killed"):
        (tmp_path / folder).mkdir()
    whole, losses, _ = fit_translator(tmp_path / "whole", tokenizer, steps=5, batch_size=4)
    with pytest.raises(Killed):
        fit_translator(tmp_path / "killed", tokenizer, steps=5, batch_size=4, killed_in_step=4)
    resumed, later_losses, _ = fit_translator(tmp_path / "killed", tokenizer, steps=5, batch_size=4)
    assert later_losses == losses[2:]  # the third step was taken and lost, and is taken again
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), resumed.parameters(), strict=True))


@pytest.mark.slow
def test_a_finished_training_and_one_of_another_plan_start_over(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "SCORE_EVERY_STEPS", 2)
    _, losses, _ = fit_translator(tmp_path, tokenizer, steps=3, batch_size=4)
    _, again, _ = fit_translator(tmp_path, tokenizer, steps=3, batch_size=4)
    assert again == losses
    with pytest.raises(Killed):
        fit_translator(tmp_path, tokenizer, steps=5, batch_size=4, killed_in_step=4)
    _, other, _ = fit_translator(tmp_path, tokenizer, steps=5, batch_size=2)
    assert len(other) == 5


@pytest.mark.slow
def test_a_few_steps_lower_the_captioners_losses(
    processor: Florence2Processor, prompts: dict[str, torch.Tensor], captioner: Florence2ForConditionalGeneration
) -> None:
    """Caption and region losses, on the same four pictures: both must reach the weights that they train."""
    head = torch.nn.Linear(captioner.config.vision_config.projection_dim, len(KINDS))
    optimizer = torch.optim.AdamW([*captioner.parameters(), *head.parameters()], lr=5e-4)
    batch, losses = caption_batch(processor, 4), []
    for _ in range(10):
        features = captioner.get_image_features(batch["pixels"]).pooler_output
        caption = train_captioner.caption_loss(captioner, prompts, batch, features)
        region = train_captioner.region_loss(head, features, batch["regions"])
        (caption + region).backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append((caption.item(), region.item()))
    assert losses[0][0] == pytest.approx(math.log(len(processor.tokenizer)), abs=0.7)
    assert losses[-1][0] < losses[0][0] - 1 and losses[-1][1] < losses[0][1] - 0.5


def test_an_untrained_captioner_gets_nothing_right_and_goes_on_training(
    processor: Florence2Processor, captioner: Florence2ForConditionalGeneration
) -> None:
    shares = train_captioner.exact_share(captioner, processor, seed=0, scenes=2)
    assert shares == {"short": 0, "detailed": 0} and captioner.training


# --- on disk ---


def test_a_saved_captioner_comes_back_through_the_ordinary_classes(
    tmp_path: Path, processor: Florence2Processor, captioner: Florence2ForConditionalGeneration
) -> None:
    train_captioner.save(captioner, processor, tmp_path)
    loaded = Florence2ForConditionalGeneration.from_pretrained(tmp_path, dtype=torch.float32).eval()
    same = AutoProcessor.from_pretrained(tmp_path, backend="pil")
    drawn = train_captioner.draw_numbered(0, "disk", 0, unseen=True)
    ask = {"images": drawn.image, "text": TASK_PROMPTS["detailed"], "return_tensors": "pt"}
    inputs, again = processor(**ask), same(**ask)
    assert torch.equal(inputs.input_ids, again.input_ids) and torch.equal(inputs.pixel_values, again.pixel_values)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 10e6
    start = torch.tensor([[loaded.config.text_config.decoder_start_token_id]])
    with torch.no_grad():
        ours = captioner.float().eval()(**inputs, decoder_input_ids=start).logits
        theirs = loaded(**again, decoder_input_ids=start).logits
    assert torch.equal(ours, theirs)


def test_a_saved_translator_comes_back_through_the_ordinary_classes(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast, translator: LlamaForCausalLM
) -> None:
    copy.deepcopy(translator).half().save_pretrained(tmp_path)  # as the trainer does
    tokenizer.save_pretrained(tmp_path)
    loaded = LlamaForCausalLM.from_pretrained(tmp_path, dtype=torch.float32).eval()
    same = AutoTokenizer.from_pretrained(tmp_path)
    ids = same(prompt_of("A red cat.", "zh"), return_tensors="pt").input_ids
    assert ids[0].tolist() == tokenizer(prompt_of("A red cat.", "zh")).input_ids
    assert (same.bos_token, same.eos_token, same.pad_token) == ("<s>", "</s>", "<pad>")
    with torch.no_grad():
        assert torch.allclose(translator.eval()(ids).logits, loaded(ids).logits, atol=0.01)
    assert (tmp_path / "model.safetensors").stat().st_size < 3e6
