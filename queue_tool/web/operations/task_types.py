"""`/task-types`: the task types of this service."""

from __future__ import annotations

from queue_tool.model.access import Role
from queue_tool.model.payloads.lists import TaskTypePage
from queue_tool.web.http import shapes
from queue_tool.web.http.answers import runtime
from queue_tool.web.http.operation import Group

routes = Group("task types", "Read which task types this service has.")


@routes.get("/task-types", Role.READ)
def list_task_types() -> TaskTypePage:
    """List the task types.

    Returns all of them on one page, with the schema of their data and the values that a task has if its request does
    not set them.
    """
    system = runtime()
    kinds = [kind for _, kind in sorted(system.types.items())]
    items = [shapes.task_type(kind, system.settings.timeout, system.settings.max_attempts) for kind in kinds]
    return TaskTypePage(items=items, next=None, total=len(items))
