"""Which model is asked what: each style is one captioner's; `[translator]` serves all languages, each of
`[[translators]]` those that it names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from florenz.captioners.contract import CaptionerSettings
from florenz.languages.codes import language_problems
from florenz.recipes.checks import not_among, raise_if, unknown
from florenz.translators.endpoint import normal_endpoint
from florenz.translators.settings import KEY_WITHOUT_SERVER, RephraserSettings, TranslatorSettings

ONE, ALL = "one", "all"


@dataclass(frozen=True, kw_only=True)
class Translator:
    """[translator]: how to translate (`settings`) and where (`endpoint`, which no fingerprint may hold)."""

    settings: TranslatorSettings

    endpoint: str = ""
    """URL of a server that runs already; empty starts one for this run."""

    endpoints: tuple[str, ...] = ()
    """URLs of several servers of the same model, instead of one."""

    languages: tuple[str, ...] = ()
    """Target languages that it translates into; empty: all of the run's."""

    keep: str = ONE
    """one: it is alone in its languages. all: others that say so may translate into them too; all texts are kept."""

    def __post_init__(self) -> None:
        self.settings.sampling()  # ValueError for an unknown prompt family: now, not at the first translation
        family = self.settings.family_itself()
        raise_if(
            [problem for endpoint in self.running_servers for problem in _endpoint_problems(endpoint)]
            + ["endpoint (ENDPOINT) and endpoints are both given: keep one"] * bool(self.endpoint and self.endpoints)
            + [
                f"endpoints has '{one}' twice: keep one"
                for one in dict.fromkeys(self.endpoints)
                if self.endpoints.count(one) > 1
            ]
            + ["endpoints has an empty one: leave it out"] * ("" in self.endpoints)
            + [KEY_WITHOUT_SERVER] * bool(self.settings.key_variable and not self.running_servers)
            + [f"languages: {problem}" for problem in (language_problems(self.languages) if self.languages else [])]
            + not_among("keep", self.keep, (ONE, ALL))
            + self._family_problems(is_rephrasing=family.rephrases)
        )

    def _family_problems(self, *, is_rephrasing: bool) -> list[str]:
        if not is_rephrasing:
            return []
        return [f"prompt = {self.settings.prompt!r} rephrases: it is for [[rephrasers]]; name one that translates"]

    @property
    def running_servers(self) -> tuple[str, ...]:
        """Those that the recipe names; none: the run starts one."""
        return self.endpoints or ((self.endpoint,) if self.endpoint else ())

    def serves(self, language: str) -> bool:
        return not self.languages or language in self.languages


@dataclass(frozen=True, kw_only=True)
class Rephraser(Translator):
    """One of [[rephrasers]]: asked about the translations into its languages, whoever made them."""

    settings: RephraserSettings

    def _family_problems(self, *, is_rephrasing: bool) -> list[str]:
        settings = self.settings
        return (
            [f"prompt = {settings.prompt!r} translates: name one that rephrases, as rephrase"] * (not is_rephrasing)
            + ["context is for translators: a rephraser is shown the translation alone"] * bool(settings.context)
            + ["keep is for translators: a language has one rephraser"] * (self.keep != ONE)
        )


def rephraser_problems(languages: Sequence[str], rephrasers: Sequence[Rephraser]) -> list[str]:
    """Languages that several rephrase, and rephrasers without one; a line for each."""
    shared: dict[tuple[str, ...], list[str]] = {}
    for language in languages:
        serving = tuple(one.settings.model for one in rephrasers if one.serves(language))
        if len(serving) > 1:
            shared.setdefault(serving, []).append(language)
    return [
        f"[[rephrasers]]: {', '.join(models)} all serve {', '.join(found)}: name it in the languages of one alone"
        for models, found in shared.items()
    ] + [
        f"[[rephrasers]]: {one.settings.model} serves none of the languages {','.join(languages)}: "
        "add one to its languages, or leave it out"
        for one in rephrasers
        if not languages_of(one, languages)
    ]


def translators_of(language: str, translators: Sequence[Translator]) -> tuple[Translator, ...]:
    """Who translates into this language, in the recipe's order."""
    return tuple(one for one in translators if one.serves(language))


def languages_of(translator: Translator, languages: Sequence[str]) -> tuple[str, ...]:
    """Those of the run's languages that it serves, in the run's order."""
    return tuple(language for language in languages if translator.serves(language))


def routing_problems(languages: Sequence[str], translators: Sequence[Translator]) -> list[str]:
    """Languages that nobody serves, that several serve without saying so, or one translator twice; a line for each."""
    problems = []
    for language in languages:
        serving = translators_of(language, translators)
        names = ", ".join(one.settings.model for one in serving)
        if not serving:
            problems.append(
                f"languages (LANGS): no translator serves {language!r}: "
                "add it to the languages of one in [[translators]], or leave it out"
            )
        elif len(serving) > 1 and any(one.keep != ALL for one in serving):
            problems.append(
                f"languages (LANGS): {len(serving)} translators serve {language!r} ({names}): "
                'take it out of the languages of all but one, or write keep = "all" in each to keep every output'
            )
        elif len({one.settings for one in serving}) < len(serving):
            problems.append(f"languages (LANGS): the same translator serves {language!r} twice ({names}): keep one")
    return problems


def style_problems(captioners: Sequence[CaptionerSettings]) -> list[str]:
    """Styles that two captioners write: the style says whose a caption is."""
    models: dict[str, list[str]] = {}
    for captioner in captioners:
        for style in captioner.told_styles:
            models.setdefault(style, []).append(captioner.model)
    return [
        f"two captioners write style {style!r} ({', '.join(several)}): take it out of the styles of one, "
        "or give one of them a prefix"
        for style, several in models.items()
        if len(several) > 1
    ]


def context_problems(styles: Sequence[str], translators: Sequence[Translator]) -> list[str]:
    """Contexts that no captioner writes."""
    wanted = dict.fromkeys(one.settings.context for one in translators if one.settings.context)
    return [f"[translator] {problem}" for problem in unknown("context", wanted, styles)]


def credentials(label: str, uri: str) -> list[str]:
    """A problem if a user name or password stands in a URI. It is not repeated: the message may land in a log."""
    _, has_scheme, rest = uri.partition("://")
    if not has_scheme or "@" not in rest.partition("/")[0]:
        return []
    return [
        f"{label} holds a user name or password, and recipes are copied into the manifest: "
        "take it out and set it in the environment"
    ]


def _endpoint_problems(endpoint: str) -> list[str]:
    if not endpoint:
        return []
    if problems := credentials("endpoint (ENDPOINT)", endpoint):
        return problems
    try:
        normal_endpoint(endpoint)
        url = urlsplit(endpoint)
        _ = url.port  # ValueError for one that is no number
    except ValueError as problem:
        return [f"endpoint (ENDPOINT): {problem}"]
    if url.query or url.fragment:
        return ["endpoint (ENDPOINT) has a ? or # in it: leave that part out; keys come from the environment"]
    return []
