"""Queues, lanes, and the lists of RQ that tickets wait in: one for each queue and lane.

A queue is a priority, under the name that RQ's tools know: `high`, `default`, `low`. A lane is how a function is run.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum


class Priority(StrEnum):
    """Which tasks go first. The value is what users write."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"

    @property
    def queue(self) -> str:
        """Return the name of the queue, as RQ knows it."""
        return "default" if self is Priority.NORMAL else self.value


class Lane(StrEnum):
    """How a task's function is run, which decides the list that its ticket waits in."""

    LOOP = "loop"  # `async def`
    THREADS = "threads"  # a plain function
    ISOLATED = "isolated"  # in a process of its own, which can be killed

    def list_of(self, queue: str) -> str:
        """Return the name of the list for this lane of a queue."""
        return queue if self is Lane.LOOP else f"{queue}.{self.value}"


LISTS = tuple(lane.list_of(priority.queue) for priority in Priority for lane in Lane)
"""Every list that tickets wait in, the most urgent first."""


def lane_and_queue(name: str) -> tuple[Lane, str]:
    """Return the lane and the queue that a list belongs to."""
    queue, _, lane = name.rpartition(".")
    return (Lane(lane), queue) if queue and lane in (Lane.THREADS, Lane.ISOLATED) else (Lane.LOOP, name)


def lists_of(names: Sequence[str]) -> list[str]:
    """Return every list of the queues that are named, the most urgent first; a list that is named stays alone."""
    found = [
        each
        for name in names
        for each in ([name] if name != lane_and_queue(name)[1] else [lane.list_of(name) for lane in Lane])
    ]
    return list(dict.fromkeys(found))
