"""Which paths mean the same on every machine. Workers elsewhere would look for a relative one in a folder of their own.

Such a run would end well, with every image unreadable. So whoever sends work away asks here first.
"""

from collections.abc import Iterator, Mapping

from florenz.stores import files

ADVICE = "give it as gs:// or s3://, or as an absolute path that all machines have"


def reach_problems(named: Mapping[str, str]) -> Iterator[str]:
    """A line for each path that other machines can't find. named: what a user calls it -> the path.

    An absolute path passes: whether it is a disk that all machines share, only they can tell.
    """
    for name, path in named.items():
        facts = files.store_of(path).FACTS
        if facts.is_shared:
            continue
        if not facts.is_local:
            yield f"{name} {path!r} is known to this process alone, and the work is done on other machines: {ADVICE}"
        elif not path.removeprefix("file://").startswith("/"):
            yield f"{name} {path!r} is a path of this machine, and the work is done on others: {ADVICE}"
