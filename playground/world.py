"""Draws a world: COUNT pictures from a seed into a folder, and `scenes.parquet` beside them, which keeps the truth.

The pipeline reads the pictures and never the truth; scoring reads both. A world that is complete is not drawn again.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from florenz.playground.captions import LANGUAGES, STYLES, state
from florenz.playground.draw import draw_scene
from florenz.playground.scene import Group, Scene, is_unseen, random_for, sample_scene

TRUTH = "scenes.parquet"
VERSION = 1  # raise it when the same seed draws another world
JPEG_QUALITY = 90
_PICTURE = re.compile(r"scene-\d{6,}\.jpg")


def draw_world(folder: str, *, count: int, seed: int, advance: Callable[[int], None] = lambda pictures: None) -> bool:
    """Make `folder` hold exactly this world; whether anything had to be drawn. `advance` is told of every picture.

    Scenes are those that the captioner was not trained on, so that what it scores is what it can do.
    """
    filesystem, root = fsspec.core.url_to_fs(folder)
    truth = f"{root}/{TRUTH}"
    wanted = {"version": str(VERSION), "count": str(count), "seed": str(seed)}
    if filesystem.exists(truth) and _drawn(filesystem, truth) == wanted:
        return False
    if filesystem.exists(root):
        _remove_pictures(filesystem, root)
    filesystem.makedirs(root, exist_ok=True)
    rows = []
    for number in range(count):
        name, data, scene = picture(seed, number)
        filesystem.pipe_file(f"{root}/{name}", data)
        rows.append(_row(name, data, scene))
        advance(1)
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows).replace_schema_metadata(wanted), buffer)
    filesystem.pipe_file(f"{truth}.partial", buffer.getvalue())
    filesystem.mv(f"{truth}.partial", truth)  # last: its presence means that every picture is there
    return True


def picture(seed: int, number: int) -> tuple[str, bytes, Scene]:
    """File name, JPEG bytes and truth of one picture of the world."""
    rng = random_for(seed, "world", number)
    scene = sample_scene(rng)
    while not is_unseen(scene):
        scene = sample_scene(rng)
    data = io.BytesIO()
    draw_scene(scene, rng).save(data, "JPEG", quality=JPEG_QUALITY)
    return f"scene-{number:06d}.jpg", data.getvalue(), scene


def read_truth(folder: str) -> dict[str, Scene]:
    """File name -> scene."""
    filesystem, root = fsspec.core.url_to_fs(folder)
    rows = pq.read_table(io.BytesIO(filesystem.cat_file(f"{root}/{TRUTH}"))).to_pylist()
    return {row["file"]: _scene(json.loads(row["scene"])) for row in rows}


def _scene(record: dict[str, Any]) -> Scene:
    return Scene(**{**record, "groups": tuple(Group(**group) for group in record["groups"])})


def _row(name: str, data: bytes, scene: Scene) -> dict[str, Any]:
    texts = {f"{language}_{style}": state(scene, language, style) for language in LANGUAGES for style in STYLES}
    return {
        "file": name,
        "key": hashlib.sha256(data).hexdigest()[:32],
        "scene": json.dumps(asdict(scene)),
        "is_ambiguous": scene.is_ambiguous,
        **texts,
    }


def drawn_seed(folder: str) -> int | None:
    """The seed of the world that lies in `folder`; None without one."""
    filesystem, root = fsspec.core.url_to_fs(folder)
    truth = f"{root}/{TRUTH}"
    seed = _drawn(filesystem, truth).get("seed") if filesystem.exists(truth) else None
    return None if seed is None else int(seed)


def _drawn(filesystem: Any, truth: str) -> dict[str, str]:
    """What the truth says it was drawn from; nothing if it is damaged, so that the world is drawn again."""
    try:
        metadata = pq.read_schema(io.BytesIO(filesystem.cat_file(truth))).metadata or {}
    except pa.ArrowInvalid:
        return {}
    return {name.decode(): value.decode() for name, value in metadata.items()}


def _remove_pictures(filesystem: Any, root: str) -> None:
    """The truth first: a world that is half removed must not look complete. Files that we did not draw stay."""
    drawn = [path for path in filesystem.ls(root, detail=False) if _PICTURE.fullmatch(path.rpartition("/")[2])]
    for path in (f"{root}/{TRUTH}", *sorted(drawn)):
        if filesystem.exists(path):
            filesystem.rm_file(path)
