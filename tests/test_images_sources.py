"""Sources: real folders, tars and Parquet files in miniature, read as references and back to the same bytes."""

import hashlib
import io
import os
import re
import socket
import struct
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from florenz.images.bad_image import BadImage
from florenz.images.sources import (
    ImageRef,
    Reject,
    SourceFile,
    key_of,
    list_sources,
    read_image,
    read_image_bytes,
    read_refs,
    read_source,
)
from florenz.limits.table import Limits
from florenz.stores.files import atomic_write

JPEG = b"\xff\xd8\xff\xe0 a stand-in, reading never decodes "
LIMIT = 1 << 20


def write(path: Path, data: bytes = JPEG) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def tar_bytes(members: dict[str, bytes], format: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format) as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def parquet(path: Path, columns: dict[str, object], **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path, **options)
    return path


def split(source: str | Path, max_images: int | None = None) -> tuple[list[ImageRef], list[Reject]]:
    found = list(read_refs(str(source), max_images=max_images))
    return [x for x in found if isinstance(x, ImageRef)], [x for x in found if isinstance(x, Reject)]


def images(source: str | Path, max_images: int | None = None) -> list[bytes]:
    return [read_image_bytes(ref, max_bytes=LIMIT) for ref in split(source, max_images)[0]]


def rejects(source: str | Path) -> list[tuple[str, str]]:
    return [(reject.uri.rpartition("/")[2], reject.reason) for reject in split(source)[1]]


def fault(ref: ImageRef, max_bytes: int = LIMIT) -> str:
    with pytest.raises(BadImage) as caught:
        read_image_bytes(ref, max_bytes=max_bytes)
    return caught.value.reason


# -- folders ----------------------------------------------------------------------------------------------------------


def test_a_mixed_folder_gives_its_images_in_sorted_order(tmp_path: Path):
    write(tmp_path / "b.jpg", b"b")
    write(tmp_path / "a" / "z.PNG", b"z")
    write(tmp_path / "c.tar", tar_bytes({"c.jpg": b"c"}))
    parquet(tmp_path / "d.parquet", {"image": [b"d", b"e"]})
    assert images(tmp_path) == [b"z", b"b", b"c", b"d", b"e"]
    assert [file.kind for file in list_sources(str(tmp_path))] == ["file", "file", "tar", "parquet"]


def test_what_is_no_image_is_a_reject_with_its_name(tmp_path: Path):
    write(tmp_path / "notes.txt", b"BM is not a bitmap here")
    write(tmp_path / "a.json", b"{}")
    write(tmp_path / "nothing", b"")
    write(tmp_path / "x.tar.gz", b"\x1f\x8b\x08")
    write(tmp_path / "photo_without_suffix")
    refs, rejected = split(tmp_path)
    assert [ref.uri.rpartition("/")[2] for ref in refs] == ["photo_without_suffix"]
    wanted = dict.fromkeys(("notes.txt", "a.json", "x.tar.gz"), "not_an_image") | {"nothing": "empty_file"}
    assert {reject.detail.partition(":")[0]: reject.reason for reject in rejected} == wanted
    assert any("unpack" in reject.detail for reject in rejected)


def test_hidden_and_unfinished_files_are_left_out(tmp_path: Path):
    for name in (".hidden.jpg", ".git/a.jpg", "a.jpg.partial", "kept.jpg"):
        write(tmp_path / ".cache" / name)
    assert split(tmp_path / ".cache") == ([ImageRef(uri=f"{tmp_path}/.cache/kept.jpg")], [])


def test_links_that_go_round_end(tmp_path: Path):
    write(tmp_path / "sub" / "a.jpg")
    (tmp_path / "sub" / "up").symlink_to(tmp_path)
    (tmp_path / "self.jpg").symlink_to("self.jpg")
    (tmp_path / "gone.jpg").symlink_to("nowhere")
    refs, rejected = split(tmp_path)
    outcome = {ref.uri.rpartition("/")[2]: fault(ref) for ref in refs if not ref.uri.endswith("a.jpg")}
    assert outcome == {"self.jpg": "unreadable_file", "gone.jpg": "unreadable_file"}
    assert len(refs) == 3 and not rejected


