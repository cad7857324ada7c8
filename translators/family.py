"""A family of translators as its file describes it: the fields here are the keys of `families/<name>.toml`.

All of them decide the text and enter the fingerprint, save those marked as remarks; one that is added here later enters
it where a file sets it to something else than its default.
"""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from florenz.languages.codes import NAMES, SOURCE, suggest
from florenz.recipes.checks import below_0, blank, not_above_0, not_among, raise_if, unknown
from florenz.recipes.fingerprints import decided_since, fingerprint, remark
from florenz.translators.cleaning import STEPS, clean_answer
from florenz.translators.contract import ChatTemplate, Turns

TEMPLATE, RAW = "template", "raw"
PLACEHOLDERS = ("text", "language", "code", "source_language", "source_code")

# Families that were code before they were files: what was paid for under these words must be found again. The key
# stands for all that decides, so that a changed file is another family.
_KNOWN_AS = {
    "2a039268f8f94ef2": (
        "Translate this image caption from English into {language}. Answer with the {language} translation alone: "
        "no introduction, no notes, no quotation marks.\n\n{text} [cleaning 1]"
    ),
    "7e15cc56b27f84ec": "{text}<|{language}|>",
}


@dataclass(frozen=True, kw_only=True)
class Example:
    """[example]: one exact prompt, which the family's test renders and compares byte for byte."""

    text: str
    language: str
    prompt: str
    chat_template: str = ""
    """For form = "template": a small template (Jinja) in the place of the model's own."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """See `contract.py` for what the client wants of it. `ValueError` with a line for each fault."""

    name: str = remark()
    """The file's name without .toml."""

    form: str
    """template: through the model's own chat template. raw: the user's turn is the prompt."""

    user: str
    """The user's turn, with {text} and what is wanted of {language} and {source_language} (their English names),
    {code} and {source_code} (their codes)."""

    turns: Mapping[str, str] = field(default_factory=dict)
    """[turns]: target language -> the user's turn for it, where it is another."""

    record: Mapping[str, str] = field(default_factory=dict)
    """[record]: for templates that take no text but a list of one record: its keys and, with the same placeholders,
    their values; `user` is then not looked at."""

    system: str = ""
    """A system turn before it; several templates refuse one."""

    bos: str = ""
    """What a raw prompt begins with, written out: the server is told to add no special tokens."""

    add_special_tokens: bool = False
    """Let the server's tokenizer add them after all: for raw prompts whose card does so and does not name them."""

    template: Mapping[str, Any] = field(default_factory=dict)
    """[template]: its variables, add_generation_prompt among them; a template ignores those that it does not know."""

    names: Mapping[str, str] = field(default_factory=dict)
    """[names]: code -> {language} where it is not the English name of `languages/codes.py`."""

    codes: Mapping[str, str] = field(default_factory=dict)
    """[codes]: code -> {code} where the model knows the language by another."""

    temperature: float | None = None
    """This and the next five go into every request, but only what a model must be asked with: a recipe that says
    nothing gets these values, one that says something gets its own."""

    top_p: float | None = None
    top_k: int | None = None
    repetition_penalty: float | None = None
    stop: tuple[str, ...] = ()
    stop_token_ids: tuple[int, ...] = ()

    cleaning: tuple[str, ...] = ()
    """Steps of `cleaning.py`, in their order; white space around an answer always goes."""

    languages: tuple[str, ...] = remark(())
    """Target languages that its models know; empty: any."""

    model_languages: tuple[str, ...] = remark(())
    """Of models that each know some of `languages`: "org/model de fr", a name and the codes that it is for."""

    rephrases: bool = remark(False)
    """Its text is in the target language already and is to be put better: for [[rephrasers]] alone."""

    models: tuple[str, ...] = remark(())
    """Names on the hub that it is for."""

    licence: str = remark()
    """Of its models, and what it forbids."""

    source: str = remark()
    """Where the form is written down: a model card, a paper; and what could not be seen there."""

    example: Example = remark()

    def __post_init__(self) -> None:
        raise_if(
            not_among("form", self.form, (TEMPLATE, RAW))
            + [problem for turn in (self.user, *self.turns.values()) for problem in _turn_problems("user", turn)]
            + _placeholder_problems("system", self.system, PLACEHOLDERS[1:])
            + self._record_problems()
            + self._form_problems()
            + unknown("cleaning", self.cleaning, STEPS)
            + _code_problems("turns", self.turns)
            + _code_problems("names", self.names)
            + _code_problems("codes", self.codes)
            + _code_problems("languages", self.languages)
            + _code_problems("model_languages", [code for _, codes in self._groups() for code in codes])
            + _code_problems("example.language", (self.example.language,))
            + sampling_problems(self)
            + blank("licence", self.licence, "name that of its models")
            + blank("source", self.source, "cite the model card or paper that its form is from")
        )

    @property
    def needs_chat_template(self) -> bool:
        return self.form == TEMPLATE

    def language_problem(self, language: str, model: str = "") -> str:
        told = f"{language} ({NAMES[language]})" if language in NAMES else language
        if self.languages and language not in self.languages:
            known = ", ".join(self.languages)
            return f"prompt = {self.name!r} knows {known} and not {told}: leave it out, or take a model that knows it"
        own = next((codes for name, codes in self._groups() if name.casefold() == model.casefold()), [language])
        if language in own:
            return ""
        others = " or ".join(name for name, codes in self._groups() if language in codes) or "another"
        return f"model {model!r} knows {', '.join(own)} and not {told}: leave it out, or take {others} for it"

    def prompts(
        self,
        texts: Sequence[str],
        language: str,
        language_names: Mapping[str, str],
        chat_template: ChatTemplate | None = None,
    ) -> list[str]:
        if self.needs_chat_template:
            conversations = self.conversations(texts, language, language_names)
            assert chat_template is not None, "whoever asks through a template loads it"
            return [chat_template(turns, self.template) for turns in conversations]
        turn, words = self._turn(language, language_names)
        return [self.bos + turn.format(text=text, **words) for text in texts]

    def conversations(self, texts: Sequence[str], language: str, language_names: Mapping[str, str]) -> list[Turns]:
        if not self.needs_chat_template:
            raise ValueError(
                f"prompt = {self.name!r} writes the whole prompt, and api = 'chat' takes turns: "
                "name a server with completions, or a family with form = 'template', such as chat"
            )
        turn, words = self._turn(language, language_names)
        before = [{"role": "system", "content": self.system.format(**words)}] if self.system else []
        users = [self._content(turn, {**words, "text": text}) for text in texts]
        return [[*before, {"role": "user", "content": user}] for user in users]

    def _turn(self, language: str, language_names: Mapping[str, str]) -> tuple[str, dict[str, str]]:
        """The user's turn for this language, and what its placeholders stand for. Raises ValueError."""
        if problem := self.language_problem(language):
            raise ValueError(problem)
        turn = self.turns.get(language, self.user)
        return turn, self._words(turn + self.system + "".join(self.record.values()), language, language_names)

    def _content(self, turn: str, words: Mapping[str, str]) -> Any:
        """Of the user's turn: a text, or a list of one record."""
        if self.record:
            return [{key: value.format(**words) for key, value in self.record.items()}]
        return turn.format(**words)

    def request(self) -> dict[str, Any]:
        fields: dict[str, Any] = {name: getattr(self, name) for name in SAMPLING if getattr(self, name) is not None}
        fields |= {name: list(getattr(self, name)) for name in ("stop", "stop_token_ids") if getattr(self, name)}
        return fields | {"add_special_tokens": self.add_special_tokens}

    def clean(self, answer: str, source: str) -> str:
        return clean_answer(answer, source, self.cleaning)

    def identity(self) -> str:
        digest = fingerprint(decided_since(self, known=()))
        return _KNOWN_AS.get(digest, digest)

    def _words(self, turns: str, language: str, language_names: Mapping[str, str]) -> dict[str, str]:
        """What the placeholders stand for, save {text}. A name is needed only where a turn says it."""
        names = {**language_names, **self.names}
        needed = {SOURCE: "source_language", language: "language"}
        for code, placeholder in needed.items():
            if code not in names and placeholder in _placeholders(turns):
                raise ValueError(f"language {code!r}: the prompt needs its English name; add it to language_names")
        return {
            "language": names.get(language, ""),
            "code": self.codes.get(language, language),
            "source_language": names.get(SOURCE, ""),
            "source_code": self.codes.get(SOURCE, SOURCE),
        }

    def _groups(self) -> list[tuple[str, list[str]]]:
        """Models and the codes that each is for, where they know different languages."""
        return [(model, codes.split()) for model, _, codes in (one.partition(" ") for one in self.model_languages)]

    def _record_problems(self) -> list[str]:
        if not self.record:
            return []
        problems = [
            problem for key, value in self.record.items() for problem in _placeholder_problems(f"record.{key}", value)
        ]
        has_text = any("text" in _placeholders(value) for value in self.record.values()) if not problems else True
        return problems + ([] if has_text else ["record has no {text}: say where the caption goes"])

    def _form_problems(self) -> list[str]:
        """Keys of the other form, which would have no effect."""
        if self.form == TEMPLATE and (self.bos or self.add_special_tokens):
            return ["bos and add_special_tokens are for form = 'raw': a chat template writes its own"]
        if self.form == RAW and (self.system or self.template or self.record):
            return ["system, [template] and [record] are for form = 'template': write all of a raw prompt into user"]
        if self.bos and self.add_special_tokens:
            return ["bos and add_special_tokens would give two BOS: keep one"]
        return []


