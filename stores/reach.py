"""Which paths mean the same on every machine. Workers elsewhere would look for a relative one in a folder of their own.

Such a run would end well, with every image unreadable. So whoever sends work away asks here first.
"""

from florenz.stores import files


def reaches_others(path: str, *, may_share_folders: bool) -> bool:
    """Whether other machines find the same thing under this path.

    may_share_folders: an absolute path may lie on a disk that all of them have; whether it does, only a user can tell.
    """
    facts = files.store_of(path).FACTS
    is_absolute = path.removeprefix("file://").startswith("/")
    return facts.is_shared or (facts.is_local and is_absolute and may_share_folders)
