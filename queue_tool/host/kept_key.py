"""The API key of the clients on this machine: a file in the data directory, which an operator asks for."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from queue_tool.errors import DataDirUnusable
from queue_tool.host import files
from queue_tool.model.settings import KEPT_KEY


def keep(data_dir: Path, key: str) -> Path:
    """Keep a key in place of an earlier one, and return its file, which only this user can read.

    Raises:
        DataDirUnusable: the file cannot be written.
    """
    path = data_dir / KEPT_KEY
    draft = path.with_name(f"{KEPT_KEY}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        files.write(draft, key.encode())
        draft.replace(path)
    except OSError as error:
        raise DataDirUnusable(f"The file {path} cannot be written: {error.strerror}.") from None
    return path
