"""A benchmark from the command line: real models in miniature, every row of its table, one JSON for the run."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import sacrebleu
import test_train_scores_sets_commute as commute_files
import test_train_scores_sets_xm3600 as xm3600_files
import torch
from model_examples import Asked, miniature, picture
from sacrebleu.metrics import CHRF
from training_examples import write_recipe

from florenz.train.evaluate import main
from florenz.train.generate import write
from florenz.train.scores.asking import Asking, losses_of
from florenz.train.scores.items import example_of, picture_of
from florenz.train.scores.scoring import evaluate
from florenz.train.scores.sets import commute, xm3600
from florenz.train.scores.texts import bleu, interval_of_mean, intervals

ASKING = Asking(max_new_tokens=6, is_benchmark=True)


def test_captions_have_both_baselines_and_languages_that_the_model_lacks_are_left_out(tmp_path: Path) -> None:
    xm3600_files.write_set(tmp_path)
    model, processor = miniature("florence")
    found = evaluate(model, processor, xm3600.Set(folder=str(tmp_path)), asking=ASKING, max_images=9)
    assert [(pair.task, pair.language) for pair in found.pairs] == [("caption", "en"), ("caption", "fr")]
    english, french = found.pairs
    assert english.copied is None and english.translated is None  # it is English
    assert french.copied is not None and french.translated is not None
    assert french.with_prefix and french.with_prefix.cider is not None and french.with_prefix.bleu is None
    low, high = french.with_prefix.intervals["cider"]
    assert low <= french.with_prefix.cider <= high


def test_a_contrast_is_right_where_the_fitting_text_has_the_lower_loss(tmp_path: Path) -> None:
    commute_files.write_set(tmp_path)
    one = commute.Set(folder=str(tmp_path))
    model, processor = miniature("florence")
    (german,) = evaluate(model, processor, one, asking=ASKING, max_images=9).pairs  # it has no token for Chinese
    expected = []
    for item in one.items("en-de"):
        example = example_of(item, picture_of(item, processor.image_px))
        with torch.no_grad():
            right, wrong = (
                float(model(**processor.collate([replace(example, text=text)], learn_prefix=False)).loss)
                for text in (item.references[0], item.wrong)
            )
        expected.append(right < wrong)
    assert german.contrast == sum(expected) / len(expected)
    assert german.copied is not None and german.copied.bleu is not None
    assert german.contrast_interval is not None
    low, high = german.contrast_interval
    assert low <= german.contrast <= high


def test_the_loss_of_each_text_is_that_of_it_alone() -> None:
    model, processor = miniature("gemma")
    texts = [Asked(text="Das rote Auto.", picture_CHW=picture(1)), Asked(text="Das.", picture_CHW=picture(1))]
    with torch.no_grad():
        alone = [float(model(**processor.collate([one], learn_prefix=False)).loss) for one in texts]
        assert losses_of(model, processor, texts) == pytest.approx(alone, rel=1e-4)  # type: ignore[arg-type]


def test_beams_are_searched() -> None:
    model, processor = miniature("florence", seed=3)
    asked = [Asked(picture_CHW=picture(number)) for number in range(4)]
    greedy, beams = (write(model, processor, asked, num_beams=n, max_new_tokens=10) for n in (1, 4))
    assert greedy != beams


def test_the_command_writes_one_json_with_what_was_scored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = write_recipe(tmp_path)
    (tmp_path / "bench").mkdir()
    commute_files.write_set(tmp_path / "bench")
    model, processor = miniature("florence")
    model.save_pretrained(tmp_path / "out" / "model")
    processor.save_pretrained(tmp_path / "out" / "model")
    assert main([str(recipe), "BENCHMARK=commute", f"BENCHMARK_DATA={tmp_path}/bench", "MAX_IMAGES=2"]) == 0
    said = capsys.readouterr().out
    assert "right one likelier" in said and "English as it is" in said and "4 beams" in said
    numbers = json.loads((tmp_path / "out" / "evaluation-commute.json").read_text())
    assert numbers["dataset"].startswith("commute-") and numbers["pairs"][0]["contrast"] is not None
    parameters = sum(one.numel() for one in model.parameters())
    assert numbers["model"] == {"step": 6, "samples_seen": 24, "parameters": parameters, "num_beams": 4}


@pytest.mark.parametrize("name", ["multi30k", "xm3600", "coco", "commute"])
def test_a_benchmark_without_its_files_is_refused_before_a_model_is_looked_for(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = write_recipe(tmp_path)
    assert main([str(recipe), f"BENCHMARK={name}", f"BENCHMARK_DATA={tmp_path}/none"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and all(f"BENCHMARK_DATA: {tmp_path}/none" in line for line in err.strip().split("\n"))
    assert "docs/benchmarks.md" in err and not (tmp_path / "out").exists()


def test_bleu_is_sacrebleus_and_chinese_counts_in_characters() -> None:
    answers, texts = ["a red car stands here now"], [("a red car stands there now",)]
    assert bleu(answers, texts, "de") == pytest.approx(sacrebleu.corpus_bleu(answers, [[texts[0][0]]]).score)
    chinese, wanted = ["一只红色的鹤在这里"], [("一只红色的鹤在那里",)]
    by_character = sacrebleu.corpus_bleu(chinese, [[wanted[0][0]]], tokenize="zh").score
    assert bleu(chinese, wanted, "zh") == pytest.approx(by_character) and by_character > bleu(chinese, wanted, "de")


def test_intervals_hold_the_mean_narrow_with_more_and_are_the_same_twice() -> None:
    few, many = interval_of_mean([0.0, 1.0] * 10), interval_of_mean([0.0, 1.0] * 1000)
    assert few[0] < many[0] < 0.5 < many[1] < few[1] and interval_of_mean([0.0, 1.0] * 10) == few
    assert many[1] - many[0] == pytest.approx(2 * 1.96 * 0.5 / 2000**0.5, rel=0.1)  # the normal approximation
    answers = ["a red car stands here now", "two dogs run on the beach", "a man"]
    shuffled = [(text,) for text in answers[1:] + answers[:1]]
    low, high = intervals(answers, shuffled, "en", ("chrf",))["chrf"]
    expected = sacrebleu.corpus_chrf(answers, [[text for (text,) in shuffled]])
    assert low < expected.score < high
    assert 0 <= low < high <= 100


def test_intervals_are_sacrebleus_and_hold_where_hardly_any_text_fits() -> None:
    """English as the answer for Chinese: in a third of the samples no letter fits, and sacrebleu's own bootstrap
    raises "don't know how to coerce float and float32"."""
    answers = ["a red crane", "a taxi", "two dogs"]
    low, high = intervals(answers, [("一只红色的鹤",), ("一辆 taxi",), ("两只狗",)], "zh", ("chrf", "bleu"))["chrf"]
    assert low <= 0 < high < 100
    near = [("a red crane here",), ("the taxi",), ("two dogs run",)]
    found = CHRF().corpus_score(answers, [[text for (text,) in near]], n_bootstrap=1000)
    wanted = float(found._mean - found._ci), float(found._mean + found._ci)
    assert intervals(answers, near, "en", ("chrf",))["chrf"] == pytest.approx(wanted, abs=1e-3)
