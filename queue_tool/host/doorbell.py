"""The doorbell: a pipe by which processes that come and go tell one that stays that they have come."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

VARIABLE = "QUEUE_TOOL_DOORBELL"
"""Environment variable that tells a process the file descriptor of its end."""


class Doorbell:
    """Both ends, as they are made by the parent of those who ring and of the one who hears."""

    def __init__(self) -> None:
        """Open the pipe; neither end is inherited unless it is passed on by name."""
        self.reading, self.writing = os.pipe()

    def let_children_ring(self) -> None:
        """Let every child inherit the end that rings, also those that somebody else starts."""
        os.set_inheritable(self.writing, True)


def ring(descriptor: int) -> None:
    """Say that one has come; whether anybody hears it does not matter."""
    try:
        os.write(descriptor, b".")
    except OSError:  # nobody is there any more
        return


def hear(descriptor: int, then: Callable[[], None]) -> None:
    """Call a function, in a thread of its own, at every ring but the first, which is that of the start."""

    def listen() -> None:
        heard = 0
        while rings := os.read(descriptor, 64):
            heard += len(rings)
            if heard > 1:
                then()

    threading.Thread(target=listen, name="doorbell", daemon=True).start()
