"""Permits: a worker gives its warm process several runs at once, and can take back those that have not begun.

A permit is the number of a run in a pipe from which both read. If the process reads it, the run begins. If the worker
reads it, the run never begins there. The kernel gives each permit to one of them.
"""

from __future__ import annotations

import os
import select
import struct
from collections import deque
from collections.abc import Callable, Iterable
from multiprocessing.connection import Connection
from typing import BinaryIO, NamedTuple

from queue_tool.model import json_text

_PERMIT = struct.Struct("=I")

_MOST_READ = 1024 * _PERMIT.size

RECEIVED = b"ok\n"
"""What the worker writes when it has logged the output of a run. No request and no answer is like this."""


class Request(NamedTuple):
    """What a warm process needs to know of a run. It is sent as a line of JSON, which is an array."""

    number: int  # of the run in its process, from 1
    entry: int  # where the process notes that it has begun the run
    token: str
    attempt: int
    run: int
    task_type: str
    data: str  # JSON text
    parameters: str | None  # JSON text of an object
    timeout: float | None  # seconds
    parent: str | None  # the batch or task that the task continues


class Permits:
    """The worker's side."""

    def __init__(self, reading: Connection, writing: Connection) -> None:
        """Use both ends of a pipe. The process has the reading end, too."""
        os.set_blocking(reading.fileno(), False)
        self._reading = reading
        self._writing = writing

    def give(self, numbers: Iterable[int]) -> None:
        """Let the runs with these numbers begin."""
        os.write(self._writing.fileno(), b"".join(map(_PERMIT.pack, numbers)))

    def take_back(self) -> list[int]:
        """Return the numbers of the runs that have not begun. They never begin there."""
        return _read(self._reading.fileno(), _MOST_READ) or []

    def close(self) -> None:
        """Close the pipe."""
        self._reading.close()
        self._writing.close()


class Requests:
    """The side of the process: the runs that it may begin, and the answers to its questions."""

    def __init__(self, permits: Connection, lines: BinaryIO, idle: Callable[[], object]) -> None:
        """Prepare.

        Args:
            permits: the reading end of the pipe with the permits.
            lines: requests and answers.
            idle: called before this waits for the next run.
        """
        self._permits = permits
        self._lines = lines
        self._idle = idle
        self._early: deque[bytes] = deque()  # requests that arrived before the answer to a question
        self._poll = select.poll()
        self._poll.register(permits.fileno(), select.POLLIN)

    def next(self) -> Request | None:
        """Wait for the next run that may begin. Return None when the worker has ended."""
        number = self._permit()
        while number is not None:
            line = self._early.popleft() if self._early else self._lines.readline()
            if not line:
                break
            request = Request(*json_text.loads(line))  # type: ignore[misc] # our own worker has written it
            if request.number == number:  # the worker has taken the others back
                return request
        return None

    def readline(self) -> bytes:
        """Wait for the next line that is not a request, and return it. Empty: the worker has ended."""
        while (line := self._lines.readline()).startswith(b"["):
            self._early.append(line)
        return line

    def await_receipt(self) -> None:
        """Wait until the worker has logged the output of the last run."""
        while self.readline() not in (RECEIVED, b""):
            pass

    def _permit(self) -> int | None:
        found = _read(self._permits.fileno(), _PERMIT.size)
        if found is None:
            self._idle()
            while found is None:
                self._poll.poll()
                found = _read(self._permits.fileno(), _PERMIT.size)
        return found[0] if found else None


def _read(descriptor: int, most: int) -> list[int] | None:
    """Return the permits in the pipe. None: there are none now. Empty: there will be none."""
    try:
        return [number for (number,) in _PERMIT.iter_unpack(os.read(descriptor, most))]
    except BlockingIOError:
        return None
