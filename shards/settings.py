"""What a recipe may set about shards: how many images they hold, how they are split, how images are re-encoded."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ShardSettings:
    """Fixed for one build: another value gives other shards. `ValueError` lists every field that makes no sense."""

    images_per_shard: int = 1000
    """Images in one tar. At 63 KB each, 1000 make a file of 65 MB. A trainer wants more shards than loader workers."""

    val_fraction: float = 0.02
    """Share of the images that is kept for validation, between 0 and 1; at least one image if there are two."""

    choose_fraction: float = 0.02
    """Share of the images that is kept for choosing a recipe or a stopping point; 0 for none. What is reported stands
    in val, which nothing was chosen on."""

    jpeg_quality: int = 92
    """Pillow's JPEG quality, 1 to 95, for images that have to be re-encoded."""

    max_side_px: int = 4096
    """Longer side, in pixels, above which an image is scaled down."""

    strip_exif: bool = False
    """Leave EXIF, XMP and IPTC out of pictures that are stored as they are: phones write their place there."""

    def __post_init__(self) -> None:
        problems = []
        if self.images_per_shard < 1:
            problems.append(f"images_per_shard is {self.images_per_shard}: a shard holds at least one image")
        if not 0 < self.val_fraction < 1:
            problems.append(f"val_fraction is {self.val_fraction}: choose a share between 0 and 1, for example 0.02")
        if not 0 <= self.choose_fraction < 1:
            problems.append(f"choose_fraction is {self.choose_fraction}: choose a share from 0 to 1, for example 0.02")
        elif self.val_fraction + self.choose_fraction >= 1:
            problems.append("val_fraction and choose_fraction leave nothing for train: choose smaller ones")
        if not 1 <= self.jpeg_quality <= 95:
            problems.append(f"jpeg_quality is {self.jpeg_quality}: choose a value from 1 to 95")
        if self.max_side_px < 16:
            problems.append(f"max_side_px is {self.max_side_px}: choose at least 16 pixels")
        if problems:
            raise ValueError("\n".join(problems))
