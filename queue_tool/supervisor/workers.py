"""The workers of the supervisor: as many children as are wanted, and those that were dismissed and still drain."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import count

from queue_tool.model import events
from queue_tool.model.telemetry import Telemetry
from queue_tool.supervisor.child import Child, Process, kill_if_running, terminate

KILL_AFTER = 5.0
"""Seconds that a child gets beyond its own stop time before it is killed."""

MOST_LEAVING = 2
"""Dismissed processes of a worker that may drain at the same time. If there are more, the oldest one stops at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How many workers there should be."""

    number: int
    idlest: Sequence[int] = ()  # pids of workers, those that do the least first: these are removed first


class Workers:
    """The workers. Only the supervisor's main thread changes them."""

    def __init__(self, make: Callable[[str], Child], restart: Callable[[Child], None], telemetry: Telemetry) -> None:
        """Start without workers.

        Args:
            make: returns a new child with this name, which has not been started.
            restart: starts a child; if that fails, it tries again later.
            telemetry: receives the events.
        """
        self._make = make
        self._restart = restart
        self._telemetry = telemetry
        self.present: list[Child] = []
        self.leaving: list[Child] = []  # the oldest first

    def pids(self) -> Collection[int]:
        """Return the pids of the workers that run and were not dismissed. Any thread may ask."""
        return {process.pid for child in tuple(self.present) if (process := child.process) is not None}

    def add(self) -> Child:
        """Return one more worker, which has not been started."""
        names = {child.name for child in self.present}
        free = next(name for number in count(1) if (name := f"worker-{number}") not in names)
        self.present.append(self._make(free))
        return self.present[-1]

    def resize(self, size: Size) -> None:
        """Start workers until there are so many, or let the idlest ones drain and end, all at the same time."""
        while len(self.present) > size.number:
            self._remove(self._idlest(size.idlest))
        while len(self.present) < size.number:
            child = self.add()
            child.proved = True  # the system works without it: it never stops the whole system
            self._restart(child)

    def renew(self) -> None:
        """Start a worker with the new code in the place of each worker. The old ones drain beside the new ones."""
        for place, old in enumerate(self.present):
            if old.process is None:  # dead: its restart, which is due soon, loads the new code
                continue
            self.present[place] = self._make(old.name)
            self.present[place].proved = old.proved
            self._telemetry.emit(events.ChildReplaced(child=old.name))
            self._dismiss(old, old.process)
            self._restart(self.present[place])

    def _idlest(self, pids: Sequence[int]) -> Child:
        """Return a dead worker, else the one that does the least, else the last one."""
        by_pid = {child.process.pid if child.process else None: child for child in self.present}
        return next((by_pid[pid] for pid in (None, *pids) if pid in by_pid), self.present[-1])

    def _remove(self, child: Child) -> None:
        self.present.remove(child)
        self._telemetry.emit(events.ChildRemoved(child=child.name))
        child.dismissed = True
        if child.process is not None:  # else it is dead, and is not started again
            self._dismiss(child, child.process)

    def _dismiss(self, child: Child, process: Process) -> None:
        """Let a worker drain and end for good. It gets as much time as when everything stops."""
        child.dismissed = True
        terminate(child, process)
        too_late = threading.Timer(child.patience + KILL_AFTER, kill_if_running, [child, process])
        too_late.daemon = True
        too_late.start()
        self.leaving.append(child)
        same = [each for each in self.leaving if each.name == child.name]
        for each in same[:-MOST_LEAVING]:
            if each.process is not None:
                terminate(each, each.process)  # a worker that is told a second time does not wait for its tasks
