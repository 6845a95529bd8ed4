"""Every event, as one record each, grouped by subject. Those in `measured` are not in the log.

`docs/made.py` generates `docs/events.md` from these records.
"""

from __future__ import annotations

from types import ModuleType

from queue_tool.model.events import measured, processes, rabbitmq, requests, schedules, sweeps, tasks, webhooks
from queue_tool.model.events.measured import *
from queue_tool.model.events.processes import *
from queue_tool.model.events.rabbitmq import *
from queue_tool.model.events.requests import *
from queue_tool.model.events.schedules import *
from queue_tool.model.events.sweeps import *
from queue_tool.model.events.tasks import *
from queue_tool.model.events.webhooks import *
from queue_tool.model.telemetry import Event

SUBJECTS = (processes, requests, tasks, schedules, sweeps, webhooks, rabbitmq)
"""The modules of the records, in the order of the documentation."""


def _events_of(*modules: ModuleType) -> tuple[type[Event], ...]:
    return tuple(
        kind
        for module in modules
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, Event) and kind is not Event
    )


EVENTS = _events_of(*SUBJECTS)
"""Every kind of event that the log may have, in the order of the documentation."""

MEASURED = _events_of(measured)
"""Every kind of event that only metrics hear."""
