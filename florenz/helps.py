"""Help of the commands whose modules take seconds to import (torch, fastText): it stands here, and imports nothing."""

HELPS = {
    "verify": """usage: florenz verify OUT

Opens every shard of the current build and proves what the manifest says: counts, checksums, coverage, that no caption
is in a language that is held out, and that the ledger's parts are what was written. Lists all problems.
Exit codes: 0 everything holds; 1 there are problems; 2 it could not be looked at.""",
    "plan-train": """usage: florenz plan-train RECIPE [NAME=value ...]

Says what a training needs in memory and hours, before anything is allocated.
  GPUS  how many there are
  GPU   which, like h200
  MFU   the share of its peak that is reached, 0.4 unless told
  DATA, OUT, SIZE, SEED, STEPS as for florenz train
Exit codes: 0 it fits; 2 it does not, or the input is wrong.""",
    "evaluate": """usage: florenz evaluate RECIPE [NAME=value ...]

Scores what a training has made, on the validation split of its dataset or on another set.
  DATA            the OUT of a dataset
  OUT             where the training wrote
  MAX_IMAGES      at most so many images
  BENCHMARK       another set, by its name
  BENCHMARK_DATA  the folder where that lies
  BEAMS           of the search for answers; 4 for a published set
  ENDPOINT        server of the translator in [translator], for a baseline
  SIZE, SEED, STEPS, WORKERS, DEVICE as for florenz train""",
    "generate": """usage: florenz generate CHECKPOINT IMAGE... --task caption --language fr

Asks a trained Florenz about pictures: a caption, or with --task translation and --text a translation.
  --task      caption or translation
  --language  ISO 639-1, one that the model was trained on""",
    "emergence": """usage: florenz emergence [LIST] [NAME=value ...]

Runs a list of trainings (the default recipe and its controls) and reports whether captioning emerged. Goes on after a
kill.
  DATA    the OUT of a dataset
  OUT     where the trainings go
  REPORT  the Markdown file that the figures are written into
  RUNS    folders of trainings that are done: none is started, and the list says what they are""",
    "law": """usage: florenz law LIST|RUN... [NAME=value ...]

Fits the power law of size and samples through a list of trainings, or through any that are done.
  DATA    the OUT of a dataset
  OUT     where the trainings go
  REPORT  the Markdown file that the figures are written into""",
    "decoder": """usage: florenz decoder RECIPE [NAME=value ...]

Trains a tiny Gemma-2 on a dataset's texts, to start a Florenz from.
  DATA    the OUT of a dataset
  OUT     where the decoder goes
  LANGS   languages whose texts it reads
  WIDTH   of its layers
  STEPS   optimiser steps
  SEED, DEVICE""",
}
