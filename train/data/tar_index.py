"""Where every sample of a shard lies, and its bytes: random access to tars, which the order of an epoch needs.

One pass over the headers of a shard, contents left out, gives the offsets; the pass costs about 20 microseconds per
sample, a hundredth of decoding its picture. The manifest vouches for the bytes. A shard in an object store
is copied whole to a local folder first (one request instead of two per sample) and checked against the manifest's
SHA-256 on the way; the folder is kept below a size.
"""

import contextlib
import fcntl
import hashlib
import os
import tempfile
from array import array
from collections import OrderedDict
from dataclasses import dataclass
from typing import BinaryIO

from florenz.shards.manifest import Manifest, shard_path
from florenz.shards.tar import READ_BYTES, ShardError, members
from florenz.shards.writer import ShardInfo
from florenz.stores import files
from florenz.stores.errors import ForkedProcess
from florenz.stores.seals import sha256_of_open

MAX_OPEN_SHARDS = 384  # 64 lanes read from four shards each, and some of them from eight: they pass to the next group
CACHE_BYTES = 50 * 10**9
MEND = "run make verify to see what is wrong, and make dataset with the same OUT to assemble the dataset again"
COLUMNS = ("jpg", "json")  # the caption in <key>.txt stands in the JSON too


class StreamError(ValueError):
    """Something in the shards cannot be read; one line with the shard, the offset and the key where there are any."""


@dataclass(frozen=True, kw_only=True)
class TarIndex:
    """The samples of a shard in order; spans: for each extension offset and size of each sample's file, in bytes."""

    keys: tuple[str, ...]
    spans: dict[str, array]  # extension -> offset, size, offset, size, ...

    def span(self, index: int, extension: str) -> tuple[int, int]:
        offset, size = self.spans[extension][2 * index : 2 * index + 2]
        return offset, size


def index_tar(path: str, file: int) -> TarIndex:
    """The index of an open tar; path is for messages. `ShardError` for one that is damaged or lacks a file."""
    keys: list[str] = []
    spans = {extension: array("q") for extension in COLUMNS}
    found: set[str] = set()
    start = 0
    for member in members(path, os.fstat(file).st_size, lambda at, size: os.pread(file, size, at)):
        key, _, extension = member.name.partition(".")
        if not keys or key != keys[-1] or extension in found:
            _check_complete(path, start, keys, found)
            keys.append(key)
            found = set()
            start = member.header
        found.add(extension)
        if extension in spans:
            spans[extension].extend((member.content, member.size))
    _check_complete(path, start, keys, found)
    return TarIndex(keys=tuple(keys), spans=spans)


def _check_complete(path: str, start: int, keys: list[str], found: set[str]) -> None:
    for extension in COLUMNS:
        if keys and extension not in found:
            raise ShardError(path, start, f"sample {keys[-1]} has no {keys[-1]}.{extension}")


@dataclass(frozen=True, kw_only=True)
class ShardCache:
    """Local copies of remote shards, named by their SHA-256, the least recently opened removed beyond `max_bytes`.

    folder: "" for one of the user's own below the system's temporary folder. Processes may share it: each shard is
    fetched by one while the others wait, and one that is removed stays readable for whoever has it open.
    """

    folder: str = ""
    max_bytes: int = CACHE_BYTES

    def open(self, path: str, shard: ShardInfo) -> BinaryIO:
        """The copy, which is made first where there is none."""
        folder = self.folder or _private_folder()
        os.makedirs(folder, exist_ok=True)
        copy = os.path.join(folder, f"{shard.sha256}.tar")
        with open(os.path.join(folder, "lock"), "ab") as lock:
            # One byte of one file for each shard: the end of the process releases it, and no lock files are left.
            fcntl.lockf(lock, fcntl.LOCK_EX, 1, int(shard.sha256[:15], 16))
            if not os.path.exists(copy):
                _fetch(path, copy, shard)
                self._make_room(folder, copy)
            os.utime(copy)
            return open(copy, "rb")

    def _make_room(self, folder: str, newest: str) -> None:
        entries = [entry for entry in os.scandir(folder) if entry.name.endswith(".tar") and entry.path != newest]
        room = self.max_bytes - os.path.getsize(newest)
        for entry in sorted(entries, key=_last_opened, reverse=True):
            with contextlib.suppress(FileNotFoundError):  # another process makes room too
                room -= entry.stat().st_size
                if room < 0:
                    os.remove(entry.path)


def _last_opened(entry: "os.DirEntry[str]") -> int:
    try:
        return entry.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _private_folder() -> str:
    folder = os.path.join(tempfile.gettempdir(), f"florenz-shards-{os.getuid()}")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    if os.stat(folder).st_uid != os.getuid():
        raise StreamError(f"{folder} belongs to somebody else: set a cache folder of your own")
    return folder


