"""Every limit on what strangers' files and servers may hold, with its default: the one place of limits.

Those of `Limits` are the recipe's section [limits]; those of one picture stand in [images], where they have always
been, and take their defaults from here. The last ones can't be raised: what they bound is read before any recipe, or
was written by this program.
"""

from dataclasses import dataclass

from florenz.limits.errors import raise_if_not_positive

KIB, MIB = 1 << 10, 1 << 20

# [images]: of one picture.
IMAGE_BYTES = 64 * MIB
"""max_bytes: a larger file is rejected unread."""
IMAGE_PIXELS = 100_000_000
"""max_pixels: width times height; 300 MB once decoded."""
SIDE_RATIO = 50.0
"""max_side_ratio: longer side by shorter side. Panoramas reach 20; beyond are rulers and tracking strips."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """[limits]. `ValueError` with a line for each that is below 1."""

    reply_bytes: int = 8 * MIB
    """One reply of a server, unpacked. Raised by itself where max_tokens times prompts_per_request asks for more."""

    reply_depth: int = 32
    """Lists and objects within each other in a reply."""

    name_bytes: int = 4 * KIB
    """The name of a tar's member; one with a longer name is rejected."""

    sidecar_bytes: int = 64 * KIB
    """What stands beside an image about it: a larger sidecar says nothing, of a longer cell the beginning counts."""

    folder_depth: int = 64
    """Folders within each other below IMAGES."""

    tar_header_bytes: int = MIB
    """A long name or a pax record; the tar counts as broken there."""

    parquet_footer_bytes: int = 64 * MIB
    """What a Parquet file says about itself at its end."""

    parquet_chunk_bytes: int = 2048 * MIB
    """The images of one row group, unpacked."""

    parquet_page_bytes: int = 256 * MIB
    """One page of a column, unpacked: it is in memory as a whole. Of texts beside images: a row group's, together."""

    parquet_ratio: int = 16
    """Bytes that a packed byte of such a column may become, beyond the first 256 MiB: pictures are packed already."""

    parquet_rows: int = 10_000_000
    """Rows of one row group: a damaged footer can promise 2**62, and to list them would not end."""

    workers: int = 256
    """WORKERS: each is a process that loads Beam."""

    beams: int = 32
    """num_beams: memory grows with it."""

    def __post_init__(self) -> None:
        raise_if_not_positive(self)


# Read before a recipe is known, or written by this program and far smaller.
RECIPE_BYTES = MIB
RECIPE_DEPTH = 32  # tables and lists within each other
FAMILY_BYTES = 256 * KIB  # the file of a translator family
SIDECAR_CHARS = 2000  # of an address, a licence, an alt text: what is longer is cut
MANIFEST_BYTES = 256 * MIB  # 400 bytes a shard
CONFIG_BYTES = 16 * MIB  # a model's config.json
WORD_LIST_BYTES = MIB  # of a list of words in [filters.toxicity]: 100,000 entries of ten letters
LOG_BYTES = 4 * MIB  # what is looked at of a server's log
RECORD_BYTES = 256 * MIB  # a build's summary, a training's record
TABLE_BYTES = 16384 * MIB  # ledger parts, index, rejects: our own Parquet files
