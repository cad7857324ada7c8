"""Both trainers in miniature: what a batch asks for, that a few steps lower the loss, that a saved model comes back."""

import copy
import math
from itertools import islice, product
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
from florenz.playground.captioner_model import IMAGE_SIDE_PX, IMAGE_TOKENS, TASK_PROMPTS, pixels_of
from florenz.playground.captions import LANGUAGES, STYLES, state
from florenz.playground.draw import SIDE_PX, Placed
from florenz.playground.scene import Group, is_unseen, random_for, sample_scene, usual_reading
from florenz.playground.train_translator import TASKS
from florenz.playground.training import IGNORED, Plan, fit, learning_rate
from florenz.playground.translator_model import MARKER, TARGETS, build_model, build_tokenizer, prompt_of
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


def test_each_row_is_one_english_text_and_its_five_answers(tokenizer: PreTrainedTokenizerFast) -> None:
    """Taken apart again: the shared tokens and a branch are a prompt and its answer, and only the answer has labels."""
    batches = train_translator.Batches(tokenizer, seed=0, batch_size=10, first_step=0)
    for step, batch in enumerate(islice(batches, 3)):
        assert batch.ids.shape == batch.labels.shape == batch.branches.shape == batch.positions.shape
        assert batch.ids.shape[0] == 2
        for row in range(2):
            shared = batch.ids[row][batch.branches[row] == 0]
            for branch, language in enumerate(TARGETS, start=1):
                pair = train_translator.pair(0, "train", 2 * step + row, TASKS[step], language, unseen=False)
                is_own = batch.branches[row] == branch
                prompt = tokenizer(pair.prompt(language)).input_ids
                answer = tokenizer(pair.answer, add_special_tokens=False).input_ids + [tokenizer.eos_token_id]
                assert [*shared.tolist(), *batch.ids[row][is_own].tolist()] == prompt + answer
                assert batch.labels[row][is_own].tolist() == [IGNORED, *answer]
                wanted = list(range(len(shared), len(prompt) + len(answer)))
                assert batch.positions[row][is_own].tolist() == wanted
            assert (batch.labels[row][batch.branches[row] == 0] == IGNORED).all()
            is_padding = batch.branches[row] > len(TARGETS)
            assert (batch.ids[row][is_padding] == tokenizer.pad_token_id).all()
            assert (batch.labels[row][is_padding] == IGNORED).all()


def test_the_loss_of_a_row_is_that_of_its_pairs_asked_one_by_one(
    tokenizer: PreTrainedTokenizerFast, translator: LlamaForCausalLM
) -> None:
    """Rows of different lengths, so that padding is there as well: no answer sees another one."""
    batches = train_translator.Batches(tokenizer, seed=0, batch_size=15, first_step=0)
    for step, batch in enumerate(islice(batches, 3)):
        total, tokens = 0.0, 0
        for number, language in ((3 * step + row, language) for row in range(3) for language in TARGETS):
            pair = train_translator.pair(0, "train", number, TASKS[step], language, unseen=False)
            prompt = tokenizer(pair.prompt(language)).input_ids
            answer = tokenizer(pair.answer, add_special_tokens=False).input_ids + [tokenizer.eos_token_id]
            labels = torch.tensor([[IGNORED] * len(prompt) + answer])
            loss = translator(input_ids=torch.tensor([prompt + answer]), labels=labels).loss
            total, tokens = total + loss.item() * len(answer), tokens + len(answer)
        assert train_translator.loss_of(translator, batch).item() == pytest.approx(total / tokens, abs=1e-4)


def test_batches_go_on_where_they_are_told_to(tokenizer: PreTrainedTokenizerFast) -> None:
    whole = list(islice(train_translator.Batches(tokenizer, seed=0, batch_size=10, first_step=0), 5))
    later = list(islice(train_translator.Batches(tokenizer, seed=0, batch_size=10, first_step=3), 2))
    for old, new in zip(whole[3:], later, strict=True):
        assert torch.equal(old.ids, new.ids) and torch.equal(old.labels, new.labels)
    assert not torch.equal(whole[0].ids[:, :5], whole[3].ids[:, :5])


