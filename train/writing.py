"""Checkpoints are written while the training goes on: what changes is copied, and a thread writes the copy.

Every rank copies what it holds of the trained weights and of the optimizer, which takes a moment, and its thread writes
these rows at their place in the common files (`tensor_files.py`), so nothing is ever whole in a rank. Frozen weights do
not change, so they are read when their turn comes. When all are done, the first rank hashes, seals and renames; a kill
before that leaves the checkpoint before it. The threads of the ranks talk over a group of their own, by gloo.

One checkpoint is written at a time: the next one waits for it, as the end of a stage does. The price is memory for the
copy: on the CPU, of a rank's trained weights and their two moments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import torch
import torch.distributed as dist

from florenz.train.distributed import PATIENCE, MetByAll, Place
from florenz.train.tensor_files import Piece, create, piece_of, write_pieces

Tensors = Mapping[str, torch.Tensor]


class NotWritten(MetByAll, OSError):
    """By another rank."""


class Writer:
    """Of one rank, for a training; to be used in a `with`, at whose end what was begun is written."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._group = dist.new_group(backend="gloo", timeout=PATIENCE) if place.world_size > 1 else None
        self._copies: dict[tuple[str, str], torch.Tensor] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._pending: Future[None] | None = None

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown()  # one that failed leaves the checkpoint before it

    def start(
        self, folder: Path, files: Mapping[str, Tensors], *, begin: Callable[[], object], finish: Callable[[], object]
    ) -> None:
        """Write files into a folder. All ranks must ask, and may change the tensors when this returns.

        files: name -> tensors, of which ranks may hold rows (DTensor). begin, finish: called in the first rank alone,
        before the first byte (it makes the folder) and after the last.

        Raises:
            OSError, ValueError: what went wrong with the one before.
        """
        self.wait()
        pieces = {
            name: {key: self._copied(name, key, tensor) for key, tensor in tensors.items()}
            for name, tensors in files.items()
        }
        ready = None
        if self._place.device.type == "cuda":  # copies are under way: the thread waits for them, the training does not
            ready = torch.cuda.Event()
            ready.record()
        self._pending = self._thread.submit(self._write, folder, ready, pieces, begin, finish)

    def wait(self) -> None:
        """Until what was started is there.

        Raises:
            OSError, ValueError: it could not be written; in all ranks alike.
        """
        if self._pending is not None:
            pending, self._pending = self._pending, None
            pending.result()

    def _copied(self, file: str, key: str, tensor: torch.Tensor) -> Piece:
        """Of a frozen weight, itself."""
        piece = piece_of(tensor, is_first_rank=self._place.is_first)
        is_frozen = isinstance(tensor, torch.nn.Parameter) and not tensor.requires_grad
        if is_frozen or not piece.rows.numel():
            return piece
        rows, copy = piece.rows, self._copies.get((file, key))
        if copy is None or copy.shape != rows.shape or copy.dtype != rows.dtype:
            copy = torch.empty(rows.shape, dtype=rows.dtype, pin_memory=rows.is_cuda)
            self._copies[file, key] = copy
        copy.copy_(rows, non_blocking=True)
        return Piece(spec=piece.spec, rows=copy, first=piece.first)

    def _write(
        self,
        folder: Path,
        ready: torch.cuda.Event | None,
        files: Mapping[str, Mapping[str, Piece]],
        begin: Callable[[], object],
        finish: Callable[[], object],
    ) -> None:
        """In the thread. Each of the three steps is one for all ranks: if one fails, the others learn it and stop."""
        is_first = self._place.is_first

        def make() -> None:
            begin()
            for name, pieces in files.items():
                create(folder / name, {key: piece.spec for key, piece in pieces.items()})

        def fill() -> None:
            for name, pieces in files.items():
                write_pieces(folder / name, pieces)

        if ready is not None:
            ready.synchronize()
        self._together(make if is_first else None)
        self._together(fill)
        self._together(finish if is_first else None)

    def _together(self, do: Callable[[], object] | None) -> None:
        """Raises in all ranks if it did in one of them."""
        problem: OSError | ValueError | None = None
        try:
            if do is not None:
                do()
        except (OSError, ValueError) as fault:
            problem = fault
        if self._group is not None:
            failed = torch.tensor([problem is not None], dtype=torch.int32)
            dist.all_reduce(failed, group=self._group)
            if problem is None and int(failed):
                problem = NotWritten("another rank could not write the checkpoint: it says why")
        if problem is not None:
            raise problem
