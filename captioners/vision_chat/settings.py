"""What a recipe's [captioner] section may hold for a vision-language model behind an OpenAI-compatible server."""

from __future__ import annotations

from dataclasses import dataclass, replace

from florenz.captioners.contract import CaptionerSettings
from florenz.recipes.checks import below_0, below_1, not_above_0
from florenz.recipes.fingerprints import effort
from florenz.translators.endpoint import endpoint_problems
from florenz.translators.settings import USUAL_SAMPLING, ServedSettings

PROMPTS = (
    "Describe this image in one English sentence. Answer with the sentence alone.",
    "Describe in English what this image shows, in two to four sentences. Name things, their colours, number and "
    "places, and nothing that can't be seen. Answer with the description alone.",
)


@dataclass(frozen=True, kw_only=True)
class Settings(ServedSettings, CaptionerSettings):
    """[captioner] with kind = "vision_chat": Qwen-VL, InternVL, Gemma 3, SmolVLM, what vLLM serves with an image."""

    kind: str = "vision_chat"

    prompts: tuple[str, ...] = PROMPTS
    """What is said beside the picture, one for each of `styles`, in their order."""

    system: str = ""
    """A system turn before it; several templates refuse one."""

    temperature: float = 0.0
    top_p: float = 1.0

    max_side_px: int = 1024
    """Pixels of the longer side of what is sent; a larger picture is made smaller. It decides the number of tokens."""

    jpeg_quality: int = 92
    """Of what is sent, 1 to 100."""

    endpoint: str = effort("")
    """URL of a server that runs already; empty starts one for this run."""

    endpoints: tuple[str, ...] = effort(())
    """URLs of several servers of the same model, instead of one."""

    batch_size: int = effort(256)
    """Images that are read, decoded and made smaller ahead of the requests."""

    def faults(self) -> list[str]:
        faults = super().faults() + [fault for fault in self.served_faults() if not fault.startswith("model is empty")]
        if len(self.prompts) != len(self.styles):
            faults.append(
                f"prompts has {len(self.prompts)} and styles {len(self.styles)}: give one prompt for each style"
            )
        faults += [
            f"prompts has an empty one, for style {style!r}" for style, text in self.asked.items() if not text.strip()
        ]
        faults += below_1(max_side_px=self.max_side_px) + below_0(temperature=self.temperature)
        faults += not_above_0(top_p=self.top_p)
        if not 1 <= self.jpeg_quality <= 100:
            faults.append(f"jpeg_quality is {self.jpeg_quality}: choose 1 to 100")
        return faults + endpoint_problems(self.endpoint, self.endpoints)

    @property
    def asked(self) -> dict[str, str]:
        """Style -> its prompt."""
        return dict(zip(self.styles, self.prompts, strict=False))

    @property
    def running_servers(self) -> tuple[str, ...]:
        """Those that the recipe names; none: one is started."""
        return self.endpoints or ((self.endpoint,) if self.endpoint else ())

    @property
    def starts_server(self) -> bool:
        return not self.running_servers

    def of_style(self, style: str) -> Settings:
        return replace(self, styles=(style,), prompts=(self.asked[style],))

    def request(self) -> dict[str, object]:
        return {**super().request(), **USUAL_SAMPLING, "temperature": self.temperature, "top_p": self.top_p}
