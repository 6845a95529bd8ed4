"""The page `/dashboard`: the tasks by state, the queues, the processes, and charts of the last hour or day."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Response
from werkzeug.wrappers import Response as BaseResponse

from queue_tool.model.access import Role
from queue_tool.model.batch import UNNAMED
from queue_tool.model.payloads.queries import OverviewQuery
from queue_tool.services.measures.history import Span, Step
from queue_tool.web.http import shapes
from queue_tool.web.http.admission import FORM
from queue_tool.web.http.answers import runtime
from queue_tool.web.http.operation import Group
from queue_tool.web.pages.charts.drawing import Drawing, draw
from queue_tool.web.pages.charts.measured import charts_of
from queue_tool.web.pages.pace import pace_of
from queue_tool.web.pages.page import SOMETIMES, back_to, page
from queue_tool.web.pages.queues import obey_form

PATH = "/dashboard"

NEWEST = 5
"""Batches on the page."""

pages = Group("overview page", "The whole system at a glance.")


@pages.get(PATH, Role.READ, in_document=False)
def show_overview(query: OverviewQuery) -> Response:
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
        span=query.span,
        charts=_drawn(system.measures.history(Span(query.span), now)),
    )


def _drawn(steps: Sequence[Step]) -> Sequence[Drawing]:
    """Return the charts of these steps. They change once a minute, and everybody who looks asks every few seconds."""
    known = _latest.get(len(steps))
    if known is None or known[0] != steps:
        known = _latest[len(steps)] = steps, [draw(chart) for chart in charts_of(steps)]
    return known[1]


_latest: dict[int, tuple[Sequence[Step], Sequence[Drawing]]] = {}
"""The latest drawings of each span, with the steps that they show."""


@pages.post(PATH, Role.ADMIN, in_document=False, takes=FORM)
def change_queue() -> BaseResponse:
    """Pause or resume a queue."""
    obey_form()
    return back_to(PATH)
