"""A table of scores by a miniature model on a small real dataset; nothing is trained."""

import json
import math
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from model_examples import miniature
from shards_dataset import break_first_sample, caption, edit_samples, shard_file, translation, write_dataset
from training_examples import write_recipe

from florenz.shards.manifest import read_manifest
from florenz.shards.reader import iter_samples
from florenz.shards.schema import Sample
from florenz.train.data.examples import examples_of
from florenz.train.data.pictures import decode_picture
from florenz.train.data.processor import Processor
from florenz.train.data.prompts import encoder_prompt
from florenz.train.evaluate import main
from florenz.train.generate import write
from florenz.train.model.florenz import Florenz
from florenz.train.scores import table
from florenz.train.scores.asking import Asking
from florenz.train.scores.scoring import evaluate
from florenz.train.scores.sets.dataset import Set
from florenz.train.scores.showcase import Showcase
from florenz.train.scores.table import Evaluation, markdown, record, screen_table
from florenz.train.scores.texts import PairScores, chance, score_texts

VAL, WITHHELD = "val-000000.tar", "heldout-000000.tar"
COLOURS = {"en": ("red", "blue", "green"), "de": ("rotes", "blaues", "grünes"), "fr": ("rouge", "bleue", "verte")}
STYLES = ("short", "detailed")
NUM_NEW_TOKENS = 12
ASKING = Asking(max_new_tokens=NUM_NEW_TOKENS)


def text_of(language: str, number: int, style: str) -> str:
    """Another text for each of the three images and two styles."""
    colour = COLOURS[language][number]
    text = {"en": f"A {colour} car.", "de": f"Ein {colour} Auto.", "fr": f"Une voiture {colour}."}[language]
    return text if style == "short" else f"{text[:-1]} ({number})."


def covered(sample: Sample, number: int) -> Sample:
    examples = []
    for style in STYLES:
        english, german, french = (text_of(language, number, style) for language in ("en", "de", "fr"))
        of_style = caption("en", english), caption("de", german), translation("de", german, english)
        examples += [replace(one, style=style) for one in (*of_style, translation("fr", french, english))]
    return replace(sample, examples=tuple(examples))


def withheld(sample: Sample, number: int) -> Sample:
    examples = [replace(caption("fr", text_of("fr", number, style)), style=style) for style in STYLES]
    return replace(sample, examples=tuple(examples))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    out = tmp_path_factory.mktemp("dataset")
    write_dataset(str(out))
    edit_samples(out, VAL, lambda samples: [covered(sample, number) for number, sample in enumerate(samples)])
    edit_samples(out, WITHHELD, lambda samples: [withheld(sample, number) for number, sample in enumerate(samples)])
    return str(out)


@pytest.fixture(scope="module")
def model_and_processor() -> tuple[Florenz, Processor]:
    return miniature("florence")


@pytest.fixture(scope="module")
def evaluation(data: str, model_and_processor: tuple[Florenz, Processor]) -> Evaluation:
    return evaluate(*model_and_processor, Set(folder=data), asking=ASKING)


def names(evaluation: Evaluation) -> list[tuple[str, str, bool]]:
    return [(pair.task, pair.language, pair.is_held_out) for pair in evaluation.pairs]


def pair_of(evaluation: Evaluation, task: str, language: str) -> PairScores:
    (found,) = [pair for pair in evaluation.pairs if (pair.task, pair.language) == (task, language)]
    return found


def test_every_pair_has_a_row_and_the_withheld_one_is_marked(evaluation: Evaluation, data: str) -> None:
    assert names(evaluation) == [
        ("caption", "de", False),
        ("caption", "en", False),
        ("caption", "fr", True),
        ("translation", "de", False),
        ("translation", "fr", False),
    ]
    assert {pair.num_texts for pair in evaluation.pairs} == {6}
    assert evaluation.images == {"val": 3, "heldout": 3}
    assert evaluation.dataset == read_manifest(data).build
    for page in (screen_table(evaluation), markdown(evaluation)):
        assert page.count("caption/fr (held out)") == 1 == page.count("(held out)")


