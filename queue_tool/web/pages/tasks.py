"""The page `/dashboard/tasks`: find tasks by a filter; cancel, retry or delete some of them, or all that match."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Response, g, request
from werkzeug.wrappers import Response as BaseResponse

from queue_tool.errors import BadCursor, Forbidden
from queue_tool.model.access import Role
from queue_tool.model.details import Summary
from queue_tool.model.queues import Priority
from queue_tool.model.states import Code, Move, State
from queue_tool.services.bulk import Changed, narrowed
from queue_tool.services.dead_letters import removable
from queue_tool.web.http import shapes
from queue_tool.web.http.admission import FORM
from queue_tool.web.http.answers import runtime
from queue_tool.web.http.operation import Group
from queue_tool.web.http.selections import few, requester
from queue_tool.web.pages.page import OFTEN, back_to, choice, field, page
from queue_tool.web.pages.selecting import Chosen, chosen, chosen_in

PATH = "/dashboard/tasks"

MOVES = {"cancel": Move.CANCEL, "retry": Move.REOPEN}

CHANGES = (*MOVES, "delete")

ACTIONS = (*CHANGES, *(f"{name}_all" for name in CHANGES))
"""What the buttons below the list do: to the selected tasks, or to all that match."""

DID = ("did", "matched", "changed")
"""What the address of a page says about the last change."""

LONGEST_BEGINNING = 80
"""Characters of a task's data in a list."""

pages = Group("tasks page", "Find tasks; cancel, retry and delete them.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Did:
    """What the last form has changed."""

    what: str  # one of CHANGES
    matched: int
    changed: int


@pages.get(PATH, Role.READ, in_document=False, takes_any_query=True)
def show_tasks() -> Response:
    """Show the tasks that match a filter, newest first.

    With `confirm=cancel`, `retry` or `delete`, it shows how many they are, and asks whether to change all of them.
    """
    fields = request.args.to_dict()
    did, action = did_of(fields), fields.pop("confirm", "")
    selected = chosen({name: text for name, text in fields.items() if name not in DID})
    return _confirm(selected, action) if action in CHANGES and selected.problem is None else _list(selected, did)


@pages.post(PATH, Role.SUBMIT, in_document=False, takes=FORM)
def change_tasks() -> BaseResponse:
    """Cancel, retry or delete the selected tasks, or all tasks that match the filter.

    The first request for all of them changes nothing: it leads to a page that asks for a confirmation. Only failed
    tasks are deleted.
    """
    name, _, scope = choice("action", ACTIONS).partition("_")
    selected = chosen_in(request.form.get("filter", ""))
    if scope == "all" or name == "delete":
        require_admin()
    if scope != "all":
        return _done(selected, name, change(name, few(request.form.getlist("token"))))
    if field("confirmed") != "yes":
        return back_to(PATH, **(dict(selected.texts) | {"confirm": name}))
    return _done(selected, name, _change_all(name, selected))


def require_admin() -> None:
    """Check that the request may do what admins may.

    Raises:
        Forbidden: it may not.
    """
    if not g.may(Role.ADMIN):
        raise Forbidden("To delete tasks, or to change all that match, you need an API key with the role admin.")


def did_of(fields: dict[str, str]) -> Did | None:
    """Return what the address of a page says about the last change; None if it says nothing that can be shown."""
    what, *numbers = (fields.get(name, "") for name in DID)
    if what not in CHANGES or not all(text.isdecimal() and text.isascii() and len(text) < 10 for text in numbers):  # noqa: PLR2004 - more digits are no count
        return None
    matched, changed = map(int, numbers)
    return Did(what=what, matched=matched, changed=changed)


def _list(selected: Chosen, did: Did | None) -> Response:
    filters, problem = selected.filters, selected.problem
    system = runtime()
    found = None
    if problem is None:
        try:
            found = system.list(filters.filter, filters.limit, filters.cursor)
        except BadCursor as error:
            problem = error.sentence
    items = [(shapes.summary(task), beginning_of(task)) for task in found.items] if found else []
    return page(
        "tasks.html",
        400 if problem else 200,
        refresh=0 if problem or filters.cursor else OFTEN,
        selected=selected,
        tasks=items,
        found=found,
        problem=problem,
        did=did,
        states=list(State),
        types=sorted(system.types),
        priorities=list(Priority),
        codes=list(Code),
    )


def beginning_of(task: Summary) -> str:
    """Return what tells a task from others for people: its name or its own id, or else the beginning of its data."""
    text = task.name or task.custom_id or task.data
    return text if len(text) <= LONGEST_BEGINNING else f"{text[:LONGEST_BEGINNING]}…"


def _confirm(selected: Chosen, name: str) -> Response:
    found = selected.filters.filter
    wanted = narrowed(found, MOVES[name]) if name in MOVES else removable(found)
    total, is_exact = (0, True) if wanted is None else runtime().list.number(wanted)
    return page("confirm.html", selected=selected, action=name, total=total, is_exact=is_exact)


def change(name: str, tokens: Sequence[str]) -> Changed:
    """Cancel, retry or delete tasks, as the current form says."""
    system = runtime()
    if name == "cancel":
        return system.cancel.these(tokens, requester(field("by")), field("reason"), key=g.key_name)
    return system.dead_letters.remove_these(tokens) if name == "delete" else system.reopen.these(tokens)


def _change_all(name: str, selected: Chosen) -> Changed:
    system, wanted = runtime(), selected.filters.filter
    if name == "cancel":
        return system.cancel.matching(wanted, requester(field("by")), field("reason"), key=g.key_name)
    return system.dead_letters.remove_matching(wanted) if name == "delete" else system.reopen.matching(wanted)


def _done(selected: Chosen, name: str, changed: Changed) -> BaseResponse:
    return back_to(PATH, **(dict(selected.texts) | numbers_of(name, changed)))


def numbers_of(name: str, changed: Changed) -> dict[str, object]:
    """Return what the address of the next page says about a change."""
    return {"did": name, "matched": changed.matched, "changed": changed.changed}
