"""Pages of lists: all lists share one JSON format, with a link to the next page."""

from __future__ import annotations

from typing import Any, TypeVar
from urllib.parse import urlencode

from flask import request
from msgspec import UNSET

from queue_tool.model.details import Summary
from queue_tool.model.payloads.lists import EndedTaskPage, TaskPage
from queue_tool.model.payloads.page import Page
from queue_tool.services import listing
from queue_tool.web.http import shapes
from queue_tool.web.http.operation import Reply

AnyPage = TypeVar("AnyPage", bound=Page[Any])


def listed(page: AnyPage) -> Reply[AnyPage]:
    """Return a page of a list, with a link to the next page."""
    if page.next is None:
        return Reply(body=page)
    query = [(name, text) for name, text in request.args.items(multi=True) if name != "cursor"]
    target = f"{request.path}?{urlencode([*query, ('cursor', page.next)])}"
    return Reply(body=page, headers={"Link": f'<{target}>; rel="next"'})


def page_of_tasks(page: listing.Page[Summary]) -> Reply[TaskPage]:
    """Return a page of tasks."""
    return listed(TaskPage(items=[shapes.summary(task) for task in page.items], **totals(page)))


def page_of_ended(page: listing.Page[Summary]) -> Reply[EndedTaskPage]:
    """Return a page of ended tasks, with their results."""
    return listed(EndedTaskPage(items=[shapes.ended(task) for task in page.items], **totals(page)))


def totals(page: listing.Page[Any]) -> dict[str, Any]:
    """Return the fields that all pages have."""
    return {"next": page.next, "total": page.total, "total_is": UNSET if page.is_exact else "at least"}
