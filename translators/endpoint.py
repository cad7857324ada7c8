"""Where the server is, whether it answers, and what it serves; keys come from the environment and go nowhere else."""

import asyncio
import logging
import ssl
from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

import httpx

from florenz.limits.table import Limits
from florenz.translators.reply import ACCEPTED, ReplyTooLarge, fault_in_words, received, reply_json
from florenz.translators.secrets import API_KEY_VARIABLES, LogFilter, api_key, credentials, scrubbed

DEFAULTS = Limits()
MAX_IDLE_CONNECTIONS = 256
MAX_NAMES, MAX_NAME_CHARS = 10, 200  # of a server's models, in a message
_LOG_FILTER = LogFilter()
_TALKATIVE = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.proxy")


class ServerError(RuntimeError):
    """The server can't be used. One line: which endpoint, what happened, what to do next."""


def normal_endpoint(endpoint: str) -> str:
    """The base URL up to and with /v1, which people leave out. Raises ValueError when it is no http(s) URL."""
    endpoint = endpoint.strip()
    parts = _split(endpoint)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname or not _has_sound_port(parts):
        raise ValueError(f"endpoint {endpoint!r} is no URL: write it as http://host:port/v1")
    if parts.username or parts.password:
        fix = f"leave it out and set {API_KEY_VARIABLES[0]}"
        raise ValueError(f"the endpoint at {parts.hostname!r} holds a password: {fix}")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/') or '/v1'}"


def endpoint_problems(endpoint: str, endpoints: Sequence[str], label: str = "endpoint") -> list[str]:
    """What is wrong with where a recipe says that servers run, one line each. Recipes are copied into the manifest, so
    no key may stand in a URL, and none is repeated.
    """
    return (
        [problem for one in endpoints or (endpoint,) if one for problem in _url_problems(label, one)]
        + [f"{label} and endpoints are both given: keep one"] * bool(endpoint and endpoints)
        + [f"endpoints has '{one}' twice: keep one" for one in dict.fromkeys(endpoints) if endpoints.count(one) > 1]
        + ["endpoints has an empty one: leave it out"] * ("" in endpoints)
    )


def _url_problems(label: str, endpoint: str) -> list[str]:
    if problems := credentials(label, endpoint):
        return problems
    try:
        normal_endpoint(endpoint)
    except ValueError as problem:
        return [f"{label}: {problem}"]
    url = urlsplit(endpoint)
    if url.query or url.fragment:
        return [f"{label} has a ? or # in it: leave that part out; keys come from the environment"]
    return []


def _split(endpoint: str) -> SplitResult | None:
    """The parts; None for what httpx would not take as a URL (control characters, half an IPv6 address)."""
    try:
        httpx.URL(endpoint)
        return urlsplit(endpoint)
    except (httpx.InvalidURL, ValueError):
        return None


def _has_sound_port(parts: SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:
        return False


def list_models(
    endpoint: str, *, timeout_s: float = 10.0, limits: Limits = DEFAULTS, key_variable: str = ""
) -> list[str]:
    """Names that the server serves models under, scrubbed like all that a server says. key_variable: as in `open_http`.

    Raises ServerError if it is out of reach or the API key can't be sent, ValueError for a bad URL.
    """
    base = normal_endpoint(endpoint)
    try:
        return asyncio.run(_get_models(base, timeout_s, limits, key_variable))
    except TimeoutError:
        problem = f"no answer within {timeout_s:g} s"
    except httpx.HTTPError as error:
        problem = fault_in_words(error)
    except ReplyTooLarge as error:
        problem = str(error)
    except (ValueError, KeyError, TypeError):
        problem = "its /models is no list of models"
    raise ServerError(f"{base} is out of reach ({problem}); start the server, or check the URL")


async def _get_models(base: str, timeout_s: float, limits: Limits, key_variable: str) -> list[str]:
    async with open_http(base, certificates(base), key_variable) as http, asyncio.timeout(timeout_s):
        response = await received(http, http.build_request("GET", f"{base}/models"), limits.reply_bytes)
    if response.status_code in (401, 403):
        variable = key_variable or API_KEY_VARIABLES[0]
        raise ServerError(f"{base} refuses the API key (HTTP {response.status_code}); set {variable}")
    response.raise_for_status()
    names = [model["id"] for model in reply_json(response, max_depth=limits.reply_depth)["data"]]
    if not all(isinstance(name, str) for name in names):
        raise TypeError("a model's id is no text")
    return names


def check_endpoint(
    endpoint: str, model: str, *, timeout_s: float = 10.0, limits: Limits = DEFAULTS, key_variable: str = ""
) -> None:
    """Raises ServerError unless the endpoint answers and serves `model`."""
    served = list_models(endpoint, timeout_s=timeout_s, limits=limits, key_variable=key_variable)
    if scrubbed(model) not in served:  # a dummy key may be part of the name
        shown = ", ".join(name[:MAX_NAME_CHARS] for name in served[:MAX_NAMES]) or "nothing"
        others = f" and {len(served) - MAX_NAMES} more" if len(served) > MAX_NAMES else ""
        problem = f"{normal_endpoint(endpoint)} serves {shown}{others}, not {model!r}"
        raise ServerError(f"{problem}; name a model that it serves, or serve this one")


def open_http(endpoint: str, verify: ssl.SSLContext | bool, key_variable: str = "") -> httpx.AsyncClient:
    """A client without time-outs of its own, bearing the API key if the environment has one; key_variable: that of the
    variable which the recipe names for this server.

    Raises ServerError for a key that can't be sent: a worker's ValueError would reach the user as a traceback.
    """
    try:
        key = api_key(key_variable)
    except ValueError as problem:
        raise ServerError(str(problem)) from None
    for name in _TALKATIVE:
        logging.getLogger(name).addFilter(_LOG_FILTER)  # no-op the second time
    headers = {"Accept-Encoding": ACCEPTED} | ({"Authorization": f"Bearer {key.reveal()}"} if key else {})
    # The request's own deadline rules, and a proxy that the environment names must not see calls to this machine.
    # How many requests are in flight is the window's to say; httpx would hold those beyond a hundred back.
    bounds = httpx.Limits(max_connections=None, max_keepalive_connections=MAX_IDLE_CONNECTIONS)
    return httpx.AsyncClient(
        headers=headers, timeout=None, limits=bounds, verify=verify, trust_env=not _is_local(endpoint)
    )


def certificates(endpoint: str) -> ssl.SSLContext | bool:
    """Loading the certificate store costs 20 ms: once per client, and never for plain http."""
    return httpx.create_ssl_context() if endpoint.startswith("https:") else False


def _is_local(endpoint: str) -> bool:
    return urlsplit(endpoint).hostname in ("127.0.0.1", "localhost", "::1")
