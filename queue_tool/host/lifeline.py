"""The lifeline: a pipe by which a process learns that its owner is gone, however it went.

The owner keeps the writing end and never writes. When the owner ends, kill -9 included, the kernel closes that
end and every holder of the reading end wakes up.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

VARIABLE = "QUEUE_TOOL_LIFELINE"
"""Environment variable that tells a child which file descriptor is its reading end."""


class Lifeline:
    """Both ends, as the owner holds them."""

    def __init__(self) -> None:
        """Open the pipe; neither end is inherited unless it is passed on by name."""
        self.reading, self._writing = os.pipe()

    def pass_on(self) -> None:
        """Let every child inherit the reading end, also those that somebody else starts."""
        os.set_inheritable(self.reading, True)

    def keep_reading_only(self) -> None:
        """Close the writing end that a child of a fork has inherited, so that only the owner holds one."""
        os.close(self._writing)

    def cut(self) -> None:
        """Let go, as the owner's death would."""
        os.close(self._writing)
        os.close(self.reading)


def watch(descriptor: int, then: Callable[[], None]) -> None:
    """Call a function, in a thread of its own, when the owner is gone."""

    def wait() -> None:
        while os.read(descriptor, 1):
            pass
        then()

    threading.Thread(target=wait, name="lifeline", daemon=True).start()
