"""The table of commands: name -> the module whose `main(arguments)` it is, and a line about it. Imports nothing."""

COMMANDS = {
    "dataset": ("florenz.pipeline.__main__", "images -> captions -> translations -> shards: RECIPE [NAME=value ...]"),
    "verify": ("florenz.shards.verify", "prove from the bytes of the shards what the manifest says: OUT"),
    "export": ("florenz.exports.__main__", "the dataset in another format: OUT FORMAT=name [NAME=value ...]"),
    "train": ("florenz.train.__main__", "train Florenz on a dataset, and score it: RECIPE [NAME=value ...]"),
    "evaluate": ("florenz.train.evaluate", "score what a training has made: RECIPE [NAME=value ...]"),
    "emergence": ("florenz.train.emergence", "a training and its controls, and a report: [LIST] [NAME=value ...]"),
    "law": ("florenz.train.law", "the power law through a list of runs, or through any: LIST|RUN... [NAME=value ...]"),
    "decoder": ("florenz.train.decoder", "a tiny Gemma-2 that knows the dataset's languages: RECIPE [NAME=value ...]"),
    "generate": ("florenz.train.generate", "ask a trained Florenz: CHECKPOINT IMAGE... --task caption --language fr"),
}
