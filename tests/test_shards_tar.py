"""The end of a tar, as every reader of shards checks it."""

import pytest

from florenz.shards.tar import ShardError, check_end


@pytest.mark.parametrize("sizes", [(1024,), (512, 512), (1, 1023), (10240,)])
def test_two_blocks_of_zeros_or_more_end_a_tar_in_pieces_of_any_size(sizes: tuple[int, ...]) -> None:
    check_end("a.tar", 512, map(bytes, sizes))


@pytest.mark.parametrize("sizes", [(), (512,), (1023,)])
def test_less_is_a_tar_that_was_cut_off(sizes: tuple[int, ...]) -> None:
    with pytest.raises(ShardError, match="shard a.tar is damaged at byte 512: .* it was cut off"):
        check_end("a.tar", 512, map(bytes, sizes))


@pytest.mark.parametrize("place", [0, 600, 4000])
def test_anything_but_zeros_is_no_end(place: int) -> None:
    rest = bytearray(4096)
    rest[place] = 1
    with pytest.raises(ShardError, match="neither a file nor the end") as caught:
        check_end("a.tar", 512, [bytes(rest[:2048]), bytes(rest[2048:])])
    assert (caught.value.path, caught.value.offset) == ("a.tar", 512)
