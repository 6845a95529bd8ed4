"""The generation of a SQLite file: tells whether the file at the path is the one that the system used last.

Each start writes a new random number into the file's header (`user_version`), and into a small file beside it. Another
file that is put at the path by hand has another number. SQLite would replay the `-wal` file of the old database into
it, so such a file is found before SQLite opens it. What is compared is the file itself, without its `-wal`.

A copy that SQLite made since the last start has the same number. But `VACUUM INTO` writes a file that is not in WAL
mode, and the backup API writes a low schema version. VACUUM in place only raises the schema version, and is allowed.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

SUFFIX = "-generation"
"""The suffix of the file beside the database."""

DESCRIPTORS = Path("/dev/fd")
"""The directory that lists the open descriptors of this process, on Linux and on macOS."""

_MAGIC = b"SQLite format 3\0"
_BYTES = 100
_WAL = b"\2\2"


class FileReplaced(OSError):
    """The file at the database's path is not the one that the system used last. The text says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What the first page of a SQLite file says about it (sqlite.org/fileformat.html)."""

    generation: int
    schema_version: int
    is_wal: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What the header must say."""

    generations: tuple[int, ...]  # two while a new one is being written
    schema_version: int  # the lowest one

    def fits(self, header: Header | None) -> bool:
        """Return whether a file with this header is the one that the system used last."""
        return (
            header is not None
            and header.is_wal
            and header.generation in self.generations
            and header.schema_version >= self.schema_version
        )


def new_generation() -> int:
    """Return a random number that fits into the header. A file that no system uses has 0."""
    return 1 + secrets.randbelow(2**31 - 1)


def beside(path: Path, suffix: str) -> Path:
    """Return the path of a file that belongs to a database file."""
    return path.with_name(path.name + suffix)


def read_mark(path: Path) -> Mark | None:
    """Return the mark beside a database file. None if there is none, or if it is damaged: then any file fits."""
    try:
        numbers = [int(word) for word in beside(path, SUFFIX).read_text("ascii").split()]
        return Mark(generations=tuple(numbers[1:]), schema_version=numbers[0])
    except (OSError, ValueError, IndexError):
        return None


def write_mark(path: Path, mark: Mark) -> None:
    """Write the mark beside a database file, all or nothing, and wait until it is on the disk.

    Raises:
        OSError: it cannot be written.
    """
    new = beside(path, f"{SUFFIX}.{os.getpid()}")
    text = " ".join(str(number) for number in (mark.schema_version, *mark.generations))
    with contextlib.suppress(FileNotFoundError):
        new.unlink()
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, f"{text}\n".encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    new.rename(beside(path, SUFFIX))
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Wait until the names in a directory are on the disk.

    Raises:
        OSError: the directory cannot be opened.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def require_same(path: Path) -> None:
    """Check that the file at the path fits to its mark. Call this before SQLite opens the file.

    Raises:
        FileReplaced: another file is there, or none.
    """
    mark, header = read_mark(path), read_header(path)
    while mark is not None and not mark.fits(header):
        again = read_mark(path)
        if again == mark:
            raise FileReplaced(_sentence(path))
        mark, header = again, read_header(path)  # another process is at its start


def _sentence(path: Path) -> str:
    if not path.exists():
        return (
            f"The database {path} is missing: put it back, or run `queue-tool db restore` with a backup, "
            f"or delete {beside(path, SUFFIX)} to begin with an empty database."
        )
    return (
        f"{path} was put in place by hand, and its -wal file may belong to another database: "
        "move it to another folder, then run `queue-tool db restore` with it."
    )


def read_header(path: Path) -> Header | None:
    """Return the header of a SQLite file. None if there is no such file.

    If this process has the file open, its descriptor is used: to close another one would release SQLite's locks.
    """
    try:
        found = path.stat()
        descriptor = open_descriptor(found)
        if descriptor is not None:
            return header_at(descriptor, found)
        with path.open("rb") as file:
            return _parsed(file.read(_BYTES))
    except OSError:
        return None


def open_descriptor(found: os.stat_result) -> int | None:
    """Return a descriptor of this process that has this file open. None if it has none."""
    with contextlib.suppress(OSError):
        for each in DESCRIPTORS.iterdir():
            if _is_open_at(int(each.name), found):
                return int(each.name)
    return None


def header_at(descriptor: int, found: os.stat_result) -> Header | None:
    """Return the header of the file that is open at a descriptor. None if it is another file now."""
    try:
        read = os.pread(descriptor, _BYTES, 0) if _is_open_at(descriptor, found) else b""
    except OSError:
        return None
    return _parsed(read) if _is_open_at(descriptor, found) else None


def _is_open_at(descriptor: int, found: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), found)
    except OSError:
        return False


def _parsed(read: bytes) -> Header | None:
    if len(read) < _BYTES or not read.startswith(_MAGIC):
        return None
    return Header(
        generation=int.from_bytes(read[60:64]), schema_version=int.from_bytes(read[40:44]), is_wal=read[18:20] == _WAL
    )
