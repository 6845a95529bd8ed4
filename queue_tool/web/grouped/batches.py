"""Small batches of sleep tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from queue_tool.host.current_request import handling
from queue_tool.model.payloads.batches import Received
from queue_tool.runtime import Runtime
from queue_tool.services.submit import Draft, Kept
from queue_tool.services.together import Failed
from queue_tool.web.grouped.requests import Ordered, Request
from queue_tool.web.http.operation import Reply
from queue_tool.web.http.submissions import MAIN_TYPE, received
from queue_tool.web.operations.api import API


class BatchRequests:
    """`POST /api`."""

    paths = (API,)

    def __init__(self, system: Runtime) -> None:
        """Submit to this system."""
        self._submit = system.submit
        self._judge = system.of_type(MAIN_TYPE)

    def order_of(self, request: Request) -> Draft | None:
        """Return the batch that a request sends; see `Kind`."""
        if request.query:
            return None
        values: Any = request.json()
        if not isinstance(values, list) or not 1 <= len(values) <= self._submit.max_batch:
            return None
        return self._submit.draft(values, self._judge)

    def replies(self, ordered: Sequence[Ordered[Draft]]) -> Sequence[Reply[Received] | Failed]:
        """Store several batches and push their tickets; see `Kind`."""
        outcomes = self._submit.keep([each.order for each in ordered])
        found: list[Kept | Failed] = []
        for each, outcome in zip(ordered, outcomes, strict=True):
            with handling(each.request.id):
                found.append(outcome if isinstance(outcome, Failed) else self._submit.kept(each.order, outcome))
        self._submit.push([kept for kept in found if isinstance(kept, Kept)])
        return [kept if isinstance(kept, Failed) else received(kept.submission) for kept in found]
