"""What a vLLM server that is coming up is doing, by what it last wrote to its log (vLLM 0.10 to 0.32)."""

from __future__ import annotations

FIRST = "importing vLLM"
PHASES = (  # words of a line of the log, in the order in which they come, and what follows them
    ("Resolved architecture", "starting its engine"),
    ("Starting to load model", "loading the weights"),
    ("Loading weights took", "measuring memory and warming up"),
    ("Compiling a graph", "compiling the model"),
    ("Dynamo bytecode transform", "compiling the model"),
    ("Capturing CUDA graph", "capturing CUDA graphs"),
    ("init engine", "opening its port"),
)


def phase_of(log: str) -> str:
    """In our own words: what stands in a log is a model's."""
    found = [(log.rfind(words), phase) for words, phase in PHASES if words in log]
    return max(found)[1] if found else FIRST
