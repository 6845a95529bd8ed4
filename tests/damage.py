"""What a loss of power or a stranger does to a file."""

from __future__ import annotations

import os
from pathlib import Path


def cut_last_line(path: Path) -> None:
    """Take the end of its last line away."""
    os.truncate(path, path.stat().st_size - 3)


def empty(path: Path) -> None:
    """Leave nothing in it."""
    os.truncate(path, 0)


def spoil(path: Path) -> None:
    """Put something before it that is none of it."""
    path.write_bytes(b"no command!\n" + path.read_bytes())