def _fetch(path: str, copy: str, shard: ShardInfo) -> None:
    digest = hashlib.sha256()
    with files.open_read(path) as source, files.atomic_write(copy) as target:
        while block := source.read(READ_BYTES):
            digest.update(block)
            target.write(block)
        if digest.hexdigest() != shard.sha256:
            raise StreamError(f"{path}: SHA-256 is {digest.hexdigest()}, the manifest says {shard.sha256}")


class ShardFiles:
    """The shards of one split, opened and indexed when first asked for; at most MAX_OPEN_SHARDS stay open.

    Shards and samples are named by their place, from 0. Everything that is wrong with a shard is a `StreamError`. To be
    opened where it is used: a process that is forked off has files of its own if nothing was read before.
    """

    def __init__(self, out: str, manifest: Manifest, split: str, cache: ShardCache) -> None:
        self._shards = manifest.shards_of(split)
        self._paths = [shard_path(out, manifest.build, shard.path) for shard in self._shards]
        self._cache = cache
        self._is_proved: set[int] = set()  # shards whose every byte was hashed once, in this process
        self._open: OrderedDict[int, tuple[BinaryIO, TarIndex]] = OrderedDict()

    def key(self, shard: int, index: int) -> str:
        return self._opened(shard)[1].keys[index]

    def read(self, shard: int, index: int, extension: str) -> bytes:
        """The bytes of one file of a sample."""
        file, tar = self._opened(shard)
        offset, size = tar.span(index, extension)
        try:
            return os.pread(file.fileno(), size, offset)
        except OSError as problem:
            raise StreamError(f"{self.where(shard, index, extension)} cannot be read: {problem}") from problem

    def where(self, shard: int, index: int, extension: str) -> str:
        """Shard, byte offset and key, for messages."""
        tar = self._opened(shard)[1]
        return f"{self._paths[shard]} at byte {tar.span(index, extension)[0]}: sample {tar.keys[index]}"

    def close(self) -> None:
        while self._open:
            self._open.popitem()[1][0].close()

    @property
    def is_remote(self) -> bool:
        return any(files.local_path(path) is None for path in self._paths[:1])

    def remote_shard(self, shard: int) -> tuple[str, ShardInfo, ShardCache]:
        """What `ShardCache.open` needs to have it, and the cache."""
        return self._paths[shard], self._shards[shard], self._cache

    def _open_remote(self, path: str, info: ShardInfo) -> BinaryIO:
        try:
            return self._cache.open(path, info)
        except ForkedProcess:
            from florenz.train.data.read_ahead import fetch_apart

            fetch_apart(path, info, self._cache)
            return self._cache.open(path, info)

    def _opened(self, shard: int) -> tuple[BinaryIO, TarIndex]:
        if shard in self._open:
            self._open.move_to_end(shard)
            return self._open[shard]
        if len(self._open) >= MAX_OPEN_SHARDS:
            self._open.popitem(last=False)[1][0].close()
        info, path = self._shards[shard], self._paths[shard]
        try:
            file = self._open_remote(path, info) if self.is_remote else files.open_read(path)
        except FileNotFoundError as problem:
            raise StreamError(f"{path} is listed in the manifest but not there: {MEND}") from problem
        except OSError as problem:
            raise StreamError(f"{path} cannot be opened: {problem}") from problem
        try:
            tar = _checked_index(path, file.fileno(), info)
            if shard not in self._is_proved and not self.is_remote:  # a copy was hashed when it was fetched
                _check_bytes(path, file, info)
            self._is_proved.add(shard)
            self._open[shard] = file, tar
        except (ValueError, OSError) as problem:
            file.close()
            raise StreamError(f"{problem}: {MEND}") from problem
        return self._open[shard]


def _check_bytes(path: str, file: BinaryIO, info: ShardInfo) -> None:
    """A flipped bit in a picture decodes, in a text it reads like one: only the manifest's hash tells."""
    file.seek(0)
    if sha256_of_open(file) != info.sha256:
        raise StreamError(f"{path} is not as it was written: its SHA-256 is not the manifest's")


def _checked_index(path: str, file: int, info: ShardInfo) -> TarIndex:
    if (num_bytes := os.fstat(file).st_size) != info.bytes:
        raise StreamError(f"the manifest does not match its shards: {path} has {num_bytes} bytes, not {info.bytes}")
    tar = index_tar(path, file)
    if len(tar.keys) != info.samples:
        raise StreamError(
            f"the manifest does not match its shards: {path} has {len(tar.keys)} samples, not {info.samples}"
        )
    return tar
