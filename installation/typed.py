"""Refuses what was typed wrong: `python -m installation.typed 'UNKNOWN ...' 'KNOWN ...'`, called by the Makefile.

A variable that make does not know would otherwise be ignored in silence: `make dataset OUTPUT=elsewhere COUNT=3` would
publish three images into the default folder, over what lies there.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from florenz.recipes.sections import nearest


def main(arguments: Sequence[str]) -> int:
    unknown, known = (words.split() for words in arguments)
    for name in unknown:
        print(f"florenz: unknown variable {name}: {nearest(name, known)}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
