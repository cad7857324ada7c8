"""A folder of this machine that only this user can use: for locks that processes share which know nothing of each
other.
"""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path


def own_folder(folder: Path | None = None) -> Path:
    """The folder, made if need be; None: one below the system's for temporary files. Its name can be guessed, so it may
    be somebody else's: PermissionError, one line with what to do.
    """
    folder = folder or Path(tempfile.gettempdir()) / f"florenz-{os.getuid()}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PermissionError(f"{folder} is not this user's own folder: remove it, or set TMPDIR to another place")
    return folder
