"""Draws a world: COUNT pictures from a seed into a folder, and `scenes.parquet` beside them, which keeps the truth.

The pipeline reads the pictures and never the truth; scoring reads both. A world that is complete is not drawn again.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from florenz.playground.captions import LANGUAGES, STYLES, state
from florenz.playground.draw import draw_scene
from florenz.playground.scene import Group, Scene, concepts_of, is_unseen, random_for, sample_scene
from florenz.stores import files
from florenz.stores.tables import read_schema, read_table

TRUTH = "scenes.parquet"
VERSION = 2  # raise it when the same seed draws another world
JPEG_QUALITY = 90
WRITES_IN_FLIGHT = 16  # in an object store each picture is a request
_PICTURE = re.compile(r"scene-\d{6,}\.jpg")


def draw_world(folder: str, *, count: int, seed: int, advance: Callable[[int], None] = lambda pictures: None) -> bool:
    """Make `folder` hold exactly this world; whether anything had to be drawn. `advance` is told of every picture.

    Scenes are those that the captioner was not trained on, so that what it scores is what it can do.
    """
    if is_drawn(folder, count=count, seed=seed):
        return False
    _remove_pictures(folder)
    rows = []
    with ThreadPoolExecutor(WRITES_IN_FLIGHT) as pool:
        waiting: deque[Future[None]] = deque()
        for number in range(count):
            name, data, scene = picture(seed, number)
            waiting.append(pool.submit(_write, files.join(folder, name), data))
            rows.append(_row(name, data, scene))
            if len(waiting) > WRITES_IN_FLIGHT:
                waiting.popleft().result()
            advance(1)
        for writing in waiting:
            writing.result()
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows).replace_schema_metadata(_drawn_from(count, seed)), buffer)
    _write(files.join(folder, TRUTH), buffer.getvalue())  # last: its presence means that every picture is there
    return True


def _write(path: str, content: bytes) -> None:
    with files.atomic_write(path) as file:
        file.write(content)


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
    """File name -> scene.

    Raises:
        ValueError: the world was drawn by another version, whose scenes this one has no words for.
    """
    truth = files.join(folder, TRUTH)
    version = _drawn(truth).get("version", "?")
    if version != str(VERSION):
        raise ValueError(f"{folder} is a world of version {version}; its truth can be read by version {VERSION} only")
    rows = read_table(files.read_bytes(truth)).to_pylist()
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
        "concepts": concepts_of(scene),
        **texts,
    }


def is_drawn(folder: str, *, count: int, seed: int) -> bool:
    """Whether this very world lies there, whole."""
    return _drawn(files.join(folder, TRUTH)) == _drawn_from(count, seed)


def is_another_world(folder: str, seed: int) -> bool:
    """Whether a world of another seed, or of another version, lies in `folder`; its pictures would all go."""
    drawn = _drawn(files.join(folder, TRUTH))
    return bool(drawn) and (drawn.get("version"), drawn.get("seed")) != (str(VERSION), str(seed))


def _drawn_from(count: int, seed: int) -> dict[str, str]:
    return {"version": str(VERSION), "count": str(count), "seed": str(seed)}


def _drawn(truth: str) -> dict[str, str]:
    """What the truth says it was drawn from; nothing if it is damaged or absent, so that the world is drawn again."""
    try:
        metadata = read_schema(files.read_bytes(truth)).metadata or {}
    except (pa.ArrowInvalid, FileNotFoundError):
        return {}
    return {name.decode(): value.decode() for name, value in metadata.items()}


def _remove_pictures(folder: str) -> None:
    """The truth first: a world that is half removed must not look complete. Files that we did not draw stay."""
    paths = files.list_files(folder)
    drawn = [path for path in paths if _PICTURE.fullmatch(path.removeprefix(files.join(folder, "")))]
    files.remove(files.join(folder, TRUTH))
    with ThreadPoolExecutor(WRITES_IN_FLIGHT) as pool:
        for _ in pool.map(files.remove, drawn):
            pass
