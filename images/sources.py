"""Where images come from: folders, tars and Parquet, read as references, so that records stay a hundred bytes each.

An `ImageRef` is one URI, ASCII only, and every byte of the name survives in it (non-UTF-8 names too):

    photos/a%20red%20car.jpg
    gs://bucket/00000.tar?member=000000012.jpg&offset=1536&size=48213
    train.parquet?row_group=0&row=17&column=image

Everything but letters, digits and `_.-~/:` is percent-encoded, the query has exactly these fields in this order, and a
URI that is not spelled as this module spells it is an error. The offset makes a tar member one seek away; the price is
that compressed tars can't be read. Parquet has no such offset: reading one row decodes its row group, so the last two
are kept (a reader that follows the order of the references decodes each once).
"""

import errno
import hashlib
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import BinaryIO, Literal
from urllib.parse import quote, unquote_to_bytes

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from florenz.images.decoding import MAX_DETAIL_CHARS, SIGNATURE_BYTES, BadImage, sniff
from florenz.images.tar_members import shown, tar_members
from florenz.stores.files import exists, list_files, open_read

# A name that ends so is taken for an image until its bytes are decoded: a look into each file costs a request.
IMAGE_SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".gif", ".bmp", ".dib", ".tif", ".tiff", ".webp",
    ".avif", ".jp2", ".j2k", ".jpx", ".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".heic", ".heif", ".jxl", ".ico", ".psd",
)  # fmt: skip
COMPANION_SUFFIXES = (".json", ".txt", ".caption", ".cls", ".url", ".npy")  # stand beside an image in a tar: no rejects
IMAGE_COLUMNS = ("image", "jpg", "jpeg", "png", "bytes", "image_bytes", "img")  # in this order of preference
MAX_ROW_GROUP_BYTES = 2 << 30  # unpacked; the image columns of two row groups can be in memory
MAX_ROW_GROUP_ROWS = 10_000_000  # a damaged footer can promise 2**62 rows, and to list them would not end
_ARCHIVE_SUFFIXES = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst", ".zip")

# What is wrong with one file. Anything else (no network, too many open files) is an error of the run and not caught.
_FILE_FAULTS = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
_FILE_ERRNOS = (errno.ELOOP, errno.EIO, errno.ENAMETOOLONG)


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """One file of a source and how it is opened."""

    path: str
    kind: Literal["file", "tar", "parquet"]


@dataclass(frozen=True, kw_only=True)
class ImageRef:
    """Where the original bytes of one image are."""

    uri: str


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image that has been read once: its key (see `key_of`) and where its bytes are."""

    key: str
    ref: ImageRef


@dataclass(frozen=True, kw_only=True)
class Reject:
    """Something in a source that gives no image. `reason` is stable and a counter's name, `detail` is for people."""

    uri: str
    reason: str
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class _Member:
    name: str
    offset: int
    size: int


@dataclass(frozen=True, kw_only=True)
class _Cell:
    row_group: int
    row: int
    column: str


def list_sources(source: str) -> list[SourceFile]:
    """The files of a folder (at any depth), a glob (`*`, `?`, `[ ]`, `**`), or one file, sorted by path.

    Hidden files and folders and `.partial` files are left out. Raises ValueError where nothing is found.
    """
    try:
        paths = _listed(source)
    except PermissionError as error:
        raise ValueError(f"can't list {error.filename or source!r}: make it readable, or name the files") from error
    if not paths:
        raise ValueError(f"no images at {source!r}: name a folder, glob, image, .tar or .parquet that exists")
    return [SourceFile(path=path, kind=_kind(path)) for path in sorted(paths)]


def read_refs(source: str, *, max_images: int | None = None) -> Iterator[ImageRef | Reject]:
    """All of a source in sorted order, a tar's members and a Parquet file's rows as they stand; the first N images."""
    num_images = 0
    for file in list_sources(source):
        for found in read_source(file):
            if isinstance(found, ImageRef):
                num_images += 1
                if max_images is not None and num_images > max_images:
                    return
            yield found


