"""The owner: this process as the store knows it, under an id that its tasks carry while they run here."""

from __future__ import annotations

import logging
import os
import threading

from queue_tool.errors import StoreAway
from queue_tool.host import processes
from queue_tool.model.clock import Clock
from queue_tool.store import Process, Store

_log = logging.getLogger("queue_tool.services.owner")

BEAT_EVERY = 5.0
"""Seconds between two heartbeats."""


class Owner:
    """Registers this process when it is first asked for, and beats from a thread of its own."""

    def __init__(self, store: Store, kind: str, clock: Clock, name: str = "") -> None:
        """Prepare; nothing is registered yet."""
        self._store = store
        self._kind = kind
        self._clock = clock
        self._name = name
        self._id: int | None = None
        self._lock = threading.Lock()
        self._left = threading.Event()

    def id(self) -> int:
        """Return the id under which this process may claim tasks.

        Raises:
            StoreAway: it cannot be registered now.
        """
        known = self._id
        if known is not None:  # without the lock: a heartbeat may hold it for as long as the database is locked
            return known
        with self._lock:
            if self._id is None:
                self._id = self._register()
                threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()
            return self._id

    def leave(self) -> None:
        """Say that this process holds nothing any more."""
        self._left.set()
        with self._lock:
            if self._id is not None:
                self._store.workers.mark_gone([self._id], self._clock.now())
                self._id = None

    def _register(self) -> int:
        return self._store.workers.register(describe(self._kind, self._name), self._clock.now())

    def _beat(self) -> None:
        while not self._left.wait(BEAT_EVERY):
            try:
                with self._lock:
                    if self._id is not None and not self._store.workers.beat(self._id):
                        self._id = self._register()  # given up for dead: what it holds is somebody else's now
            except StoreAway as error:
                _log.warning("the heartbeat missed a beat: %s", error.reason)
            except Exception:  # noqa: BLE001 - a heart that stops for a mistake of ours would give all tasks away
                _log.exception("the heartbeat missed a beat")


def describe(kind: str, name: str = "") -> Process:
    """Return this process in the words of the store."""
    return Process(
        kind=kind,
        host=processes.host(),
        machine=processes.machine(),
        pid=os.getpid(),
        pid_started=processes.own_pid_started(),
        name=name,
    )


def lives_here(process: Process) -> bool | None:
    """Tell whether a process of this machine lives; None for one of another machine."""
    if process.machine != processes.machine():
        return None
    return processes.is_alive(process.pid, process.pid_started)
