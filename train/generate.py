"""Ask a trained Florenz: `florenz generate CHECKPOINT IMAGE... --task caption --language fr`.

Prints one line for each image, in their order; `--task translation --text "..."` without an image prints one. A fault
in what was given is one line on stderr and exit code 2, before anything is generated: unreadable images show first.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import torch

from florenz.console import fail, quiet_libraries
from florenz.limits.printable import printable
from florenz.limits.reading import read_path

if TYPE_CHECKING:
    from florenz.train.data.processor import Batch, Processor, Question
    from florenz.train.model.florenz import Florenz

IMAGES_AT_ONCE = 16
MAX_FILE_BYTES = 512 << 20


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One question. picture_CHW: uint8 (3, image_px, image_px); None for a translation of text alone."""

    task: str
    language: str
    style: str
    source_text: str
    picture_CHW: torch.Tensor | None


@torch.inference_mode()
def write(
    model: Florenz,
    processor: Processor,
    questions: Sequence[Question],
    *,
    num_beams: int = 1,
    max_new_tokens: int | None = None,
    with_prefix: bool = True,
) -> list[str]:
    """The model's answers to a batch of questions of any tasks and languages; `model.eval()` is the caller's.

    max_new_tokens: None for as many as the longest text that it was trained on. `ValueError` for more than that.
    """
    batch = {
        name: tensor.to(model.device) for name, tensor in processor.ask(questions, with_prefix=with_prefix).items()
    }
    num_new = _num_new_tokens(processor, batch, max_new_tokens)
    ids_BT = model.generate(**batch, max_new_tokens=num_new, num_beams=num_beams, do_sample=False)
    return processor.answers(ids_BT)


def _num_new_tokens(processor: Processor, batch: Batch, wanted: int | None) -> int:
    room = processor.settings.max_text_tokens + 1 - batch["decoder_input_ids"].shape[1]
    if wanted is not None and not 1 <= wanted <= room:
        raise ValueError(f"{wanted} new tokens are not possible: the model writes 1 to {room}")
    return room if wanted is None else wanted


def main(arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    quiet_libraries()
    try:
        _run(options)
    except ValueError as problem:
        return fail(" ".join(str(problem).split()), 2)
    except KeyboardInterrupt:
        return fail("interrupted", 130)
    return 0


def _run(options: argparse.Namespace) -> None:
    # Imported late: transformers takes seconds, which a wrong word on the command line should not cost.
    from florenz.train.data.processor import Processor
    from florenz.train.model.loading import load

    questions = _questions(options, Processor.from_pretrained(options.checkpoint))
    model, processor = load(options.checkpoint)
    model.to("cuda" if torch.cuda.is_available() else "cpu").eval()  # type: ignore[arg-type]
    for first in range(0, len(questions), IMAGES_AT_ONCE):
        answers = write(
            model,
            processor,
            questions[first : first + IMAGES_AT_ONCE],
            num_beams=options.num_beams,
            max_new_tokens=options.max_new_tokens,
            with_prefix=options.prefix,
        )
        for answer in answers:
            print(printable(" ".join(answer.split())), flush=True)


def _questions(options: argparse.Namespace, processor: Processor) -> list[Asked]:
    """One for each image, or one of text alone; asked for once already, so that what is wrong with them shows now."""
    if options.num_beams < 1:
        raise ValueError(f"--num-beams is {options.num_beams}, at least 1 is needed")
    if options.task == "caption" and not options.images:
        raise ValueError("a caption needs an image: name at least one file")
    pictures = [_picture(path, processor.image_px) for path in options.images]
    questions = [
        Asked(
            task=options.task,
            language=options.language,
            style=options.style,
            source_text=options.text,
            picture_CHW=picture_CHW,
        )
        for picture_CHW in pictures or [None]
    ]
    _num_new_tokens(processor, processor.ask(questions[:1], with_prefix=options.prefix), options.max_new_tokens)
    return questions


def _picture(path: str, image_px: int) -> torch.Tensor:
    from florenz.train.data.pictures import decode_picture

    try:
        if not Path(path).is_file():
            raise ValueError("no such file")
        if (num_bytes := Path(path).stat().st_size) > MAX_FILE_BYTES:
            raise ValueError(f"{num_bytes} bytes are too many")
        return decode_picture(read_path(Path(path), MAX_FILE_BYTES), image_px)
    except (OSError, ValueError) as problem:
        raise ValueError(f"image {path}: {problem}") from problem


class _OneLineParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        print(f"florenz: {printable(message)} (--help says more)", file=sys.stderr)
        sys.exit(2)


def _parser() -> argparse.ArgumentParser:
    parser = _OneLineParser(prog="florenz generate", description="Captions and translations by a Florenz.")
    parser.add_argument("checkpoint", help="folder of a trained model")
    parser.add_argument("images", nargs="*", metavar="IMAGE", help="JPEG, PNG, WebP ...; none to translate text alone")
    parser.add_argument("--task", default="caption", choices=("caption", "translation"))
    parser.add_argument("--language", required=True, help="code of the language to write, like fr")
    parser.add_argument("--style", default="short", help="of captions: short, detailed or paragraph")
    parser.add_argument("--text", default="", help="the English text to translate")
    parser.add_argument("--num-beams", type=int, default=1)
    parser.add_argument("--max-new-tokens", type=int)
    parser.add_argument(
        "--no-prefix",
        dest="prefix",
        action="store_false",
        help="let the model choose how to begin, and in what language",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
