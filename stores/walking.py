"""All files below a local folder, one name at a time, however many lie in one folder.

`list_names` of a local store takes in each folder whole, which for a million files in one is 100 MB of names. This
holds the folders that it has seen and those that wait, some 300 bytes each, and no file.
"""

import os
from collections.abc import Iterator

from florenz.stores.pinning import check_pinned
from florenz.stores.schemes.local import system_path


def names_below(folder: str) -> Iterator[str]:
    """Names relative to the folder, those that `list_names` gives, in any order.

    Linked folders are followed, each real folder once and under the same name as there. Nothing if there is no folder.
    `WriteError` below a pinned folder that is gone; OSError for a folder that can't be read.
    """
    root = system_path(folder)
    check_pinned(root)
    seen: set[str] = set()
    waiting = [""]  # each with a slash at its end
    while waiting:
        start = waiting.pop()
        real = os.path.realpath(os.path.join(root, start))
        if real in seen:  # a link to a folder above would go round for ever
            continue
        seen.add(real)
        below: list[str] = []
        try:
            with os.scandir(os.path.join(root, start)) as entries:
                for entry in entries:
                    if _is_folder(entry):
                        below.append(f"{start}{entry.name}/")
                    else:
                        yield start + entry.name
        except (FileNotFoundError, NotADirectoryError):
            continue  # gone meanwhile, or a file; what may not be read is an error, or a dataset would lose a folder
        waiting += sorted(below, reverse=True)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """A link to one too; not what can't be looked at: reading it will say why."""
    try:
        return entry.is_dir()
    except OSError:
        return False
