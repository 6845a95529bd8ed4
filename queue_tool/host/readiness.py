"""Readiness: a pipe through which a child process reports once that its start has succeeded.

The parent reads it when the child has ended. A child that ended without a report could not start.
"""

from __future__ import annotations

import os
from contextlib import suppress

VARIABLE = "QUEUE_TOOL_READINESS"
"""Environment variable with the file descriptor of a child's writing end."""


class Readiness:
    """Both ends of the pipe of one child, which the parent holds."""

    def __init__(self) -> None:
        """Open the pipe. A child inherits an end only if it is passed on explicitly."""
        self._reading, self.writing = os.pipe()
        os.set_blocking(self._reading, False)  # the child's own children may hold the writing end

    def close(self) -> bool:
        """Close both ends. Return whether a report came."""
        try:
            return bool(os.read(self._reading, 1))
        except BlockingIOError:
            return False
        finally:
            os.close(self._reading)
            os.close(self.writing)


def report(descriptor: int) -> None:
    """Report that this process has started. It does not matter whether the parent still lives."""
    with suppress(OSError):
        os.write(descriptor, b".")
