"""Synthetic multilingual image-text data with deliberately incomplete task coverage, and a compact trainer for it.

The rooms (pipeline, translators, filters, ...) stand side by side at the top of the checkout, where a reader looks for
them, and are packages of `florenz`, so that an installed one puts no package called `train` beside a user's own. In an
installed wheel they lie in this folder; in a checkout this folder's parent is searched as well.
"""

from pathlib import Path

_CHECKOUT = Path(__file__).resolve().parents[1]
if (_CHECKOUT / "pyproject.toml").is_file():
    __path__.append(str(_CHECKOUT))
