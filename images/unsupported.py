"""A sound file in a variant that Pillow lacks is not a broken one: told apart by what its header says of itself.

Asked only where decoding failed. BMP and TIFF alone: their headers name compression and depth, and are short to check.
"""

import struct

# BITMAPINFOHEADER's biCompression (Microsoft, wingdi.h): RGB, RLE8, RLE4, bit fields, JPEG, PNG, bit fields with alpha.
_BMP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)
_BMP_COMPRESSIONS, _BMP_DEPTHS = range(7), (1, 2, 4, 8, 16, 24, 32)
# TIFF 6.0: tag -> what a reader has to know to show it.
_COMPRESSION = 259
_TIFF_COMPRESSIONS = (1, 2, 3, 4, 5, 6, 7, 8, 32771, 32773, 32946, 34925, 50000)  # Pillow 12's wheels
_WIDTH, _HEIGHT, _STRIP_OFFSETS, _STRIP_BYTES, _TILE_OFFSETS, _TILE_BYTES = 256, 257, 273, 279, 324, 325
_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_INTEGERS = {3: "H", 4: "I", 13: "I", 16: "Q"}
MAX_TAGS, MAX_PIECES = 4096, 1 << 20


def is_unsupported(kind: str, data: bytes, *, was_opened: bool) -> bool:
    """Whether the file is whole by its own header, so that what failed is the reader.

    was_opened: its header was understood; then only a TIFF of a compression that is not in Pillow's wheels is left.
    """
    try:
        if kind == "BMP":
            return not was_opened and _is_whole_bmp(data)
        if kind == "TIFF":
            tags = _tiff_tags(data)
            return _is_whole(tags, len(data)) and (not was_opened or tags[_COMPRESSION][0] not in _TIFF_COMPRESSIONS)
    except (struct.error, LookupError):  # shorter than its own fields, or without one that every TIFF has
        pass
    return False


def _is_whole_bmp(data: bytes) -> bool:
    pixels_at, header_bytes = struct.unpack_from("<II", data, 10)
    if header_bytes not in _BMP_HEADERS or not 14 + header_bytes <= pixels_at <= len(data):
        return False
    if header_bytes == 12:
        width, height, planes, depth = struct.unpack_from("<HHHH", data, 18)
        compression, stated = 0, 0
    else:
        width, height, planes, depth = struct.unpack_from("<iiHH", data, 18)
        compression, stated = struct.unpack_from("<II", data, 30) if header_bytes >= 40 else (0, 0)
    is_sound = planes == 1 and width > 0 and height != 0 and compression in _BMP_COMPRESSIONS
    if not is_sound or (depth not in _BMP_DEPTHS and compression not in (4, 5)):  # an embedded JPEG has depth 0
        return False
    plain = (width * depth + 31) // 32 * 4 * abs(height)
    needed = plain if compression in (0, 3, 6) else stated
    return 0 < needed <= len(data) - pixels_at


def _tiff_tags(data: bytes) -> dict[int, tuple[int, ...]]:
    """The whole numbers of the first directory. `struct.error` where it is not whole, empty for one out of order."""
    order = "<" if data[:2] == b"II" else ">"
    is_big = struct.unpack_from(order + "H", data, 2)[0] == 43
    word = order + ("Q" if is_big else "I")
    entry_bytes, head_bytes, field_bytes = (20, 8, 8) if is_big else (12, 2, 4)
    (at,) = struct.unpack_from(word, data, 8 if is_big else 4)
    (num_tags,) = struct.unpack_from(order + ("Q" if is_big else "H"), data, at)
    values: dict[int, tuple[int, ...]] = {}
    for place in range(min(num_tags, MAX_TAGS + 1)):
        start = at + head_bytes + place * entry_bytes
        tag, kind = struct.unpack_from(order + "HH", data, start)
        (count,) = struct.unpack_from(word, data, start + 4)
        if kind not in _TYPE_BYTES or place == MAX_TAGS:
            return {}
        value_at = start + 4 + field_bytes
        if count * _TYPE_BYTES[kind] > field_bytes:
            (value_at,) = struct.unpack_from(word, data, value_at)
        if value_at + count * _TYPE_BYTES[kind] > len(data):
            return {}
        if kind in _INTEGERS and count <= MAX_PIECES:
            values[tag] = struct.unpack_from(f"{order}{count}{_INTEGERS[kind]}", data, value_at)
    return values


def _is_whole(tags: dict[int, tuple[int, ...]], num_bytes: int) -> bool:
    """A width, a height, and every strip or tile within the file."""
    pieces = tags.get(_STRIP_OFFSETS) or tags.get(_TILE_OFFSETS) or ()
    sizes = tags.get(_STRIP_BYTES) or tags.get(_TILE_BYTES) or ()
    has_size = all(tags.get(tag, (0,))[0] > 0 for tag in (_WIDTH, _HEIGHT))
    is_within = all(start > 0 and start + size <= num_bytes for start, size in zip(pieces, sizes, strict=False))
    return has_size and bool(pieces) and len(pieces) == len(sizes) and is_within
