"""The command `florenz generate`: one line an image, and one line on stderr for what can't be done."""

from pathlib import Path

import pytest
from model_examples import Asked, miniature, picture
from PIL import Image

from florenz.train.generate import main, write


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("checkpoint")
    for part in miniature("florence", prefix="words"):
        part.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("images")
    paths = [folder / f"{number}.png" for number in range(3)]
    for number, path in enumerate(paths):
        Image.fromarray(picture(number).permute(1, 2, 0).numpy()).save(path)
    return [str(path) for path in paths]


def test_one_line_for_each_image_in_order(
    checkpoint: str, images: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("florenz.train.generate.IMAGES_AT_ONCE", 2)
    lines = []
    for order in (images, images[::-1]):
        assert main([checkpoint, *order, "--language", "fr", "--max-new-tokens", "12"]) == 0
        lines.append(capsys.readouterr().out.splitlines())
    assert len(set(lines[0])) == len(images)
    assert lines[0] == lines[1][::-1]


def test_text_is_translated_without_an_image(checkpoint: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--task", "translation", "--language", "de", "--text", "A red car.", "--max-new-tokens", "12"]
    assert main([checkpoint, *arguments, "--num-beams", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 and lines[0]


def test_options_reach_the_model(checkpoint: str, images: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    base = [checkpoint, images[0], "--language", "fr", "--max-new-tokens", "12"]
    outputs = []
    for more in ([], ["--no-prefix"], ["--style", "detailed"], ["--num-beams", "3"], ["--max-new-tokens", "3"]):
        assert main([*base, *more]) == 0
        outputs.append(capsys.readouterr().out)
    assert outputs[0] not in outputs[1:]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{checkpoint}", "nowhere.jpg", "--language", "fr"], "image nowhere.jpg: no such file"),
        (["{checkpoint}", __file__, "--language", "fr"], "not a readable image"),
        (["{checkpoint}", "{image}", "--language", "xx"], "unknown language 'xx'"),
        (["{checkpoint}", "{image}", "--language", "it"], "no words to begin a caption in Italian"),
        (["{checkpoint}", "{image}", "--language", "fr", "--task", "sing"], "invalid choice: 'sing'"),
        (["{checkpoint}", "{image}", "--language", "fr", "--style", "haiku"], "unknown caption style 'haiku'"),
        (["{checkpoint}", "{image}"], "required: --language"),
        (["{checkpoint}", "--language", "fr"], "a caption needs an image"),
        (["{checkpoint}", "--task", "translation", "--language", "fr"], "needs a text to translate"),
        (["{checkpoint}", "{image}", "--language", "fr", "--max-new-tokens", "999"], "999 new tokens are not possible"),
        (["{checkpoint}", "{image}", "--language", "fr", "--max-new-tokens", "0"], "0 new tokens are not possible"),
        (["{checkpoint}", "{image}", "--language", "fr", "--num-beams", "0"], "--num-beams is 0"),
        (["nowhere", "{image}", "--language", "fr"], "nowhere is no checkpoint of Florenz"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    arguments: list[str], message: str, checkpoint: str, images: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    words = [word.format(checkpoint=checkpoint, image=images[0]) for word in arguments]
    try:
        code = main(words)
    except SystemExit as left:
        code = left.code
    output = capsys.readouterr()
    assert code == 2
    assert output.out == ""
    assert len(output.err.splitlines()) == 1 and output.err.startswith("florenz: ")
    assert message in output.err


def test_an_image_with_too_many_pixels_is_refused_before_it_is_decoded(
    checkpoint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bomb = tmp_path / "bomb.png"
    Image.new("1", (20_000, 20_000)).save(bomb)
    assert bomb.stat().st_size < 100_000
    assert main([checkpoint, str(bomb), "--language", "fr"]) == 2
    assert "pixels" in capsys.readouterr().err


def test_answers_are_those_of_the_questions_in_their_order() -> None:
    model, processor = miniature("florence", prefix="words")
    questions = [Asked(language="de", picture_CHW=picture(1)), Asked(language="en", picture_CHW=picture(2))]
    answers = write(model, processor, questions, max_new_tokens=8)
    assert answers == [write(model, processor, [question], max_new_tokens=8)[0] for question in questions]
    assert answers[0].startswith("Das Bild zeigt") and answers[1].startswith("The image shows")
    free = write(model, processor, questions, max_new_tokens=8, with_prefix=False)
    assert not free[0].startswith("Das Bild zeigt")


def test_without_a_limit_the_answer_may_be_as_long_as_any_trained_text() -> None:
    model, processor = miniature("florence")
    model.generation_config.min_new_tokens = 200
    ids = []
    model_generate = model.generate
    model.generate = lambda **kwargs: ids.append(model_generate(**kwargs)) or ids[-1]  # type: ignore[method-assign]
    write(model, processor, [Asked()])
    assert ids[0].shape[1] == processor.settings.max_text_tokens + 1
