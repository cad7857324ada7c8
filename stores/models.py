"""Whether a model that the recipe names is there, as a folder or on the hub, and what stands for its weights.

For the first, only its config.json is read. For the hub that is one request with a deadline of our own: its client
tries six times over 23 s before it says that there is no network, once for each file of each model.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx

from florenz.limits.errors import TooLarge
from florenz.limits.reading import read_path
from florenz.limits.table import CONFIG_BYTES
from florenz.stores import files
from florenz.stores.model_cache import fetched

HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
TAG = re.compile(r"[\w.-]+")
HUB_TIMEOUT_S = 6.0  # a preflight is to end within ten seconds
_SILENT: dict[str, str] = {}  # hub -> how it kept us waiting, so that the next model does not wait for it again
CONFIG, TOKENIZER_CONFIG = "config.json", "tokenizer_config.json"
INSTALLED = Path(__file__).resolve().parents[1]  # the checkout, or site-packages/florenz
PLAYGROUND = "playground/models/"


class ModelProblem(ValueError):
    """The model is not there or can't be what the recipe wants it for; one line with what to do."""


def local_model(name: str) -> str:
    """Where a model can be loaded from: a hub name or a folder as it is, one in an object store as its local copy, the
    playground's from where this program is installed, if they are not here.

    Raises:
        ModelProblem: it can't be fetched.
    """
    if "://" not in name:
        packaged = INSTALLED / name
        return str(packaged) if name.startswith(PLAYGROUND) and not Path(name).exists() and packaged.is_dir() else name
    try:
        local = files.local_path(name)
        return local if local is not None else fetched(name)
    except (files.StoreError, OSError) as problem:
        words = files.in_words(problem) if isinstance(problem, OSError) else str(problem)
        raise ModelProblem(words) from problem


def check_translator(name: str, revision: str) -> None:
    """Raises ModelProblem unless `name` is a model; whether it can be served is for the server to say."""
    read_config(name, revision)


def read_config(name: str, revision: str) -> dict[str, Any]:
    """What config.json holds. Raises ModelProblem if there is none that can be read."""
    given, name = name, local_model(name)
    path = Path(name)
    if path.is_dir():
        if not (path / CONFIG).is_file():
            raise ModelProblem(f"the folder {given!r} has no {CONFIG}, so it is not a model: give the folder of one")
        return _parsed(_read(path / CONFIG, given), given)
    if name.startswith((".", "~")) or not HUB_NAME.fullmatch(name) or path.parts[0] in ("playground", "models"):
        raise ModelProblem(f"there is no model folder {name!r}: check the path, or make the model first")
    return _parsed(_from_hub(name, revision), name)


def _parsed(content: bytes, name: str) -> dict[str, Any]:
    try:
        config = json.loads(content)
    except ValueError as problem:
        raise ModelProblem(f"the {CONFIG} of {name!r} is not JSON ({problem}): copy the model again") from problem
    if not isinstance(config, dict):
        raise ModelProblem(f"the {CONFIG} of {name!r} is not that of a model: copy the model again")
    return config


def _from_hub(name: str, revision: str) -> bytes:
    from huggingface_hub import constants, get_token, try_to_load_from_cache  # only where a recipe names a hub model

    cached = try_to_load_from_cache(name, CONFIG, revision=revision or None)
    if isinstance(cached, str):
        return _read(Path(cached), name)
    advice = "check the name and the network, or give the folder of a model that you have"
    if constants.HF_HUB_OFFLINE:
        raise ModelProblem(f"can't get {name!r} from the model hub (HF_HUB_OFFLINE is set): {advice}")
    if reason := _SILENT.get(constants.ENDPOINT):
        raise ModelProblem(_unreachable(name, reason, advice))
    token = get_token()
    url = f"{constants.ENDPOINT}/{name}/resolve/{revision or 'main'}/{CONFIG}"
    headers = {"Accept-Encoding": "identity"} | ({"Authorization": f"Bearer {token}"} if token else {})
    try:
        with httpx.stream("GET", url, headers=headers, follow_redirects=True, timeout=HUB_TIMEOUT_S) as response:
            content = _body(response, name) if response.status_code == 200 else b""
    except httpx.HTTPError as problem:
        reason = " ".join(str(problem).split()) or type(problem).__name__
        if isinstance(problem, httpx.TimeoutException):
            _SILENT[constants.ENDPOINT] = reason
        raise ModelProblem(_unreachable(name, reason, advice)) from problem
    if response.status_code in (401, 403):
        advice = "check the name; if it wants its terms accepted, do that on its page and set HF_TOKEN"
    if response.status_code != 200:
        raise ModelProblem(f"the model hub does not give {name!r} (HTTP {response.status_code}): {advice}")
    return content


