"""Word lists that the recipe names (`[filters.toxicity]`), from the launcher's files to the workers of an assembly.

    OUT/ledger/words/<language>-<fingerprint>.txt    a list as it was read, named by its content

Workers may be on other machines and a list may be edited while captions are being written, so the launcher copies what
it has read into OUT, and the fingerprints stand in the assembly: they decide the build's name, and paths do not.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from functools import cache

from florenz.filters.toxicity import Toxicity, WordList, entries_of
from florenz.limits.errors import TooLarge
from florenz.limits.reading import read_whole
from florenz.limits.table import WORD_LIST_BYTES
from florenz.recipes.recipe_file import RecipeError
from florenz.stores import files

_LABEL = "[filters.toxicity] lists"


def fingerprints_of(toxicity: Toxicity | None) -> dict[str, str]:
    """Language -> 16 hex digits of what its list holds now. Raises RecipeError, of a list that can't be used."""
    return {language: _fingerprint(content) for language, content in _contents(toxicity).items()}


def keep_lists(out: str, toxicity: Toxicity | None, fingerprints: Mapping[str, str]) -> None:
    """Where workers find them; those of other builds go. Raises RecipeError, of a list that has changed meanwhile."""
    contents = _contents(toxicity)
    if changed := [one for one, content in contents.items() if _fingerprint(content) != fingerprints[one]]:
        raise RecipeError([f"{_LABEL}: that for {one} changed during the run: run again" for one in changed])
    kept = {_path_of(out, language, fingerprints[language]): content for language, content in contents.items()}
    for path in set(files.list_files(files.join(out, "ledger", "words", ""))) - kept.keys():
        files.remove(path)
    for path, content in kept.items():
        with files.atomic_write(path) as file:
            file.write(content)


def kept_lists(out: str, fingerprints: Mapping[str, str]) -> Mapping[str, WordList]:
    """Language -> its list, from OUT; made once in each process."""
    return {language: _kept_list(out, language, one) for language, one in fingerprints.items()}


def lists_of(toxicity: Toxicity | None) -> dict[str, WordList]:
    """From the recipe's files, for who judges on the spot. Raises RecipeError."""
    return {language: _word_list(content, language) for language, content in _contents(toxicity).items()}


def problems(toxicity: Toxicity | None) -> Iterator[str]:
    """A line for each list that can't be used."""
    for language, path in (toxicity.lists if toxicity else {}).items():
        try:
            _read(language, path)
        except RecipeError as problem:
            yield from problem.problems


def warnings(toxicity: Toxicity | None, languages: tuple[str, ...]) -> Iterator[str]:
    """What runs, and has less effect than one may think."""
    if toxicity is None:
        return
    if unused := [one for one in toxicity.lists if one not in ("en", *languages)]:
        yield f"{_LABEL}: no text of this run is in {', '.join(unused)}: these lists have no effect"
    if "en" not in toxicity.lists:
        yield f"{_LABEL}: without one for en, what a translator added is not told from what was there (all is toxic)"


def _contents(toxicity: Toxicity | None) -> dict[str, bytes]:
    return {language: _read(language, path) for language, path in (toxicity.lists if toxicity else {}).items()}


def _read(language: str, path: str) -> bytes:
    """Whole, and proved to be a list. Raises RecipeError."""
    try:
        with files.open_read(os.path.expanduser(path)) as file:
            content = read_whole(file, WORD_LIST_BYTES, path)
        entries_of(content.decode("utf-8"), language)
    except (OSError, files.StoreError) as problem:
        why = getattr(problem, "strerror", None) or str(problem)
        raise RecipeError([f"{_LABEL}: can't read {path!r} for {language} ({why}): name a text file"]) from problem
    except UnicodeDecodeError as problem:
        at = f"byte {problem.start}"
        raise RecipeError([f"{_LABEL}: {path!r} for {language} is no UTF-8 text ({at}): save it as UTF-8"]) from problem
    except TooLarge as problem:
        raise RecipeError([f"{_LABEL}: {problem}: keep the words that matter"]) from problem
    except ValueError as problem:
        raise RecipeError([f"{_LABEL}: {path!r} for {language}: {problem}"]) from problem
    return content


def _word_list(content: bytes, language: str) -> WordList:
    return WordList(entries_of(content.decode("utf-8"), language), language)


@cache
def _kept_list(out: str, language: str, fingerprint: str) -> WordList:
    path = _path_of(out, language, fingerprint)
    with files.open_read(path) as file:
        return _word_list(read_whole(file, WORD_LIST_BYTES, path), language)


def _fingerprint(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _path_of(out: str, language: str, fingerprint: str) -> str:
    return files.join(out, "ledger", "words", f"{language}-{fingerprint}.txt")
