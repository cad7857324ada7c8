"""What decides and what is mere effort: settings as 16 hex digits.

Everything that a settings dataclass holds decides, unless its field is marked as `effort` (time-outs, batch sizes,
devices) or as a `remark` (licence, source): a setting that somebody forgot to think of then costs a few questions more,
and never mixes answers of two kinds in silence.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Any

_DECIDES = "decides"


def effort(default: Any) -> Any:
    """A dataclass field with this default that changes how long the work takes and not what comes out of it."""
    return dataclasses.field(default=default, metadata={_DECIDES: False})


def remark(default: Any = dataclasses.MISSING) -> Any:
    """A dataclass field that tells a reader something and that nothing is made of; without a default it is required."""
    return dataclasses.field(default=default, metadata={_DECIDES: False})


def deciding(settings: Any) -> dict[str, Any]:
    """Name -> value of every field that decides; `settings` is an instance of a dataclass."""
    return {
        field.name: getattr(settings, field.name)
        for field in dataclasses.fields(settings)
        if field.metadata.get(_DECIDES, True)
    }


def decided_since(settings: Any, known: Collection[str]) -> dict[str, Any]:
    """The deciding fields that are not among `known` and do not hold their default.

    For a fingerprint that was given out before these fields existed: an answer that was paid for then is the answer
    that the default gives now, so a field enters the fingerprint only where it says something else. A field without a
    default is always in.
    """
    defaults = {field.name: _default_of(field) for field in dataclasses.fields(settings)}
    return {
        name: value
        for name, value in deciding(settings).items()
        if name not in known and (defaults[name] is dataclasses.MISSING or value != defaults[name])
    }


def fingerprint(parts: Mapping[str, Any]) -> str:
    """16 hex digits that stand for these settings: SHA-256 over canonical JSON, whatever the order of the keys.

    `TypeError` or `ValueError` for values that JSON cannot hold.
    """
    canonical = json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    # Names of files are bytes: one that is no UTF-8 stands in a string as half characters.
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _default_of(field: dataclasses.Field[Any]) -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
