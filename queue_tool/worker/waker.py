"""The waker: tells when something has come into an empty list, without asking again and again.

It moves the head of the list to the head of the same list, which blocks until there is one and then changes
nothing; so nothing can be lost here, however this process ends. It must not be asked about a list that is not
empty, since it would answer at once, for ever.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

from redis import Redis
from redis.exceptions import RedisError

from queue_tool.broker import keys
from queue_tool.worker.inbox import Inbox

LONGEST_BLOCK = 60
"""Seconds after which a connection that waits is used again, so that none is taken for dead."""

RETRY_AFTER = 1.0
"""Seconds before Redis is tried again when it was away."""


class Waker:
    """One thread for each list, each with a blocking connection."""

    def __init__(self, redis: Redis, lists: Iterable[str], inbox: Inbox) -> None:
        """Prepare.

        Args:
            redis: a client whose connections may block for longer than `LONGEST_BLOCK`.
            lists: which lists can be watched.
            inbox: gets the name of a list that was watched and has something in it.
        """
        self._redis = redis
        self._inbox = inbox
        self._watched = {name: threading.Event() for name in lists}
        self._closed = threading.Event()

    def start(self) -> None:
        """Start the threads; nothing is watched yet."""
        for name in self._watched:
            threading.Thread(target=self._wait, args=[name], name=f"waker {name}", daemon=True).start()

    def watch(self, name: str) -> None:
        """Tell once when this list has something in it; until then it is watched."""
        self._watched[name].set()

    def close(self) -> None:
        """Watch nothing any more."""
        self._closed.set()
        for watched in self._watched.values():
            watched.set()

    def _wait(self, name: str) -> None:
        key, watched = keys.queue(name), self._watched[name]
        while not self._closed.is_set():
            watched.wait()
            try:
                head = self._redis.blmove(key, key, LONGEST_BLOCK, "LEFT", "LEFT")
            except (RedisError, ValueError):  # ValueError: the connection was closed in the middle
                if self._closed.wait(RETRY_AFTER):
                    return
                head = b"?"  # it may have come meanwhile
            if head is not None and not self._closed.is_set():
                watched.clear()
                self._inbox.filled(name)
