"""Object stores through obstore: one file for what s3:// and gs:// share; `schemes/` says how each is reached.

Bytes are staged in memory, large ones in a temporary local file, and uploaded when all of them are there: an upload
becomes visible in one step, and a failed write leaves nothing behind (save invisible parts of a large one that was
killed; a life-cycle rule of the bucket removes such).

Plain requests are retried by obstore and once more by us. A conditional one is not, by it: an answer that was lost may
have been a yes, and asking again would then say no. Each bears a mark of its own instead, by which we look who won.
"""

import contextlib
import io
import os
import random
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any, BinaryIO, TypeVar, cast

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, GenericError, PreconditionError

from florenz.stores.contract import Entry, Facts, Range, Versioned
from florenz.stores.errors import ForkedProcess, StoreError, StoreUnavailable
from florenz.stores.object_errors import is_missing_file, is_out_of_range, is_transient, translated
from florenz.stores.range_reader import FIRST_BYTES, RangeReader

STAGED_BYTES = 8 << 20  # in memory; more goes through a temporary file
SWAPPED_BYTES = 256 << 20  # a manifest is the largest file that is read to be swapped
LIST_CHUNK = 1000
MARK = "florenz-write"
NUM_TRIES = 4
FIRST_PAUSE_S, LAST_PAUSE_S = 0.2, 5.0
RETRY = {
    "max_retries": 5,
    "retry_timeout": timedelta(seconds=60),
    "backoff": {"init_backoff": timedelta(seconds=0.2), "max_backoff": timedelta(seconds=5), "base": 2},
}
NO_RETRY = {"max_retries": 0}
CLIENT = {
    "timeout": timedelta(minutes=5),
    "connect_timeout": timedelta(seconds=10),
    "read_timeout": timedelta(minutes=1),
}

Result = TypeVar("Result")
Environment = tuple[tuple[str, str], ...]
Connect = Callable[[str, Mapping[str, str], dict[str, Any]], Any]
"""(bucket, environment, keyword arguments for obstore's class) -> obstore's store."""


