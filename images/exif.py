"""What a JPEG says about where and how it was taken: told, and left out where the recipe asks for it.

Left out are APP1 (EXIF and XMP; EXIF 3.0, 4.7.2), APP13 (IPTC, which names places) and what stands behind the end of
the picture, where phones keep a second picture with EXIF of its own. No pixel changes: all else stays byte for byte.
"""

from florenz.images.bad_image import BadImage
from florenz.images.jpeg_segments import EOI, segments
from florenz.images.opening import MAX_PIXELS, PILLOW_ERRORS, open_image

APP1, APP13 = 0xE1, 0xED
GPS = 0x8825  # the tag of EXIF's GPS part
POSITION = (2, 4)  # GPSLatitude and GPSLongitude in it


def without_exif(jpeg: bytes) -> bytes:
    """The same picture without these segments. It must be one that is upright as it is stored: the tag that says
    otherwise is gone.
    """
    found = list(segments(jpeg))
    assert found and found[-1].marker == EOI, "only whole JPEGs get here"
    kept = (segment for segment in found if segment.marker not in (APP1, APP13))
    return jpeg[:2] + b"".join(jpeg[segment.start : segment.end] for segment in kept)


def has_position(jpeg: bytes) -> bool:
    """Whether its EXIF says where it was taken; False where that can't be read."""
    if b"Exif\0" not in jpeg[:65536]:
        return False
    try:
        found = open_image(jpeg, max_pixels=MAX_PIXELS).getexif().get_ifd(GPS)
    except (BadImage, *PILLOW_ERRORS):
        return False
    return any(tag in found for tag in POSITION)
