"""What obstore raises, as what a user or a caller can act on: one line with the path, what the store said, what to do.

obstore's message is a page: the request, the whole answer in XML, and its own structures. The status and the store's
word for it are all that is taken from there; signatures and headers stay out.
"""

import errno
import os
import re

from obstore.exceptions import PermissionDeniedError, UnauthenticatedError

from florenz.stores.errors import StoreError, StoreUnavailable

MAX_SAID_CHARS = 160
_STATUS = re.compile(r"status code: (\d{3})(?: ([A-Za-z ]+))?")
_CODE = re.compile(r"<Code>([^<]{1,80})</Code>")
_MESSAGE = re.compile(r"<Message>([^<]+)</Message>")
_REFUSED = frozenset({401, 403})
_PASSING = frozenset({408, 409, 429})
_TOKEN_HOSTS = ("/latest/api/token", "/latest/meta-data/", "computeMetadata", "token request", "oauth2")
_NETWORK = re.compile(r"HTTP error|error sending request|error decoding response|[Tt]imed? ?out|connection|Connection")


def translated(problem: Exception, path: str, what: str, advice: str) -> Exception:
    """`what` failed, in our words. FileNotFoundError, StoreError (mend something) or StoreUnavailable (it may pass)."""
    text, status = str(problem), status_of(problem)
    if any(host in text for host in _TOKEN_HOSTS) and (status is None or not is_transient(problem)):
        return StoreError(f"{what}: there are no credentials for it here: {advice}")
    if _CODE.findall(text)[:1] == ["NoSuchBucket"]:
        return StoreError(f"{what}: there is no such bucket: check its name, or make it")
    if isinstance(problem, FileNotFoundError):
        return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    if isinstance(problem, PermissionDeniedError | UnauthenticatedError) or status in _REFUSED:
        return StoreError(f"{what}: the store refuses it ({_said(text, status)}): {advice}")
    if status is not None and 300 <= status < 400:
        return StoreError(f"{what}: the bucket lies elsewhere ({_said(text, status)}): {advice}")
    if is_transient(problem):
        return StoreUnavailable(f"{what} ({_said(text, status)}): see whether the network and the store are up")
    return StoreError(f"{what} ({_said(text, status)})")


def is_missing_file(problem: FileNotFoundError) -> bool:
    """And not its bucket."""
    return "NoSuchBucket" not in str(problem)


def is_transient(problem: Exception) -> bool:
    """Whether asking again may help."""
    status = status_of(problem)
    if status is not None:
        return status in _PASSING or status >= 500
    return _NETWORK.search(str(problem)) is not None


def is_out_of_range(problem: Exception) -> bool:
    return status_of(problem) == 416


def status_of(problem: Exception) -> int | None:
    found = _STATUS.search(str(problem))
    return int(found.group(1)) if found else None


def _said(text: str, status: int | None) -> str:
    """The store's own words, on one line."""
    parts = [str(status)] if status is not None else []
    parts += _CODE.findall(text)[:1] + _MESSAGE.findall(text)[:1]
    if not parts or (len(parts) == 1 and status is None):
        parts = [text.partition("\n\n")[0].rpartition(" - ")[2] or text]
    said = " ".join(" ".join(parts).split())
    return said if len(said) <= MAX_SAID_CHARS else said[:MAX_SAID_CHARS] + "..."