def read_source(file: SourceFile) -> Iterator[ImageRef | Reject]:
    """The images of one file as references, and a Reject for what is none. Reads headers, and no image.

    So a reference can still turn out empty, null or no image: reading or decoding it raises BadImage.
    A file that breaks in the middle gives what stands before the break, and then one Reject `unreadable_source`.
    """
    read = {"file": _read_file, "tar": _read_tar, "parquet": _read_parquet}[file.kind]
    try:
        yield from read(file.path)
    except BadImage as bad:
        yield Reject(uri=_uri(file.path), reason=bad.reason, detail=bad.detail)


def read_image_bytes(ref: ImageRef, *, max_bytes: int) -> bytes:
    """The original bytes. BadImage: too_many_bytes (unread), empty_file, null_cell, unreadable_file, _source."""
    path, inner = _parse(ref.uri)
    if isinstance(inner, _Cell):
        data = _cell_bytes(path, inner, max_bytes)
    else:
        with _file_faults(), _open(path) as file:
            size = inner.size if inner else file.seek(0, os.SEEK_END)
            _check_bytes(size, max_bytes)
            file.seek(inner.offset if inner else 0)
            data = file.read(size)
        if len(data) != size:
            raise BadImage("unreadable_file", f"{len(data)} of {size} bytes left: it has changed since it was listed")
    if not data:
        raise BadImage("empty_file")
    return data


def read_image(ref: ImageRef, *, max_bytes: int) -> Image:
    """Hash the bytes and let go of them. Raises BadImage like `read_image_bytes`."""
    return Image(key=key_of(read_image_bytes(ref, max_bytes=max_bytes)), ref=ref)


def key_of(data: bytes) -> str:
    """First 32 hex digits of the SHA-256 of the original bytes: the same picture has the same key everywhere."""
    return hashlib.sha256(data).hexdigest()[:32]


# -- which files ------------------------------------------------------------------------------------------------------


def _listed(source: str) -> list[str]:
    if not exists(source):
        return _globbed(source) if re.search(r"[*?[]", source) else []
    paths = _visible(source, list_files(source))
    is_empty_folder = not paths and os.path.isdir(_local(source) or "")
    return paths if paths or is_empty_folder else [source]


def _globbed(pattern: str) -> list[str]:
    folder = re.split(r"[*?[]", pattern, maxsplit=1)[0].rpartition("/")[0]
    if pattern.startswith("/") and not folder:
        folder = "/"
    base = folder or "."
    wanted = pattern.removeprefix(folder).lstrip("/").split("/")
    names = [path.removeprefix(base).lstrip("/") for path in _visible(base, list_files(base))]
    matching = [name for name in names if _matches(name.split("/"), wanted)]
    return [f"{folder.rstrip('/')}/{name}" if folder else name for name in matching]


def _matches(parts: list[str], wanted: list[str]) -> bool:
    if not wanted:
        return not parts
    if wanted[0] == "**":
        return any(_matches(parts[skipped:], wanted[1:]) for skipped in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], wanted[0]) and _matches(parts[1:], wanted[1:])


def _visible(folder: str, paths: list[str]) -> list[str]:
    names = ((path, path.removeprefix(folder).lstrip("/")) for path in paths)
    return [path for path, name in names if not _is_hidden(name) and not name.endswith(".partial")]


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") and part not in (".", "..") for part in name.split("/"))


def _kind(path: str) -> Literal["file", "tar", "parquet"]:
    lower = path.lower()
    if lower.endswith(".tar"):
        return "tar"
    return "parquet" if lower.endswith((".parquet", ".pq")) else "file"


# -- the URI ----------------------------------------------------------------------------------------------------------


def _quoted(text: str) -> str:
    return quote(text.encode("utf-8", "surrogateescape"), safe="/:")


def _unquoted(text: str) -> str:
    return unquote_to_bytes(text).decode("utf-8", "surrogateescape")


