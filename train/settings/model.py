"""[model] and [prompts]: which Florenz is trained, what it starts from, and what it is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast, get_args

from florenz.recipes.checks import below_1, raise_if
from florenz.train.data.prompts import LanguageIn, PrefixKind, Prompts, Wording, prompts_for
from florenz.train.settings.later import later

PREFIXES = get_args(PrefixKind)
WHERE_NAMED = get_args(LanguageIn)
WORDINGS = get_args(Wording)


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """[model]: which Florenz is trained, and what it starts from."""

    size: str
    """A name from `train/model/family.py`, which says what the rest of this section is by default."""

    florence: str | None = None
    """Folder or hub name of the Florence-2 to start from."""

    gemma: str | None = None
    """Folder or hub name of the Gemma-2 to start from, for sizes that have one."""

    tokenizer: str | None = None
    """Folder or hub name of the decoder's tokenizer."""

    decoder_width: int | None = later(None)
    """Width of a Gemma-2 decoder that no weights are loaded for, a multiple of 64; its other sizes follow."""

    decoder_layers: int | None = later(None)
    """Its layers."""

    image_px: int | None = None
    """Side of the square that pictures are scaled to."""

    num_latents: int | None = None
    """Learned queries between encoder and decoder; 0 for none."""

    prefix: str | None = None
    """How texts are made to begin in their language: token or words."""

    init: str | None = later(None)
    """Folder of a finished Florenz (OUT/model) to start from instead, as fine-tuning does; of the same size."""

    random_parts: tuple[str, ...] = later(())
    """Parts (`train/model/parts.py` lists them) that start from random weights although there are trained ones."""

    def __post_init__(self) -> None:
        problems = below_1(image_px=self.image_px, decoder_layers=self.decoder_layers)
        if self.decoder_width is not None and (self.decoder_width < 64 or self.decoder_width % 64):
            problems.append(f"decoder_width is {self.decoder_width}: choose a multiple of 64")
        if self.num_latents is not None and self.num_latents < 0:
            problems.append(f"num_latents is {self.num_latents}: choose 0 for none, or more")
        if self.prefix not in (None, *PREFIXES):
            problems.append(f"prefix is '{self.prefix}': choose {' or '.join(PREFIXES)}")
        raise_if(problems)


@dataclass(frozen=True, kw_only=True)
class PromptSettings:
    """[prompts]: what the encoder is told, and where the language is named; the words stand in [prompts.words]."""

    language_in: str = "both"
    """Where the language is named: prefix (what the decoder is forced to begin with), encoder (its sentence), both."""

    caption: str | None = None
    """The encoder's sentence for captions, in which {language} and {style} are filled in. None: that of language_in."""

    translation: str | None = None
    """The same for translations, with {language} and {text}."""

    wording: str = "florenz"
    """Whose sentences and forced words: florenz, or paper for those of the paper's released code (data/prompts.py)."""

    learn_prefix: bool = True
    """Whether language tokens are learned too. Then a model that is asked without prefix begins with the token of the
    language that it would go on in; but it also learns which languages captions come in."""

    def __post_init__(self) -> None:
        if self.language_in not in WHERE_NAMED:
            raise ValueError(f"language_in is '{self.language_in}': choose {', '.join(WHERE_NAMED)}")
        if self.wording not in WORDINGS:
            raise ValueError(f"wording is '{self.wording}': choose {' or '.join(WORDINGS)}")
        self.prompts({})

    def prompts(self, words: Mapping[str, str]) -> Prompts:
        """What a processor takes. `ValueError` with a line for each fault."""
        where = cast(LanguageIn, self.language_in)
        return prompts_for(
            where,
            caption=self.caption,
            translation=self.translation,
            words=words,
            learn_prefix=self.learn_prefix,
            wording=cast(Wording, self.wording),
        )
