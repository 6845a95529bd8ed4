"""The data directory: made, checked, and owned by one process at a time."""

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
"""The file whose lock is the right to run a whole system, and whose text is the process that has it."""


def prepare(path: Path) -> Path:
    """Make the directory if need be and return its absolute path.

    Raises:
        DataDirUnusable: it is no directory, or nothing can be written there.
    """
    path = path.absolute()
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        tempfile.TemporaryFile(dir=path).close()  # its name is nobody else's, in whatever thread this is
    except OSError as error:
        raise DataDirUnusable(f"The data directory {path} cannot be written: {error.strerror}.") from None
    return path


def make_private(folder: Path) -> None:
    """Make a directory, if it is not there, that only this user can enter.

    Raises:
        DataDirUnusable: what is there is open to others, somebody else's, or no directory.
    """
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if found.st_uid != os.getuid() or found.st_mode & 0o077 or not stat.S_ISDIR(found.st_mode):
        raise DataDirUnusable(f"{folder} must be a directory that only this user can enter.")


def owner(path: Path) -> int | None:
    """Return the process that runs a whole system in this directory, or did so last; None where it is not known."""
    try:
        return int((path / LOCK).read_text("ascii"))
    except (OSError, ValueError):
        return None


class Ownership:
    """The right to run a whole system in a data directory; it ends with the process that holds it."""

    def __init__(self, data_dir: Path) -> None:
        """Take the right.

        Raises:
            DataDirInUse: another process has it; the sentence says which.
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
        """Give the right back."""
        os.close(self._file)

    def __enter__(self) -> Self:
        """Hold the right for the length of a block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give the right back."""
        self.release()
