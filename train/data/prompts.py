"""What Florenz is asked, and what its answer is made to begin with: one place for training, generation and evaluation.

The encoder reads a sentence that says what to do. The decoder can be forced to begin in the target language. The
language can be named in either place, or in both (`Prompts.language_in`):

- "both", as in the paper: "Describe this image in German." for the encoder, and a prefix for the decoder. For a
  language that was never captioned in training the sentence alone does not do (the paper's models then answer in
  English or German).
- "prefix": the encoder is told the task alone ("caption", or the source text), so that what it makes of a picture or a
  sentence cannot depend on the language; the decoder's prefix alone names it.
- "encoder": no prefix is ever forced.

There are two kinds of prefix:

- "words", as in the paper: literal words that captions in the language begin with ("Das Bild zeigt"). They belong to
  the text, so they are forced in captions and training knows nothing of them.
- "token": one token of the decoder's vocabulary (`<|de|>`) before every text, in training too. The playground's
  captions never begin with "The image shows", so words would force it off what it has learned.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from florenz.languages.codes import name_of

PrefixKind = Literal["token", "words"]
LanguageIn = Literal["both", "encoder", "prefix"]
Wording = Literal["florenz", "paper"]

_HOW_OF_STYLE = {"short": "", "detailed": " in detail", "paragraph": " with a paragraph"}

# The paper's six. A language gets words from somebody who writes it; until then it can be trained with tokens alone.
PREFIX_WORDS = {
    "en": "The image shows", "de": "Das Bild zeigt", "fr": "L'image montre", "es": "La imagen muestra",
    "ru": "На изображении показано", "zh": "图片显示",
}  # fmt: skip

# Where the language is named -> what the encoder is told, unless a recipe has sentences of its own.
SENTENCES: dict[LanguageIn, tuple[str, str]] = {
    "both": ("Describe this image{style} in {language}.", "Translate to {language}: {text}"),
    "encoder": ("Describe this image{style} in {language}.", "Translate to {language}: {text}"),
    "prefix": ("caption{style}", "{text}"),
}
# The paper's released code (spravil/caption-via-translation, Apache-2.0: the processor of Florence-2, and eval.py).
PAPER_STYLES = {
    "short": "What does the image describe?", "detailed": "Describe in detail what is shown in the image.",
    "paragraph": "Describe with a paragraph what is shown in the image.",
}  # fmt: skip
PAPER_SENTENCES = (
    "The target language is {language}. {style}",
    "The target language is {language}. Translate the following text: {text}",
)
PAPER_WORDS = {
    "en": "The image shows", "de": "Das Bild zeigt", "fr": "La photo montre", "es": "La imagen muestra",
    "ru": "На картинке изображен", "zh": "图为",
}  # fmt: skip
_PAPER_NAMES = {"zh": "simplified Chinese"}

_BLANKS = {"caption": ("style", "language"), "translation": ("text", "language")}


@dataclass(frozen=True, kw_only=True)
class Prompts:
    """What the encoder is told, and where the language is named. The defaults hold for models that were saved without.

    caption, translation: sentences with blanks, {style} and {language} in the one, {text} and {language} in the other.
    words: language -> what its captions begin with, beside or instead of PREFIX_WORDS; of a prefix of words alone.
    wording: whose names of styles and languages fill the blanks, and whose words captions begin with.
    learn_prefix: whether a language token is a label in training, so that a model asked without prefix names the
    language that it would go on in; if not, it is given only, and which language goes with which task is not learned.
    `ValueError` with a line for each fault.
    """

    language_in: LanguageIn = "both"
    caption: str = SENTENCES["both"][0]
    translation: str = SENTENCES["both"][1]
    words: Mapping[str, str] = field(default_factory=dict)
    learn_prefix: bool = True
    wording: Wording = "florenz"

    def __post_init__(self) -> None:
        if self.language_in not in SENTENCES:
            raise ValueError(f"language_in is '{self.language_in}': choose {', '.join(SENTENCES)}")
        problems = [*self._problems("caption", self.caption), *self._problems("translation", self.translation)]
        problems += [f"words: {code} begins with nothing: leave it out" for code in self.words if not self.words[code]]
        if problems:
            raise ValueError("\n".join(problems))

    def _problems(self, task: str, sentence: str) -> list[str]:
        try:
            blanks = [name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None]
        except ValueError as problem:
            return [f"{task} is '{sentence}': {problem}; a brace is written twice, {{{{ or }}}}"]
        known = _BLANKS[task]
        problems = [
            f"{task} has the blank {{{name}}}: known are {', '.join(f'{{{one}}}' for one in known)}"
            for name in blanks
            if name not in known
        ]
        if task == "translation" and "text" not in blanks:
            problems.append("translation has no {text}: the encoder would not see what to translate")
        names_it = "language" in blanks
        if names_it and self.language_in == "prefix":
            problems.append(f"{task} names the {{language}}, and language_in is prefix: take one of the two out")
        if not names_it and self.language_in != "prefix":
            problems.append(f'{task} does not name the {{language}}: add it, or set language_in = "prefix"')
        return problems

    def words_of(self, language: str) -> str | None:
        """What captions in the language begin with, None where nobody has said."""
        usual = PAPER_WORDS if self.wording == "paper" else PREFIX_WORDS
        return self.words.get(language, usual.get(language))

    def name_of(self, language: str) -> str:
        """What the sentence calls a language. `ValueError` for an unknown one."""
        name = name_of(language)
        return _PAPER_NAMES.get(language, name) if self.wording == "paper" else name

    def style_of(self, style: str) -> str:
        """What the sentence for captions says of a style that is known."""
        return (PAPER_STYLES if self.wording == "paper" else _HOW_OF_STYLE)[style]


def prompts_for(
    language_in: LanguageIn,
    *,
    caption: str | None = None,
    translation: str | None = None,
    words: Mapping[str, str] | None = None,
    learn_prefix: bool = True,
    wording: Wording = "florenz",
) -> Prompts:
    """Prompts that name the language there; None: the usual sentence for that, in that wording."""
    sentences = SENTENCES.get(language_in, SENTENCES["both"])  # a word that is none is for Prompts to refuse
    if wording == "paper" and language_in != "prefix":
        sentences = PAPER_SENTENCES
    return Prompts(
        language_in=language_in,
        caption=sentences[0] if caption is None else caption,
        translation=sentences[1] if translation is None else translation,
        words=dict(words or {}),
        learn_prefix=learn_prefix,
        wording=wording,
    )


PAPER = Prompts()


def encoder_prompt(
    task: str, language: str, source_text: str = "", style: str = "short", prompts: Prompts = PAPER
) -> str:
    """The sentence for the encoder.

    language: the target's code. source_text: the English text to translate, empty for a caption. style: of captions.

    Raises:
        ValueError: unknown task, language or style; a caption with a source text, a translation without.
    """
    name = prompts.name_of(language)
    if task == "translation":
        if not source_text:
            raise ValueError(f"a translation into {name} needs a text to translate")
        return prompts.translation.format(language=name, text=source_text)
    if task != "caption":
        raise ValueError(f"unknown task '{task}': it is caption or translation")
    if source_text:
        raise ValueError("a caption has no text to translate: leave it out, or ask for the task translation")
    if style not in _HOW_OF_STYLE:
        raise ValueError(f"unknown caption style '{style}': it is one of {', '.join(_HOW_OF_STYLE)}")
    return prompts.caption.format(language=name, style=prompts.style_of(style))


def decoder_prefix(task: str, language: str, kind: PrefixKind = "token", prompts: Prompts = PAPER) -> str:
    """What the decoder's text is forced to begin with; "" where the encoder alone names the language, and for
    translations where the prefix is of words.

    Raises:
        ValueError: unknown language, or one that has no words to begin with.
    """
    name = name_of(language)
    if prompts.language_in == "encoder":
        return ""
    if kind == "token":
        return language_token(language)
    if task != "caption":
        return ""
    if (words := prompts.words_of(language)) is None:
        known = ", ".join(dict.fromkeys([*PREFIX_WORDS, *prompts.words]))
        raise ValueError(f"no words to begin a caption in {name} with (there are some for {known}): go without prefix")
    return words


def language_token(language: str) -> str:
    """The token of the decoder's vocabulary that names the language of what follows."""
    return f"<|{language}|>"