def _uri(path: str, inner: _Member | _Cell | None = None) -> str:
    if isinstance(inner, _Member):
        return f"{_quoted(path)}?member={_quoted(inner.name)}&offset={inner.offset}&size={inner.size}"
    if isinstance(inner, _Cell):
        return f"{_quoted(path)}?row_group={inner.row_group}&row={inner.row}&column={_quoted(inner.column)}"
    return _quoted(path)


_URI = re.compile(
    r"(?P<path>[\w.~/:%-]+)"
    r"(?:\?member=(?P<member>[\w.~/:%-]+)&offset=(?P<offset>[0-9]+)&size=(?P<size>[0-9]+)"
    r"|\?row_group=(?P<row_group>[0-9]+)&row=(?P<row>[0-9]+)&column=(?P<column>[\w.~/:%-]+))?",
    re.ASCII,
)


def _parse(uri: str) -> tuple[str, _Member | _Cell | None]:
    """Path and what inside it. ValueError where writing the parts again would not give the same URI."""
    found = _URI.fullmatch(uri)
    if found is None:
        raise ValueError(f"not an image reference: {uri!r}; references are made by read_source")
    path = _unquoted(found["path"])
    inner: _Member | _Cell | None = None
    if found["member"]:
        inner = _Member(name=_unquoted(found["member"]), offset=int(found["offset"]), size=int(found["size"]))
    elif found["column"]:
        inner = _Cell(row_group=int(found["row_group"]), row=int(found["row"]), column=_unquoted(found["column"]))
    if _uri(path, inner) != uri:
        raise ValueError(f"not an image reference: {uri!r} is spelled in another way than read_source does")
    return path, inner


# -- plain files ------------------------------------------------------------------------------------------------------


def _read_file(path: str) -> Iterator[ImageRef | Reject]:
    if path.lower().endswith(IMAGE_SUFFIXES):
        yield ImageRef(uri=_uri(path))
        return
    with _file_faults(), _open(path) as file:
        head = file.read(SIGNATURE_BYTES)
    if sniff(head):
        yield ImageRef(uri=_uri(path))
    else:
        name = shown(path.rpartition("/")[2])
        hint = ": unpack it, only plain tars and Parquet are opened" if name.lower().endswith(_ARCHIVE_SUFFIXES) else ""
        yield Reject(uri=_uri(path), reason="not_an_image" if head else "empty_file", detail=name + hint)


@contextmanager
def _file_faults() -> Iterator[None]:
    """Turns an OSError that is the file's own fault into BadImage `unreadable_file`; lets every other one through."""
    try:
        yield
    except OSError as error:
        if isinstance(error, _FILE_FAULTS) or error.errno in _FILE_ERRNOS:
            raise BadImage("unreadable_file", error.strerror or type(error).__name__) from error
        raise


def _open(path: str) -> BinaryIO:
    local = _local(path)
    if local is not None and not stat.S_ISREG(os.stat(local).st_mode):  # opening a named pipe would wait for ever
        raise BadImage("unreadable_file", "not a regular file")
    return open_read(path)


def _local(path: str) -> str | None:
    """The name for `os` of a local path, None for an object store's."""
    bare = path.removeprefix("file://")
    return None if "://" in bare else os.path.expanduser(bare)


