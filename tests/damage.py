"""Damage files as a power failure or another program does."""

from __future__ import annotations

import os
from pathlib import Path


def cut_last_line(path: Path) -> None:
    """Remove the end of the file's last line."""
    os.truncate(path, path.stat().st_size - 3)


def empty(path: Path) -> None:
    """Remove the file's content."""
    os.truncate(path, 0)


def spoil(path: Path) -> None:
    """Put foreign bytes before the file's content."""
    path.write_bytes(b"no command!\n" + path.read_bytes())


def make_slow(path: Path) -> None:
    """Let Valkey read an append-only file for half a minute: it naps at each of many commands."""
    with path.open("ab") as file:
        file.write(b"*3\r\n$5\r\nDEBUG\r\n$5\r\nSLEEP\r\n$6\r\n0.0005\r\n" * 60_000)
