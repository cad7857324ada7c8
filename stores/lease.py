"""The lock on an OUT in an object store: one object that says who holds it, renewed while they live.

Every change of it is a compare-and-swap, so of two who want it exactly one gets it. A run that dies can't let go; its
lock is taken over where it is certain that it is dead (the same machine, and no such process), and otherwise once it
was not renewed for a lease. That is told by the store's clock alone: the time of the lock against that of an object
written just now. No two machines' clocks are ever compared. Whoever holds it measures by its own steady clock how long
ago it was last renewed, and stops before the others may take it for dead.
"""

from __future__ import annotations

import _thread
import contextlib
import json
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

from florenz.stores import files
from florenz.stores.errors import OutInUse, OutLost, StoreError, StoreUnavailable

LEASE_S = 60.0
RENEWALS_PER_LEASE = 4
CLOCK_STEP_S = 2.0  # stores tell times in whole seconds
MAX_PROC_CHARS = 4096  # of a line in /proc
MAX_LEASE_S = 86_400.0
MAX_ROUNDS = 20  # others may be faster again and again; each of them then holds it, or has just let go


@dataclass(frozen=True, kw_only=True)
class Holder:
    """What stands in the lock. space: where `pid` means that process: a boot of a machine, and a name space of it."""

    owner: str
    host: str
    pid: int
    started: str
    space: str
    lease_s: float
    turn: int = 0
    is_held: bool = True

    def content(self) -> bytes:
        return (json.dumps(asdict(self)) + "\n").encode()


def lock_path(out: str) -> str:
    return files.join(out, ".lock")


@contextlib.contextmanager
def lease_out(out: str, lease_s: float = LEASE_S) -> Iterator[Lease]:
    """Hold OUT while the block runs. Raises OutInUse and OutLost, as `lock_out` says."""
    lease = Lease(out, lease_s)
    lease.acquire()
    with _interrupted_by() as number:
        renewing = threading.Thread(target=lease.keep, args=(number,), daemon=True)
        renewing.start()
        try:
            yield lease
        except KeyboardInterrupt as interrupt:
            if lease.lost:  # it was we who interrupted
                raise OutLost(lease.lost) from interrupt
            raise
        finally:
            lease.stop.set()
            renewing.join()
            lease.let_go()


