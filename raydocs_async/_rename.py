"""A rename that never replaces a file."""

import os
from pathlib import Path

_RENAMES_TO_NEW_ONLY = os.name == "nt"
"""Windows refuses to rename a file to an existing name. Other systems replace the existing file."""


def rename_to_new(source: Path, target: Path) -> None:
    """Rename atomically, unless the target exists.

    A check before the rename would lose a file that another program makes in between.

    Raises:
        FileExistsError: the target exists.
        OSError: the rename is impossible.
    """
    if _RENAMES_TO_NEW_ONLY:
        source.rename(target)
        return
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links, where only a check is possible
        if target.exists():
            raise FileExistsError(target) from None
        source.rename(target)
    else:
        source.unlink()
