"""What lies in a folder while a service adds to it and removes from it. (pathlib's rglob and glob fail over a folder that goes meanwhile.)"""

import os
import pathlib


def files_below(folder):
    """Paths of the regular files below it, sorted; none where there is no folder."""
    return sorted(path for where, _, names in os.walk(folder) for path in (pathlib.Path(where, name) for name in names) if path.is_file())


def entries_of(folder):
    """Paths of what lies in it, sorted; none where there is no folder."""
    try:
        return sorted(pathlib.Path(folder, name) for name in os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
