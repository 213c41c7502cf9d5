"""What is on disk after a power cut."""

import os
from pathlib import Path


def settle(path: Path) -> None:
    """Wait until a file's content, or a folder's names, are on disk. Raises OSError."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
