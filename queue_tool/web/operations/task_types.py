"""`/task-types`: the task types of this service."""

from __future__ import annotations

from queue_tool.model.access import Role
from queue_tool.model.payloads.lists import TaskTypePage
from queue_tool.web.http import shapes
from queue_tool.web.http.answers import runtime
from queue_tool.web.http.operation import Group

routes = Group("task types", "What kinds of tasks there are.")


@routes.get("/task-types", Role.READ)
def list_task_types() -> TaskTypePage:
    """List the task types with the schemas of their data."""
    system = runtime()
    kinds = [kind for _, kind in sorted(system.types.items())]
    items = [shapes.task_type(kind, system.settings.timeout, system.settings.max_attempts) for kind in kinds]
    return TaskTypePage(items=items, next=None, total=len(items))
