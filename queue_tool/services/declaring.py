"""Declaring: the start of a process brings the schedules in its code into the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from queue_tool.model.clock import Clock
from queue_tool.model.task_types import TaskTypes
from queue_tool.model.telemetry import Telemetry
from queue_tool.store import Store

if TYPE_CHECKING:
    from queue_tool.services.declared_schedules import DeclaredSchedules

DECLARING = ("web", "worker", "sweeper")
"""The kinds of processes that do this."""


def declared_schedules(
    kind: str, types: TaskTypes, store: Store, telemetry: Telemetry, clock: Clock, *, judges: bool
) -> DeclaredSchedules | None:
    """Bring the schedules of the task types into the database. Most systems have none, and then nothing is imported.

    Args:
        kind: what this process is.
        types: the task types.
        store: where the schedules are.
        telemetry: receives the events.
        clock: the source of time.
        judges: whether this process checks data against the schemas of the task types.

    Raises:
        BadTaskType: a schedule cannot be used.
        StoreAway: the database is busy or away.
    """
    scheduled = [each for each in types.values() if each.schedule is not None]
    if not scheduled or kind not in DECLARING:
        return None
    from queue_tool.services.declared_schedules import DeclaredSchedules

    declared = DeclaredSchedules(scheduled, store, telemetry, clock, judges=judges)
    declared.declare()
    declared.keep()
    return declared
