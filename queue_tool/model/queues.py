"""Queues, lanes and lists. Each pair of a queue and a lane has one list, which is an RQ queue of tickets.

A queue is a priority under the name that RQ's tools show: `high`, `default`, `low`. A lane is how a function runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum


class Priority(StrEnum):
    """The priority of a task, under the name that clients use."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"

    @property
    def queue(self) -> str:
        """Return the queue's name in RQ."""
        return "default" if self is Priority.NORMAL else self.value


class Lane(StrEnum):
    """How a task's function runs. It decides which list the ticket waits in."""

    LOOP = "loop"  # `async def`
    THREADS = "threads"  # a plain function
    ISOLATED = "isolated"  # in a separate process, which can be killed

    def list_of(self, queue: str) -> str:
        """Return the name of the list for this lane of a queue."""
        return queue if self is Lane.LOOP else f"{queue}.{self.value}"


LISTS = tuple(lane.list_of(priority.queue) for priority in Priority for lane in Lane)
"""Every list of tickets, the most urgent first."""


def lane_and_queue(name: str) -> tuple[Lane, str]:
    """Return the lane and the queue of a list."""
    queue, _, lane = name.rpartition(".")
    return (Lane(lane), queue) if queue and lane in (Lane.THREADS, Lane.ISOLATED) else (Lane.LOOP, name)


def lists_of(names: Sequence[str]) -> list[str]:
    """Return the lists that these names mean, in the order of the names, without duplicates.

    Args:
        names: names of queues or of lists. A queue means its lists of all lanes; a list with a lane means itself.
    """
    found = [
        list_name
        for name in names
        for list_name in ([name] if name != lane_and_queue(name)[1] else [lane.list_of(name) for lane in Lane])
    ]
    return list(dict.fromkeys(found))