@pytest.mark.parametrize(("task", "language"), [("caption", "de"), ("caption", "fr"), ("translation", "fr")])
def test_cross_entropy_is_that_of_the_text_and_its_end_after_the_language_token(
    task: str, language: str, evaluation: Evaluation, data: str, model_and_processor: tuple[Florenz, Processor]
) -> None:
    model, processor = model_and_processor
    encoder, decoder = processor.encoder_tokenizer, processor.decoder_tokenizer
    losses = []
    for sample in iter_samples(str(shard_file(Path(data), WITHHELD if (task, language) == ("caption", "fr") else VAL))):
        for example in sample.examples:
            if (example.task, example.language) != (task, language):
                continue
            prompt = encoder_prompt(task, language, example.source_text or "", example.style)
            prompt_ids = encoder(prompt, add_special_tokens=False)["input_ids"]
            text_ids = decoder(example.text, add_special_tokens=False)["input_ids"] + [decoder.eos_token_id]
            start = [decoder.bos_token_id, decoder.convert_tokens_to_ids(f"<|{language}|>")]
            with torch.inference_mode():
                logits = model(
                    input_ids=torch.tensor([[encoder.bos_token_id, *prompt_ids, encoder.eos_token_id]]),
                    pixel_values=decode_picture(sample.jpeg, processor.image_px)[None],
                    decoder_input_ids=torch.tensor([start + text_ids[:-1]]),
                ).logits[0]
            of_text = logits.log_softmax(-1)[len(start) - 1 :]
            losses += [-float(of_text[place, token]) for place, token in enumerate(text_ids)]
    pair = pair_of(evaluation, task, language)
    assert pair.num_tokens == len(losses)
    assert pair.cross_entropy == pytest.approx(sum(losses) / len(losses), rel=1e-5)


def test_the_texts_scored_are_the_models_with_and_without_prefix(
    evaluation: Evaluation, data: str, model_and_processor: tuple[Florenz, Processor]
) -> None:
    examples = list(examples_of(data, "heldout", model_and_processor[1].image_px))
    references = [(one.text,) for one in examples]
    answers = [
        write(*model_and_processor, examples, max_new_tokens=NUM_NEW_TOKENS, with_prefix=prefix)
        for prefix in (True, False)
    ]
    pair = pair_of(evaluation, "caption", "fr")
    assert pair.with_prefix == score_texts(answers[0], references, "fr")
    assert pair.without_prefix == score_texts(answers[1], references, "fr")
    assert pair.with_prefix != pair.without_prefix
    assert pair.chance == chance(references, [one.style for one in examples], "fr")
    assert pair.chance is not None and 0 < pair.chance.chrf < 100 and pair.chance.exact_match == 0
    assert all((pair.without_prefix is None) == (pair.task == "translation") for pair in evaluation.pairs)


@pytest.mark.parametrize("batch_size", [1, 2, 5])
@pytest.mark.slow
def test_the_batch_size_changes_no_score(
    batch_size: int, evaluation: Evaluation, data: str, model_and_processor: tuple[Florenz, Processor]
) -> None:
    other = evaluate(*model_and_processor, Set(folder=data), asking=ASKING, batch_size=batch_size)
    assert other.images == evaluation.images
    for mine, its in zip(evaluation.pairs, other.pairs, strict=True):
        assert its.cross_entropy == pytest.approx(mine.cross_entropy, rel=1e-5)
        assert replace(its, cross_entropy=0) == replace(mine, cross_entropy=0)


def test_the_same_model_gives_the_same_scores(
    evaluation: Evaluation, data: str, model_and_processor: tuple[Florenz, Processor]
) -> None:
    torch.manual_seed(7)
    assert evaluate(*model_and_processor, Set(folder=data), asking=ASKING) == evaluation


def test_losses_alone_are_those_of_the_whole_table(
    data: str, model_and_processor: tuple[Florenz, Processor], evaluation: Evaluation, tmp_path: Path
) -> None:
    showcase = Showcase()
    losses = evaluate(*model_and_processor, Set(folder=data), asking=replace(ASKING, generate=False), showcase=showcase)
    silent = [replace(pair, with_prefix=None, without_prefix=None) for pair in evaluation.pairs]
    assert losses == replace(evaluation, pairs=tuple(silent))
    record(losses, str(tmp_path), lambda line: None, showcase=showcase)
    assert f"{losses.pairs[0].cross_entropy:.3f}" in (tmp_path / "EVALUATION.md").read_text()
    assert not (tmp_path / "captions.html").exists()


def test_fewer_images_are_the_first_ones_of_each_split(
    data: str, model_and_processor: tuple[Florenz, Processor], tmp_path: Path
) -> None:
    few = evaluate(*model_and_processor, Set(folder=data), asking=ASKING, max_images=2)
    assert few.images == {"val": 2, "heldout": 2}
    write_dataset(str(tmp_path))
    for shard, edit in ((VAL, covered), (WITHHELD, withheld)):
        edit_samples(
            tmp_path, shard, lambda samples, edit=edit: [edit(one, place) for place, one in enumerate(samples[:2])]
        )
    whole = evaluate(*model_and_processor, Set(folder=str(tmp_path)), asking=ASKING)
    assert few == whole


