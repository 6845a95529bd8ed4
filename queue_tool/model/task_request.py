"""A task request of the general API: an object with a task type, its data and options."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Any

from msgspec import structs

from queue_tool.errors import BadWebhook
from queue_tool.model import json_text
from queue_tool.model.batch import Refused, item_of, judge
from queue_tool.model.continuation import DEEPEST
from queue_tool.model.new_task import PLAIN, Continuation, NewTask, Options
from queue_tool.model.payload_request import Translated, translate
from queue_tool.model.queues import Priority
from queue_tool.model.receivers import receiver_of
from queue_tool.model.resolving import resolve, under
from queue_tool.model.schema import FieldError, Schema
from queue_tool.model.task import AT_ONCE, Timing
from queue_tool.model.task_types import TaskType
from queue_tool.model.times import read_time

STANDARD_TYPE = "simulate"
"""The task type of a request that names none."""

WITHOUT_OPTIONS = frozenset({"task_type", "data"})
"""The keys of a request that are no options."""

LONGEST_CUSTOM_ID = 255
"""Characters, as in the schema."""

TIMES = frozenset({"run_at", "expires_at", "delay"})
"""The options that decide when a task may start."""

DOCUMENT: dict[str, object] = json.loads(files("queue_tool.model").joinpath("task_request.json").read_text("utf-8"))
"""The schema of a task request, except for its data, as JSON."""

MOST_PARAMETERS = 100
"""Keys of `parameters`, as in the schema."""

SCHEMA = Schema(DOCUMENT)
"""The schema of a task request, except for its data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """Judges task requests: checks each one, and its data against the schema of its task type."""

    types: Mapping[str, TaskType]
    now: datetime
    depth: int = 0  # of these requests in a chain of continuations

    def __call__(self, value: object, index: int, token: str) -> NewTask | Refused:
        """Return the new task of a request, or the refusal with its reasons."""
        if SCHEMA.accepts(value):
            return self._judge(value, index, token)  # type: ignore[arg-type] # the schema ensures it
        found = translate(value)  # only here, so that requests in our own words take no longer
        if not isinstance(found, Translated):
            return _refused(value, index, SCHEMA.errors(value) if found is None else (found,))
        if not SCHEMA.accepts(found.request):
            return _refused(found.request, index, found.in_clients_words(SCHEMA.errors(found.request)))
        judged = self._judge(found.request, index, token)
        if isinstance(judged, Refused):
            return structs.replace(judged, errors=found.in_clients_words(judged.errors))
        return judged

    def _judge(self, request: Mapping[str, Any], index: int, token: str) -> NewTask | Refused:
        """Return the new task of a request that satisfies the schema, or the refusal."""
        found = self._options(request)
        if not isinstance(found, Options):
            return _refused(request, index, found)
        judged = judge(request.get("data"), index, token, self.types[request.get("task_type", STANDARD_TYPE)], found)
        return structs.replace(judged, errors=under("/data", judged.errors)) if isinstance(judged, Refused) else judged

    def _options(self, request: Mapping[str, Any]) -> Options | tuple[FieldError, ...]:
        name = request.get("task_type", STANDARD_TYPE)
        if name not in self.types:
            return (FieldError(path="/task_type", message=f"There is no task type {name[:80]!r:.80}."),)
        if request.keys() <= WITHOUT_OPTIONS:
            return PLAIN  # one object for all such tasks: the store adds tasks with the same options faster
        if request.get("webhook") is not None:
            try:
                receiver_of(request["webhook"])
            except BadWebhook as error:
                return (FieldError(path="/webhook", message=error.sentence),)
        timing = AT_ONCE if request.keys().isdisjoint(TIMES) else self._timing(request)
        if isinstance(timing, tuple):
            return timing
        declared = request.get("on_finished")
        followers, errors = ((), ()) if declared is None else self.continuations(declared)
        return under("/on_finished", errors) if errors else _options(request, timing, followers)

    def continuations(self, value: object) -> tuple[tuple[Continuation, ...], tuple[FieldError, ...]]:
        """Return the continuations that a value of `on_finished` describes, and the reasons if it is not valid."""
        if value is not None and self.depth >= DEEPEST:
            message = f"A chain has at most {DEEPEST} continuations, one after the other."
            return (), (FieldError(path="", message=message),)
        return resolve(value, replace(self, depth=self.depth + 1))

    def _timing(self, value: Mapping[str, Any]) -> Timing | tuple[FieldError, ...]:
        times: dict[str, datetime | None] = {}
        for key in ("run_at", "expires_at"):
            try:
                times[key] = read_time(value[key]) if value.get(key) is not None else None
            except ValueError as error:
                return (FieldError(path=f"/{key}", message=str(error)),)
        if value.get("delay") is not None:
            if times["run_at"] is not None:
                return (FieldError(path="/delay", message="A task can have delay or run_at, not both."),)
            times["run_at"] = self.now + timedelta(seconds=value["delay"])
        return Timing(due_at=times["run_at"], expires_at=times["expires_at"])


def _options(value: Mapping[str, Any], timing: Timing, followers: tuple[Continuation, ...]) -> Options:
    get = value.get
    parameters, tags, priority, max_attempts = get("parameters"), get("tags"), get("priority"), get("max_attempts")
    return Options(
        name=get("name"),
        custom_id=get("custom_id"),
        description=get("description"),
        parameters=json_text.dumps(parameters).decode() if parameters else None,
        tags=tuple(dict.fromkeys(tags)) if tags else (),
        priority=Priority(priority) if priority else None,
        timeout=get("timeout"),
        max_attempts=None if max_attempts is None else int(max_attempts),  # in JSON Schema, 2.0 is an integer
        unique_key=get("unique_key"),
        webhook=get("webhook"),
        timing=timing,
        on_finished=followers,
    )


def _refused(value: object, index: int, errors: tuple[FieldError, ...]) -> Refused:
    return Refused(index=index, item=_item(value), custom_id=_custom_id(value), errors=errors)


def _custom_id(value: object) -> str | None:
    """Return the custom id of a refused request, if it is one that a task could have."""
    found = value.get("custom_id") if isinstance(value, dict) else None
    return found if isinstance(found, str) and len(found) <= LONGEST_CUSTOM_ID and "\0" not in found else None


def _item(value: object) -> object:
    return item_of(value.get("data")) if isinstance(value, dict) else None
