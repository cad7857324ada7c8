"""Which formats are opened, and what a file says it is by its first bytes.

Safety over reach: Pillow has 40 formats and some of them start programs (EPS), open other files, or decode in slow
Python.
"""

import re

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "JPEG2000", "PPM")  # Pillow's names; MPO is JPEG

_SIGNATURES = (  # how a file begins -> format; those that FORMATS lacks are named so that a reject can say what it met
    (r"\xff\xd8\xff", "JPEG"),
    (r"\x89PNG\r\n\x1a\n", "PNG"),
    (r"GIF8[79]a", "GIF"),
    (r"BM.{4}\0\0\0\0.{4}[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\0\0\0", "BMP"),  # "BM" alone also begins prose
    (r"II[*+]\0|MM\0[*+]", "TIFF"),
    (r"RIFF.{4}WEBP", "WEBP"),
    (r".{4}ftypavi[fs]", "AVIF"),
    (r"\0\0\0\x0cjP  |\xff\x4f\xff\x51", "JPEG2000"),
    (r"P[1-6]\s+(#[^\n]*\n\s*)*\d|P[Ff]\s+\d", "PPM"),
    (r".{4}ftyp(hei|hev|mif|msf)", "HEIC"),
    (r"\0\0\0\x0cJXL |\xff\x0a", "JPEG XL"),
    (r"\0\0[\x01\x02]\0[^\0]\0", "ICO"),
    (r"8BPS\0\x01", "PSD"),
    (r"qoif", "QOI"),
    (r"DDS ", "DDS"),
    (r"\x01\xda[\0\x01][\x01\x02]", "SGI"),
    (r"BLP[12]", "BLP"),
    (r"icns", "ICNS"),
    (r"SIMPLE  =", "FITS"),
    (r"/\* XPM \*/", "XPM"),
    (r"%!PS|\xc5\xd0\xd3\xc6", "EPS"),
    (r"\s*(<\?xml[^>]*>\s*)?(<!DOCTYPE svg[^>]*>\s*)?<svg", "SVG"),
)
SIGNATURE_BYTES = 256  # enough of a file's beginning for sniff()
_SIGNATURE = re.compile("|".join(f"(?P<s{i}>{part})" for i, (part, _) in enumerate(_SIGNATURES)).encode(), re.DOTALL)


def sniff(head: bytes) -> str:
    """The image format whose signature the first SIGNATURE_BYTES bytes bear, "" where none is known."""
    found = _SIGNATURE.match(head[:SIGNATURE_BYTES])
    return _SIGNATURES[int(found.lastgroup[1:])][1] if found and found.lastgroup else ""
