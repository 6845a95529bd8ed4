"""The data directory: created, checked, and owned by one process at a time."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import stat
import tempfile
from pathlib import Path
from typing import Self

from queue_tool.errors import DataDirInUse, DataDirUnusable
from queue_tool.host import files

_log = logging.getLogger("queue_tool.host")

LOCK = "owner.lock"
"""The lock file. The process that holds the lock may run a whole system, and its pid is the file's text."""

LONGEST_FOLDER = 60
"""The most bytes in the path of a folder in which libraries make directories with sockets."""


def prepare(path: Path) -> Path:
    """Create the directory if it is missing, check who else can write there, and return its absolute path.

    Raises:
        DataDirUnusable: the path is not a directory, this process cannot write there, or other users can.
    """
    path = path.absolute()
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        tempfile.TemporaryFile(dir=path).close()  # the name is unique, also among threads
        real = path.resolve()
        _require_own(real)
        for parent in real.parents:
            if _open_to_all(parent.stat()):
                _log.warning("every user of this machine can replace the data directory: run `chmod o-w %s`", parent)
    except OSError as error:
        raise DataDirUnusable(f"The data directory {path} cannot be written: {error.strerror}.") from None
    return path


def require_usable(path: Path) -> os.stat_result | None:
    """Check that a start can use the directory as it is, and change nothing.

    Returns:
        Its owner, mode and so on; None if it is missing, and a start can make it.

    Raises:
        DataDirUnusable: the path is not a directory, this process cannot write there, or other users can.
    """
    place = path = path.absolute()
    try:
        while not place.exists():
            place = place.parent
        if not (place.is_dir() and os.access(place, os.W_OK | os.X_OK)):
            raise OSError(0, os.strerror(errno.EACCES if place.is_dir() else errno.ENOTDIR))
        return _require_closed(path.resolve()) if place == path else None
    except OSError as error:
        raise DataDirUnusable(f"The data directory {path} cannot be written: {error.strerror}.") from None


def _require_own(folder: Path) -> None:
    """Check that only this user can write to a directory. If a group can, take this right away if possible.

    Raises:
        DataDirUnusable: every user can write there, or the directory is another user's.
    """
    found = _require_closed(folder)
    if found.st_uid != os.getuid():
        _log.warning("the data directory %s belongs to another user, who can replace its files", folder)
    elif found.st_mode & stat.S_IWGRP and not found.st_mode & stat.S_ISVTX:
        _set_right(folder, found.st_mode & ~(stat.S_IWGRP | stat.S_IWOTH))


def _require_closed(folder: Path) -> os.stat_result:
    """Check that no other user can write to a directory, except for its group.

    Directories of root are accepted, because root can do everything anyway. Root itself may use those of others: a
    container often runs as root in a directory of the host's user.

    Raises:
        DataDirUnusable: every user can write there, or the directory is another user's.
    """
    found = folder.stat()
    if _open_to_all(found):
        raise DataDirUnusable(
            f"Every user of this machine can write to the data directory {folder}: run `chmod o-w {folder}`, "
            "or set QUEUE_TOOL_DATA_DIR to another directory."
        )
    if found.st_uid not in (os.getuid(), 0) and os.getuid():
        raise DataDirUnusable(
            f"The data directory {folder} belongs to another user: set QUEUE_TOOL_DATA_DIR to one of this user's."
        )
    return found


def _open_to_all(found: os.stat_result) -> bool:
    """Return whether every user can replace the files of a directory."""
    return bool(found.st_mode & stat.S_IWOTH) and not found.st_mode & stat.S_ISVTX


def _set_right(folder: Path, mode: int) -> None:
    folder.chmod(stat.S_IMODE(mode))
    _log.warning("other users had rights in %s, which are taken away now", folder)


def make_private(folder: Path) -> None:
    """Create a directory that only this user can enter. If it exists and others can enter it, take this right away.

    Raises:
        DataDirUnusable: another user owns it, or the path is not a directory.
    """
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if found.st_uid != os.getuid() or not stat.S_ISDIR(found.st_mode):
        raise DataDirUnusable(f"{folder} must be a directory of this user.")
    if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        _set_right(folder, found.st_mode & stat.S_IRWXU)


def temporary(path: Path) -> Path | None:
    """Return a folder of the data directory for temporary files if the system has no usable one. Else return None.

    Raises:
        DataDirUnusable: the path is too long for the sockets in such a folder, or the folder cannot be made.
    """
    with contextlib.suppress(FileNotFoundError):
        tempfile.gettempdir()
        return None
    folder = path.absolute() / "tmp"
    if len(os.fsencode(folder)) > LONGEST_FOLDER:
        raise DataDirUnusable(no_room_for_sockets(path))
    try:
        make_private(folder)
    except OSError as error:
        raise DataDirUnusable(f"The data directory {path} cannot be used: {error.strerror}.") from None
    return folder


def no_room_for_sockets(path: Path) -> str:
    """Return the sentence for a data directory with a long path on a system without a temporary directory."""
    return (
        f"The path of the data directory {path} is too long for sockets, and this system has no temporary directory "
        "that can be written: set QUEUE_TOOL_DATA_DIR to a shorter path, or TMPDIR to a directory."
    )


def owner(path: Path) -> int | None:
    """Return the pid of the process that runs a whole system here, or was the last to do so. None if it is unknown."""
    try:
        return int(files.read(path / LOCK))
    except (OSError, ValueError):
        return None


class Ownership:
    """The right to run a whole system in a data directory. It ends when the process ends."""

    def __init__(self, data_dir: Path) -> None:
        """Acquire the right.

        Raises:
            DataDirInUse: another process has the right. The message names it.
            DataDirUnusable: the lock file cannot be opened, or is a symbolic link.
        """
        try:
            self._file = files.open_here(data_dir / LOCK, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            reason = f"its {LOCK} is a symbolic link" if error.errno == errno.ELOOP else error.strerror
            raise DataDirUnusable(f"The data directory {data_dir} cannot be used: {reason}.") from None
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
