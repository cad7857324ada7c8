"""What can go wrong with a path, and the one line in which a user reads it."""

import errno


class StoreError(ValueError):
    """A URL that cannot be opened from here, or a store that lacks an ability; the message says what is missing."""


class ForkedProcess(StoreError):
    """An object store was used before this process was forked off, and can't be used in it."""


class StoreUnavailable(OSError):
    """A store did not answer as it should, however often it was asked; the message is one line. It may pass."""


class WriteError(OSError):
    """A local file could not be written or a pinned folder is gone; the message is one line and says what to do."""


_ADVICE = {
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room",
    errno.EROFS: "make it writable again",
    errno.EACCES: "make it writable",
    errno.EPERM: "make it writable",
}


def in_words(problem: OSError) -> str:
    """What the system said about a path, as one line that says what to do."""
    if isinstance(problem, WriteError) or problem.errno is None:
        return str(problem)
    where = f"{problem.filename}: " if problem.filename else ""
    return f"{where}{problem.strerror}; {_ADVICE.get(problem.errno, 'see whether its disk is there and well')}"


class OutInUse(ValueError):
    """Somebody else holds OUT; the message says who and what to do."""


class OutLost(ValueError):
    """OUT was ours and is no longer: another run took it over, or published in it. Nothing was written over it."""
