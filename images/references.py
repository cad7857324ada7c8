"""References to images: one URI each, so that records stay a hundred bytes and no image is carried around.

An `ImageRef` is ASCII only, and every byte of the name survives in it (non-UTF-8 names too):

    photos/a%20red%20car.jpg
    gs://bucket/00000.tar?member=000000012.jpg&offset=1536&size=48213
    train.parquet?row_group=0&row=17&column=image

Everything but letters, digits and `_.-~/:` is percent-encoded, the query has exactly these fields in this order, and a
URI that is not spelled as this module spells it is an error.
"""

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes


@dataclass(frozen=True, kw_only=True)
class ImageRef:
    """Where the original bytes of one image are. sidecar: the URI of what stands beside it about it, "" for none."""

    uri: str
    sidecar: str = ""


@dataclass(frozen=True, kw_only=True)
class Reject:
    """Something in a source that gives no image. `reason` is stable and a counter's name, `detail` is for people."""

    uri: str
    reason: str
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Member:
    """A file inside a tar. offset, size: of its content, in bytes."""

    name: str
    offset: int
    size: int


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A row of a Parquet file. row: counted inside its row group."""

    row_group: int
    row: int
    column: str


def shown(name: str) -> str:
    """The name as text that can be printed and stored, whatever bytes it was made of."""
    return name.encode("utf-8", "backslashreplace").decode()


def _quoted(text: str) -> str:
    return quote(text.encode("utf-8", "surrogateescape"), safe="/:")


def _unquoted(text: str) -> str:
    return unquote_to_bytes(text).decode("utf-8", "surrogateescape")


def uri_of(path: str, inner: Member | Cell | None = None) -> str:
    """The URI of a file, or of what lies inside it."""
    if isinstance(inner, Member):
        return f"{_quoted(path)}?member={_quoted(inner.name)}&offset={inner.offset}&size={inner.size}"
    if isinstance(inner, Cell):
        return f"{_quoted(path)}?row_group={inner.row_group}&row={inner.row}&column={_quoted(inner.column)}"
    return _quoted(path)


def relative_uri(uri: str, source: str) -> str:
    """The reference as it reads from the folder that the source names, so that a moved folder changes no sample.

    source: as the recipe gives it: a folder, a glob, or one file. The reference as it is where it does not lie there.
    """
    folder = _quoted(source).rstrip("/")
    if uri == folder or uri.startswith(f"{folder}?"):  # the source is this one file
        folder = folder.rpartition("/")[0]
    elif not uri.startswith(f"{folder}/") and (mark := re.search(r"[*?[]", source)):
        folder = _quoted(source[: mark.start()]).rpartition("/")[0]
    return uri.removeprefix(f"{folder}/") if folder or source.startswith("/") else uri


_URI = re.compile(
    r"(?P<path>[\w.~/:%-]+)"
    r"(?:\?member=(?P<member>[\w.~/:%-]+)&offset=(?P<offset>[0-9]+)&size=(?P<size>[0-9]+)"
    r"|\?row_group=(?P<row_group>[0-9]+)&row=(?P<row>[0-9]+)&column=(?P<column>[\w.~/:%-]+))?",
    re.ASCII,
)


def parse_uri(uri: str) -> tuple[str, Member | Cell | None]:
    """Path and what inside it. ValueError where writing the parts again would not give the same URI."""
    found = _URI.fullmatch(uri)
    if found is None:
        raise ValueError(f"not an image reference: {uri!r}; references are made by read_source")
    path = _unquoted(found["path"])
    inner: Member | Cell | None = None
    if found["member"]:
        inner = Member(name=_unquoted(found["member"]), offset=int(found["offset"]), size=int(found["size"]))
    elif found["column"]:
        inner = Cell(row_group=int(found["row_group"]), row=int(found["row"]), column=_unquoted(found["column"]))
    if uri_of(path, inner) != uri:
        raise ValueError(f"not an image reference: {uri!r} is spelled in another way than read_source does")
    return path, inner
