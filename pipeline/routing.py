"""Which model is asked what: each style is one captioner's; `[translator]` serves all languages, each of
`[[translators]]` those that it names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from florenz.captioners.contract import CaptionerSettings
from florenz.languages.codes import language_problems
from florenz.recipes.checks import not_among, raise_if, unknown
from florenz.recipes.fingerprints import fingerprint
from florenz.translators.endpoint import endpoint_problems
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
            endpoint_problems(self.endpoint, self.endpoints, "endpoint (ENDPOINT)")
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
        elif len({_what_it_says(one.settings) for one in serving}) < len(serving):
            problems.append(f"languages (LANGS): the same translator serves {language!r} twice ({names}): keep one")
    return problems


def _what_it_says(settings: TranslatorSettings) -> tuple[str, str, str]:
    """Equal where every answer is: who is only asked at another pace, or elsewhere, would pay for each text twice."""
    return settings.model, settings.revision, fingerprint(settings.sampling())


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
