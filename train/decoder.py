"""A tiny decoder that knows languages before it sees a picture: `florenz decoder RECIPE [NAME=value ...]`.

Trains a Gemma-2 in miniature on the texts of a dataset, captions and translations alike, without what they were
translated from or what they show. As the paper starts from Gemma-2, `SIZE=playground-gemma` can start from it, by
`gemma = "data/decoder/all-128"` in [model]. LANGS says which languages it learns: the law's third factor (`make law`).

OUT holds the weights and the tokenizer as transformers reads them, and decoder.json, which says what they were trained
on; it appears when the training is complete. A few minutes on one core, so a kill costs all of it.

Exit codes: 0 done; 1 stopped; 2 the input is wrong and nothing was written; 130 Ctrl-C.
"""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import AutoTokenizer, Gemma2ForCausalLM, PreTrainedTokenizerBase

from florenz.console import fail, quiet_libraries
from florenz.languages.codes import SOURCE
from florenz.recipe_command import read_recipe_words
from florenz.recipes.checks import below_1, raise_if
from florenz.recipes.recipe_file import RecipeError, read_recipe_file
from florenz.recipes.sections import SectionReader, nearest
from florenz.train.data.examples import examples_of
from florenz.train.distributed import find_place
from florenz.train.law import DECODER_CARD
from florenz.train.model.family import SIZES
from florenz.train.model.florenz import IGNORED
from florenz.train.model.sizes import TINY_LAYERS, TINY_WIDTH, tiny_gemma2_config
from florenz.train.schedule import learning_rate

USAGE = "usage: florenz decoder RECIPE [DATA=folder] [OUT=folder] [LANGS=en,fr] [WIDTH=n] [STEPS=n] [SEED=n]"
VARIABLES = {
    "DATA": "data", "OUT": "out", "LANGS": "languages", "WIDTH": "width", "STEPS": "steps", "SEED": "seed",
    "DEVICE": "device",
}  # fmt: skip
LOG_EVERY = 50

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class DecoderSettings:
    """The recipe: one table without sections."""

    data: str
    """OUT of `make dataset`."""

    out: str
    """Where the decoder goes: a local folder that is not there yet."""

    languages: tuple[str, ...] = ()
    """Those whose texts it reads. Empty: all of the dataset."""

    tokenizer: str = SIZES["playground-gemma"].tokenizer
    """Folder or hub name of its vocabulary."""

    width: int = TINY_WIDTH
    """A multiple of 64; heads and feed-forward width follow."""

    layers: int = TINY_LAYERS
    """Of the decoder."""

    steps: int = 1000
    """Optimizer steps."""

    batch_size: int = 64
    """Texts in a step."""

    peak_rate: float = 2e-3
    """Learning rate at the end of the warm-up, a tenth of the steps."""

    seed: int = 0
    """Decides weights and order."""

    device: str = "auto"
    """auto (the GPU if there is one), cpu or cuda."""

    cpu_threads: int = 1
    """On a CPU."""

    def __post_init__(self) -> None:
        problems = below_1(
            layers=self.layers, steps=self.steps, batch_size=self.batch_size, cpu_threads=self.cpu_threads
        )
        if self.width < 64 or self.width % 64:
            problems.append(f"width (WIDTH) is {self.width}: choose a multiple of 64")
        if self.peak_rate <= 0:
            problems.append(f"peak_rate is {self.peak_rate}: choose one above 0")
        raise_if(problems)


def load_settings(path: str, variables: Mapping[str, str]) -> DecoderSettings:
    """The recipe, with Make variables as the user gave them. `RecipeError` with a line for each fault."""
    table = read_recipe_file(path)
    reader = SectionReader(homes={}, variables={key: name for name, key in VARIABLES.items()})
    for name, text in variables.items():
        if name not in VARIABLES:
            reader.problems.append(f"unknown variable {name}: {nearest(name, VARIABLES)}")
        elif name in ("WIDTH", "STEPS", "SEED") and not re.fullmatch(r"\d+", text):
            reader.problems.append(f"{name} must be a whole number, got '{text}'")
        else:
            value = [one.strip() for one in text.split(",")] if name == "LANGS" else text
            table[VARIABLES[name]] = int(text) if name in ("WIDTH", "STEPS", "SEED") else value
    settings = reader.read(DecoderSettings, table, "")
    if reader.problems or settings is None:
        raise RecipeError([f"{path}: {problem}" for problem in reader.problems])
    return settings


