"""Answers that filters once were wrong about, or slow with."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator

from benchmarks.hostile.place import MODEL, Done, Place, case, fault
from benchmarks.stand_in_server import completions

MALTESE = ("Il-kelb il-kbir jiġri fil-ġnien.", "Ġurnata sabiħa ħdejn il-baħar.", "Raġel xiħ jistenna ħdejn il-ġonna.")


@case
def maltese(place: Place) -> Iterator[tuple[Done, str]]:
    """Its letter is also a mark that broken tokenizers leave."""
    place.server.rule = lambda request: (
        lambda one: one.send_json(completions([MALTESE[len(prompt) % len(MALTESE)] for prompt in one.prompts]))
    )
    place.server.model = str(place.folder / "translator")  # the playground's own is refused: it never learned Maltese
    shutil.copytree(MODEL, place.server.model)
    done = place.run(languages='"mt"', translator=json.dumps(place.server.model))
    found = [] if done.code else [r.detail for r in done.rejects if r.step == "filter" and "markup" in r.reason]
    yield done, fault(done, 0) or (f"rejected as markup: {found[:3]}" if found else "")


@case
def line_breaks(place: Place) -> Iterator[tuple[Done, str]]:
    """20,000 of them in an answer took a quadratic pattern 41 s."""
    text = "Ein Haus." + "\n" * 20_000 + "Ein Baum."
    place.server.rule = lambda request: lambda one: one.send_json(completions([text for _ in one.prompts]))
    done = place.run()
    seconds = re.search(r"assemble ([\d.]+) s", done.said)
    is_slow = seconds is None or float(seconds.group(1)) > 30
    yield done, fault(done, 0) or ("filtering took longer than 30 s" if is_slow else "")
