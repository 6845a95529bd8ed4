"""The secret that signs the sessions of the pages: a file in the data directory, made at its first use."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from queue_tool.errors import DataDirUnusable
from queue_tool.host import files

NAME = "secret_key"
"""The file in the data directory. Only this user can read it."""

BYTES = 32


def read_or_make(data_dir: Path) -> str:
    """Return the secret of a data directory. If several processes make it at once, all of them return the same one.

    Raises:
        DataDirUnusable: the file cannot be read or made, or is a symbolic link.
    """
    path = data_dir / NAME
    try:
        if not path.exists():
            _make(path)
        return files.read(path).decode()
    except (OSError, UnicodeDecodeError):
        raise DataDirUnusable(f"The file {path} cannot be used: remove it, and a new one is made.") from None


def _make(path: Path) -> None:
    """Write a whole file under another name, and then give it its name, unless another process was faster."""
    draft = path.with_name(f"{NAME}.{os.getpid()}.{secrets.token_hex(4)}")
    files.write(draft, secrets.token_hex(BYTES).encode())
    try:
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
