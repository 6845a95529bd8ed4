"""The waker: reports when an empty list gets a ticket, without polling.

It moves the head of a list to the head of the same list. This command blocks until the list has an element, and then
changes nothing. So no ticket is lost, however this process ends. Do not watch a list that is not empty: the waker
would report it at once, forever.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

from redis import Redis
from redis.exceptions import RedisError

from queue_tool.broker import keys
from queue_tool.worker.inbox import Inbox

LONGEST_BLOCK = 60
"""Seconds after which a blocked command ends and is sent again, so that the idle connection is not closed as dead."""

RETRY_AFTER = 1.0
"""Seconds before the waker tries Redis again after a failure."""


class Waker:
    """Runs one thread per list, each with a blocking connection."""

    def __init__(self, redis: Redis, lists: Iterable[str], inbox: Inbox) -> None:
        """Prepare.

        Args:
            redis: a client whose timeout is longer than `LONGEST_BLOCK`.
            lists: the lists that can be watched.
            inbox: receives the name of a watched list that got a ticket.
        """
        self._redis = redis
        self._inbox = inbox
        self._watched = {name: threading.Event() for name in lists}
        self._closed = threading.Event()

    def start(self) -> None:
        """Start the threads. They watch nothing yet."""
        for name in self._watched:
            threading.Thread(target=self._wait, args=[name], name=f"waker {name}", daemon=True).start()

    def watch(self, name: str) -> None:
        """Watch this list until it has a ticket, and report that once."""
        self._watched[name].set()

    def close(self) -> None:
        """Stop watching."""
        self._closed.set()
        for watched in self._watched.values():
            watched.set()

    def _wait(self, name: str) -> None:
        key, watched = keys.queue(name), self._watched[name]
        while not self._closed.is_set():
            watched.wait()
            try:
                head = self._redis.blmove(key, key, LONGEST_BLOCK, "LEFT", "LEFT")
            except (RedisError, ValueError):  # ValueError: the connection was closed during the call
                if self._closed.wait(RETRY_AFTER):
                    return
                head = b"?"  # a ticket may have arrived in the meantime
            if head is not None and not self._closed.is_set():
                watched.clear()
                self._inbox.filled(name)
