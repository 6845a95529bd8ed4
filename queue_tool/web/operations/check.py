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

routes = Group("tasks", "Send tasks of any type, read their status and all their details, cancel and retry them.")


@routes.get("/check/<path:token>", Role.OPEN, waits=True, takes_any_query=True, errors=(TaskNotFound, StoreAway))
def check_task(token: str) -> Reply[Check]:
    """Check a task.

    The token is enough: no API key is needed. With `Prefer: wait=30` the server answers when the task has ended, or
    after 30 seconds. `message` is `Finalizado` for failed and canceled tasks too, so decide by `status`.
    Unknown query parameters are ignored.
    """
    return task_in_time(token, shapes.check)


@routes.post("/check", Role.READ, takes_any_query=True, refusal=BadTokens, errors=(BadTokens, TooManyItems))
def check_tasks(body: CheckBody) -> CheckedTokens:
    """Check many tasks at once.

    One request returns the states of up to 100,000 tokens, in the order of the request. An unknown token is no error:
    its `status` is `unknown`. Unknown keys and query parameters are ignored.
    """
    wanted = few(body.tokens)
    states = runtime().ask.states(wanted)
    return CheckedTokens(results=list(map(shapes.checked, wanted, states)))