class Lease:
    """One holding of OUT. `lost`: why it is ours no longer, "" while it is."""

    def __init__(self, out: str, lease_s: float) -> None:
        self.out, self.path = out, lock_path(out)
        self.holder = _ourselves(lease_s)
        self.stop = threading.Event()
        self.lost = ""
        self._version: str | None = None
        self._renewed = 0.0  # by our steady clock, before the request that did it

    def acquire(self) -> None:
        for _ in range(MAX_ROUNDS):
            asked = time.monotonic()
            found = files.read_versioned(self.path)
            if found is not None:
                self._refuse_unless_free(found)
            version = files.swap(self.path, self.holder.content(), found.version if found else None)
            if version is not None:
                self._version, self._renewed = version, asked
                return
        raise OutInUse(f"OUT {self.out!r} is wanted by many runs at once: try again, or choose another OUT")

    def check(self) -> None:
        """Raises OutLost if it is ours no longer, or can't be known to be."""
        if not self.lost and time.monotonic() - self._renewed > self.holder.lease_s:
            self.lost = (
                f"OUT {self.out!r} could not be kept for this run (the store was not heard of for "
                f"{self.holder.lease_s:.0f} s)"
            )
        if self.lost:
            raise OutLost(self.lost)

    def keep(self, interrupt: signal.Signals) -> None:
        """Renew it until `stop`; when it is lost, interrupt the run as if this signal had come."""
        while not self.stop.wait(self.holder.lease_s / RENEWALS_PER_LEASE):
            try:
                self.renew()
                self.check()
            except OutLost:
                _thread.interrupt_main(interrupt)
                return

    def renew(self) -> None:
        """Once. What the store does not answer is left to the next time, and to `check`."""
        asked = time.monotonic()
        self.holder = replace(self.holder, turn=self.holder.turn + 1)
        try:
            version = files.swap(self.path, self.holder.content(), self._version)
            if version is None and (ours := self._version_of_ours()):
                version = files.swap(self.path, self.holder.content(), ours)
        except (StoreError, StoreUnavailable):
            return
        if version is None:
            self.lost = f"OUT {self.out!r} was taken over by {self._who_now()}"
            raise OutLost(self.lost)
        self._version, self._renewed = version, asked

    def _version_of_ours(self) -> str | None:
        """Of the lock if we hold it after all: a renewal whose answers were all lost may have been carried out."""
        found = files.read_versioned(self.path)
        holder = _parsed(found.content) if found else None
        return found.version if found and holder and holder.owner == self.holder.owner else None

    def let_go(self) -> None:
        """The object stays: to remove it could not be made to depend on its still being ours."""
        if not self.lost:
            with contextlib.suppress(StoreError, StoreUnavailable):  # then it lapses
                files.swap(self.path, replace(self.holder, is_held=False).content(), self._version)

    def _refuse_unless_free(self, found: files.Versioned) -> None:
        holder = _parsed(found.content)
        if holder is not None and (not holder.is_held or _is_dead(holder)):
            return
        age_s = self._store_clock() - found.modified
        lease_s = holder.lease_s if holder else LEASE_S
        if age_s > lease_s + CLOCK_STEP_S:
            return
        raise OutInUse(
            f"OUT {self.out!r} is in use by {_who(holder)}, last heard of {max(0.0, age_s):.0f} s ago: wait for it, or "
            f"choose another OUT (if it is dead, its lock lapses after {lease_s:.0f} s without news)"
        )

    def _store_clock(self) -> float:
        path = files.join(self.out, ".lock.clock")  # one name, so that none are left over
        with files.atomic_write(path) as file:
            file.write(secrets.token_hex(8).encode())
        written = files.read_versioned(path)
        if written is None:
            raise StoreUnavailable(f"{path} was written and is not there: see whether the store is well")
        return written.modified

    def _who_now(self) -> str:
        with contextlib.suppress(StoreError, StoreUnavailable):
            if (found := files.read_versioned(self.path)) is not None:
                return _who(_parsed(found.content))
        return "another run"


def _ourselves(lease_s: float) -> Holder:
    return Holder(
        owner=secrets.token_hex(8),
        host=socket.gethostname(),
        pid=os.getpid(),
        started=_start_of(os.getpid()) or "",
        space=_space(),
        lease_s=lease_s,
    )


def _is_dead(holder: Holder) -> bool:
    """Whether it was a process of this machine that is no more. A number that was given away anew began later."""
    is_of_here = bool(holder.space and holder.started) and holder.space == _space()
    return is_of_here and _start_of(holder.pid) != holder.started


def _space() -> str:
    """This boot of this machine and our name space of processes; "" where the system does not tell."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return f"{file.read(MAX_PROC_CHARS).strip()} {os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return ""


def _start_of(pid: int) -> str | None:
    """When a process began, in ticks since boot; None if there is none, or it has ended and nobody has looked."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read(MAX_PROC_CHARS).rpartition(")")[2].split()  # the name before may hold anything
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def _parsed(content: bytes) -> Holder | None:
    """None for a lock that is none of ours: it is respected until it lapses."""
    try:
        holder = Holder(**json.loads(content))
        texts = (holder.owner, holder.host, holder.started, holder.space)
        is_ours = all(isinstance(text, str) and text.isprintable() for text in texts) and isinstance(holder.pid, int)
        return holder if is_ours and 0 < float(holder.lease_s) < MAX_LEASE_S else None
    except (ValueError, TypeError):
        return None


def _who(holder: Holder | None) -> str:
    return f"another run (process {holder.pid} on {holder.host})" if holder else "somebody (its lock can't be read)"


@contextlib.contextmanager
def _interrupted_by() -> Iterator[signal.Signals]:
    """The signal by which the main thread is interrupted. Where it has a handler for none of the usual ones (scripts
    start what runs in the background with an ignored Ctrl-C), one of ours gets it as long as the block runs.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        if callable(signal.getsignal(number)):
            yield number
            return
    if threading.current_thread() is not threading.main_thread():  # which alone may set handlers
        yield signal.SIGINT
        return
    before = signal.signal(signal.SIGUSR1, signal.default_int_handler)
    try:
        yield signal.SIGUSR1
    finally:
        signal.signal(signal.SIGUSR1, before)
