"""The page `/dashboard/deadletters`: failed tasks by the kind of their error; retry or delete all of one kind."""

from __future__ import annotations

from flask import Response, request
from werkzeug.wrappers import Response as BaseResponse

from queue_tool.model.access import Role
from queue_tool.model.states import State
from queue_tool.model.times import rfc3339
from queue_tool.services.dead_letters import MOST_GROUPED
from queue_tool.web.http.admission import FORM
from queue_tool.web.http.answers import runtime
from queue_tool.web.http.operation import Group
from queue_tool.web.pages.page import SELDOM, back_to, choice, field, page
from queue_tool.web.pages.tasks import change, did_of, numbers_of

PATH = "/dashboard/deadletters"

MOST_GROUPS = 100
"""Kinds of errors on the page: those with the most tasks."""

EXAMPLES = 3
"""Tasks of each kind that the page names."""

pages = Group("dead letters page", "Failed tasks by the kind of their error.")


@pages.get(PATH, Role.READ, in_document=False, takes_any_query=True)
def show_dead_letters() -> Response:
    """Show the failed tasks by the kind of their error.

    With `delete=<kind>`, it shows how many of this kind there are, and asks whether to delete them.
    """
    groups, wanted = runtime().dead_letters.groups(), request.args.get("delete")
    if wanted:
        return page("confirm_group.html", group=next((group for group in groups if group.id == wanted), None))
    return page(
        "dead_letters.html",
        refresh=SELDOM,
        groups=[
            {
                "id": group.id,
                "task_type": group.task_type,
                "code": group.code,
                "pattern": group.pattern,
                "number": len(group.tokens),
                "first": rfc3339(group.first),
                "last": rfc3339(group.last),
                "tokens": group.tokens[:EXAMPLES],
            }
            for group in groups[:MOST_GROUPS]
        ],
        kinds=len(groups),
        total=sum(len(group.tokens) for group in groups),
        most=MOST_GROUPED,
        failed=State.FAILED,
        did=did_of(request.args.to_dict()),
    )


@pages.post(PATH, Role.ADMIN, in_document=False, takes=FORM)
def change_group() -> BaseResponse:
    """Retry or delete all failed tasks of one kind."""
    system, wanted, name = runtime(), field("group"), choice("action", ("", "delete")) or "retry"
    tokens = [token for group in system.dead_letters.groups() if group.id == wanted for token in group.tokens]
    return back_to(PATH, **numbers_of(name, change(name, tokens)))