def _check_bytes(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise BadImage("too_many_bytes", f"{size} bytes, limit {max_bytes}")


# -- tars -------------------------------------------------------------------------------------------------------------


def _read_tar(path: str) -> Iterator[ImageRef | Reject]:
    with _file_faults(), _open(path) as file:
        for info, offset in tar_members(file):
            member = _Member(name=info.name, offset=offset, size=info.size)
            suffix = os.path.splitext(info.name)[1].lower()
            if info.isdir() or _is_hidden(info.name) or suffix in COMPANION_SUFFIXES:
                continue
            if not info.isreg():
                yield Reject(uri=_uri(path, member), reason="not_an_image", detail="a link or device, not a file")
                continue
            if suffix not in IMAGE_SUFFIXES:
                file.seek(offset)
                if not sniff(file.read(min(info.size, SIGNATURE_BYTES))):
                    yield Reject(uri=_uri(path, member), reason="not_an_image", detail=shown(info.name))
                    continue
            yield ImageRef(uri=_uri(path, member))


# -- Parquet ----------------------------------------------------------------------------------------------------------


def _read_parquet(path: str) -> Iterator[ImageRef | Reject]:
    with _parquet_faults(), _file_faults(), _open(path) as opened:
        file = pq.ParquetFile(opened)
        column = _image_column(file.schema_arrow)
        if column is None:
            names = ", ".join(file.schema_arrow.names)
            detail = f"none of {', '.join(IMAGE_COLUMNS)} is a column of bytes; columns: {names}"
            yield Reject(uri=_uri(path), reason="no_image_column", detail=detail[:MAX_DETAIL_CHARS])
            return
        for row_group in range(file.num_row_groups):
            _check_row_group(file, row_group)
            for row in range(file.metadata.row_group(row_group).num_rows):
                yield ImageRef(uri=_uri(path, _Cell(row_group=row_group, row=row, column=column)))


@contextmanager
def _parquet_faults() -> Iterator[None]:
    """Turns what pyarrow raises on a damaged file into BadImage `unreadable_source`."""
    try:
        yield
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        # pyarrow reports broken pages as a bare OSError; its subclasses are the network's and the disk's.
        if not isinstance(error, OSError) or (type(error) is OSError and error.errno is None):
            raise BadImage("unreadable_source", str(error).partition("\n")[0][:MAX_DETAIL_CHARS]) from error
        raise


def _image_column(schema: pa.Schema) -> str | None:
    """The column that holds images: bytes, or the {bytes, path} struct of Hugging Face datasets."""
    for name in IMAGE_COLUMNS:
        index = schema.get_field_index(name)  # -1: absent, or there twice
        kind = schema.field(index).type if index >= 0 else pa.null()
        if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
            kind = kind.field("bytes").type
        if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind):
            return name
    return None


def _leaf(schema: pa.Schema, column: str) -> str:
    return f"{column}.bytes" if pa.types.is_struct(schema.field(column).type) else column


def _check_row_group(file: pq.ParquetFile, row_group: int) -> None:
    # Not the column's own size: pyarrow 25 aborts the process on some damaged column metadata, row groups are safe.
    group = file.metadata.row_group(row_group)
    if group.total_byte_size > MAX_ROW_GROUP_BYTES or group.num_rows > MAX_ROW_GROUP_ROWS:
        detail = f"row group {row_group} holds {group.num_rows} rows, {group.total_byte_size} bytes; write smaller ones"
        raise BadImage("unreadable_source", detail)


def _bytes_of(column: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    return pc.struct_field(column, "bytes") if pa.types.is_struct(column.type) else column


def _cell_bytes(path: str, cell: _Cell, max_bytes: int) -> bytes:
    with _parquet_faults(), _file_faults():
        images = _row_group_images(path, _version(path), cell.row_group, cell.column)
    if cell.row >= len(images):
        raise BadImage("unreadable_file", f"no row {cell.row}: it has changed since it was listed")
    if not images[cell.row].is_valid:
        raise BadImage("null_cell")
    buffer = images[cell.row].as_buffer()
    _check_bytes(buffer.size, max_bytes)
    return buffer.to_pybytes()


def _version(path: str) -> tuple[int, ...]:
    """Changes when a local file does; an object store would have to be asked for each row, so there it does not."""
    local = _local(path)
    status = os.stat(local) if local is not None else None
    return (status.st_size, status.st_mtime_ns) if status else ()


@lru_cache(maxsize=2)
def _row_group_images(path: str, version: tuple[int, ...], row_group: int, column: str) -> pa.ChunkedArray:
    """`version` is only part of the cache's key."""
    with _open(path) as opened:
        file = pq.ParquetFile(opened)
        if row_group >= file.num_row_groups or column not in file.schema_arrow.names:
            raise BadImage("unreadable_source", f"no row group {row_group} with {column!r}: it has changed since")
        _check_row_group(file, row_group)
        return _bytes_of(file.read_row_group(row_group, columns=[_leaf(file.schema_arrow, column)]).column(0))
