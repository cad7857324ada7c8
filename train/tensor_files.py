"""safetensors files written and read a piece at a time, so that a tensor that many ranks share is whole in none.

A piece is some rows of a tensor, and rows lie one after the other in the file: each rank writes its own at their place,
and reads its own from there. The bytes are those that `safetensors.torch.save_file` would write. The ranks must see one
file system, as they must for checkpoints anyway.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from torch.distributed.tensor import DTensor
from torch.distributed.tensor._utils import compute_local_shape_and_global_offset

WRITE_BYTES = 1 << 24
NAMES = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64",
    torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
}  # fmt: skip
# As safetensors sorts them in a file: the widest first, those of one width in this order.
ORDER = ("I64", "F64", "F32", "I32", "BF16", "F16", "I16", "I8", "U8", "BOOL")


@dataclass(frozen=True, kw_only=True)
class Spec:
    """A whole tensor. shape: () for a number."""

    dtype: torch.dtype
    shape: tuple[int, ...]

    @property
    def num_bytes(self) -> int:
        return self.row_bytes * (self.shape[0] if self.shape else 1)

    @property
    def row_bytes(self) -> int:
        return self.dtype.itemsize * torch.Size(self.shape[1:]).numel()


@dataclass(frozen=True, kw_only=True)
class Piece:
    """What a rank holds of a tensor. rows: contiguous, on any device. first: the number of its first row."""

    spec: Spec
    rows: torch.Tensor
    first: int = 0


def piece_of(tensor: torch.Tensor, *, is_first_rank: bool) -> Piece:
    """Of a tensor that is not split, all of it in the first rank and nothing in the others. bfloat16 is written as
    float32, the form of all checkpoints."""
    dtype = torch.float32 if tensor.dtype == torch.bfloat16 else tensor.dtype
    spec = Spec(dtype=dtype, shape=tuple(tensor.shape))
    if isinstance(tensor, DTensor):
        rows, first = tensor.to_local().detach(), rows_of(tensor)[0]
        return Piece(spec=spec, rows=rows, first=first)
    rows = tensor.detach()
    return Piece(spec=spec, rows=rows if is_first_rank else rows.reshape(-1)[:0])


def rows_of(like: DTensor) -> tuple[int, int]:
    """(first, one after the last) of the rows that this rank has."""
    assert all(one.is_replicate() or one.dim == 0 for one in like.placements), like.placements
    shape, offset = compute_local_shape_and_global_offset(like.shape, like.device_mesh, like.placements)
    return (offset[0], offset[0] + shape[0]) if shape[0] else (0, 0)


def create(path: Path, specs: Mapping[str, Spec]) -> dict[str, int]:
    """Make the file with its header, as long as it will be; name -> where its bytes begin."""
    places, header = layout(specs)
    with path.open("wb") as file:
        file.write(header)
        file.truncate(len(header) + sum(spec.num_bytes for spec in specs.values()))
    return places


def layout(specs: Mapping[str, Spec]) -> tuple[dict[str, int], bytes]:
    """(name -> where its bytes begin in the file, what stands in front of them all)."""
    ordered = sorted(specs, key=lambda name: (ORDER.index(NAMES[specs[name].dtype]), name))
    entries: dict[str, dict[str, object]] = {}
    place = 0
    for name in ordered:
        spec = specs[name]
        offsets = [place, place + spec.num_bytes]
        entries[name] = {"dtype": NAMES[spec.dtype], "shape": list(spec.shape), "data_offsets": offsets}
        place = offsets[1]
    text = json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    header = struct.pack("<Q", len(text)) + text
    return {name: len(header) + entries[name]["data_offsets"][0] for name in ordered}, header  # type: ignore[index]


def write_pieces(path: Path, pieces: Mapping[str, Piece]) -> None:
    """Write them at their places and flush them; the file is there (`create`)."""
    places, _ = layout({name: piece.spec for name, piece in pieces.items()})
    handle = os.open(path, os.O_WRONLY)
    try:
        for name, piece in pieces.items():
            if not piece.rows.numel():
                continue
            rows = piece.rows.to("cpu", piece.spec.dtype).contiguous().reshape(-1).view(torch.uint8)
            _write_at(handle, places[name] + piece.first * piece.spec.row_bytes, memoryview(rows.numpy()))
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_at(handle: int, place: int, content: memoryview) -> None:
    while content:
        written = os.pwrite(handle, content[:WRITE_BYTES], place)
        place, content = place + written, content[written:]


class TensorFile:
    """A safetensors file of which each rank reads what it needs. `SafetensorError` if it is none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with safe_open(path, framework="pt") as file:
            self._names = list(file.keys())

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def shape(self, name: str) -> tuple[int, ...]:
        with safe_open(self._path, framework="pt") as file:
            return tuple(file.get_slice(name).get_shape())

    def piece(self, name: str, like: torch.Tensor) -> torch.Tensor:
        """This rank's rows of a tensor that is split like another one, or all of it; a copy, on the CPU."""
        with safe_open(self._path, framework="pt") as file:
            if not isinstance(like, DTensor):
                return file.get_tensor(name).clone()
            first, end = rows_of(like)
            return file.get_slice(name)[first:end].clone()
