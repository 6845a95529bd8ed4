"""The task types that a process knows: the built-in ones and the user's own.

The processes of the isolated lane need only this, so it imports no store and no broker.
"""

from __future__ import annotations

from queue_tool.execution import own_types
from queue_tool.execution.builtin import builtin_types
from queue_tool.host import logs
from queue_tool.model.settings import Settings
from queue_tool.model.task_types import TaskTypes
from queue_tool.model.telemetry import Telemetry


def load_types(settings: Settings, telemetry: Telemetry | None = None) -> TaskTypes:
    """Return the built-in task types and the user's own.

    Raises:
        BadTaskType: a source of the user's task types cannot be imported, or declares one that cannot be used.
    """
    types = TaskTypes(builtin_types(settings.max_valor))
    own_types.load(types, settings.tasks, telemetry or Telemetry())
    logs.reclaim()
    return types
