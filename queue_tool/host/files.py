"""Files in the data directory, opened without following a symbolic link that another user may have put there."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path


def open_here(path: Path, flags: int) -> int:
    """Open a file, or create it for this user alone. Return its descriptor, which no child inherits.

    Args:
        path: the file.
        flags: those of `os.open`.

    Raises:
        OSError: the file cannot be opened, or the path is a symbolic link.
    """
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def read(path: Path) -> bytes:
    """Return the content of a file.

    Raises:
        OSError: the file cannot be read, or the path is a symbolic link.
    """
    with open(open_here(path, os.O_RDONLY), "rb") as file:
        return file.read()


def write(path: Path, content: bytes) -> None:
    """Replace the content of a file, and wait until it is on the disk.

    Raises:
        OSError: the file cannot be written, or the path is a symbolic link.
    """
    with open(open_here(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as file:
        with contextlib.suppress(OSError):  # not every file system has rights
            os.fchmod(
                file.fileno(), 0o600
            )  # a function in a thread may have set the umask, so that nobody could read it
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


class Spare:
    """Files that a process holds open, so that it can still end in order when it cannot open others."""

    def __init__(self, count: int) -> None:
        """Open this many files, or fewer if there is no room."""
        self._held: list[int] = []
        with contextlib.suppress(OSError):
            for _ in range(count):
                self._held.append(_opened())

    def close(self) -> None:
        """Make room for others."""
        while self._held:
            os.close(self._held.pop())


def can_open() -> bool:
    """Return whether this process can open another file. It has a limit, and so has the machine."""
    try:
        os.close(_opened())
    except OSError as error:
        return error.errno not in (errno.EMFILE, errno.ENFILE)
    return True


def _opened() -> int:
    return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
