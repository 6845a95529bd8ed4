"""Send: takes the tasks that a function sends while it runs, on the worker's own connections."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from queue_tool.errors import CommitUnknown, IdempotencyKeyReused, NotSent, StoreAway
from queue_tool.execution.sending import FORKED, carry_out
from queue_tool.model.batch import Element, IdempotencyKey, Refused
from queue_tool.model.clock import Clock
from queue_tool.model.context import Context
from queue_tool.model.parent_results import ResultPage, WantedPage
from queue_tool.model.sending import Sending, Sent, SentElement, refusal, requests_of
from queue_tool.model.task_request import Requests
from queue_tool.model.task_types import TaskType
from queue_tool.services.submit import Submit

TRY_FOR = 10.0
"""Seconds in which a sending is tried again while the database is away."""

PAUSE = 0.25
"""Seconds between two tries."""

THREADS = 16
"""Coroutines of a process that send at the same time. They share transactions, so more would not be faster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Sends for the functions of this process. Any thread may call it, and any coroutine."""

    submit: Submit
    types: Mapping[str, TaskType]
    clock: Clock
    _pool: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(THREADS, thread_name_prefix="sending"), init=False
    )
    _pid: int = field(default_factory=os.getpid, init=False)

    def __call__(self, context: Context, request: Sending | WantedPage) -> Any:
        """Send; return the token, or what became of each element. Or return a page of results.

        On an event loop, return a coroutine that does it.

        Raises:
            NotSent: this is another process, which must not use the connections of this one.
            BadTask: the one task was refused.
            StoreAway: the database stayed busy or away for `TRY_FOR` seconds, or until the run was canceled.
            QueueToolError: what `Submit` raises.
        """
        if os.getpid() != self._pid:
            raise NotSent(FORKED)
        return carry_out(lambda: self._persistently(context, request), self._pool)

    def _persistently(self, context: Context, request: Sending | WantedPage) -> str | Sent | ResultPage:
        until = self.clock.monotonic() + TRY_FOR
        while True:
            try:
                if isinstance(request, WantedPage):
                    return self.submit.store.results.page(request)
                return self._send(context.token, request)
            except StoreAway as error:
                may_be_kept = isinstance(error, CommitUnknown) and isinstance(request, Sending) and request.key is None
                if may_be_kept or self.clock.monotonic() + PAUSE > until or context.canceled.wait(PAUSE):
                    raise

    def _send(self, parent: str, sending: Sending) -> str | Sent:
        judge, key = Requests(types=self.types, now=self.clock.now()), _key(parent, sending)
        requests, on_finished = requests_of(sending)
        try:
            if not sending.many:
                return _token(sending.task_type, self.submit.single(requests[0], judge, key))
            submission = self.submit(requests, judge, key, some_accepted=True, on_finished=on_finished)
        except IdempotencyKeyReused:
            raise IdempotencyKeyReused(
                f"This task has used the key {sending.key!r} for other data in the last 24 hours: "
                "use a key for each sending, and the same data in each attempt."
            ) from None
        return Sent(batch=submission.batch, elements=tuple(map(_sent, submission.elements)))


def _key(parent: str, sending: Sending) -> IdempotencyKey | None:
    """Return the key of a sending in the scope of its parent task."""
    if sending.key is None:
        return None
    return IdempotencyKey(scope=f"task {parent}", key=sending.key, digest=sending.digest)


def _token(task_type: str, element: Element) -> str:
    """Return the token of a task. If another unfinished task uses its unique key, return that one's token."""
    if not isinstance(element, Refused):
        return element.token
    if element.duplicate_of is not None:
        return element.duplicate_of
    raise refusal(task_type, element.errors)


def _sent(element: Element) -> SentElement:
    if isinstance(element, Refused):
        return SentElement(index=element.index, errors=element.errors, duplicate_of=element.duplicate_of)
    return SentElement(index=element.index, token=element.token)