SAMPLING = ("temperature", "top_p", "top_k", "repetition_penalty")


def sampling_problems(settings: Any) -> list[str]:
    """The same rules for a family and for a recipe's translator, which both hold the fields of SAMPLING."""
    return (
        below_0(temperature=settings.temperature)
        + not_above_0(top_p=settings.top_p, top_k=settings.top_k, repetition_penalty=settings.repetition_penalty)
        + ["stop has an empty text: leave it out"] * ("" in settings.stop)
    )


def _turn_problems(label: str, turn: str) -> list[str]:
    if problems := _placeholder_problems(label, turn):
        return problems
    return [] if "text" in _placeholders(turn) else [f"{label} has no {{text}}: say where the caption goes"]


def _placeholder_problems(label: str, turn: str, known: Sequence[str] = PLACEHOLDERS) -> list[str]:
    try:
        problems = unknown(f"{label}, in braces,", _placeholders(turn), known)
    except ValueError as problem:
        return [f"{label}: {problem}: write braces that mean themselves twice"]
    dressed = [name for _, name, how, conversion in string.Formatter().parse(turn) if name and (how or conversion)]
    return problems or [
        f"{label} has {{{name}}} with more in its braces, which could cut a text: write {{{name}}}" for name in dressed
    ]


def _placeholders(turn: str) -> list[str]:
    return [name for _, name, _, _ in string.Formatter().parse(turn) if name is not None]


def _code_problems(label: str, codes: Sequence[str] | Mapping[str, str]) -> list[str]:
    problems = []
    for code in codes:
        if code not in NAMES:
            meant = suggest(code)
            advice = f"did you mean '{meant}' ({NAMES[meant]})?" if meant else "use an ISO 639-1 code like de"
            problems.append(f"{label} has '{code}': {advice}")
    return problems
