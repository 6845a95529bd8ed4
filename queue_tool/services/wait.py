"""Wait: until a task or a batch has ended. One thread asks for everybody, and only when the database has changed."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from queue_tool.errors import StoreAway
from queue_tool.store import Store

LOOK_EVERY = 0.02
"""Seconds between two looks at whether the database has changed."""


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter:
    """Somebody who waits for the end of what has this id."""

    id: str
    of: str  # "tasks" or "batches"
    over: threading.Event = field(default_factory=threading.Event)


class Wait:
    """The service, with those who wait at the moment. The thread that asks for them lives while there are any."""

    def __init__(self, store: Store, most: int) -> None:
        """Start with nobody; at most `most` may wait at once."""
        self._store = store
        self._most = most
        self._waiters: set[_Waiter] = set()
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._is_watched = False
        self._released = False

    def task(self, token: str, seconds: float) -> bool:
        """Wait until a task has ended, or the time is over; False at once if no more may wait."""
        return self._until_over(_Waiter(token, "tasks"), seconds)

    def batch(self, public_id: str, seconds: float) -> bool:
        """Wait until a batch has ended, or the time is over; False at once if no more may wait."""
        return self._until_over(_Waiter(public_id, "batches"), seconds)

    def release(self) -> None:
        """Let everyone go, and nobody wait any more: this process is about to end."""
        with self._lock:
            self._released = True
            for waiter in self._waiters:
                waiter.over.set()
            self._news.set()

    def _until_over(self, waiter: _Waiter, seconds: float) -> bool:
        with self._lock:
            if self._released or len(self._waiters) >= self._most:
                return False
            self._waiters.add(waiter)
            self._news.set()  # it is asked for at once: its end may have come before
            if not self._is_watched:
                threading.Thread(target=self._watch, name="watcher", daemon=True).start()
                self._is_watched = True
        try:
            waiter.over.wait(seconds)
        finally:
            with self._lock:
                self._waiters.discard(waiter)
        return True

    def _watch(self) -> None:
        """Ask for all who wait whenever the database has changed or somebody has come, until nobody is left."""
        changes = self._store.changes()
        seen = None
        try:
            while self._is_needed():
                if self._news.wait(LOOK_EVERY):
                    self._news.clear()
                    seen = None
                with contextlib.suppress(StoreAway):  # a later look will tell
                    version = changes.version()
                    if version != seen:
                        self._tell_the_ended()
                    seen = version  # as it was before the question: what changed since is asked for again
        except BaseException:
            with self._lock:
                self._is_watched = False  # the next one who waits starts another thread
            raise
        finally:
            changes.close()

    def _is_needed(self) -> bool:
        with self._lock:
            self._is_watched = bool(self._waiters) and not self._released
            return self._is_watched

    def _tell_the_ended(self) -> None:
        with self._lock:
            waiters = list(self._waiters)
        self._tell([waiter for waiter in waiters if waiter.of == "tasks"], self._store.tasks.ended)
        self._tell([waiter for waiter in waiters if waiter.of == "batches"], self._store.batches.ended)

    def _tell(self, waiters: list[_Waiter], ended: Callable[[list[str]], set[str]]) -> None:
        over = ended([waiter.id for waiter in waiters]) if waiters else set()
        for waiter in waiters:
            if waiter.id in over:
                waiter.over.set()
