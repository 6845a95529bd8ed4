"""Wait: until a task or a batch has ended, or a message has come.

One thread queries for all waits, and only if the database has changed.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from queue_tool.errors import StoreAway
from queue_tool.store import Store

_log = logging.getLogger("queue_tool.services.wait")

POLL_EVERY = 0.02
"""Seconds between two checks whether the database has changed."""

SHARE_OF_A_TASK = 8
"""An eighth of the waits may be for one task: whoever knows its token can ask for them, even without an API key."""

OnLeave = Callable[[Callable[[], None]], None]
"""Registers a function that is called when the caller does not need the answer any more."""


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter:
    """A caller that waits for the end of a task or a batch, or for a message."""

    id: str
    of: str  # "tasks", "batches" or "queues"
    done: threading.Event = field(default_factory=threading.Event)


class Wait:
    """Lets callers wait for the end of tasks and batches, and for messages.

    The watcher thread runs only while a caller waits.
    """

    def __init__(self, store: Store, limit: int) -> None:
        """Prepare; at most `limit` callers may wait at once, and an eighth of them for one task."""
        self._store = store
        self._limit = limit
        self._limit_of_task = max(1, limit // SHARE_OF_A_TASK)
        self._waiters: set[_Waiter] = set()
        self._lock = threading.Lock()
        self._query_now = threading.Event()
        self._has_watcher = False
        self._released = False

    def task(self, token: str, seconds: float, on_leave: OnLeave | None = None) -> bool:
        """Wait until a task has ended, the time is over, or the caller leaves.

        Returns:
            False, at once, if too many callers wait already.
        """
        return self._until_over(_Waiter(token, "tasks"), seconds, on_leave)

    def batch(self, public_id: str, seconds: float, on_leave: OnLeave | None = None) -> bool:
        """Wait until a batch has ended, the time is over, or the caller leaves.

        Returns:
            False, at once, if too many callers wait already.
        """
        return self._until_over(_Waiter(public_id, "batches"), seconds, on_leave)

    def message(self, queue: str, seconds: float, on_leave: OnLeave | None = None) -> bool:
        """Wait until a message may be in a message queue, the time is over, or the caller leaves.

        Returns:
            False, at once, if too many callers wait already.
        """
        return self._until_over(_Waiter(queue, "queues"), seconds, on_leave)

    def release(self) -> None:
        """End all waits, and refuse new ones: this process is about to end."""
        with self._lock:
            self._released = True
            for waiter in self._waiters:
                waiter.done.set()
            self._query_now.set()

    def _until_over(self, waiter: _Waiter, seconds: float, on_leave: OnLeave | None) -> bool:
        try:
            if not self._enter(waiter):
                return False
            if on_leave is not None:
                on_leave(waiter.done.set)
            waiter.done.wait(seconds)
        finally:
            with self._lock:
                self._waiters.discard(waiter)
        return True

    def _enter(self, waiter: _Waiter) -> bool:
        """Let a waiter in, and make sure that a watcher runs. Return False if the waiter cannot wait now."""
        with self._lock:
            if self._released or self._is_full(waiter):
                return False
            self._waiters.add(waiter)
            self._query_now.set()  # it may have ended already
            if not self._has_watcher:
                try:
                    threading.Thread(target=self._watch, name="watcher", daemon=True).start()
                except (RuntimeError, MemoryError) as error:  # the process has no room for another thread
                    _log.warning("a request cannot wait and is answered at once: %s", error)
                    return False
                self._has_watcher = True
        return True

    def _is_full(self, waiter: _Waiter) -> bool:
        if waiter.of == "tasks":
            same = sum(other.id == waiter.id for other in self._waiters)
            return same >= self._limit_of_task or len(self._waiters) >= self._limit
        return len(self._waiters) >= self._limit

    def _watch(self) -> None:
        """Query for all waits when the database has changed or a wait has begun, until no caller waits."""
        changes = self._store.changes()
        seen = None
        try:
            while self._is_needed():
                if self._query_now.wait(POLL_EVERY):
                    self._query_now.clear()
                    seen = None
                with contextlib.suppress(StoreAway):  # the next poll tries again
                    version = changes.version()
                    if version != seen:
                        self._release_over()
                    seen = version  # read before the query: a change during the query leads to another query
        except BaseException:
            self._lose_watcher()
            raise
        finally:
            changes.close()

    def _lose_watcher(self) -> None:
        """End all waits, because nobody watches for them any more. The next wait starts another watcher."""
        with self._lock:
            self._has_watcher = False
            for waiter in self._waiters:
                waiter.done.set()

    def _is_needed(self) -> bool:
        with self._lock:
            self._has_watcher = bool(self._waiters) and not self._released
            return self._has_watcher

    def _release_over(self) -> None:
        with self._lock:
            waiters = list(self._waiters)
        for kind, over in (
            ("tasks", self._store.tasks.ended),
            ("batches", self._store.batches.ended),
            ("queues", self._store.message_queues.ready),
        ):
            self._release([waiter for waiter in waiters if waiter.of == kind], over)

    def _release(self, waiters: list[_Waiter], over: Callable[[list[str]], set[str]]) -> None:
        """Release those of the waiters whose wait is over, as the function returns it for their ids."""
        found = over(list({waiter.id for waiter in waiters})) if waiters else set()
        for waiter in waiters:
            if waiter.id in found:
                waiter.done.set()
