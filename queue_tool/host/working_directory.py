"""The working directory of this process, which all its threads share: a task that changes it changes it for all."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path

_OPEN_TO_RETURN = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY
"""Linux returns to a directory also without the right to list it."""

_HERE = Path()


class WorkingDirectory:
    """The working directory that this process has now. It is known even if it is renamed or removed later."""

    def __init__(self) -> None:
        """Remember the directory."""
        self._descriptor = os.open(".", _OPEN_TO_RETURN)
        self._id = _identity()
        self._restoring = threading.Lock()
        self.path: Path | None = None  # None: it has been removed
        with suppress(OSError):
            self.path = Path.cwd()

    def restore(self) -> bool:
        """Return to the directory. Return False if this process has not left it, or another thread has returned."""
        if _identity() == self._id:
            return False
        with self._restoring:
            if _identity() == self._id:
                return False
            os.fchdir(self._descriptor)
            return True

    def leave_removed(self) -> None:
        """Return to the directory if the current one has been removed: no process could start there."""
        try:
            Path.cwd()
        except OSError:
            self.restore()

    def close(self) -> None:
        """Forget the directory."""
        os.close(self._descriptor)


def _identity() -> tuple[int, int]:
    found = _HERE.stat()
    return found.st_dev, found.st_ino
