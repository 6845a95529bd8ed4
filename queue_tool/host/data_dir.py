"""The data directory: created, checked, and owned by one process at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import tempfile
from pathlib import Path
from typing import Self

from queue_tool.errors import DataDirInUse, DataDirUnusable

LOCK = "owner.lock"
"""The lock file. The process that holds the lock may run a whole system, and its pid is the file's text."""


def prepare(path: Path) -> Path:
    """Create the directory if it is missing, and return its absolute path.

    Raises:
        DataDirUnusable: the path is not a directory, or this process cannot write there.
    """
    path = path.absolute()
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        tempfile.TemporaryFile(dir=path).close()  # the name is unique, also among threads
    except OSError as error:
        raise DataDirUnusable(f"The data directory {path} cannot be written: {error.strerror}.") from None
    return path


def make_private(folder: Path) -> None:
    """Create a directory that only this user can enter, or check the existing one.

    Raises:
        DataDirUnusable: other users can enter it, another user owns it, or the path is not a directory.
    """
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if found.st_uid != os.getuid() or found.st_mode & 0o077 or not stat.S_ISDIR(found.st_mode):
        raise DataDirUnusable(f"{folder} must be a directory that only this user can enter.")


def owner(path: Path) -> int | None:
    """Return the pid of the process that runs a whole system here, or was the last to do so. None if it is unknown."""
    try:
        return int((path / LOCK).read_text("ascii"))
    except (OSError, ValueError):
        return None


class Ownership:
    """The right to run a whole system in a data directory. It ends when the process ends."""

    def __init__(self, data_dir: Path) -> None:
        """Acquire the right.

        Raises:
            DataDirInUse: another process has the right. The message names it.
        """
        self._file = os.open(data_dir / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            raise DataDirInUse(f"The data directory {data_dir} is in use by process {owner(data_dir)}.") from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Release the right."""
        os.close(self._file)

    def __enter__(self) -> Self:
        """Hold the right until the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Release the right."""
        self.release()