def test_pipes_and_sockets_do_not_stop_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    os.mkfifo(tmp_path / "pipe")
    os.mkfifo(tmp_path / "pipe.jpg")
    monkeypatch.chdir(tmp_path)  # a socket's path may only have 100 characters
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket")
        refs, rejected = split(tmp_path)
    assert [reject.reason for reject in rejected] == ["unreadable_file"] * 2
    assert [fault(ref) for ref in refs] == ["unreadable_file"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_permission_is_a_reject_and_a_folder_is_an_error(tmp_path: Path):
    write(tmp_path / "a.jpg").chmod(0)
    write(tmp_path / "b").chmod(0)
    refs, rejected = split(tmp_path)
    assert [fault(ref) for ref in refs] == [rejected[0].reason] == ["unreadable_file"]
    write(tmp_path / "closed" / "c.jpg").parent.chmod(0)
    with pytest.raises(ValueError, match="closed"):
        list_sources(str(tmp_path))


def test_errors_that_are_not_the_files_fault_are_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (ref,), _ = split(write(tmp_path / "a.jpg"))

    def unreachable(path: str) -> None:
        raise ConnectionResetError(path)

    monkeypatch.setattr("florenz.images.source_files.open_read", unreachable)
    with pytest.raises(ConnectionResetError):
        read_image_bytes(ref, max_bytes=LIMIT)


def test_permission_is_the_files_own_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (ref,), _ = split(write(tmp_path / "a.jpg"))

    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("florenz.images.source_files.open_read", refuse)
    assert fault(ref) == "unreadable_file"
    found = list(read_source(SourceFile(path=str(write(tmp_path / "b")), kind="file")))
    assert [getattr(x, "reason", "") for x in found] == ["unreadable_file"]


@pytest.mark.parametrize("wildcard", ["*.tar", "{}/*.tar", "{}/?.tar", "{}/[ab].tar", "{}/**/?.tar", "{}/../*/?.tar"])
def test_globs_take_what_matches_in_that_folder(tmp_path: Path, wildcard: str, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "data"
    for name in ("b", "a", "deep/c", ".d"):
        write(folder / f"{name}.tar", tar_bytes({"x.jpg": name.encode()}))
    monkeypatch.chdir(folder)
    wanted = [b"a", b"b", b"deep/c"] if "**" in wildcard else [b"a", b"b"]
    assert images(wildcard.format(folder)) == wanted


def test_a_name_with_brackets_is_a_name_if_it_exists(tmp_path: Path):
    write(tmp_path / "set [1]" / "a*.jpg", b"here")
    assert images(tmp_path / "set [1]") == images(tmp_path / "set [1]" / "a*.jpg") == [b"here"]


@pytest.mark.parametrize("missing", ["nowhere", "*.tar", "empty"])
def test_a_source_without_files_is_the_users_error(tmp_path: Path, missing: str):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no images at"):
        list_sources(str(tmp_path / missing))


def test_max_images_takes_the_first_in_sorted_order(tmp_path: Path):
    for name in ("c", "a", "b"):
        write(tmp_path / f"{name}.jpg", name.encode())
    write(tmp_path / "aa.txt", b"text")
    assert images(tmp_path, max_images=2) == [b"a", b"b"]
    assert images(tmp_path, max_images=9) == [b"a", b"b", b"c"] and images(tmp_path, max_images=0) == []


def test_other_stores_are_read_like_folders():
    for name, data in (("a.jpg", b"a"), ("t.tar", tar_bytes({"b.jpg": b"b"})), (".h.jpg", b"h")):
        with atomic_write(f"memory://photos/{name}") as file:
            file.write(data)
    assert images("memory://photos") == images("memory://photos/*") == [b"a", b"b"]
    assert images("memory://photos/t.tar") == [b"b"]
    assert fault(ImageRef(uri="memory://photos/gone.jpg")) == "unreadable_file"


# -- names ------------------------------------------------------------------------------------------------------------

ODD_NAMES = [
    b"new\nline.jpg", b"\xff\xfe.jpg", b"two words.jpg", b"a#b?c=d&e.jpg", "Фото é.jpg".encode(), b"a.b.c.jpg",
    b"100%25.jpg", b"a::b.jpg", b"~a.jpg", b"x?member=a&offset=0&size=1.jpg", b"gs:a.jpg", b"-.jpg", b"\\.jpg",
]  # fmt: skip


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_survive_the_uri_in_folders_and_tars(tmp_path: Path, name: bytes):
    text = os.fsdecode(name)
    write(tmp_path / "in" / text, b"file")
    write(tmp_path / f"{text}.tar", tar_bytes({text: b"member"}))
    refs, rejected = split(tmp_path)
    assert not rejected and all(ref.uri.isascii() and ref.uri.isprintable() for ref in refs)
    assert [read_image_bytes(ref, max_bytes=LIMIT) for ref in refs] in ([b"file", b"member"], [b"member", b"file"])


@pytest.mark.parametrize(
    "uri",
    [
        "", "a b.jpg", "a%2f.jpg", "a.jpg?", "a.jpg#x", "%61.jpg", "a.tar?member=x&offset=-1&size=1", "é.jpg",
        "a.tar?member=x&offset=01&size=1", "a.tar?offset=1&member=x&size=1", "a.tar?member=x&offset=1", "a.jpg\n",
        "a.parquet?row_group=0&row=0&column=image&column=b", "a.parquet?row=0&row_group=0&column=image",
    ],
)  # fmt: skip
def test_a_uri_that_is_spelled_otherwise_is_refused(uri: str):
    with pytest.raises(ValueError, match="not an image reference"):
        read_image_bytes(ImageRef(uri=uri), max_bytes=LIMIT)


# -- bytes ------------------------------------------------------------------------------------------------------------


def test_bytes_are_limited_before_they_are_read(tmp_path: Path):
    write(tmp_path / "a.jpg", b"12345")
    write(tmp_path / "b.tar", tar_bytes({"b.jpg": b"12345"}))
    parquet(tmp_path / "c.parquet", {"jpg": [b"12345"]})
    with open(write(tmp_path / "huge.jpg"), "r+b") as file:
        file.truncate(1 << 40)  # a sparse terabyte: reading it would not end
    refs, _ = split(tmp_path)
    assert [fault(ref, max_bytes=4) for ref in refs] == ["too_many_bytes"] * 4
    assert [read_image_bytes(ref, max_bytes=5) for ref in refs[:3]] == [b"12345"] * 3


def test_an_empty_image_is_an_empty_file_wherever_it_lies(tmp_path: Path):
    write(tmp_path / "a.jpg", b"")
    write(tmp_path / "b.tar", tar_bytes({"b.jpg": b""}))
    parquet(tmp_path / "c.parquet", {"jpg": [b""]})
    assert [fault(ref) for ref in split(tmp_path)[0]] == ["empty_file"] * 3


def test_the_key_is_the_hash_of_the_original_bytes_and_the_same_everywhere(tmp_path: Path):
    write(tmp_path / "a.jpg")
    write(tmp_path / "b.tar", tar_bytes({"pad.txt": b"x" * 700, "b.jpg": JPEG}))
    parquet(tmp_path / "c.parquet", {"image": [{"bytes": JPEG, "path": "c.jpg"}]})
    keys = {read_image(ref, max_bytes=LIMIT).key for ref in split(tmp_path)[0]}
    assert keys == {key_of(JPEG)} == {hashlib.sha256(JPEG).hexdigest()[:32]}


# -- tars -------------------------------------------------------------------------------------------------------------


def test_the_layout_of_img2dataset_gives_the_images_and_no_rejects_inside_the_tar(tmp_path: Path):
    members = {f"{n:09}.{suffix}": f"{n}{suffix}".encode() for n in range(3) for suffix in ("jpg", "json", "txt")}
    write(tmp_path / "00000.tar", tar_bytes(members))
    write(tmp_path / "00000_stats.json", b"{}")
    parquet(tmp_path / "00000.parquet", {"url": ["u"], "caption": ["c"], "key": ["000000000"]})
    assert images(tmp_path) == [b"0jpg", b"1jpg", b"2jpg"]
    assert rejects(tmp_path) == [("00000.parquet", "no_image_column"), ("00000_stats.json", "not_an_image")]


def test_members_are_images_by_name_or_by_their_bytes_and_the_rest_are_rejects(tmp_path: Path):
    png = b"\x89PNG\r\n\x1a\n"
    members = {"./a": JPEG, "b.bin": png, "c.exe": b"MZ", "._d.jpg": b"x", ".e/f.jpg": b"x", "g.JPEG": b"?"}
    path = write(tmp_path / "a.tar", tar_bytes(members))
    assert images(path) == [JPEG, png, b"?"]
    assert [(reject.reason, reject.detail) for reject in split(path)[1]] == [("not_an_image", "c.exe")]


@pytest.mark.parametrize("dialect", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_are_read_in_both_dialects(tmp_path: Path, dialect: int):
    members = {"x" * 300 + ".jpg": b"long", "after.jpg": b"after", "é" * 120 + ".jpg": b"accents"}
    path = write(tmp_path / "a.tar", tar_bytes(members, format=dialect))
    assert images(path) == [b"long", b"after", b"accents"] and not split(path)[1]
    assert "x" * 300 in split(path)[0][0].uri and "x" not in split(path)[0][1].uri.rpartition("?")[2]


def test_links_and_folders_in_a_tar_do_not_shift_what_follows(tmp_path: Path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, kind in (("folder", tarfile.DIRTYPE), ("l.jpg", tarfile.SYMTYPE), ("h.jpg", tarfile.LNKTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size = kind, "a.jpg", 0 if name == "folder" else 4096
            tar.addfile(info)
        info = tarfile.TarInfo("a.jpg")
        info.size = 1
        tar.addfile(info, io.BytesIO(b"a"))
    path = write(tmp_path / "a.tar", buffer.getvalue())
    assert images(path) == [b"a"] and [reject.reason for reject in split(path)[1]] == ["not_an_image"] * 2


def test_a_tar_cut_anywhere_keeps_the_members_before_the_cut_and_says_so(tmp_path: Path):
    members = {f"{n}.jpg": bytes([65 + n]) * 700 for n in range(3)}
    whole = tar_bytes(members)
    end = 3 * (512 + 1024)  # a header and 700 bytes rounded up, three times; then the end mark
    for cut in [*range(0, end, 100), 512, 1536, 1537, end - 1, end]:
        path = write(tmp_path / "a.tar", whole[:cut])
        num_whole = sum(cut >= n * 1536 + 512 + 700 for n in range(3))
        assert images(path) == list(members.values())[:num_whole], cut
        assert [reject.reason for reject in split(path)[1]] == ["unreadable_source"], cut
    assert not split(write(tmp_path / "a.tar", whole[: end + 512]))[1]


def test_a_damaged_header_is_not_taken_for_the_end(tmp_path: Path):
    data = bytearray(tar_bytes({"a.jpg": b"a", "b.jpg": b"b", "c.jpg": b"c"}))
    data[1024 + 3] ^= 0x55
    path = write(tmp_path / "a.tar", bytes(data))
    assert images(path) == [b"a"]
    assert "byte 1024" in split(path)[1][0].detail


@pytest.mark.parametrize("size", [-1, -512, -(2**40), 2**60])
def test_an_impossible_size_ends_the_tar(tmp_path: Path, size: int):
    header = bytearray(tar_bytes({"a.jpg": b"a"})[:512])
    header[124:136] = (b"\xff" * 4 if size < 0 else b"\x80\0\0\0") + struct.pack(">q", size)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    path = write(tmp_path / "a.tar", bytes(header) + bytes(2048))
    assert [reject.reason for reject in split(path)[1]] == ["unreadable_source"] and not images(path)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=64), st.binary(max_size=64))
def test_a_key_is_the_bytes_and_nothing_else_and_is_safe_in_a_shard(one: bytes, other: bytes) -> None:
    assert (key_of(one) == key_of(other)) == (one == other)
    assert re.fullmatch(r"[0-9a-f]{32}", key_of(one)), "no dot, no capital, no separator: tars and datasets split there"


@given(st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), max_size=6), st.integers(0, 5000))
def test_a_scrambled_tar_never_crashes(tmp_path_factory: pytest.TempPathFactory, flips: list, cut: int):
    data = bytearray(tar_bytes({"é" * 60 + ".jpg": b"a", "b.jpg": b"b"}, format=tarfile.PAX_FORMAT)[:5000])
    for at, value in flips:
        data[at % len(data)] = value
    path = write(tmp_path_factory.getbasetemp() / "scrambled.tar", bytes(data[: max(cut, 1)]))
    for found in read_source(SourceFile(path=str(path), kind="tar")):
        if isinstance(found, ImageRef):
            try:
                read_image_bytes(found, max_bytes=LIMIT)
            except BadImage as bad:
                assert bad.reason == "empty_file"
        else:
            assert found.reason in {"unreadable_source", "not_an_image"}


# -- Parquet ----------------------------------------------------------------------------------------------------------

HUGGING_FACE = pa.struct({"bytes": pa.binary(), "path": pa.string()})
ROWS = [bytes([65 + n]) * (n + 1) for n in range(7)]


@pytest.mark.parametrize("name", ["image", "jpg", "bytes", "image_bytes"])
@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), HUGGING_FACE])
def test_every_layout_gives_each_row_its_own_bytes(tmp_path: Path, name: str, kind: pa.DataType):
    cells = [{"bytes": row, "path": "p"} for row in ROWS] if pa.types.is_struct(kind) else ROWS
    columns = {"text": [f"t{n}" for n in range(7)], name: pa.array(cells, kind)}
    path = parquet(tmp_path / "a.parquet", columns, row_group_size=3)
    assert images(path) == ROWS
    refs = split(path)[0]
    assert refs[4].uri.endswith(f"a.parquet?row_group=1&row=1&column={name}")
    assert [read_image_bytes(ref, max_bytes=LIMIT) for ref in reversed(refs)] == ROWS[::-1], "in any order"


