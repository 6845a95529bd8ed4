"""The doorbell: a pipe through which short-lived processes report their start to a process that stays."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

VARIABLE = "QUEUE_TOOL_DOORBELL"
"""Environment variable with the file descriptor of a process's end of the pipe."""


class Doorbell:
    """Both ends of the pipe. The parent of both kinds of processes makes them."""

    def __init__(self) -> None:
        """Open the pipe. A child inherits an end only if it is passed on explicitly."""
        self.reading, self.writing = os.pipe()

    def let_children_ring(self) -> None:
        """Let every child inherit the writing end, also children that other code starts."""
        os.set_inheritable(self.writing, True)


def ring(descriptor: int) -> None:
    """Report the start of this process. It does not matter whether another process listens."""
    try:
        os.write(descriptor, b".")
    except OSError:  # the listener has ended
        return


def hear(descriptor: int, then: Callable[[], None]) -> None:
    """Call `then` in a new thread at each ring except the first, which comes from the initial start."""

    def listen() -> None:
        heard = 0
        while rings := os.read(descriptor, 64):
            heard += len(rings)
            if heard > 1:
                then()

    threading.Thread(target=listen, name="doorbell", daemon=True).start()
