"""safetensors files by pieces: the bytes of safetensors itself, and rows that many write and read."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from florenz.train.tensor_files import NAMES, Piece, TensorFile, create, piece_of, write_pieces


def tensors() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    found = {f"of {name}": torch.randn(3, 2).mul(9).to(dtype) for dtype, name in NAMES.items()}
    return found | {"ä": torch.tensor(7), "number": torch.tensor(1.5), "none": torch.empty(0, 3), "b": torch.randn(7)}


def test_the_bytes_are_those_of_safetensors(tmp_path: Path) -> None:
    whole = {name: one for name, one in tensors().items() if one.dtype != torch.bfloat16}
    save_file(whole, tmp_path / "theirs")
    pieces = {name: piece_of(one, is_first_rank=True) for name, one in whole.items()}
    create(tmp_path / "ours", {name: piece.spec for name, piece in pieces.items()})
    write_pieces(tmp_path / "ours", pieces)
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()


def test_rows_of_several_ranks_in_any_order_make_the_whole(tmp_path: Path) -> None:
    table, number = torch.randn(7, 3), torch.tensor(5)
    specs = {name: piece_of(one, is_first_rank=True).spec for name, one in (("table", table), ("number", number))}
    create(tmp_path / "file", specs)
    for first, end in ((4, 7), (0, 4), (7, 7)):
        rows = {"table": Piece(spec=specs["table"], rows=table[first:end], first=first)}
        rows["number"] = piece_of(number, is_first_rank=first == 0)
        write_pieces(tmp_path / "file", rows)
    found = load_file(tmp_path / "file")
    assert torch.equal(found["table"], table) and torch.equal(found["number"], number)
    file = TensorFile(tmp_path / "file")
    assert set(file) == {"table", "number"} and file.shape("table") == (7, 3) and file.shape("number") == ()
    assert torch.equal(file.piece("table", table), table)


def test_what_is_held_in_bfloat16_is_written_as_float32(tmp_path: Path) -> None:
    piece = piece_of(torch.randn(4, 4).bfloat16(), is_first_rank=True)
    create(tmp_path / "file", {"one": piece.spec})
    write_pieces(tmp_path / "file", {"one": piece})
    found = load_file(tmp_path / "file")["one"]
    assert found.dtype == torch.float32 and torch.equal(found, piece.rows.float())


def test_a_file_that_is_there_already_is_not_made_longer_by_a_piece(tmp_path: Path) -> None:
    piece = piece_of(torch.ones(2, 2), is_first_rank=True)
    with pytest.raises(FileNotFoundError):
        write_pieces(tmp_path / "absent", {"one": piece})
