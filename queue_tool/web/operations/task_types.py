"""`/task-types`: the task types of this service."""

from __future__ import annotations

from flask import Blueprint, Response

from queue_tool.model.access import Role
from queue_tool.model.task_types import TaskType
from queue_tool.web.http.admission import needs
from queue_tool.web.http.answers import runtime
from queue_tool.web.http.paging import listed
from queue_tool.web.http.query import parameters

routes = Blueprint("task_types", __name__)


@routes.get("/task-types")
@needs(Role.READ)
def many() -> Response:
    """List the task types with the schemas of their data."""
    parameters()
    return listed([_shown(kind) for _, kind in sorted(runtime().types.items())], None)


def _shown(kind: TaskType) -> dict[str, object]:
    settings = runtime().settings
    timeout = settings.timeout if kind.timeout is None else kind.timeout
    return {
        "name": kind.name,
        "description": kind.description,
        "schema": kind.schema.document,
        "priority": kind.priority,
        "lane": kind.lane,
        "timeout": None if callable(timeout) else timeout,  # None: the timeout depends on the task's data
        "max_attempts": kind.max_attempts or settings.max_attempts,
    }
