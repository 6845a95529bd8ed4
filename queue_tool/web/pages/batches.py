"""The pages of batches: all of them with their progress, and one with its elements and its results to download."""

from __future__ import annotations

from itertools import islice
from typing import Any

from flask import Response, g, request
from werkzeug.wrappers import Response as BaseResponse

from queue_tool.errors import BadParameter
from queue_tool.model import json_text
from queue_tool.model.access import Role
from queue_tool.model.batch import UNNAMED, SealedBy
from queue_tool.model.details import ElementResult
from queue_tool.model.filter import Filter
from queue_tool.model.labels import label_of
from queue_tool.model.payloads.queries import BatchQuery, DownloadQuery
from queue_tool.web.http import shapes
from queue_tool.web.http.admission import FORM
from queue_tool.web.http.answers import runtime
from queue_tool.web.http.operation import Group
from queue_tool.web.http.result_files import CSV, JSON_LINES, stream_as
from queue_tool.web.http.selections import requester
from queue_tool.web.pages.charts.batch import pace_chart
from queue_tool.web.pages.charts.drawing import draw
from queue_tool.web.pages.pace import pace_of, recent_pace
from queue_tool.web.pages.page import OFTEN, back_to, choice, field, page
from queue_tool.web.pages.tasks import MOVES, did_of, numbers_of

PATH = "/dashboard/batches"

ON_A_PAGE = 20
"""Batches on a page. Each one costs a count of its running tasks."""

MOST_ELEMENTS = 50
"""Elements, and refusals, that the page of a batch shows."""

LONGEST_ITEM = 200

FORMATS = {"csv": CSV, "jsonl": JSON_LINES}

pages = Group("batch pages", "Batches with their progress and their results.")


@pages.get(PATH, Role.READ, in_document=False)
def show_batches(query: BatchQuery) -> Response:
    """Show the batches, newest first."""
    system, label = runtime(), label_of(query.name or None, query.metadata)
    found = system.list.batches(label, ON_A_PAGE, query.cursor)
    now = system.clock.now()
    counted = [each for each in system.ask.batches([batch.id for batch in found.items]) if each is not None]
    return page(
        "batches.html",
        refresh=0 if query.cursor else OFTEN,
        batches=[(shapes.batch(each), pace_of(each, now)) for each in counted],
        found=found,
        name=query.name or "",
        is_filtered=label != UNNAMED,
    )


@pages.get(f"{PATH}/<batch>", Role.READ, in_document=False, takes_any_query=True)
def show_batch(batch: str) -> Response:
    """Show a batch: its counts, its first elements, and its refusals."""
    system = runtime()
    found = system.ask.batch(batch)
    ends = system.ask.ends(batch)
    pace = recent_pace(found, ends, system.clock.now())
    chart = pace_chart(found, ends, pace.took)
    first = list(islice(system.ask.results(batch), MOST_ELEMENTS))
    refused = list(islice(system.ask.refusals(batch), MOST_ELEMENTS)) if found.rejected else []
    return page(
        "batch.html",
        refresh=OFTEN if found.finished_at is None else 0,
        batch=shapes.batch(found),
        pace=pace,
        chart=None if chart is None else draw(chart),
        sampled=ends.looked_at if ends.looked_at < found.accepted else 0,
        elements=[_row(element) for element in first],
        refusals=[_row(element) for element in refused],
        did=did_of(request.args.to_dict()),
    )


@pages.post(f"{PATH}/<batch>", Role.SUBMIT, in_document=False, takes=FORM)
def change_batch(batch: str) -> BaseResponse:
    """Cancel the unfinished tasks of a batch, or retry its failed and canceled ones."""
    system, name = runtime(), choice("action", tuple(MOVES))
    system.ask.batch(batch)
    if name == "cancel":
        system.open_batches.seal(batch, SealedBy.CANCEL)
        wanted = Filter(batch=batch)
        changed = system.cancel.matching(wanted, requester(field("by")), field("reason"), key=g.key_name)
    else:
        changed = system.reopen.matching(Filter(batch=batch))
    return back_to(f"{PATH}/{batch}", **numbers_of(name, changed))


@pages.get(f"{PATH}/<batch>/results", Role.READ, in_document=False)
def download_results(batch: str, query: DownloadQuery) -> Response:
    """Download the results of a batch as a file."""
    if query.format not in FORMATS:
        raise BadParameter(f"format must be one of {', '.join(FORMATS)}, not {query.format[:40]!r}.")
    return stream_as(FORMATS[query.format], batch)


def _row(element: ElementResult) -> dict[str, Any]:
    """Return an element as a row of a table."""
    errors: Any = [] if element.token or element.error is None else element.error["errors"]
    message = "" if element.error is None or errors else element.error.get("message") or element.error["code"]
    return {
        "index": element.index,
        "item": short(element.item),
        "token": element.token,
        "status": element.status,
        "result": "" if element.result is None else _cut(element.result[: LONGEST_ITEM + 1]),
        "errors": errors,
        "message": _cut(str(message)),
    }


def short(item: object) -> str:
    """Return an item as text, cut if it is long."""
    return "" if item is None else _cut(item if isinstance(item, str) else json_text.dumps(item).decode())


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_ITEM else f"{text[:LONGEST_ITEM]}…"
