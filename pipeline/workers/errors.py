"""What a worker says when it can't do a launcher's work."""


class WorkerError(ValueError):
    """A worker does not fit to its launcher; one line with what to do."""


ADVICE = "give launcher and workers the same image or the same locked environment (docs/running.md)"
