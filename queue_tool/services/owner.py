"""The owner: this process, registered in the store. A task carries the owner's id while it runs here."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace

from queue_tool.errors import StoreAway
from queue_tool.host import processes
from queue_tool.model.clock import Clock
from queue_tool.model.heartbeat import Slots
from queue_tool.model.queues import Lane
from queue_tool.model.version import VERSION
from queue_tool.services.measures.measures import Measures
from queue_tool.store import Process, Store

_log = logging.getLogger("queue_tool.services.owner")

BEAT_EVERY = 5.0
"""Seconds between two heartbeats."""


class Owner:
    """Registers this process on first use, and sends heartbeats from a separate thread."""

    def __init__(
        self,
        store: Store,
        kind: str,
        clock: Clock,
        name: str = "",
        *,
        measures: Measures,
        for_parent: bool = False,
    ) -> None:
        """Keep the parameters; nothing is registered yet.

        Args:
            store: where the process is registered.
            kind: what this process is, for people.
            clock: the time of registration and of leaving.
            measures: what this process has counted; each heartbeat stores it.
            name: its name in Redis, if it has one.
            for_parent: whether it is a child that does one job for its parent. All such children of one parent are
                registered as one worker.
        """
        self._store = store
        self._kind = kind
        self._clock = clock
        self._name = name
        self._measures = measures
        self.lanes: Callable[[], Mapping[Lane, Slots] | None] = lambda: None  # returns what each heartbeat says of them
        self._parent = _parent(kind) if for_parent else None
        self._id: int | None = None
        self._lock = threading.Lock()
        self._left = threading.Event()

    def id(self) -> int:
        """Return the id with which this process claims tasks; register the process if needed.

        Raises:
            StoreAway: the process cannot be registered now.
        """
        known = self._id
        if known is not None:  # without the lock: a heartbeat may hold it while the database is locked
            return known
        with self._lock:
            if self._id is None:
                self._id = self._register()
                threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()
            return self._id

    def report(self, trouble: str) -> None:
        """Say why this process cannot do its work, until it ends.

        Raises:
            StoreAway: the database is busy or away.
        """
        with self._lock:
            if self._id is not None:
                self._store.workers.report(self._id, trouble)

    def leave(self) -> None:
        """Stop the heartbeat, and mark this process as gone: it runs no tasks any more."""
        self._left.set()
        with self._lock:
            if self._id is not None:
                if self._measures.has_any:
                    self._beat_once(self._id)
                self._store.workers.mark_gone([self._id], self._clock.now())
                self._id = None

    def hand_over(self) -> None:
        """Stop the heartbeat, and register the parent in place of this process, which runs no tasks any more.

        Do nothing if this process does not work for its parent.
        """
        if self._parent is None:
            return
        self._left.set()
        with self._lock:
            worker, parent = self._id, self._parent
            if worker is not None:
                self._measures.send(lambda heartbeat: self._store.workers.hand_over(worker, parent, heartbeat))
                self._id = None

    def _register(self) -> int:
        return self._store.workers.register(describe(self._kind, self._name), self._clock.now(), self._parent)

    def _beat_once(self, worker: int) -> bool:
        return self._measures.send(
            lambda heartbeat: self._store.workers.beat(worker, replace(heartbeat, lanes=self.lanes()))
        )

    def _beat(self) -> None:
        while not self._left.wait(BEAT_EVERY):
            try:
                with self._lock:
                    if self._id is not None and not self._beat_once(self._id):
                        self._id = self._register()  # the sweeper took it for dead, and took its tasks back
            except StoreAway as error:
                _log.warning("a heartbeat could not be written: %s", error.reason)
            except Exception:  # noqa: BLE001 - if a bug stopped the heartbeat, the sweeper would take all tasks back
                _log.exception("a heartbeat could not be written")


def describe(kind: str, name: str = "") -> Process:
    """Return this process as the store records it."""
    return Process(
        kind=kind,
        host=processes.host(),
        machine=processes.machine(),
        pid=os.getpid(),
        pid_started=processes.own_pid_started(),
        name=name,
        version=VERSION,
    )


def _parent(kind: str) -> Process | None:
    """Return the parent of this process as the store records it. None if it has just ended."""
    pid = os.getppid()
    started = processes.started(pid)
    return None if started is None else replace(describe(kind), pid=pid, pid_started=started)


def lives_here(process: Process) -> bool | None:
    """Return whether a process of this machine is alive; None for a process of another machine."""
    if process.machine != processes.machine():
        return None
    return processes.is_alive(process.pid, process.pid_started)
