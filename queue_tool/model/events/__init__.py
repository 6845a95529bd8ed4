"""Every event, as one record each, grouped by subject. Those in `measured` are not in the log.

`docs/made.py` generates `docs/events.md` from these records.
"""

from __future__ import annotations

from queue_tool.model.events import processes, requests, sweeps, tasks
from queue_tool.model.events.measured import *  # noqa: F403 - re-exports every record
from queue_tool.model.events.processes import *  # noqa: F403 - the same
from queue_tool.model.events.requests import *  # noqa: F403 - the same
from queue_tool.model.events.sweeps import *  # noqa: F403 - the same
from queue_tool.model.events.tasks import *  # noqa: F403 - the same
from queue_tool.model.telemetry import Event

SUBJECTS = (processes, requests, tasks, sweeps)
"""The modules of the records, in the order of the documentation."""

EVENTS: tuple[type[Event], ...] = tuple(
    kind
    for subject in SUBJECTS
    for kind in vars(subject).values()
    if isinstance(kind, type) and issubclass(kind, Event) and kind is not Event
)
"""Every kind of event, in the order of the documentation."""
