"""Small batches, and single tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from queue_tool.errors import QueueToolError
from queue_tool.host.current_request import handling
from queue_tool.model.settings import INLINE
from queue_tool.model.task_request import Requests
from queue_tool.runtime import Runtime
from queue_tool.services.drafts import BatchDraft, Draft, Kept, TaskDraft
from queue_tool.services.together import Failed
from queue_tool.store import Added
from queue_tool.web.grouped.requests import Ordered, Request
from queue_tool.web.http.operation import Reply
from queue_tool.web.http.submissions import MAIN_TYPE, received
from queue_tool.web.operations.api import API
from queue_tool.web.operations.tasks import ACCEPTED, TASKS, submitted


class SubmitRequests:
    """`POST /api` and `POST /tasks`."""

    paths = (API, TASKS)

    def __init__(self, system: Runtime) -> None:
        """Submit to this system."""
        self._system = system
        self._submit = system.submit
        self._judge = system.of_type(MAIN_TYPE)
        self._runs_inline = system.settings.redis_url == INLINE

    def order_of(self, request: Request) -> Draft | None:
        """Return the draft of what a request sends; see `Kind`."""
        if request.query or self._runs_inline:
            return None
        values = request.json()
        if isinstance(values, list) and 1 <= len(values) <= self._submit.max_batch:
            return self._batch(request, values)
        if isinstance(values, dict) and request.path == TASKS:
            return self._task(values)
        return None

    def replies(self, ordered: Sequence[Ordered[Draft]]) -> Sequence[Reply[Any] | Failed]:
        """Store several drafts and push their tickets; see `Kind`."""
        outcomes = self._submit.keep([each.order for each in ordered])
        found: list[Kept[Any] | Failed] = []
        for each, outcome in zip(ordered, outcomes, strict=True):
            with handling(each.request.id):
                found.append(outcome if isinstance(outcome, Failed) else self._kept(each.order, outcome))
        self._submit.push([kept for kept in found if isinstance(kept, Kept)])
        return [self._reply(each, kept) for each, kept in zip(ordered, found, strict=True)]

    def _batch(self, request: Request, values: list[object]) -> BatchDraft | None:
        if request.path == API:
            return self._submit.batch_draft(values, self._judge)
        draft = self._submit.batch_draft(values, self._requests(), some_accepted=True)
        return draft if draft.addition.new.accepted else None

    def _task(self, value: object) -> TaskDraft | None:
        draft = self._submit.task_draft(value, self._requests())
        return draft if isinstance(draft, TaskDraft) else None

    def _requests(self) -> Requests:
        return Requests(types=self._system.types, now=self._submit.clock.now())

    def _kept(self, draft: Draft, added: Added) -> Kept[Any]:
        if isinstance(draft, BatchDraft):
            return self._submit.kept_batch(draft, added)
        return self._submit.kept_task(draft, added)

    def _reply(self, ordered: Ordered[Draft], kept: Kept[Any] | Failed) -> Reply[Any] | Failed:
        if isinstance(kept, Failed):
            return kept
        try:
            if isinstance(ordered.order, TaskDraft):
                return submitted(self._system, kept.result)
            return received(kept.result, 200 if ordered.request.path == API else ACCEPTED)
        except QueueToolError as error:
            return Failed(error)
