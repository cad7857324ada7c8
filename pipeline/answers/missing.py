"""What to ask of texts that are there: scorers for a number, and translators once more where that number is too bad."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from florenz.pipeline.answers.current import CurrentAnswers, context_of, is_current
from florenz.pipeline.answers.questions import ScoreTask, TranslationTask
from florenz.pipeline.answers.scores import is_asked_again, texts_to_score


def scores_to_ask(answers: CurrentAnswers, images: Mapping[str, str], what: str) -> list[ScoreTask]:
    """What to ask a scorer: texts that the images (key -> URI) have now, each once, image by image."""
    answered, captions = answers.scores(what), answers.captions()
    rows = answers.with_candidates({one: answers.scores(one) for one in answers.scored})
    current = (one for row, others in rows if row.key in images and is_current(row, captions) for one in (row, *others))
    texts = (text for row in current for text in texts_to_score(row, what))
    return [
        ScoreTask(key=key, source=images[key], style=style, language=language, source_text=source_text, text=text)
        for key, style, language, source_text, text in sorted(dict.fromkeys(texts))
        if (key, style, language, source_text, text) not in answered
    ]


def candidates_to_ask(
    answers: CurrentAnswers, images: Collection[str], only: Collection[tuple[str, int, int]] | None = None
) -> dict[tuple[str, int, int], list[TranslationTask]]:
    """(language, number of its translator, candidate) -> what to ask it again. only: of those; None: of all."""
    again, found = answers.again, dict[tuple[str, int, int], list[TranslationTask]]()
    if again is None:
        return found
    captions, scores = answers.captions(), answers.scores(again.what)
    for (language, number), several in again.candidates.items():
        bad = [
            row
            for row in answers.translations(language, number).values()
            if row.key in images and is_current(row, captions) and is_asked_again(row, again, scores)
        ]
        for candidate, maker in enumerate(several):
            route = language, number, candidate
            if not bad or (only is not None and route not in only):
                continue
            answered = answers.candidates(*route)
            tasks = [
                TranslationTask(
                    key=row.key,
                    style=row.style,
                    language=language,
                    source_text=row.source_text,
                    number=number,
                    context=context_of(captions[row.key, row.style], maker.context, captions),
                )
                for row in bad
                if (row.key, row.style, row.source_text) not in answered
            ]
            found |= {route: tasks} if tasks else {}
    return found
