"""Events that only metrics hear. No log has them: each tells of many tasks or requests, with all their figures."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from queue_tool.model.outcome import Outcome
from queue_tool.model.task import Claimed
from queue_tool.model.telemetry import Event, Level

Seconds = Annotated[float, "how long it took, in seconds"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsRecorded(Event):
    """One transaction of a worker has recorded how runs ended, and claimed the next ones."""

    title = "runs recorded"
    level = Level.UNLOGGED
    outcomes: Annotated[Sequence[Outcome], "how runs ended"]
    settled: Annotated[Collection[str], "the tokens of those that were recorded"]
    claimed: Annotated[Sequence[Claimed], "the tasks that were claimed"]
    at: Annotated[datetime, "when they were claimed"]
    seconds: Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestsStored(Event):
    """One transaction has stored what requests sent."""

    title = "requests stored"
    level = Level.UNLOGGED
    requests: Annotated[int, "how many requests"]
    tasks: Annotated[Mapping[str, int], "how many tasks, by task type"]
    seconds: Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketsMoved(Event):
    """One call to Redis has pushed or taken tickets."""

    title = "tickets moved"
    level = Level.UNLOGGED
    call: Annotated[str, "`push` or `take`"]
    seconds: Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestsAnswered(Event):
    """Requests of one operation were answered, with the same status."""

    title = "requests answered"
    level = Level.UNLOGGED
    operation: Annotated[str, "the name of the operation"]
    status: Annotated[int, "the HTTP status"]
    seconds: Annotated[Sequence[float], "how long each response took, in seconds"]