def test_without_pictures_translations_alone_are_scored(
    data: str, model_and_processor: tuple[Florenz, Processor], evaluation: Evaluation
) -> None:
    blind = evaluate(*model_and_processor, Set(folder=data), asking=ASKING, has_pictures=False)
    assert names(blind) == [("translation", "de", False), ("translation", "fr", False)]
    assert blind.pairs[0].cross_entropy != pytest.approx(evaluation.pairs[3].cross_entropy, rel=1e-4)


def test_a_dataset_that_withholds_nothing_has_no_held_out_rows(
    model_and_processor: tuple[Florenz, Processor], tmp_path: Path
) -> None:
    write_dataset(str(tmp_path))
    edit_samples(tmp_path, WITHHELD, lambda samples: [])
    found = evaluate(*model_and_processor, Set(folder=str(tmp_path)), asking=Asking(max_new_tokens=3))
    assert not any(pair.is_held_out for pair in found.pairs) and len(found.pairs) == 4


def test_a_language_without_words_to_begin_with_is_scored_without_prefix(tmp_path: Path) -> None:
    write_dataset(str(tmp_path))
    edit_samples(
        tmp_path,
        WITHHELD,
        lambda samples: [replace(one, examples=(caption("it", "Una macchina."),)) for one in samples],
    )
    found = evaluate(*miniature("florence", prefix="words"), Set(folder=str(tmp_path)), asking=Asking(max_new_tokens=8))
    italian, german = pair_of(found, "caption", "it"), pair_of(found, "caption", "de")
    assert italian.with_prefix is None and italian.without_prefix is not None
    assert german.with_prefix is not None and german.with_prefix != german.without_prefix


def test_json_table_and_screen_say_the_same(evaluation: Evaluation, tmp_path: Path) -> None:
    said: list[str] = []
    record(evaluation, str(tmp_path), said.append)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "EVALUATION.md",
        "evaluation.json",
        "evaluation.png",
    ]
    numbers = json.loads((tmp_path / "evaluation.json").read_text())
    assert numbers == json.loads(json.dumps(asdict(evaluation)))
    rows = [line for line in (tmp_path / "EVALUATION.md").read_text().splitlines() if line.startswith("| ")][2:]
    on_screen = said[0].splitlines()[2 : 2 + len(rows)]
    for pair, row, line in zip(numbers["pairs"], rows, on_screen, strict=True):
        name, *cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert name == f"{pair['task']}/{pair['language']}" + (" (held out)" if pair["is_held_out"] else "")
        assert line.split() == [*name.split(), *cells]
        assert cells[:2] == [str(pair["num_texts"]), f"{pair['cross_entropy']:.3f}"]
        for place, kind in enumerate(("with_prefix", "without_prefix", "chance")):
            scores = pair[kind] or dict.fromkeys(("exact_match", "chrf", "language_fidelity"))
            shown = [math.nan if cell == "-" else float(cell.rstrip("%")) for cell in cells[2:][place * 3 :][:3]]
            expected = [
                math.nan if scores[key] is None else scores[key] * scale
                for key, scale in (("exact_match", 100), ("chrf", 1), ("language_fidelity", 100))
            ]
            assert shown == pytest.approx(expected, abs=0.051, nan_ok=True)


def test_the_screen_table_is_aligned(evaluation: Evaluation) -> None:
    lines = screen_table(evaluation).splitlines()[: 2 + len(evaluation.pairs)]
    assert all(len(one) == len(other) for one, other in pairwise(lines))
    assert [word for word in lines[0].split() if "-" not in word] == ["with", "prefix", "without", "chance"]


def test_without_matplotlib_the_scores_are_written_and_a_line_says_what_is_missing(
    evaluation: Evaluation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "has_matplotlib", lambda: False)
    said: list[str] = []
    record(evaluation, str(tmp_path), said.append)
    assert said[-1] == "no matplotlib, so no picture of the scores: pip install florenz[train]"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["EVALUATION.md", "evaluation.json"]


@pytest.fixture
def training(tmp_path: Path, model_and_processor: tuple[Florenz, Processor]) -> Path:
    """A recipe whose OUT holds a finished model."""
    recipe = write_recipe(tmp_path)
    for part in model_and_processor:
        part.save_pretrained(tmp_path / "out" / "model")
    return recipe


@pytest.mark.slow
def test_the_command_scores_the_finished_model_of_a_recipe(
    training: Path, capsys: pytest.CaptureFixture[str], model_and_processor: tuple[Florenz, Processor]
) -> None:
    out = training.parent / "out"
    assert main([str(training), "MAX_IMAGES=1"]) == 0
    said = capsys.readouterr()
    assert said.err == "" and "caption/fr (held out)" in said.out
    numbers = json.loads((out / "evaluation.json").read_text())
    expected = evaluate(*model_and_processor, Set(folder=str(training.parent / "data")), max_images=1)
    assert numbers == json.loads(json.dumps(asdict(expected)))
    assert (out / "EVALUATION.md").exists() and (out / "evaluation.png").exists()