def test_pairs_keep_to_their_side_and_a_lone_short_caption_to_the_usual_reading() -> None:
    for unseen, task, number in product((False, True), TASKS, range(15)):
        pair = train_translator.pair(0, "sides", number, task, "ru", unseen=unseen)
        assert is_unseen(pair.source + pair.context) is unseen
        rng = random_for(0, "sides", number)
        scenes = (sample_scene(rng) for _ in range(2000))
        style = "detailed" if task == "detailed" else "short"
        wanted = next(
            scene
            for scene in (usual_reading(scene) if task == "short" else scene for scene in scenes)
            if state(scene, "en", style) == pair.source
            and (task != "in context" or state(scene, "en", "detailed") == pair.context)
        )
        assert pair.target == state(wanted, "ru", style) and bool(pair.context) is (task == "in context")


def test_a_context_rides_along_behind_the_marker_and_the_answer_ends_with_it(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    pair = train_translator.pair(0, "form", 0, "in context", "de", unseen=False)
    assert pair.prompt("de") == f"{pair.source} {MARKER} ({pair.context})<|de|>"
    assert pair.answer == f"{pair.target} {MARKER}"
    assert tokenizer.decode(tokenizer(pair.answer, add_special_tokens=False).input_ids) == pair.answer


# --- what the captioner is asked for ---


def test_half_of_the_pictures_learn_the_short_caption_and_half_the_detailed_one(
    processor: Florence2Processor,
) -> None:
    batch = caption_batch(processor, 6)
    assert batch["pixels"].shape == (6, 3, IMAGE_SIDE_PX, IMAGE_SIDE_PX)
    assert batch["regions"].shape == (6, IMAGE_TOKENS - 1, 4)
    for number in range(6):
        drawn = train_captioner.draw_numbered(0, "train", number, unseen=False)
        for style in STYLES[number // 3 : number // 3 + 1]:
            labels = batch[style][number % 3]
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


def test_region_labels_say_the_looks_of_what_is_in_the_patch_under_each_centre() -> None:
    places = {"cat": (0.0, 0.0), "bus": (100.0, 40.0), "key": (192.0, 192.0)}  # patches are 32 px wide
    things = [
        Placed(Group(kind=kind, colour="green", size="large", count=1, pose="sit"), x, y, 30.0, (0, 0, 0), False)
        for kind, (x, y) in places.items()
    ]
    labels = train_captioner.region_labels(things)
    looks = list(train_captioner.LOOKS.values())
    named = {
        patch: [values[label] for values, label in zip(looks, row, strict=True)]
        for patch, row in enumerate(labels.tolist())
        if row != [IGNORED] * 4
    }
    assert named == {
        patch: [kind, "green", "large", "sit"] for patch, kind in ((0, "cat"), (1 * 6 + 3, "bus"), (35, "key"))
    }


def test_the_region_loss_leaves_out_the_mean_token_and_empty_patches(
    captioner: Florence2ForConditionalGeneration,
) -> None:
    """The mean over the four looks of what stands in the one patch that is not empty, worked out by hand."""
    torch.manual_seed(0)
    head, features = train_captioner.build_head(captioner), torch.randn(1, IMAGE_TOKENS, 128)
    labels = torch.full((1, IMAGE_TOKENS - 1, 4), IGNORED)
    labels[0, 5] = torch.tensor([3, 2, 1, 4])
    logits, start, wanted = head(features[0, 6]), 0, 0.0
    for values, label in zip(train_captioner.LOOKS.values(), (3, 2, 1, 4), strict=True):
        wanted -= torch.log_softmax(logits[start : start + len(values)], dim=-1)[label].item() / 4
        start += len(values)
    assert start == len(logits)
    assert train_captioner.region_loss(head, features, labels).item() == pytest.approx(wanted, abs=1e-5)


def test_pixels_are_those_of_the_processor(processor: Florence2Processor) -> None:
    images = [train_captioner.draw_numbered(0, "pixels", number, unseen=True).image for number in range(3)]
    assert torch.equal(pixels_of(images), processor.image_processor(images, return_tensors="pt").pixel_values)


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
    """Two ordinary calls, the first pictures being asked for the first style and the others for the second."""
    batch = caption_batch(processor, 4)
    captioner.eval()
    with torch.no_grad():
        features = captioner.get_image_features(batch["pixels"]).pooler_output
        ours = train_captioner.caption_loss(captioner, prompts, batch, features).item()
        ordinary = [
            captioner(input_ids=prompt.expand(2, -1), pixel_values=pixels, labels=batch[style]).loss.item()
            for (style, prompt), pixels in zip(prompts.items(), batch["pixels"].split(2), strict=True)
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

    def loss_of(batch: train_translator.Batch) -> torch.Tensor:
        if len(losses) + 1 == killed_in_step:
            raise Killed
        loss = train_translator.loss_of(model, batch)
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
    head = train_captioner.build_head(captioner)
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
