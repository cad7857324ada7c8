"""Width and height of a picture as its header states them; no pixel is decoded."""

from florenz.images.bad_image import BadImage
from florenz.images.opening import PILLOW_ERRORS, open_image

UNREADABLE = "?"
_ANY_NUMBER = 1 << 62  # of pixels: whoever decodes the picture has a limit


def size_of(data: bytes) -> str:
    """Like "640x480", before any turn by EXIF; UNREADABLE where the header says none. Never raises."""
    try:
        with open_image(data, max_pixels=_ANY_NUMBER) as image:
            return f"{image.width}x{image.height}" if min(image.size) > 0 else UNREADABLE
    except (BadImage, *PILLOW_ERRORS):
        return UNREADABLE


def sides_of(size: str) -> tuple[int, int] | None:
    """Of what `size_of` gave; None where that says nothing."""
    width, by, height = size.partition("x")
    return (int(width), int(height)) if by else None