@dataclass(frozen=True)
class ObjectStore:
    """What a module in `schemes/` offers, for the buckets of one scheme.

    scheme: without "://". variables: what the names of its settings in the environment begin with. advice: what a user
    should look at who is refused.
    """

    scheme: str
    variables: tuple[str, ...]
    advice: str
    connect: Connect

    FACTS = Facts(can_create_only=True, can_swap=True, has_stamps=True, reads_ranges=True, is_shared=True)

    def open_read(self, path: str) -> BinaryIO:
        first, meta = self._tried(path, "read", lambda bucket, key: _opened(bucket, key))

        def fetch(start: int, end: int) -> bytes:
            return self._tried(path, "read", lambda bucket, key: _range_of(bucket, key, start, end, meta["e_tag"]))

        return cast(BinaryIO, io.BufferedReader(RangeReader(fetch, meta["size"], first)))

    def read_bytes(self, path: str) -> bytes:
        return self._tried(path, "read", lambda bucket, key: bytes(obstore.get(bucket, key).bytes()))

    @contextlib.contextmanager
    def atomic_write(self, path: str) -> Iterator[BinaryIO]:
        with tempfile.SpooledTemporaryFile(STAGED_BYTES, prefix="upload-") as staged:
            yield cast(BinaryIO, staged)

            def upload(bucket: Any, key: str) -> None:
                staged.seek(0)
                obstore.put(bucket, key, staged)  # type: ignore[arg-type]

            self._tried(path, "write", upload)

    def create(self, path: str, content: bytes) -> bool:
        return self.swap(path, content, None) is not None

    def exists(self, path: str) -> bool:
        return self._tried(path, "look at", _exists)

    def remove(self, path: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._tried(path, "remove", obstore.delete)

    def list_names(self, folder: str) -> Iterator[str]:
        return (entry.name for entry in self.list_entries(folder))

    def list_entries(self, folder: str) -> Iterator[Entry]:
        name, prefix = self._split(folder)
        start = f"{prefix}/" if prefix else ""
        for chunk in self._chunks(folder):
            for meta in chunk:
                # Consoles make "folders": an empty object whose name ends with a slash, which is not shown to us.
                if meta["size"] or self._is_file(f"{self.scheme}://{name}/{meta['path']}"):
                    yield _entry(meta["path"].removeprefix(start), meta)

    def _chunks(self, folder: str) -> Iterator[Sequence[Any]]:
        """A listing in pieces. One that breaks off goes on behind what it gave: it must never seem to have ended."""
        last: str | None = None
        bucket, key = self._bucket(folder, RETRY)
        pauses = _pauses()
        while True:
            try:
                for chunk in obstore.list(bucket, key or None, offset=last, chunk_size=LIST_CHUNK):
                    yield chunk
                    last = chunk[-1]["path"]
                return
            except (BaseError, OSError, ValueError) as problem:
                pause_s = next(pauses, None)
                if pause_s is None or not is_transient(problem):
                    raise self._translated(problem, folder, "list") from problem
                time.sleep(pause_s)

    def entry_of(self, path: str) -> Entry | None:
        try:
            return self._tried(path, "look at", lambda bucket, key: _entry("", obstore.head(bucket, key)))
        except FileNotFoundError:
            return None

    def read_ranges(self, path: str, ranges: Sequence[Range]) -> list[bytes]:
        if not ranges:
            return []
        starts, lengths = zip(*ranges, strict=True)
        return self._tried(path, "read", lambda bucket, key: _ranges_of(bucket, key, starts, lengths))

    def read_versioned(self, path: str) -> Versioned | None:
        def read(bucket: Any, key: str) -> Versioned:
            found = obstore.get(bucket, key)
            if found.meta["size"] > SWAPPED_BYTES:
                raise StoreError(f"{path} has {found.meta['size']} bytes, more than what is swapped here: remove it")
            return Versioned(content=bytes(found.bytes()), version=_version(found.meta), modified=_modified(found.meta))

        try:
            return self._tried(path, "read", read)
        except FileNotFoundError:
            return None

    def swap(self, path: str, content: bytes, version: str | None) -> str | None:
        mark = secrets.token_hex(16)
        mode: Any = "create" if version is None else _mode(version)
        bucket, key = self._bucket(path, NO_RETRY)
        for pause_s in (*_pauses(), None):
            try:
                return _version(obstore.put(bucket, key, content, mode=mode, attributes={MARK: mark}))
            except (AlreadyExistsError, PreconditionError):
                return self._version_of(path, mark)  # ours, if an answer was lost before
            except FileNotFoundError as problem:
                if version is not None and is_missing_file(problem):
                    return None  # it was removed
                raise self._translated(problem, path, "write") from problem
            except (BaseError, OSError, ValueError) as problem:
                if pause_s is None or not is_transient(problem):
                    raise self._translated(problem, path, "write") from problem
                time.sleep(pause_s)
        raise AssertionError("unreachable: the last try returns or raises")

    def _version_of(self, path: str, mark: str) -> str | None:
        """The version of the file if it is the writing with this mark."""

        def read(bucket: Any, key: str) -> str | None:
            found = obstore.get(bucket, key)
            return _version(found.meta) if found.attributes.get(MARK) == mark else None

        try:
            return self._tried(path, "read", read)
        except FileNotFoundError:
            return None

    def _is_file(self, path: str) -> bool:
        def is_file(bucket: Any, key: str) -> bool:
            try:
                obstore.head(bucket, key)
            except FileNotFoundError:
                return False
            return True

        return self._tried(path, "look at", is_file)

    def _tried(self, path: str, verb: str, request: Callable[[Any, str], Result]) -> Result:
        """What the request gives, asked a few times where the fault may pass. `request`: (obstore's store, key)."""
        bucket, key = self._bucket(path, RETRY)
        for pause_s in (*_pauses(), None):
            try:
                return request(bucket, key)
            except (StoreError, StoreUnavailable, EOFError):
                raise
            except (BaseError, OSError, ValueError) as problem:
                if pause_s is None or not is_transient(problem):
                    raise self._translated(problem, path, verb) from problem
                time.sleep(pause_s)
        raise AssertionError("unreachable: the last try returns or raises")

    def _translated(self, problem: Exception, path: str, verb: str) -> Exception:
        return translated(problem, path, f"can't {verb} {path}", self.advice)

    def _bucket(self, path: str, retry: Mapping[str, Any]) -> tuple[Any, str]:
        name, key = self._split(path)
        _check_not_forked()
        environment = tuple(sorted((k, v) for k, v in os.environ.items() if k.startswith(self.variables)))
        return _connected(self, name, environment, retry is RETRY), key

    def _split(self, path: str) -> tuple[str, str]:
        bucket, _, key = path.removeprefix(f"{self.scheme}://").partition("/")
        if not bucket:
            raise StoreError(f"{path!r} names no bucket: write {self.scheme}://bucket/folder")
        return bucket, key.strip("/")


@lru_cache(maxsize=64)
def _connected(store: ObjectStore, bucket: str, environment: Environment, is_retried: bool) -> Any:
    """The environment is part of the key: a test, or a notebook, may change it."""
    options = {"client_options": dict(CLIENT), "retry_config": RETRY if is_retried else NO_RETRY}
    try:
        return store.connect(bucket, dict(environment), options)
    except (BaseError, OSError, ValueError) as problem:
        raise translated(problem, bucket, f"can't use {store.scheme}://{bucket}", store.advice) from problem


_owner: list[int] = []


def _check_not_forked() -> None:
    """obstore's threads do not live on in a forked process, which would wait for them for ever."""
    if not _owner:
        _owner.append(os.getpid())
    if _owner[0] != os.getpid():
        raise ForkedProcess("an object store was used before this process was forked: start it by spawn or forkserver")


def _opened(bucket: Any, key: str) -> tuple[bytes, Any]:
    """The first bytes, and what the store says of the object."""
    try:
        found = obstore.get(bucket, key, options={"range": (0, FIRST_BYTES)})
        return bytes(found.bytes()), found.meta
    except GenericError as problem:
        if not is_out_of_range(problem):
            raise
        return b"", obstore.head(bucket, key)  # it is empty, which has no first byte


def _range_of(bucket: Any, key: str, start: int, end: int, e_tag: str | None) -> bytes:
    options: Any = {"range": (start, end), **({"if_match": e_tag} if e_tag else {})}
    try:
        return bytes(obstore.get(bucket, key, options=options).bytes())
    except PreconditionError as problem:
        raise StoreUnavailable(f"{key} has changed while it was read: read it again") from problem


def _ranges_of(bucket: Any, key: str, starts: Sequence[int], lengths: Sequence[int]) -> list[bytes]:
    """One request for pieces that lie close together. Empty pieces are no ranges to a store."""
    wanted = [number for number, length in enumerate(lengths) if length]
    pieces = [b""] * len(lengths)
    if wanted:
        try:
            found = obstore.get_ranges(
                bucket,
                key,
                starts=[starts[number] for number in wanted],
                lengths=[lengths[number] for number in wanted],
            )
        except GenericError as problem:
            if not is_out_of_range(problem):
                raise
            if len(wanted) == 1:
                return pieces  # it begins where the file has ended
            return [_ranges_of(bucket, key, [at], [size])[0] for at, size in zip(starts, lengths, strict=True)]
        for number, piece in zip(wanted, found, strict=True):
            pieces[number] = bytes(piece)
    return pieces


def _exists(bucket: Any, key: str) -> bool:
    if key:
        try:
            obstore.head(bucket, key)
            return True
        except FileNotFoundError:
            pass
    return bool(next(obstore.list(bucket, key or None, chunk_size=1), None))


def _entry(name: str, meta: Any) -> Entry:
    modified = _modified(meta)
    # The time as well: where somebody puts the same bytes there again, reading them once more costs little.
    stamp = f"{meta['size']} {meta['e_tag']} {meta['version'] or ''} {modified}" if meta["e_tag"] else ""
    return Entry(name=name, size=meta["size"], modified=modified, stamp=stamp)


def _modified(meta: Any) -> float:
    return float(meta["last_modified"].timestamp())


def _version(meta: Any) -> str:
    return f"{meta['version'] or ''} {meta['e_tag'] or ''}"


def _mode(version: str) -> dict[str, str]:
    number, _, e_tag = version.partition(" ")
    return {name: value for name, value in (("version", number), ("e_tag", e_tag)) if value}


def _pauses() -> Iterator[float]:
    """Before each further try: longer and longer, and not at the same moments as everybody else."""
    for number in range(NUM_TRIES - 1):
        yield min(FIRST_PAUSE_S * 2**number, LAST_PAUSE_S) * random.uniform(0.5, 1.5)