def _unreachable(name: str, reason: str, advice: str) -> str:
    return f"can't reach the model hub for {name!r} ({reason}): {advice}"


def _body(response: httpx.Response, name: str) -> bytes:
    """As it is sent: `Accept-Encoding: identity` was asked for, so nothing unpacks to more than was counted."""
    body = b""
    for piece in response.iter_raw():
        body += piece
        if len(body) > CONFIG_BYTES:
            what = f"the {CONFIG} of {name!r}"
            raise ModelProblem(f"{TooLarge(what, None, CONFIG_BYTES, 'bytes')}: that is no model's")
    return body


def _read(path: Path, name: str) -> bytes:
    try:
        return read_path(path, CONFIG_BYTES)
    except TooLarge as problem:
        raise ModelProblem(f"{problem}: that is no model's") from problem


def bos_of(name: str) -> str | None:
    """What the tokenizer of a model in a folder begins prompts with, "" for nothing; None where no file says it."""
    try:
        config = json.loads(read_path(Path(local_model(name)) / TOKENIZER_CONFIG, CONFIG_BYTES))
    except (OSError, ValueError, RecursionError):  # none here, or damaged: whoever loads it says so
        return None
    if not isinstance(config, dict) or "bos_token" not in config:
        return None
    bos = config["bos_token"]
    bos = bos.get("content") if isinstance(bos, dict) else bos
    return bos if isinstance(bos, str) else ""


def fingerprint_of_model(model: str, revision: str = "") -> str:
    """What stands for a model's weights: ``sha256:<32 hex>`` over a folder's files, or ``name@revision`` on the hub.

    A folder's hash covers names and contents, not where it lies; hidden files are left out, because hub downloads keep
    their time stamps in them. A hub name without a revision means its main branch, which can move: only a commit hash
    pins it. `ValueError` for a folder that is empty or missing.
    """
    model = local_model(model)
    paths = [path for path in files.list_files(model) if not _is_hidden(_below(model, path))] if model else []
    if paths:
        return _fingerprint_of_folder(model, paths)
    if not HUB_NAME.fullmatch(model):
        raise ValueError(
            f"model '{model}' is neither a folder with files in it nor a hub name like org/name: "
            "check the path, or make the model first"
        )
    return f"{model}@{revision or 'main'}"


def fingerprint_of_served(model: str, revision: str = "") -> str:
    """As `fingerprint_of_model`, for a model behind somebody's server, whose name may bear a tag: ``org/name:free``."""
    name, _, tag = model.partition(":")
    if tag and "://" not in model and HUB_NAME.fullmatch(name) and TAG.fullmatch(tag):
        return f"{model}@{revision or 'main'}"
    return fingerprint_of_model(model, revision)


def _fingerprint_of_folder(folder: str, paths: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        content = hashlib.sha256()
        with files.open_read(path) as file:
            while block := file.read(1 << 20):
                content.update(block)
        digest.update(f"{_below(folder, path)}\0{content.hexdigest()}\n".encode())
    return f"sha256:{digest.hexdigest()[:32]}"


def _is_hidden(relative_path: str) -> bool:
    return any(part.startswith(".") for part in relative_path.split("/"))


def _below(folder: str, path: str) -> str:
    """The path relative to a folder above it, with forward slashes."""
    return path.removeprefix(files.join(folder, ""))
