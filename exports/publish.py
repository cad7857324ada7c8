"""Publishing a build on the Hugging Face Hub: which files go, the card and Croissant beside them, and the upload.

    shards/<build>/*.tar, heldout/<build>/*.tar, index/<build>-*.parquet, heldout/index/<build>-*.parquet
    README.md, croissant.json, manifest.json          last: they name what is there by then

Nothing else of OUT ever goes: no ledger, no rejects, no logs, no pages. The upload is huggingface_hub's for large
folders (since 2.0 its `upload_folder`): several commits, and the same call goes on after a stop. Files of an earlier
build leave the repository in the commit that brings the new card.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any

from florenz.exports.card import Facts, card, facts_of
from florenz.exports.croissant import NAME as CROISSANT
from florenz.exports.croissant import croissant
from florenz.exports.index import FOLDER, index_files, write_index
from florenz.shards.manifest import NAME as MANIFEST
from florenz.shards.manifest import Manifest, read_manifest, shard_folders, shard_path
from florenz.shards.plan import HELDOUT
from florenz.stores import files

STAGE, CARD = "publish", "README.md"
REPO = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]{0,95}")
DATA = ("shards/", f"{HELDOUT}/", f"{FOLDER}/")  # what is ours in the repository, beside the three files at its top


class PublishError(ValueError):
    """Nothing was uploaded; one line for each fault."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What goes. folder: OUT on this machine. data: path in OUT and in the repository -> bytes. stage: where card,
    Croissant and manifest lie.
    """

    folder: str
    repo: str
    data: dict[str, int]
    stage: str
    facts: Facts
    build: str


def plan(out: str, repo: str) -> Plan:
    """Look at all that would go, and write the three files of the top into OUT/publish.

    Raises:
        ManifestError, PublishError: OUT can't be published as it is.
    """
    if not REPO.fullmatch(repo) or ".." in repo or "--" in repo:
        raise PublishError(f"REPO is {repo!r}: name it as owner/name, like mila/captions-de")
    folder = files.local_path(out)
    if folder is None:
        raise PublishError(f"OUT {out!r} is in a store, and the Hub's client uploads from a disk: copy it to one first")
    manifest = read_manifest(out)
    problems = _problems(out, manifest)
    if problems:
        raise PublishError("\n".join(problems))
    write_index(out, manifest.build, manifest.shards)
    facts = facts_of(out, manifest)
    stage = files.join(folder, STAGE)
    url = f"https://huggingface.co/datasets/{repo}"
    described = croissant(
        manifest, url=url, name=repo.rpartition("/")[2], licences=sorted(filter(None, facts.licences))
    )
    _write(files.join(stage, CARD), card(manifest, facts, repo=repo).encode())
    _write(files.join(stage, CROISSANT), (json.dumps(described, indent=1, ensure_ascii=False) + "\n").encode())
    _write(files.join(stage, MANIFEST), files.read_bytes(files.join(out, MANIFEST)))
    return Plan(
        folder=folder, repo=repo, data=_data(out, manifest), stage=stage, facts=facts, build=manifest.build
    )  # fmt: skip


def _problems(out: str, manifest: Manifest) -> list[str]:
    if manifest.schema_version == 1:
        return [f"{out} holds a build of schema version 1: run make dataset with it once, then publish"]
    problems = []
    sizes = {
        path: size for folder in shard_folders(out, manifest.build) for path, size in files.sizes_below(folder).items()
    }
    for shard in manifest.shards:
        path = shard_path(out, manifest.build, shard.path)
        if sizes.pop(path, None) != shard.bytes:
            problems.append(f"{path} is not as the manifest says: make verify OUT={out} says what is wrong")
    problems += [f"{path} is not in the manifest: move it away, it would be uploaded" for path in sorted(sizes)]
    if files.exists(files.join(out, "builds", f"{manifest.build}.removal.json")):
        problems.append(f"a make remove of {out} was stopped: run it again first")
    return problems


def _data(out: str, manifest: Manifest) -> dict[str, int]:
    shards = {shard_path("", manifest.build, shard.path): shard.bytes for shard in manifest.shards}
    index = [file.path for file in index_files(out, manifest.build, manifest.shards)]
    return shards | {path.removeprefix(files.join(out, "")): _size(path) for path in index}


def upload(plan: Plan, *, is_public: bool, token: str) -> str:
    """All of the plan; the address of the dataset. The same call goes on after a stop.

    Raises:
        PublishError: what would go is not what was planned.
        OSError, ValueError, RuntimeError: the Hub's, stopped.
    """
    from huggingface_hub import HfApi

    api = HfApi(token=token)
    of_repo: dict[str, Any] = {"repo_id": plan.repo, "repo_type": "dataset"}
    patterns = [
        f"shards/{plan.build}/*.tar", f"{HELDOUT}/{plan.build}/*.tar", f"{FOLDER}/{plan.build}-*.parquet",
        f"{HELDOUT}/{FOLDER}/{plan.build}-*.parquet",
    ]  # fmt: skip
    _check_patterns(plan, patterns)
    url = api.create_repo(**of_repo, private=not is_public, exist_ok=True)
    about = f"Build {plan.build}"
    api.upload_folder(**of_repo, folder_path=plan.folder, allow_patterns=patterns, commit_message=about)
    gone = [path for path in api.list_repo_files(**of_repo) if path.startswith(DATA) and path not in plan.data]
    api.upload_folder(
        **of_repo,
        folder_path=plan.stage,
        allow_patterns=[CARD, CROISSANT, MANIFEST],
        delete_patterns=gone or None,
        commit_message=f"{about}: card and manifest",
    )
    return str(url)


def _check_patterns(plan: Plan, patterns: Sequence[str]) -> None:
    """The Hub's client is told patterns, since it compares each file with each: they must mean just the plan."""
    lying = (path.removeprefix(files.join(plan.folder, "")) for path in files.list_files(plan.folder))
    meant = {path for path in lying if any(fnmatch(path, pattern) for pattern in patterns)}
    if strange := sorted(meant ^ plan.data.keys()):
        raise PublishError(f"{strange[0]} (and {len(strange) - 1} more) is not as the manifest says: run make verify")


def _size(path: str) -> int:
    with files.open_read(path) as file:
        return file.seek(0, 2)


def _write(path: str, content: bytes) -> None:
    with files.atomic_write(path) as file:
        file.write(content)