def test_a_null_cell_costs_itself_and_not_its_neighbours(tmp_path: Path):
    structs = [None, {"bytes": None, "path": "a"}, {"bytes": b"c", "path": "c"}, {"bytes": b"d", "path": None}]
    parquet(tmp_path / "s.parquet", {"image": structs})
    parquet(tmp_path / "t.parquet", {"jpg": [b"a", None, b"b"]})
    refs = split(tmp_path)[0]
    assert [fault(refs[n]) for n in (0, 1, 5)] == ["null_cell"] * 3
    assert [read_image_bytes(refs[n], max_bytes=LIMIT) for n in (2, 3, 4, 6)] == [b"c", b"d", b"a", b"b"]


def test_a_column_of_paths_is_not_a_column_of_images(tmp_path: Path):
    path = parquet(tmp_path / "a.parquet", {"image": ["a.jpg"], "jpg": [b"here"]})
    assert images(path) == [b"here"]
    parquet(tmp_path / "b.pq", {"image": ["a.jpg"]})
    assert rejects(tmp_path / "b.pq") == [("b.pq", "no_image_column")]


def test_listing_a_parquet_file_does_not_read_its_images(tmp_path: Path):
    path = parquet(tmp_path / "a.parquet", {"jpg": [b"secret" * 99] * 3}, compression="none", use_dictionary=False)
    whole = path.read_bytes()
    at = whole.index(b"secret")
    path.write_bytes(whole[:4] + b"\xff" * at + whole[at + 4 :])  # the page and its header; the footer stays
    refs, rejected = split(path)
    assert len(refs) == 3 and not rejected
    assert fault(refs[0]) == "unreadable_source"


