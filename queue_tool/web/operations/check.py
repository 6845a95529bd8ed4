"""`/check`: the status of tasks by their tokens."""

from __future__ import annotations

from queue_tool.errors import BadTokens, StoreAway, TaskNotFound, TooManyItems
from queue_tool.model.access import Role
from queue_tool.model.payloads.requests import CheckBody
from queue_tool.model.payloads.tasks import Check, CheckedTokens
from queue_tool.web.http import shapes
from queue_tool.web.http.answers import runtime
from queue_tool.web.http.operation import Group, Reply
from queue_tool.web.http.prefer import task_in_time
from queue_tool.web.http.selections import few

routes = Group("tasks", "Send tasks of any type, ask for their states, cancel them, and run them again.")


@routes.get("/check/<path:token>", Role.OPEN, waits=True, takes_any_query=True, errors=(TaskNotFound, StoreAway))
def check_task(token: str) -> Reply[Check]:
    """Return the status of one task. The token is enough; no API key is needed."""
    return task_in_time(token, shapes.check)


@routes.post("/check", Role.READ, takes_any_query=True, refusal=BadTokens, errors=(BadTokens, TooManyItems))
def check_tasks(body: CheckBody) -> CheckedTokens:
    """Return the status of many tasks, in the order of the request."""
    wanted = few(body.tokens)
    states = runtime().ask.states(wanted)
    return CheckedTokens(results=list(map(shapes.checked, wanted, states)))
