"""What a captioner is: a module or package of this room with the five names of `CaptionerKind`.

`kind = "florence2"` in a recipe's [captioner] section selects `captioners/florence2`; one more captioner is one more
file here. A kind is imported wherever its recipe is read, so it imports neither torch nor Beam: what is heavy waits
behind `load`, for the processes that caption. It knows pictures and texts, and neither ledger, progress nor recipe.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

from florenz.recipes.checks import below_1, blank, raise_if
from florenz.recipes.fingerprints import effort
from florenz.recipes.kinds import load_kind

if TYPE_CHECKING:
    from PIL import Image

ROOM = "captioners"


class CaptionerError(ValueError):
    """The captioner can't be loaded; one line with what to do."""


@dataclass(frozen=True, kw_only=True)
class CaptionerSettings:
    """[captioner]: the keys that every kind has. A kind's own `Settings` extends them, and gives `kind` its default."""

    kind: str
    """The captioner's module in captioners/."""

    model: str
    """A folder with the model's files, or a name on the hub; with its fingerprint it stands in each sample."""

    revision: str = ""
    """Commit of a hub model; empty means its main branch, which can move."""

    styles: tuple[str, ...] = effort(("short", "detailed"))
    """Captions to ask for; each becomes a key in the shards' JSON. Which of them are asked for changes none of them."""

    prefix: str = effort("")
    """Put before its styles where they leave it, so that two captioners may write the same: "large_": large_short."""

    batch_size: int = effort(32)
    """Images that are captioned together."""

    reading_threads: int | None = effort(None)
    """Threads that read, decode and resize ahead of the model; None: one for each core, at most 8."""

    def __post_init__(self) -> None:
        raise_if(self.faults())

    def faults(self) -> list[str]:
        """What is wrong with these values, one line each; a kind adds its own."""
        faults = blank("model", self.model, "name a model folder or a model on the hub")
        return (
            faults
            + _style_faults("styles", self.styles)
            + (_style_faults("prefix", (self.prefix,)) if self.prefix else [])
            + below_1(batch_size=self.batch_size, reading_threads=self.reading_threads)
        )

    @property
    def told_styles(self) -> tuple[str, ...]:
        """Its styles as everybody else knows them; without a prefix they are `styles`."""
        return tuple(self.prefix + style for style in self.styles)

    def of_style(self, style: str) -> CaptionerSettings:
        """What decides the captions of one style. A kind whose prompts stand in the recipe leaves the others out, so
        that one more style asks for itself alone.
        """
        return self

    @property
    def is_read(self) -> bool:
        """Whether its captions come with the images, so that nothing is asked and nothing loaded."""
        return False

    @property
    def running_servers(self) -> tuple[str, ...]:
        """Endpoints that the recipe names, for a kind that asks servers."""
        return ()

    @property
    def starts_server(self) -> bool:
        """Whether `load` starts a server, which has the machine's memory until it is closed."""
        return False


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One caption, or the reason why this picture has none in this style: `reason` is empty exactly when it has one.

    The reason is the picture's own fault: asked again, the model would refuse again. What may pass (a server that is
    gone) is raised instead.
    """

    text: str = ""
    finish_reason: str = ""  # "stop", or "length" where the text was cut off
    reason: str = ""
    detail: str = ""


class Captioner(Protocol):
    """A loaded captioner; `recipes.kinds.Closing` too, where it holds more than memory."""

    def prepare(self, picture: Image.Image) -> Any:
        """An RGB picture of any size as the model wants it: at most a few MB, where a photo may take 300.

        Called from several threads at once.
        """

    def caption(self, prepared: Sequence[Any], styles: Sequence[Sequence[str]]) -> Sequence[Mapping[str, Answer]]:
        """Style -> answer for each picture, in exactly those styles that `styles` has at its place.

        The answers don't depend on what else is in the batch, as far as arithmetic allows.
        """


@runtime_checkable
class Served(Protocol):
    """A captioner whose model is at a server."""

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Where it asks now."""

    def counted(self) -> Mapping[str, int]:
        """Since it was loaded: answer_tokens, prompt_tokens."""


@runtime_checkable
class AtServers(Protocol):
    """A captioner whose model may be at several servers."""

    def at_each_server(self) -> Mapping[str, Captioner]:
        """Endpoint -> this captioner, asked there alone."""


class CaptionStream(Protocol):
    """Questions on their way to a captioner. It belongs to one thread."""

    def put(self, tag: Any, prepared: Any, styles: Sequence[str]) -> None:
        """Ask about one picture in these styles. Waits while enough is on its way. Raises what ended the stream."""

    def drain(self) -> None:
        """Return when everything is answered and kept. Raises what `put` does."""

    def close(self) -> None:
        """End, with what is still unanswered; no-op the second time."""


@runtime_checkable
class Streaming(Protocol):
    """A captioner that is asked picture by picture, so that its server never waits for the last of a batch."""

    def stream(
        self, keep: Callable[[Any, str, Answer], None], in_flight: Callable[[int], None] = lambda more: None
    ) -> CaptionStream:
        """keep: called from several threads with a picture's tag, a style and its answer, once for each. in_flight:
        told by how many questions there are more, or fewer.
        """


@runtime_checkable
class LeavingRoom(Protocol):
    """A captioner that says how much of the machine it takes, so that a translator may work beside it."""

    @property
    def num_cores(self) -> int:
        """Cores that its model computes on; 0 for one on a GPU, or at a server that somebody else has started."""


@runtime_checkable
class OnAccelerator(Protocol):
    """A captioner that may compute on a GPU, whose memory a translator's server may take as well."""

    @property
    def free_bytes(self) -> int | None:
        """Of its GPU's memory: what nobody has, and what it has taken to work in. None where it computes on none."""


class CaptionerKind(Protocol):
    """A module of this room."""

    Settings: type[CaptionerSettings]
    """Its section of the recipe. Fields that do not decide an answer are marked with `recipes.fingerprints.effort`."""

    def known_styles(self, settings: Any) -> Sequence[str]:
        """The styles that it can write."""

    def fingerprint_parts(self, settings: Any) -> Mapping[str, Any]:
        """Everything that decides an answer beside the picture and the name of the style, as JSON can hold it.

        `recipes.fingerprints.deciding(settings)` and the prompts; of a model in a folder its content, not its path.
        """

    def problems(self, settings: Any) -> Iterable[str]:
        """What would stop `load` or what it loads, as far as it can be known in seconds; one line each, with advice."""

    def load(self, settings: Any) -> Captioner:
        """The captioner, in the process that asks it. `CaptionerError`, or what libraries raise for missing files."""


def kind_of(settings: CaptionerSettings) -> CaptionerKind:
    """The module that these settings belong to; the heavy half is not imported. `KindError` if there is none."""
    return cast(CaptionerKind, load_kind(ROOM, settings.kind))


def _style_faults(label: str, styles: Sequence[str]) -> list[str]:
    if not styles:
        return [f"{label} is empty: ask for at least one, like short"]
    bad = [
        f"{label} has '{style}': use lower-case letters, digits and _"
        for style in dict.fromkeys(styles)
        if not re.fullmatch(r"[a-z][a-z0-9_]*", style)
    ]
    twice = [style for style in dict.fromkeys(styles) if styles.count(style) > 1]
    return bad + [f"{label} has '{style}' twice: keep one" for style in twice]
