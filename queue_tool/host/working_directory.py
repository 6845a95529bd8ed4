"""The working directory of this process, which all its threads share: a task that changes it changes it for all."""

from __future__ import annotations

import ctypes
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
        self._name = None if self.path is None else os.fsencode(self.path)

    def restore(self) -> bool:
        """Return to the directory. Return False if this process has not left it, or another thread has returned."""
        if (self._name is not None and _name() == self._name) or _identity() == self._id:
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


_BUFFER = ctypes.create_string_buffer(os.pathconf("/", "PC_PATH_MAX"))
_getcwd = ctypes.PyDLL(None).getcwd  # it keeps the lock of the interpreter, which other threads would take otherwise
_getcwd.restype = ctypes.c_void_p
_getcwd.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_ADDRESS = ctypes.addressof(_BUFFER)


def _name() -> bytes | None:
    """Return the path of the current directory, which is found faster than its identity; None if it is not known."""
    return _BUFFER.value if _getcwd(_ADDRESS, len(_BUFFER)) else None


def _identity() -> tuple[int, int]:
    found = _HERE.stat()
    return found.st_dev, found.st_ino
