"""Pictures that look alike, in another size, another compression: `[filters.images] max_hash_distance`. Off without.

The idea is PDQ's (`images/likeness.py`): 256 bits, and pictures that differ in 31 of them at most are the same to a
viewer. Of all pairs of a run only those that share one of 32 bytes are compared: 31 bits can't spoil 32 bytes, so none
is missed. A picture is dropped where one with a smaller key looks like it. So no two of those that stay look alike, and
it does not matter who compares what, in which order. What a picture went for may have gone itself, for a third one that
looks like that one only: what is left of such a chain is less, and never two of a kind.

Cost: decoding and hashing once (16 ms for photographs of 640x480), 32 rows a picture in the shuffle, and the pairs of
8,192 groups: about N * N / 16 for N pictures, 8 nanoseconds each (8 minutes of one core for a million).

Of 57 photographs, 57 are told again at JPEG quality 30 and at twice the size, 55 at half, 52 without 1% at each edge,
none without 5%; no two of them are nearer than 94 bits (measured by hand; docs/notes.md). It can't see mirrored, turned
or cropped copies, nor say which copy is the best: the key is a hash of bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

NEAR = "near_duplicate_image"
MAX_DISTANCE = 31  # below the number of bytes: beyond it pairs would be missed
_ROWS, _COLUMNS = 256, 4096  # compared at a time: 12 MB


def bands_of(likeness: str) -> list[str]:
    """The 32 groups in which a picture is compared: number and value of each byte of its 64 hex digits."""
    return [f"{place:02d}{likeness[2 * place : 2 * place + 2]}" for place in range(32)]


def near_duplicates(likenesses: Mapping[str, str], max_distance: int) -> Iterator[tuple[str, str, int]]:
    """(key, smallest key below it that looks like it, differing bits), of those of a group that have one; by key.

    likenesses: key -> 64 hex digits, in any order.
    """
    keys = sorted(likenesses)
    whole = np.frombuffer(bytes.fromhex("".join(likenesses[key] for key in keys)), dtype=np.uint64).reshape(-1, 4)
    for start in range(0, len(keys), _ROWS):
        rows = whole[start : start + _ROWS]
        waiting = np.arange(len(rows))
        for first in range(0, start + len(rows), _COLUMNS):
            columns = whole[first : min(first + _COLUMNS, start + len(rows))]
            distances = np.zeros((len(waiting), len(columns)), dtype=np.uint16)
            for word in range(whole.shape[1]):
                distances += np.bitwise_count(rows[waiting, word][:, None] ^ columns[:, word][None])
            is_near = (distances <= max_distance) & (first + np.arange(len(columns)) < start + waiting[:, None])
            places = is_near.argmax(axis=1)
            for row in np.flatnonzero(is_near.any(axis=1)).tolist():
                place = int(places[row])
                yield keys[start + int(waiting[row])], keys[first + place], int(distances[row, place])
            waiting = waiting[~is_near.any(axis=1)]
