"""The page `/dashboard`: how many tasks there are in each state, the queues, and the processes of the system."""

from __future__ import annotations

from flask import Response
from werkzeug.wrappers import Response as BaseResponse

from queue_tool.model.access import Role
from queue_tool.model.batch import UNNAMED
from queue_tool.model.queues import Priority
from queue_tool.web.http import shapes
from queue_tool.web.http.admission import FORM
from queue_tool.web.http.answers import runtime
from queue_tool.web.http.operation import Group
from queue_tool.web.pages.batches import pace_of
from queue_tool.web.pages.page import SOMETIMES, back_to, choice, page

PATH = "/dashboard"

NEWEST = 5
"""Batches on the page."""

pages = Group("overview page", "The whole system at a glance.")


@pages.get(PATH, Role.READ, in_document=False)
def show_overview() -> Response:
    """Show the whole system at a glance."""
    system = runtime()
    now = system.clock.now()
    newest = system.ask.batches([batch.id for batch in system.list.batches(UNNAMED, NEWEST).items])
    return page(
        "overview.html",
        refresh=SOMETIMES,
        states=system.list.states(),
        queues=[shapes.queue(counts, now) for counts in system.list.queues()],
        processes=[(each.process, each.trouble) for each in system.list.processes()],
        batches=[(shapes.batch(each), pace_of(each, now)) for each in newest if each is not None],
    )


@pages.post(PATH, Role.ADMIN, in_document=False, takes=FORM)
def change_queue() -> BaseResponse:
    """Pause or resume a queue."""
    names = {priority.queue: priority for priority in Priority}
    priority = names[choice("queue", tuple(names))]
    if choice("action", ("pause", "resume")) == "pause":
        runtime().pause(priority)
    else:
        runtime().pause.resume(priority)
    return back_to(PATH)
