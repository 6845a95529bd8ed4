"""The page `/dashboard/queues`: what waits in each queue and lane; pause and resume a queue."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Response
from werkzeug.wrappers import Response as BaseResponse

from queue_tool.errors import BrokerAway
from queue_tool.model.access import Role
from queue_tool.model.queues import Lane, Priority
from queue_tool.web.http import shapes
from queue_tool.web.http.admission import FORM
from queue_tool.web.http.answers import runtime
from queue_tool.web.http.operation import Group
from queue_tool.web.pages.page import OFTEN, back_to, choice, last_change, page

PATH = "/dashboard/queues"

pages = Group("queues page", "What waits in each queue.")


@pages.get(PATH, Role.READ, in_document=False, takes_any_query=True)
def show_queues() -> Response:
    """Show the queues with what waits in them."""
    system = runtime()
    now = system.clock.now()
    return page(
        "queues.html",
        refresh=OFTEN,
        queues=[shapes.queue(counts, now) for counts in system.list.queues()],
        lanes=list(Lane),
        tickets=_tickets(),
        done=last_change("queue_paused", "queue_resumed"),
    )


@pages.post(PATH, Role.ADMIN, in_document=False, takes=FORM)
def change_queue_by_form() -> BaseResponse:
    """Pause or resume a queue."""
    return back_to(PATH, done=obey_form())


def obey_form() -> str:
    """Pause or resume the queue that a form names. Return what was done, as the page's messages name it.

    Raises:
        BadRequest: a field has an unknown value.
    """
    names = {priority.queue: priority for priority in Priority}
    priority = names[choice("queue", tuple(names))]
    if choice("action", ("pause", "resume")) == "pause":
        runtime().pause(priority)
        return "queue_paused"
    runtime().pause.resume(priority)
    return "queue_resumed"


def _tickets() -> Mapping[str, Mapping[Lane, int]] | None:
    """Return how many tickets of each queue and lane are in Redis; None if Redis does not answer."""
    broker = runtime().broker
    try:
        return {
            priority.queue: {lane: broker.length(lane.list_of(priority.queue)) for lane in Lane}
            for priority in Priority
        }
    except BrokerAway:
        return None
