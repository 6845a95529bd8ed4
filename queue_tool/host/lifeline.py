"""The lifeline: a pipe through which a process notices that its owner has ended, for any reason.

The owner keeps the writing end and never writes. When the owner ends, even by kill -9, the kernel closes that end.
Then every process that reads from the other end wakes up.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

VARIABLE = "QUEUE_TOOL_LIFELINE"
"""Environment variable with the file descriptor of a child's reading end."""


class Lifeline:
    """Both ends of the pipe, which the owner holds."""

    def __init__(self) -> None:
        """Open the pipe. A child inherits an end only if it is passed on explicitly."""
        self.reading, self._writing = os.pipe()

    def pass_on(self) -> None:
        """Let every child inherit the reading end, also children that other code starts."""
        os.set_inheritable(self.reading, True)

    def keep_reading_only(self) -> None:
        """Close the writing end in a forked child, so that only the owner holds it."""
        os.close(self._writing)

    def cut(self) -> None:
        """Close both ends, with the same effect as the end of the owner."""
        os.close(self._writing)
        os.close(self.reading)


def watch(descriptor: int, then: Callable[[], None]) -> None:
    """Call `then` in a new thread when the owner has ended."""

    def wait() -> None:
        while os.read(descriptor, 1):
            pass
        then()

    threading.Thread(target=wait, name="lifeline", daemon=True).start()