def texts_of(data: str, languages: Sequence[str]) -> dict[str, list[str]]:
    """Language -> its texts in the training split, each once, in order. languages: empty for all.

    `ValueError` for a dataset that is none, or a language that it has no text in.
    """
    texts: dict[str, dict[str, None]] = {}
    for example in examples_of(data, "train", None):
        texts.setdefault(example.language, {})[example.text] = None
        if example.source_text:
            texts.setdefault(SOURCE, {})[example.source_text] = None
    if absent := [language for language in languages if language not in texts]:
        raise ValueError(f"{data} has no text in {absent[0]}: languages (LANGS) are among {', '.join(sorted(texts))}")
    return {language: sorted(texts[language]) for language in sorted(languages or texts)}


def train(settings: DecoderSettings, say: Say) -> Path:
    """Train, and write OUT. `ValueError` for what cannot be read, or an OUT that is there."""
    out = Path(settings.out)
    if out.exists():
        raise ValueError(f"out (OUT) {out} is there already: choose another folder, or remove it")
    texts = texts_of(settings.data, settings.languages)
    device = find_place(settings.device).device
    torch.set_num_threads(settings.cpu_threads)
    tokenizer = AutoTokenizer.from_pretrained(settings.tokenizer)
    special = {role: getattr(tokenizer, role) for role in ("bos_token_id", "eos_token_id", "pad_token_id")}
    torch.manual_seed(settings.seed)
    config = tiny_gemma2_config(len(tokenizer), special, width=settings.width, layers=settings.layers)
    model = Gemma2ForCausalLM(config).to(device).train()
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)  # before minutes of work that could not be kept
    except OSError as problem:
        raise ValueError(f"out (OUT) {out} cannot be made ({problem.strerror}): choose another folder") from problem
    loss = _fit(model, tokenizer, texts, settings, say)
    model.save_pretrained(partial)
    tokenizer.save_pretrained(partial)
    card = {
        "languages": list(texts),
        "texts": {language: len(of_language) for language, of_language in texts.items()},
        "loss": loss,
        "settings": dataclasses.asdict(settings),
    }
    (partial / DECODER_CARD).write_text(json.dumps(card, indent=1) + "\n")
    partial.rename(out)
    return out


def _fit(
    model: Gemma2ForCausalLM,
    tokenizer: PreTrainedTokenizerBase,
    texts: Mapping[str, Sequence[str]],
    settings: DecoderSettings,
    say: Say,
) -> float:
    """The mean loss of the last steps, in nats per token."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.0, weight_decay=0.01)
    losses: list[float] = []
    for step, batch in zip(range(settings.steps), _batches(tokenizer, texts, settings), strict=False):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps=settings.steps, peak=settings.peak_rate, warmup=0.1)
        loss = model(**{name: tensor.to(model.device) for name, tensor in batch.items()}).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
        if (step + 1) % LOG_EVERY == 0:
            say(f"step {step + 1} of {settings.steps}: {sum(losses[-LOG_EVERY:]) / LOG_EVERY:.3f} nats per token")
    last = losses[-LOG_EVERY:]
    return sum(last) / len(last)


def _batches(
    tokenizer: PreTrainedTokenizerBase, texts: Mapping[str, Sequence[str]], settings: DecoderSettings
) -> Iterator[dict[str, torch.Tensor]]:
    """Without end: each text of a batch of a language by chance, all alike, and any text of it."""
    generator = torch.Generator().manual_seed(settings.seed)
    languages = list(texts)
    while True:
        chosen = torch.randint(len(languages), (settings.batch_size,), generator=generator).tolist()
        batch = []
        for number in chosen:
            of_language = texts[languages[number]]
            batch.append(of_language[int(torch.randint(len(of_language), (1,), generator=generator))])
        ids = tokenizer(batch, add_special_tokens=False, verbose=False)["input_ids"]
        rows = [[tokenizer.bos_token_id, *one, tokenizer.eos_token_id] for one in ids]
        longest = max(map(len, rows))
        pads = [longest - len(row) for row in rows]
        yield {
            "input_ids": torch.tensor(
                [row + [tokenizer.pad_token_id] * pad for row, pad in zip(rows, pads, strict=True)]
            ),
            "attention_mask": torch.tensor([[1] * (longest - pad) + [0] * pad for pad in pads]),
            "labels": torch.tensor([row + [IGNORED] * pad for row, pad in zip(rows, pads, strict=True)]),
        }


def main(arguments: Sequence[str]) -> int:
    words = read_recipe_words(arguments, USAGE)
    if isinstance(words, int):
        return words
    path, variables = words
    quiet_libraries()
    try:
        settings = load_settings(path, {name: text.strip() for name, text in variables.items() if text.strip()})
        print(f"decoder in {train(settings, print)}")
    except ValueError as problem:
        return fail(str(problem), 2)
    except OSError as problem:
        return fail(str(problem), 1)
    except KeyboardInterrupt:
        return fail("interrupted", 130)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
