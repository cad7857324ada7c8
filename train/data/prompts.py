"""What Florenz is asked, and what its answer is made to begin with: one place for training, generation and evaluation.

The encoder reads an English sentence that says what to do and in which language. The decoder can be forced to begin in
the target language; for a language that was never captioned in training, the sentence alone does not do that (the
paper's models then answer in English or German). There are two kinds of such a language prefix:

- "words", as in the paper: literal words that captions in the language begin with ("Das Bild zeigt"). They belong to
  the text, so they are forced in captions and training knows nothing of them.
- "token": one token of the decoder's vocabulary (`<|de|>`) before every text, in training too. The playground's
  captions never begin with "The image shows", so words would force it off what it has learned.
"""

from typing import Literal

from florenz.languages.codes import name_of

PrefixKind = Literal["token", "words"]

_HOW_OF_STYLE = {"short": "", "detailed": " in detail", "paragraph": " with a paragraph"}

# The paper's six. A language gets words from somebody who writes it; until then it can be trained with tokens alone.
PREFIX_WORDS = {
    "en": "The image shows", "de": "Das Bild zeigt", "fr": "L'image montre", "es": "La imagen muestra",
    "ru": "На изображении показано", "zh": "图片显示",
}  # fmt: skip


def encoder_prompt(task: str, language: str, source_text: str = "", style: str = "short") -> str:
    """The sentence for the encoder.

    language: the target's code. source_text: the English text to translate, empty for a caption. style: of captions.

    Raises:
        ValueError: unknown task, language or style; a caption with a source text, a translation without.
    """
    name = name_of(language)
    if task == "translation":
        if not source_text:
            raise ValueError(f"a translation into {name} needs a text to translate")
        return f"Translate to {name}: {source_text}"
    if task != "caption":
        raise ValueError(f"unknown task '{task}': it is caption or translation")
    if source_text:
        raise ValueError("a caption has no text to translate: leave it out, or ask for the task translation")
    if style not in _HOW_OF_STYLE:
        raise ValueError(f"unknown caption style '{style}': it is one of {', '.join(_HOW_OF_STYLE)}")
    return f"Describe this image{_HOW_OF_STYLE[style]} in {name}."


def decoder_prefix(task: str, language: str, kind: PrefixKind = "token") -> str:
    """What the decoder's text is forced to begin with; "" for translations where the prefix is of words.

    Raises:
        ValueError: unknown language, or one that has no words to begin with.
    """
    name = name_of(language)
    if kind == "token":
        return language_token(language)
    if task != "caption":
        return ""
    if language not in PREFIX_WORDS:
        known = ", ".join(PREFIX_WORDS)
        raise ValueError(f"no words to begin a caption in {name} with (there are some for {known}): go without prefix")
    return PREFIX_WORDS[language]


def language_token(language: str) -> str:
    """The token of the decoder's vocabulary that names the language of what follows."""
    return f"<|{language}|>"
