"""The query parameters that select tasks in a list."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, field

from queue_tool.model.filter import Filter
from queue_tool.model.payloads.queries import Paging
from queue_tool.model.queues import Priority
from queue_tool.model.states import Code, State

_Moment = Annotated[datetime, Meta(tz=True)]

ENDED = frozenset(state for state in State if state.ended)


class FailedFilters(Paging, frozen=True, kw_only=True):
    """Filters of failed tasks. Tasks that match all of them are selected."""

    task_type: Annotated[str | None, Meta(description="Only tasks of this task type.")] = None
    batch: Annotated[str | None, Meta(description="Only tasks of the batch with this id.")] = None
    tag: Annotated[str | None, Meta(description="Only tasks with this tag.")] = None
    priority: Annotated[Priority | None, Meta(description="Only tasks with this priority.")] = None
    code: Annotated[Code | None, Meta(description="Only tasks that failed with this failure code.")] = None
    worker: Annotated[str | None, Meta(description="Only tasks that ran last on the worker with this id.")] = None
    host: Annotated[str | None, Meta(description="Only tasks that ran last on this host.")] = None
    custom_id: Annotated[str | None, Meta(description="Only tasks with exactly this `custom_id`.")] = None
    created_after: Annotated[
        _Moment | None, Meta(description="Only tasks that were created after this time (RFC 3339).")
    ] = None
    created_before: Annotated[
        _Moment | None, Meta(description="Only tasks that were created before this time (RFC 3339).")
    ] = None
    q: Annotated[
        str | None,
        Meta(
            description="Only tasks whose name, `custom_id` or token begins with this text. "
            "Upper and lower case differ."
        ),
    ] = None

    @property
    def filter(self) -> Filter:
        """Return the filter that these parameters describe."""
        return Filter(
            task_type=self.task_type,
            batch=self.batch,
            tag=self.tag,
            priority=self.priority,
            code=self.code,
            worker=self.worker,
            host=self.host,
            custom_id=self.custom_id,
            prefix=self.q or None,
            created_after=self.created_after,
            created_before=self.created_before,
        )


class Filters(FailedFilters, frozen=True, kw_only=True):
    """Filters of tasks. Tasks that match all of them are selected."""

    status: Annotated[frozenset[State], Meta(description="Only tasks in one of these states.")] = frozenset()

    @property
    def filter(self) -> Filter:
        """Return the filter that these parameters describe."""
        return replace(super().filter, states=self.status)


class EndedFilters(FailedFilters, frozen=True, kw_only=True):
    """Filters of ended tasks. Tasks that match all of them are selected."""

    status: Annotated[
        frozenset[Literal["finished", "failed", "canceled"]],
        Meta(description="Only tasks in one of these states. Without it, in any of them."),
    ] = frozenset()

    @property
    def filter(self) -> Filter:
        """Return the filter that these parameters describe."""
        return replace(super().filter, states=frozenset(map(State, self.status)) or ENDED)


_BY_NUMBER = {"0": Priority.LOW, "50": Priority.NORMAL, "100": Priority.HIGH}


class SearchQuery(Paging, frozen=True, kw_only=True):
    """Filters of tasks, under the names of an earlier system. Tasks that match all of them are selected."""

    status: Annotated[frozenset[State], Meta(description="Only tasks in one of these states.")] = frozenset()
    id: Annotated[str | None, Meta(description="Only the task with this token, or tasks whose token begins so.")] = None
    tag: Annotated[str | None, Meta(description="Only tasks with this tag.")] = None
    priority: Annotated[
        Literal["high", "normal", "low", "0", "50", "100"] | None,
        Meta(description="Only tasks with this priority; 0 is `low`, 50 is `normal`, 100 is `high`."),
    ] = None
    created_after: Annotated[
        _Moment | None, Meta(description="Only tasks that were created after this time (RFC 3339).")
    ] = field(default=None, name="createdAfter")
    created_before: Annotated[
        _Moment | None, Meta(description="Only tasks that were created before this time (RFC 3339).")
    ] = field(default=None, name="createdBefore")

    @property
    def filter(self) -> Filter:
        """Return the filter that these parameters describe."""
        priority = self.priority
        return Filter(
            states=self.status,
            token_prefix=self.id or None,
            tag=self.tag,
            priority=None if priority is None else _BY_NUMBER.get(priority) or Priority(priority),
            created_after=self.created_after,
            created_before=self.created_before,
        )
