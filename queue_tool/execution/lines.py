"""The lines that arrive in a pipe, read without waiting."""

from __future__ import annotations

import os
import select

CHUNK = 1 << 16
"""Bytes that one read takes: as many as a pipe holds on Linux."""


class Lines:
    """The reading end of a pipe. A line may be incomplete for any time, and nothing waits for its rest."""

    def __init__(self, descriptor: int) -> None:
        """Read from this file descriptor, which stays open."""
        self._descriptor = descriptor
        self._parts: list[bytes] = []
        self.has_ended = False  # no process has the writing end any more
        os.set_blocking(descriptor, False)

    @property
    def is_incomplete(self) -> bool:
        """Return whether a part of a line has arrived, and its end has not."""
        return any(self._parts)

    def read(self) -> list[bytes] | None:
        """Return the lines that one read completes, without their ends. None if there is nothing to read now."""
        try:
            chunk = os.read(self._descriptor, CHUNK)
        except BlockingIOError:
            return None
        if not chunk:
            self.has_ended = True
            return None
        *lines, rest = chunk.split(b"\n")
        if lines:
            lines[0] = b"".join([*self._parts, lines[0]])
            self._parts = []
        self._parts.append(rest)
        return lines


def write(descriptor: int, line: bytes) -> None:
    """Write a line that contains no newline, and its end. Wait while the pipe is full.

    A short line is written at once, so that lines of several processes do not mix.
    """
    for part in (line + b"\n",) if len(line) < select.PIPE_BUF else (line, b"\n"):
        left = memoryview(part)
        while left:
            left = left[os.write(descriptor, left) :]
