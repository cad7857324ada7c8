"""The dataset that the readers read: `python tests/readers/make_dataset.py FOLDER`, in the environment of the project.

The real steps from reading to publishing, with a ledger that is written here instead of by models: 40 pictures in five
languages. What readers stumble over is in it on purpose. Most images lack French, so that the first samples of a shard
show none; one has no translation at all; French and Chinese captions are withheld.
"""

import sys
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from PIL import Image  # noqa: E402
from pipeline_examples import (  # noqa: E402
    CAPTION_PRINT,
    TRANSLATION_PRINT,
    key_of,
    published,
    recipe_for,
)

from florenz.exports.publish import plan  # noqa: E402
from florenz.pipeline.answers.ledger import CaptionRow, Ledger, TranslationRow  # noqa: E402
from florenz.pipeline.recipe import Recipe  # noqa: E402
from florenz.reports.judging import draw_sheet  # noqa: E402
from florenz.reports.page import write_page  # noqa: E402

COUNT = 40
LANGUAGES, HELD_OUT = ("de", "fr", "ar", "zh"), ("fr", "zh")
SENTENCES = {
    "en": "A red car with the number {} stands beside an old house near the river.",
    "de": "Ein rotes Auto mit der Nummer {} steht neben einem alten Haus am Fluss.",
    "fr": "Une voiture rouge avec le numéro {} est garée à côté d'une vieille maison près de la rivière.",
    "ar": "سيارة حمراء تحمل الرقم {} تقف بجانب منزل قديم بالقرب من النهر.",
    "zh": "一辆编号为{}的红色汽车停在河边的一栋老房子旁边。",
}
DETAIL = {
    "en": " It is night, and a small dog is sleeping there.",
    "de": " Es ist Nacht, und ein kleiner Hund schläft dort.",
    "fr": " Il fait nuit, et un petit chien y dort.",
    "ar": " الوقت ليل وهناك كلب صغير نائم.",
    "zh": "现在是晚上，有一只小狗在那里睡觉。",
}
STRANGE = '<script>alert("1")</script><img src=x onerror=alert(2)>'


def text_of(number: int, language: str, style: str) -> str:
    return SENTENCES[language].format(number) + (DETAIL[language] if style == "detailed" else "")


def answer(number: int, language: str, style: str) -> str | None:
    """What the translator said; None for no answer, so that the first samples of shards lack languages."""
    if number == 0 or (language == "fr" and number % 4):
        return None
    if (number, language) == (5, "de"):
        return text_of(number, "fr", style)  # wrong language
    if (number, language) == (7, "de"):
        return STRANGE
    return text_of(number, language, style)


def write_picture(path: Path, number: int) -> str:
    """A JPEG that shows its number by its colours; its key."""
    picture = Image.new("RGB", (64, 48), (number * 6, 255 - number * 6, 128))
    picture.paste((255, 255, 255), (8, 8, 8 + number, 24))
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, "JPEG", quality=90)
    return key_of(path.read_bytes())


def write_answers(recipe: Recipe, keys: list[str]) -> None:
    captions, translations = [], {language: [] for language in LANGUAGES}
    for number, key in enumerate(keys):
        for style in recipe.captioner.styles:
            english = text_of(number, "en", style)
            captions.append(CaptionRow(key=key, style=style, text=english, finish_reason="stop"))
            for language in LANGUAGES:
                text = answer(number, language, style)
                translations[language].append(
                    TranslationRow(
                        key=key,
                        style=style,
                        language=language,
                        source_text=english,
                        text=text,
                        finish_reason="stop" if text else "",
                        reason="" if text else "request_failed",
                    )
                )
    ledger = Ledger(recipe.out)
    ledger.append_captions(CAPTION_PRINT, captions)
    for language, rows in translations.items():
        ledger.append_translations(language, TRANSLATION_PRINT, rows)


def make(folder: Path) -> Recipe:
    keys = [write_picture(folder / "pictures" / f"{number:03d}.jpg", number) for number in range(COUNT)]
    recipe = recipe_for(folder / "out", folder / "pictures", languages=LANGUAGES, held_out=HELD_OUT)
    recipe = replace(recipe, shards=replace(recipe.shards, images_per_shard=8, val_fraction=0.3, choose_fraction=0.1))
    write_answers(recipe, keys)
    published(recipe)
    for language in ("ar", "zh"):
        draw_sheet(recipe.out, number=6, language=language)
    write_page(recipe.out)
    plan(recipe.out, "owner/name")  # the dataset card and Croissant
    return recipe


if __name__ == "__main__":
    make(Path(sys.argv[1]))
