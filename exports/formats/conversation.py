"""FORMAT=conversation: one entry for each image, with a turn for each text, as JSON beside the pictures.

    train.json, val.json ...       a list of entries
    images/train-000000/<key>.jpg  the pictures
    dataset_info.json              for LLaMA-Factory

An entry says the same thing three times, in the fields that the trainers look for: `image` and `conversations` (LLaVA,
and with `images` LLaMA-Factory), `messages` and `images` (TRL), `texts` and `images` (nanoVLM). Pictures are named
relative to the folder.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from florenz.exports.formats.contract import ANY_TASKS, Piece
from florenz.languages.codes import name_of
from florenz.shards.schema import Example, Sample
from florenz.stores import files

TASKS = ANY_TASKS
PARTS = ".florenz/parts"  # entries of one shard; `finish` makes the lists of them
ASK = {"short": "Describe the image in one sentence in {}.", "detailed": "Describe the image in detail in {}."}
ASK_ANY = "Describe the image in {}."
TRANSLATE = "Translate into {}: {}"


def write(samples: Iterable[Sample], folder: str, name: str, split: str) -> Piece:
    entries = files.join(PARTS, f"{name}.jsonl")
    num_samples = 0
    with files.atomic_write(files.join(folder, entries)) as file:
        for sample in samples:
            picture = files.join("images", name, f"{sample.key}.jpg")
            with files.atomic_write(files.join(folder, picture)) as image:
                image.write(sample.jpeg)
            file.write(json.dumps(entry(sample, picture), ensure_ascii=False).encode() + b"\n")
            num_samples += 1
    return Piece(name=name, split=split, samples=num_samples, files=(entries,))


def entry(sample: Sample, picture: str) -> dict[str, Any]:
    turns = [(question(example), example.text) for example in sample.examples]
    asked = [("<image>\n" if number == 0 else "") + turn[0] for number, turn in enumerate(turns)]
    return {
        "id": sample.key,
        "image": picture,
        "images": [picture],
        "conversations": [
            {"from": who, "value": text}
            for question_, (_, answer) in zip(asked, turns, strict=True)
            for who, text in (("human", question_), ("gpt", answer))
        ],
        "messages": [
            {"role": who, "content": text}
            for turn in turns
            for who, text in zip(("user", "assistant"), turn, strict=True)
        ],
        "texts": [{"user": asked_, "assistant": answer} for asked_, answer in turns],
    }


def question(example: Example) -> str:
    language = name_of(example.language)
    if example.task == "translation":
        return TRANSLATE.format(language, example.source_text)
    return ASK.get(example.style, ASK_ANY).format(language)


def finish(folder: str, pieces: Sequence[Piece]) -> list[str]:
    splits = dict.fromkeys(piece.split for piece in pieces)
    for split in splits:
        with files.atomic_write(files.join(folder, f"{split}.json")) as file:
            before = b"[\n"
            for line in _lines(folder, [piece for piece in pieces if piece.split == split]):
                file.write(before + line)
                before = b",\n"
            file.write(b"\n]\n" if before != b"[\n" else b"[]\n")
    info = {
        split: {
            "file_name": f"{split}.json",
            "formatting": "sharegpt",
            "columns": {"messages": "conversations", "images": "images"},
        }
        for split in splits
    }
    with files.atomic_write(files.join(folder, "dataset_info.json")) as file:
        file.write(json.dumps(info, indent=1).encode() + b"\n")
    return [*(f"{split}.json" for split in splits), "dataset_info.json"]


def _lines(folder: str, pieces: Sequence[Piece]) -> Iterator[bytes]:
    for piece in pieces:
        with files.open_read(files.join(folder, piece.files[0])) as file:
            yield from (line.rstrip(b"\n") for line in file)


def texts(folder: str, piece: Piece) -> Iterator[str]:
    for line in _lines(folder, [piece]):
        found = json.loads(line)
        said = [turn["value"] for turn in found["conversations"] if turn["from"] == "gpt"]
        again = [turn["content"] for turn in found["messages"] if turn["role"] == "assistant"]
        third = [turn["assistant"] for turn in found["texts"]]
        yield from said if said == again == third else [f"{found['id']} says different things in its three fields"]
