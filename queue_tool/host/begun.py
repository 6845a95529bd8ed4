"""What a worker has begun: the tickets whose functions it has called, in a mapped file that survives `kill -9`.

A worker may hold hundreds of tasks whose functions it has not called yet. If it dies, only those that it had called
can be the cause. The kernel keeps what was written to a mapped file, whatever becomes of the process that wrote it.
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
import struct
from collections.abc import Callable
from multiprocessing import reduction
from pathlib import Path
from typing import Any, Protocol

from queue_tool.errors import DataDirUnusable
from queue_tool.host import files, processes
from queue_tool.host.data_dir import make_private

FOLDER = "begun"

_ENTRY = struct.Struct("64s")
"""One ticket's id, filled with zero bytes. The longest has 51 characters. A first byte of zero marks a free entry."""


class Entries(Protocol):
    """Where the slots of one lane note what they have begun. A process that `multiprocessing` starts can get it, too.

    Each function that a slot may have begun has an entry of its own.
    """

    def note(self, slot: int, ticket: str) -> None:
        """Note that the function of this ticket is called now."""

    def clear(self, slot: int) -> None:
        """Note that the function has returned."""


class _Nowhere:
    """Notes nothing."""

    def note(self, slot: int, ticket: str) -> None:
        """Do nothing."""

    def clear(self, slot: int) -> None:
        """Do nothing."""


NOWHERE: Entries = _Nowhere()


class _Mapped:
    """A part of the mapped file."""

    def __init__(self, mapped: mmap.mmap, descriptor: int, first: int) -> None:
        self._mapped = mapped
        self._descriptor = descriptor
        self._first = first

    def __reduce__(self) -> tuple[Any, ...]:
        """Let a new process map the same file, even if it cannot open it by its path."""
        return _mapped_again, (reduction.DupFd(self._descriptor), self._first)

    def note(self, slot: int, ticket: str) -> None:
        _ENTRY.pack_into(self._mapped, self._first + slot * _ENTRY.size, ticket.encode())

    def clear(self, slot: int) -> None:
        self._mapped[self._first + slot * _ENTRY.size] = 0


def _mapped_again(duplicate: Any, first: int) -> _Mapped:
    descriptor = duplicate.detach()
    return _Mapped(mmap.mmap(descriptor, 0), descriptor, first)


class Begun:
    """The mapped file of this process."""

    def __init__(self, data_dir: Path, slots: int) -> None:
        """Create the file. Its whole size is written, since a full disk would kill a process that writes to a hole.

        Args:
            data_dir: the data directory.
            slots: how many functions this process may call at the same time, in all its lanes.

        Raises:
            OSError: the file cannot be written or mapped.
            DataDirUnusable: the folder is not one of this user's.
        """
        make_private(data_dir / FOLDER)
        self._path = _path(data_dir, processes.machine(), os.getpid(), processes.own_pid_started())
        files.write(self._path, bytes(slots * _ENTRY.size))
        self._descriptor = files.open_here(self._path, os.O_RDWR)
        try:
            self._mapped = mmap.mmap(self._descriptor, slots * _ENTRY.size)
        except BaseException:
            os.close(self._descriptor)
            raise
        self._given = 0

    def entries(self, slots: int) -> Entries:
        """Return the next so many entries, for one lane."""
        first, self._given = self._given, self._given + slots * _ENTRY.size
        return _Mapped(self._mapped, self._descriptor, first)

    def remove(self) -> None:
        """Remove the file, because this process holds nothing any more. It stays mapped, for a function that stays."""
        self._path.unlink(missing_ok=True)


def create(data_dir: Path, slots: int, warn: Callable[[str], object]) -> Begun | None:
    """Return the mapped file of this process; None, after a warning, if it cannot be made."""
    try:
        return Begun(data_dir, slots)
    except (OSError, ValueError, DataDirUnusable) as error:
        reason = error.sentence if isinstance(error, DataDirUnusable) else str(error)
        warn(f"what this worker begins cannot be noted, so it takes no task before a slot is free: {reason}")
        return None


class BegunFiles:
    """The mapped files of other processes."""

    def __init__(self, data_dir: Path) -> None:
        """Look in this data directory."""
        self._data_dir = data_dir

    def read(self, machine: str, pid: int, pid_started: str) -> frozenset[str] | None:
        """Return the tickets whose functions a process of this machine had called when it died.

        None if that is not known: it ran on another machine or before a restart, or it notes nothing.
        """
        if machine != processes.machine():
            return None
        try:
            found = files.read(_path(self._data_dir, machine, pid, pid_started))
        except OSError:
            return None
        whole = len(found) - len(found) % _ENTRY.size
        entries = (entry.partition(b"\0")[0] for (entry,) in _ENTRY.iter_unpack(found[:whole]))
        return frozenset(entry.decode("ascii", "replace") for entry in entries if entry)

    def remove(self, machine: str, pid: int, pid_started: str) -> None:
        """Remove the file of a process whose tasks were taken back, if there is one."""
        with contextlib.suppress(OSError):
            _path(self._data_dir, machine, pid, pid_started).unlink(missing_ok=True)


def _path(data_dir: Path, machine: str, pid: int, pid_started: str) -> Path:
    """Return the file of a process. Processes of several machines may share the data directory."""
    name = hashlib.sha256(f"{machine} {pid} {pid_started}".encode()).hexdigest()[:32]
    return data_dir / FOLDER / name
