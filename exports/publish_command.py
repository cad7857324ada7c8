"""The command line of `make publish`: `florenz publish OUT REPO=owner/name [UPLOAD=1] [PUBLIC=1]`.

Exit codes: 0 done; 1 stopped, the same command goes on; 2 the input is wrong and nothing was uploaded; 130 Ctrl-C.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from florenz.console import INTERRUPTED, REFUSED, STOPPED, fail, leave, quiet_libraries, tell
from florenz.out_command import read_words

if TYPE_CHECKING:
    from florenz.exports.publish import Plan

USAGE = """usage: florenz publish OUT REPO=owner/name [UPLOAD=1] [PUBLIC=1]

Writes a dataset card and Croissant metadata into OUT/publish, and says what would go to the Hugging Face Hub: shards,
what is withheld (in a configuration of its own), index, card, manifest; never ledger, rejects or logs.
  UPLOAD  1 uploads it, to a dataset repository that is made if there is none; the same command goes on after a stop
  PUBLIC  1 makes a new repository public; it is private otherwise
Needs a token that may write (hf auth login, or HF_TOKEN in the environment)."""
NAMES = ("REPO", "UPLOAD", "PUBLIC")


def main(arguments: Sequence[str]) -> int:
    words = read_words(arguments, USAGE, NAMES)
    if isinstance(words, int):
        return words
    out, typed = words
    for name in ("UPLOAD", "PUBLIC"):
        if typed.get(name, "") not in ("", "0", "1"):
            return fail(f"{name} is {typed[name]!r}: give {name}=1, or leave it out", REFUSED)
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "0")  # an upload takes hours: here its client may talk
    quiet_libraries()
    try:
        return _publish(out, typed)
    except KeyboardInterrupt:
        return fail("interrupted; what was uploaded stays: run the same command to go on", INTERRUPTED)


def _publish(out: str, typed: dict[str, str]) -> int:
    from florenz.exports.index import WrongCount
    from florenz.exports.publish import PublishError, plan
    from florenz.shards.manifest import ManifestError
    from florenz.stores.files import StoreError, in_words
    from florenz.stores.lock import OutInUse, lock_out

    if not typed.get("REPO"):
        return fail(USAGE.splitlines()[0], REFUSED)
    is_upload = typed.get("UPLOAD") == "1"
    if is_upload and not _token():
        return fail("no token: run `hf auth login`, or set HF_TOKEN in the environment", REFUSED)
    try:
        from florenz.shards.manifest import read_manifest

        read_manifest(out)  # before OUT is made by its lock
        with lock_out(out):
            planned = plan(out, typed["REPO"])
            _say(planned)
            if not is_upload:
                tell(f"dry run    nothing was uploaded: look at {planned.stage}, then give UPLOAD=1")
                return 0
            return _upload(planned, is_public=typed.get("PUBLIC") == "1")
    except (ManifestError, PublishError, OutInUse, StoreError, WrongCount) as problem:
        return fail(str(problem), REFUSED)
    except OSError as problem:
        return fail(in_words(problem), STOPPED)


def _upload(planned: Plan, *, is_public: bool) -> int:
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.utils import logging as hub_logging

    from florenz.exports.publish import upload

    # Of the HTTP library that the client was built on, httpx or its successor.
    http_error = cast(type[Exception], HfHubHTTPError.__mro__[1])
    token = _token()
    if not sys.stderr.isatty():
        hub_logging.set_verbosity_info()  # a line every 30 s instead of bars
    try:
        url = upload(planned, is_public=is_public, token=token)
    except (OSError, ValueError, RuntimeError, http_error) as problem:  # hf_xet raises RuntimeError
        said = f"{problem} {problem.__cause__ or ''}".replace(token, "***")  # "Error while uploading", and why
        words = " ".join(said.split())
        return fail(f"{words or type(problem).__name__}\nstopped: run the same command to go on", STOPPED)
    tell(f"published  {url}")
    return 0


def _say(planned: Plan) -> None:
    sizes, numbers = Counter[str](), Counter[str]()
    for path, size in planned.data.items():
        sizes[path.rpartition("/")[0]] += size
        numbers[path.rpartition("/")[0]] += 1
    for folder, number in numbers.items():
        print(f"goes       {number} files, {sizes[folder] / 1e6:,.1f} MB in {folder}/")
    print("goes       README.md, croissant.json, manifest.json (with the recipe: IMAGES and OUT as you named them)")
    if unknown := planned.facts.licences.get("", 0):
        print(f"warning: the licence of {unknown} images is not known: LICENCE= of make dataset names one for all")
    if planned.facts.positions:
        print(f"warning: {planned.facts.positions} pictures say where they were taken (GPS): make dataset STRIP_EXIF=1")


def _token() -> str:
    from huggingface_hub import get_token

    return get_token() or ""


if __name__ == "__main__":
    leave(main(sys.argv[1:]))