def test_a_rewritten_file_is_not_answered_from_memory(tmp_path: Path):
    path = parquet(tmp_path / "a.parquet", {"jpg": [b"old", b"older"]})
    refs, _ = split(path)
    assert read_image_bytes(refs[0], max_bytes=LIMIT) == b"old"
    parquet(path, {"jpg": [b"new and longer"]})
    assert read_image_bytes(refs[0], max_bytes=LIMIT) == b"new and longer"
    assert fault(refs[1]) == "unreadable_file"


@pytest.mark.parametrize("limit", ["parquet_chunk_bytes", "parquet_rows", "parquet_footer_bytes"])
def test_a_parquet_file_beyond_a_limit_is_a_reject_that_says_what_to_do(tmp_path: Path, limit: str):
    path = parquet(tmp_path / "a.parquet", {"jpg": [b"x" * 5000, b"y"]})
    (file,) = list_sources(str(path))
    (reject,) = read_source(file, Limits(**{limit: 1}))
    assert isinstance(reject, Reject) and reject.reason == "unreadable_source"
    assert f"raise [limits] {limit} in the recipe" in reject.detail and "more than the limit of 1" in reject.detail


def test_a_column_name_that_is_no_text_is_a_reject(tmp_path: Path):
    whole = parquet(tmp_path / "a.parquet", {"jpg": ROWS, "caption": ["c"] * 7}, store_schema=False).read_bytes()
    path = write(tmp_path / "a.parquet", whole.replace(b"caption", b"\xffaption"))
    assert rejects(path) == [("a.parquet", "unreadable_source")]


def test_a_parquet_file_cut_anywhere_is_one_reject(tmp_path: Path):
    whole = parquet(tmp_path / "a.parquet", {"jpg": ROWS}).read_bytes()
    for cut in range(0, len(whole), 7):
        path = write(tmp_path / "b.parquet", whole[:cut])
        assert rejects(path) == [("b.parquet", "unreadable_source")], cut
