"""The words after a command about a recipe or a list of runs."""

import pytest

from florenz.recipe_command import read_list_words, read_recipe_words

USAGE = "usage: florenz train RECIPE [NAME=value ...]\n\nWhat it does."


def test_the_first_word_is_the_recipe_and_all_others_are_variables() -> None:
    assert read_recipe_words(["runs/lr=1/train.toml", "OUT=a=b", "SEED="], USAGE) == (
        "runs/lr=1/train.toml",
        {"OUT": "a=b", "SEED": ""},
    )


@pytest.mark.parametrize("arguments", [[], ["train.toml", "OUT"]], ids=["no recipe", "no equals sign"])
def test_anything_else_is_answered_with_how_the_command_goes_in_one_line(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert read_recipe_words(arguments, USAGE) == 2
    assert capsys.readouterr() == ("", f"florenz: {USAGE.splitlines()[0]}\n")


def test_help_is_all_of_it_on_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    assert read_recipe_words(["train.toml", "-h"], USAGE) == 0
    assert capsys.readouterr() == (f"{USAGE}\n", "")


def test_lists_may_stand_anywhere_and_empty_variables_are_none() -> None:
    assert read_list_words(["OUT= a ", "one", "DATA= ", "two"], ("OUT", "DATA")) == (["one", "two"], {"OUT": "a"})


def test_an_unknown_variable_of_a_list_is_refused_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert read_list_words(["OUTS=x"], ("OUT", "DATA")) == 2
    assert "unknown variable OUTS: did you mean 'OUT'?" in capsys.readouterr().err