@pytest.mark.slow
def test_a_recipe_can_ask_for_losses_alone(training: Path, capsys: pytest.CaptureFixture[str]) -> None:
    training.write_text(f"{training.read_text()}\n[evaluation]\ngenerate = false\n")
    assert main([str(training), "MAX_IMAGES=1"]) == 0
    pairs = json.loads((training.parent / "out" / "evaluation.json").read_text())["pairs"]
    assert pairs and all(pair["cross_entropy"] > 0 and pair["with_prefix"] is None for pair in pairs)


def refusal(capsys: pytest.CaptureFixture[str], code: int, *arguments: str) -> str:
    """The one line with which it ends."""
    capsys.readouterr()
    assert main(arguments) == code
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and err.startswith("florenz: "), err
    return err


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        ("OUT={folder}/elsewhere", "there is no model in {folder}/elsewhere/model: run make train with this OUT"),
        ("DATA={folder}/elsewhere", "data (DATA): {folder}/elsewhere/manifest.json does not exist"),
        ("MAX_IMAGES=0", "MAX_IMAGES must be a whole number above 0, got '0'"),
        ("MAX_IMAGES=few", "MAX_IMAGES must be a whole number above 0, got 'few'"),
        ("DEVICE=cuda:9", "device (DEVICE) is cuda:9"),
        ("IMGES=3", "unknown variable IMGES"),
        ("BENCHMARK=datasets", "BENCHMARK=datasets needs its files: give BENCHMARK_DATA=folder too"),
        ("BENCHMARK_DATA={folder}/data", "BENCHMARK_DATA={folder}/data is of which set? Give BENCHMARK=name too"),
        ("nonsense", "usage: florenz evaluate RECIPE"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    variable: str, message: str, training: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refusal(capsys, 2, str(training), variable.format(folder=training.parent))
    assert message.format(folder=training.parent) in said
    assert not list((training.parent / "out").glob("*evaluation*"))


def test_an_unknown_benchmark_is_refused_with_the_nearest_name(
    training: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refusal(capsys, 2, str(training), "BENCHMARK=datset", f"BENCHMARK_DATA={training.parent}")
    assert said == "florenz: BENCHMARK=datset: there is no such set: did you mean 'dataset'?\n"
    assert "did you mean 'xm3600'" in refusal(capsys, 2, str(training), "BENCHMARK=xm360", "BENCHMARK_DATA=.")


def test_what_a_benchmark_lacks_is_said_under_its_own_variable(
    training: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refusal(capsys, 2, str(training), "BENCHMARK=dataset", f"BENCHMARK_DATA={training.parent}/none")
    assert said.startswith(f"florenz: BENCHMARK_DATA: {training.parent}/none/manifest.json does not exist")


def test_a_benchmark_by_name_has_the_same_scores_in_files_of_its_own(
    training: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of another dataset than the recipe's, which need not be there."""
    out, elsewhere = training.parent / "out", training.parent / "elsewhere"
    assert main([str(training), "MAX_IMAGES=1"]) == 0
    (training.parent / "data").rename(elsewhere)
    before = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    assert main([str(training), "MAX_IMAGES=1", "BENCHMARK=dataset", f"BENCHMARK_DATA={elsewhere}"]) == 0
    assert f"scores in {out}/evaluation-dataset.json, EVALUATION-dataset.md and evaluation-dataset.png" in (
        capsys.readouterr().out
    )
    after = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    assert before.items() <= after.items() and len(after) == 2 * len(before) == 8
    assert after["evaluation-dataset.json"] == before["evaluation.json"]


def test_an_empty_validation_split_is_refused(training: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit_samples(training.parent / "data", VAL, lambda samples: [])
    assert "has no validation images: run make dataset with more" in refusal(capsys, 2, str(training))


def test_a_model_folder_without_a_model_is_refused(training: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (training.parent / "out" / "model" / "model.safetensors").unlink()
    assert "no Florenz can be loaded from" in refusal(capsys, 2, str(training))


def test_a_language_that_the_model_lacks_is_refused_by_name(training: Path, capsys: pytest.CaptureFixture[str]) -> None:
    italian = caption("it", "Una macchina rossa.")
    edit_samples(training.parent / "data", VAL, lambda samples: [replace(one, examples=(italian,)) for one in samples])
    assert "the model has no token for language 'it'" in refusal(capsys, 2, str(training))


def test_a_broken_sample_stops_with_its_shard_and_key(training: Path, capsys: pytest.CaptureFixture[str]) -> None:
    break_first_sample(training.parent / "data", VAL)
    said = refusal(capsys, 1, str(training))
    assert f"{VAL} at byte" in said and "schema version 9" in said
