"""The board: memory that a worker shares with one warm process, so that neither has to send the other each detail."""

from __future__ import annotations

import mmap
import os
import struct
import tempfile
from multiprocessing import reduction
from typing import Any

_CALL = struct.Struct("=Qd")
_READS = struct.Struct("=QQ")
_SIZE = mmap.PAGESIZE


class Board:
    """Shows which run the process has begun last, and when, and how often the worker has read the process's output."""

    def __init__(self, descriptor: int | None = None) -> None:
        """Make a new board, or share the one that is in this file."""
        self._descriptor = _new_file() if descriptor is None else descriptor
        self._memory = mmap.mmap(self._descriptor, _SIZE)

    def __reduce__(self) -> tuple[Any, ...]:
        """Let a new process share the board."""
        return _shared, (reduction.DupFd(self._descriptor),)

    def note_call(self, number: int, moment: float) -> None:
        """Show that the process calls the function of the run with this number now (monotonic)."""
        _CALL.pack_into(self._memory, 0, number, moment)

    def last_call(self) -> tuple[int, float]:
        """Return the number of the run that was begun last, and when (monotonic). The number is 0 before the first."""
        while True:
            found = _CALL.unpack_from(self._memory)
            if found == _CALL.unpack_from(self._memory):  # otherwise the process was writing it
                return found

    def note_read(self, stream: int) -> None:
        """Note that output is read: 0 is stdout, 1 is stderr. For each, only one thread at a time may do so."""
        reads = list(self.reads())
        reads[stream] += 1
        struct.pack_into("=Q", self._memory, _CALL.size + 8 * stream, reads[stream])

    def reads(self) -> tuple[int, int]:
        """Return how often stdout and stderr have been read."""
        found: tuple[int, int] = _READS.unpack_from(self._memory, _CALL.size)
        return found

    def close(self) -> None:
        """Close the file. The memory stays while this object does."""
        os.close(self._descriptor)


def _shared(duplicate: Any) -> Board:
    return Board(duplicate.detach())


def _new_file() -> int:
    """Return the descriptor of a file without a name."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("board")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.truncate(descriptor, _SIZE)
    return descriptor
