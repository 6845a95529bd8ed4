"""Looking up the addresses of a name within a deadline."""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue

from queue_tool.delivery.deadline import Deadline
from queue_tool.model.addresses import Address

Resolver = Callable[[str], Sequence[str]]
"""Returns the addresses of a name, as texts. It may take as long as it likes; an OSError says that there are none."""

MOST_AT_ONCE = 32
"""Look-ups of one sender at the same time, with those that nobody waits for any more."""


class NotFound(Exception):
    """The name has no address, or the system cannot look it up now."""


class Lookup:
    """Looks up names, each in a thread of its own: the system's function cannot be interrupted."""

    def __init__(self, resolver: Resolver) -> None:
        """Use this resolver."""
        self._resolver = resolver
        self._free = threading.BoundedSemaphore(MOST_AT_ONCE)

    def addresses(self, name: str, deadline: Deadline) -> list[Address]:
        """Return all addresses of a name, at least one.

        Raises:
            NotFound: it has none.
            TimeoutError: the deadline has passed.
        """
        answer = SimpleQueue[list[Address]]()
        if not self._free.acquire(timeout=deadline.left()):
            raise TimeoutError
        threading.Thread(target=self._run, args=(name, answer), name="lookup", daemon=True).start()
        try:
            found = answer.get(timeout=deadline.left())
        except Empty:
            raise TimeoutError from None
        if not found:
            raise NotFound
        return found

    def _run(self, name: str, answer: SimpleQueue[list[Address]]) -> None:
        found: list[Address] = []
        try:
            found = [ipaddress.ip_address(text) for text in self._resolver(name)]
        except (OSError, ValueError):  # not known; or a name that cannot be written in a query
            found = []
        finally:
            self._free.release()
            answer.put(found)


def of_system(name: str) -> list[str]:
    """Return the addresses that this machine finds for a name: in its own files, or by asking a name server."""
    return [str(place[0]) for *_, place in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)]
