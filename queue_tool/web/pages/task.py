"""The page of a task: its data and result, what happened to it, and what can be done with it."""

from __future__ import annotations

import shlex

from flask import Response, g, request
from werkzeug.wrappers import Response as BaseResponse

from queue_tool.model import json_text
from queue_tool.model.access import Role
from queue_tool.model.details import Details
from queue_tool.web.http import shapes
from queue_tool.web.http.admission import FORM
from queue_tool.web.http.answers import runtime
from queue_tool.web.http.operation import Group
from queue_tool.web.pages import tasks
from queue_tool.web.pages.page import OFTEN, back_to, choice, page
from queue_tool.web.pages.pretty import LONGEST, pretty
from queue_tool.web.pages.usual import compared

PATH = f"{tasks.PATH}/<token>"

pages = Group("task page", "Everything about a task.")


@pages.get(PATH, Role.READ, in_document=False, takes_any_query=True)
def show_task(token: str) -> Response:
    """Show everything about a task."""
    system = runtime()
    found, now = system.ask.details(token), system.clock.now()
    return page(
        "task.html",
        refresh=0 if found.state.ended else OFTEN,
        task=shapes.details(found),
        state=found.state,
        data=pretty(found.data),
        result=pretty(found.result),
        parameters=pretty(found.parameters),
        curl=_curl(found),
        compared=compared(found, system.measures.usual(found.task_type, now), now),
        did=tasks.did_of(request.args.to_dict()),
    )


@pages.post(PATH, Role.SUBMIT, in_document=False, takes=FORM)
def change_task(token: str) -> BaseResponse:
    """Cancel, retry or delete a task."""
    name = choice("action", tasks.CHANGES)
    if name == "delete":
        tasks.require_admin()
    runtime().ask.task(token)
    changed = tasks.change(name, [token])
    is_gone = name == "delete" and changed.changed
    return back_to(tasks.PATH if is_gone else f"{tasks.PATH}/{token}", **tasks.numbers_of(name, changed))


def _curl(task: Details) -> str | None:
    """Return a command that sends a task with the same data again; None if it would be too long to copy."""
    if len(task.data) > LONGEST:
        return None
    body: dict[str, object] = {
        "task_type": task.task_type,
        "data": json_text.embed(task.data),
        "priority": task.priority.value,
    }
    texts = {"name": task.name, "custom_id": task.custom_id, "description": task.description}
    body |= {key: text for key, text in texts.items() if text is not None}
    body |= {"parameters": json_text.embed(task.parameters)} if task.parameters else {}
    body |= {"tags": list(task.tags)} if task.tags else {}
    lines = [
        f"curl {shlex.quote(request.host_url + 'tasks')}",
        *['-H "Authorization: Bearer $QUEUE_TOOL_KEY"'] * bool(g.key_id),
        "-H 'Content-Type: application/json'",
        f"-d {shlex.quote(json_text.dumps(body).decode())}",
    ]
    return " \\\n  ".join(lines)
