"""AMQP messages that came again and are in hand now: one small file for each, which survives the death of the process.

A message that kills each process that handles it would come again without end. A file has one byte for each time that
its message was in hand, and goes away when the message was handled. So its size tells how many processes have died.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from queue_tool.errors import DataDirUnusable
from queue_tool.host import files
from queue_tool.host.data_dir import make_private

FOLDER = "amqp"

KEPT_FOR = 24 * 3600.0
"""Seconds after which a file is removed: another machine may have handled its message."""


class InHand:
    """Notes which messages are in hand."""

    def __init__(self, data_dir: Path) -> None:
        """Use a folder in this data directory. What is too old there is removed.

        Raises:
            DataDirUnusable: the folder cannot be made.
        """
        self._folder = data_dir / FOLDER
        try:
            make_private(self._folder)
            for path in self._folder.iterdir():
                with suppress(FileNotFoundError):  # another consumer handles its message just now
                    if path.stat().st_mtime < time.time() - KEPT_FOR:
                        path.unlink()
        except OSError as error:
            raise DataDirUnusable(f"The directory {self._folder} cannot be used: {error.strerror}.") from error

    def deaths(self, name: str) -> int:
        """Return how many processes have died with this message in hand, as far as that was noted."""
        try:
            return (self._folder / name).stat().st_size
        except OSError:
            return 0

    def begin(self, names: Iterable[str]) -> None:
        """Note that these messages are in hand. If the disk is full, nothing is noted."""
        for name in names:
            with suppress(OSError):
                descriptor = files.open_here(self._folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
                try:
                    os.write(descriptor, b".")
                finally:
                    os.close(descriptor)

    def end(self, names: Iterable[str]) -> None:
        """Note that these messages are not in hand any more."""
        for name in names:
            with suppress(OSError):
                (self._folder / name).unlink()
