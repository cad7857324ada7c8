"""`florenz completion bash`: what a shell needs to complete commands and variables, made from what --help prints.

eval "$(florenz completion bash)"                                        # ~/.bashrc; zsh: the same in ~/.zshrc
florenz completion fish > ~/.config/fish/completions/florenz.fish
"""

from __future__ import annotations

import contextlib
import importlib
import io
import re
from collections.abc import Mapping, Sequence

from florenz.commands import COMMANDS
from florenz.console import REFUSED, fail
from florenz.helps import HELPS

SHELLS = ("bash", "zsh", "fish")
USAGE = """usage: florenz completion bash|zsh|fish

Prints what the shell needs to complete commands, variables and files:
  bash, zsh  eval "$(florenz completion bash)"  in ~/.bashrc or ~/.zshrc
  fish       florenz completion fish > ~/.config/fish/completions/florenz.fish"""
BASH = """\
_florenz() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} names=
    COMPREPLY=()
    if [[ $COMP_CWORD -eq 1 ]]; then
        COMPREPLY=($(compgen -W '{commands}' -- "$word"))
        return
    fi
    if [[ $word == '=' || ${{COMP_WORDS[COMP_CWORD-1]}} == '=' ]]; then
        COMPREPLY=($(compgen -f -- "${{word#=}}"))
        return
    fi
    case ${{COMP_WORDS[1]}} in
{cases}
    esac
    COMPREPLY=($(compgen -W "$names" -- "$word") $(compgen -f -- "$word"))
    [[ ${{#COMPREPLY[@]}} -eq 1 && ${{COMPREPLY[0]}} == *= ]] && compopt -o nospace 2>/dev/null
    return 0
}}
complete -o filenames -F _florenz florenz
"""


def main(arguments: Sequence[str]) -> int:
    if any(word in ("--help", "-h") for word in arguments):
        print(USAGE)
        return 0
    if len(arguments) != 1 or arguments[0] not in SHELLS:
        return fail(USAGE.splitlines()[0], REFUSED)
    print(script(arguments[0]), end="")
    return 0


def script(shell: str) -> str:
    names = {command: variables(command) for command in COMMANDS}
    if shell == "fish":
        return _fish(names)
    given = {command: " ".join(f"{name}=" for name in found) for command, found in names.items() if found}
    cases = "\n".join(f"        {command}) names='{words}' ;;" for command, words in given.items())
    bash = BASH.format(commands=" ".join(COMMANDS), cases=cases)
    return bash if shell == "bash" else f"autoload -U +X bashcompinit && bashcompinit\n{bash}"


def variables(command: str) -> list[str]:
    """The names that its help explains."""
    said = help_of(command)
    found = re.findall(r"\b([A-Z][A-Z_]*)=", said)
    explained = re.findall(r"^  ([A-Z][A-Z_]*(?:, [A-Z][A-Z_]*)*)\b", said, re.MULTILINE)
    return sorted({*found, *(name for line in explained for name in line.split(", "))} - {"NAME"})


def help_of(command: str) -> str:
    if command in HELPS or command == "completion":
        return HELPS.get(command, "")
    module, _, function = COMMANDS[command][0].partition(":")
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        getattr(importlib.import_module(module), function)(["--help"])
    return said.getvalue()


def _fish(names: Mapping[str, Sequence[str]]) -> str:
    lines = []
    for command, (_, about) in COMMANDS.items():
        words = about.partition(":")[0].replace("'", "")
        lines.append(f"complete -c florenz -n __fish_use_subcommand -f -a {command} -d '{words}'")
        if names[command]:
            given = " ".join(f"{name}=" for name in names[command])
            lines.append(f"complete -c florenz -n '__fish_seen_subcommand_from {command}' -a '{given}'")
    return "\n".join(lines) + "\n"
