"""The table of commands: name -> the function that takes its arguments, and a line about it. Imports nothing."""

COMMANDS = {
    "dataset": (
        "florenz.pipeline.__main__:main",
        "images -> captions -> translations -> shards: [RECIPE] [NAME=value ...]",
    ),
    "plan": (
        "florenz.pipeline.__main__:plan",
        "what dataset would ask, how long and at what cost, asking nothing: [RECIPE] [SAMPLE=n] [NAME=value ...]",
    ),
    "retry": (
        "florenz.pipeline.__main__:retry",
        "ask again for what was rejected: [RECIPE] [REASON=...] [NAME=value ...]",
    ),
    "verify": ("florenz.shards.verify:main", "prove from the bytes of the shards what the manifest says: OUT"),
    "progress": ("florenz.progress:main", "where the run stands that writes into OUT: OUT"),
    "report": ("florenz.reports.__main__:report", "draw report.html anew: OUT [VERDICTS=file]"),
    "preview": ("florenz.reports.__main__:preview", "one image with all its texts, as a page: OUT KEY=key"),
    "sample": ("florenz.reports.__main__:sample", "a page for a native reader: OUT LANGS=fr [N=50] [REASON=...]"),
    "export": ("florenz.exports.__main__:main", "the dataset in another format: OUT FORMAT=name [NAME=value ...]"),
    "publish": (
        "florenz.exports.publish_command:main",
        "dataset card, Croissant, and upload to the Hugging Face Hub: OUT REPO=owner/name [UPLOAD=1]",
    ),
    "remove": ("florenz.pipeline.remove:main", "take images out of a dataset for good: OUT KEYS=file"),
    "doctor": ("florenz.doctor:main", "what this machine and this installation have, and what to do about the rest"),
    "completion": ("florenz.completion:main", "what a shell needs to complete these words: bash, zsh or fish"),
    "train": ("florenz.train.__main__:main", "train Florenz on a dataset, and score it: RECIPE [NAME=value ...]"),
    "plan-train": (
        "florenz.train.plan_command:main",
        "memory and hours of a training before it starts: RECIPE [GPUS=8] [GPU=h200]",
    ),
    "evaluate": ("florenz.train.evaluate:main", "score what a training has made: RECIPE [NAME=value ...]"),
    "generate": (
        "florenz.train.generate:main",
        "ask a trained Florenz: CHECKPOINT IMAGE... --task caption --language fr",
    ),
    "emergence": ("florenz.train.emergence:main", "a training and its controls, and a report: [LIST] [NAME=value ...]"),
    "law": (
        "florenz.train.law:main",
        "the power law through a list of runs, or through any: LIST|RUN... [NAME=value ...]",
    ),
    "decoder": (
        "florenz.train.decoder:main",
        "a tiny Gemma-2 that knows the dataset's languages: RECIPE [NAME=value ...]",
    ),
}
