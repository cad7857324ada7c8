"""`florenz report OUT`, `florenz preview OUT KEY=...` and `florenz sample OUT N=50 LANGS=fr`: pages to look at.

Exit codes: 0 done; 2 the input is wrong; 130 Ctrl-C.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence

from florenz.console import INTERRUPTED, REFUSED, fail, leave, tell
from florenz.out_command import read_words
from florenz.stores import files

REPORT = """usage: florenz report OUT [VERDICTS=file]

Draws OUT/report.html of the current build anew; VERDICTS adds what a reader downloaded from a sample's page."""
PREVIEW = """usage: florenz preview OUT KEY=key

Draws OUT/preview-<key>.html: one image (by its key, or how it begins) with all its texts, kept, withheld, rejected."""
SAMPLE = """usage: florenz sample OUT LANGS=fr [N=50] [REASON=wrong_language] [SERVE=0]

Draws a page for a native reader: kept and rejected texts, mixed and unmarked. While it is open, a small server on
127.0.0.1 saves the clicks; Ctrl-C ends it and draws report.html with precision and recall. SERVE=0 only writes the
page: the reader downloads the answers there, and VERDICTS=file of florenz report reads them."""


def report(arguments: Sequence[str]) -> int:
    return _run(arguments, REPORT, ("VERDICTS",), _report)


def preview(arguments: Sequence[str]) -> int:
    return _run(arguments, PREVIEW, ("KEY",), _preview)


def sample(arguments: Sequence[str]) -> int:
    return _run(arguments, SAMPLE, ("N", "LANGS", "REASON", "SERVE"), _sample)


def _run(
    arguments: Sequence[str], usage: str, names: tuple[str, ...], command: Callable[[str, Mapping[str, str]], int]
) -> int:
    words = read_words(arguments, usage, names)
    if isinstance(words, int):
        return words
    out, typed = words
    from florenz.reports.judging import SampleError
    from florenz.reports.preview import NoSuchImage
    from florenz.shards.manifest import ManifestError

    try:
        return command(out, typed)
    except (ManifestError, NoSuchImage, SampleError) as problem:
        return fail(str(problem), REFUSED)
    except FileNotFoundError as missing:
        name = missing.filename or missing
        return fail(f"{name} does not exist; an index is written by running make dataset again", REFUSED)


def _report(out: str, typed: Mapping[str, str]) -> int:
    from florenz.limits.reading import read_whole
    from florenz.limits.table import RECORD_BYTES
    from florenz.reports.judging import SampleError, add_answers

    if path := typed.get("VERDICTS"):
        try:
            with files.open_read(path) as file:
                record = json.loads(read_whole(file, RECORD_BYTES, path))
        except (ValueError, RecursionError) as problem:
            raise SampleError(f"VERDICTS {path} is not JSON: give the file that a sample's page saved") from problem
        add_answers(out, record)
    tell(_draw(out))
    return 0


def _draw(out: str) -> str:
    from florenz.reports.judging import judgements
    from florenz.reports.page import write_page
    from florenz.shards.manifest import read_manifest

    return write_page(out, judgements(out, read_manifest(out).build))


def _preview(out: str, typed: Mapping[str, str]) -> int:
    from florenz.reports.preview import write_preview

    if not typed.get("KEY"):
        return fail(PREVIEW.splitlines()[0], REFUSED)
    tell(write_preview(out, typed["KEY"]))
    return 0


def _sample(out: str, typed: Mapping[str, str]) -> int:
    from florenz.reports.judging import SAMPLES, draw_sheet

    number = typed.get("N", "50")
    if not number.isdecimal() or not 1 <= int(number) <= 1000:
        return fail(f"N is {number!r}: choose 1 to 1000 texts", REFUSED)
    if not typed.get("LANGS") or "," in typed["LANGS"]:
        return fail("LANGS: name the one language that your reader reads, like LANGS=fr", REFUSED)
    name = draw_sheet(out, number=int(number), language=typed["LANGS"], reason=typed.get("REASON", ""))
    tell(files.join(out, SAMPLES, f"{name}.html"))
    return 0 if typed.get("SERVE") == "0" else _serve(out, name)


def _serve(out: str, name: str) -> int:
    from florenz.reports.server import make_server

    with make_server(out, name) as server:
        print(f"open       http://127.0.0.1:{server.server_address[1]}/ (Ctrl-C when all is answered)", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            tell(f"report     {_draw(out)}")
    return INTERRUPTED


if __name__ == "__main__":
    leave(report(sys.argv[1:]))
