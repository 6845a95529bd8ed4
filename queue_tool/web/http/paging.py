"""Pages of lists: all lists share one JSON format, with a link to the next page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import urlencode

from flask import Response, request

from queue_tool.model.details import Summary
from queue_tool.services.listing import Page
from queue_tool.web.http.answers import answer


def listed(items: Sequence[object], following: str | None, **more: object) -> Response:
    """Return a page of a list.

    Args:
        items: the JSON values on this page.
        following: the cursor of the next page; None on the last page.
        more: further keys of the response.
    """
    response = answer({"items": items, "next": following, **more})
    if following is not None:
        query = {name: text for name, text in request.args.items() if name != "cursor"}
        target = f"{request.path}?{urlencode(query | {'cursor': following})}"
        response.headers["Link"] = f'<{target}>; rel="next"'
    return response


def page_of_tasks(page: Page, shape: Callable[[Summary], dict[str, object]]) -> Response:
    """Return a page of tasks and their total; `total_is` is "at least" if there are more than were counted."""
    total = {"total": page.total} | ({} if page.is_exact else {"total_is": "at least"})
    return listed([shape(task) for task in page.items], page.next, **total)


def with_etag(response: Response) -> Response:
    """Return the response with an ETag; 304 without a body if the client already has this version."""
    response.add_etag()
    response.make_conditional(request)
    return response
