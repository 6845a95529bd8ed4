"""The processes of the service: they start, stop, and die."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from queue_tool.model.events.shared import Child
from queue_tool.model.telemetry import Event, Level


@dataclass(frozen=True, slots=True, kw_only=True)
class Started(Event):
    """A process of the service has started: `up`, which says with which settings, a worker, or `sweep`."""

    title = "started"
    version: Annotated[str, "the version of Queue Tool"] | None = None
    data: Annotated[Path, "the data directory"] | None = None
    database: Annotated[str, "the URL of the database, without its secrets"] | None = None
    redis: Annotated[str, "the URL of Redis, without its secrets"] | None = None
    workers: Annotated[int, "the number of worker processes"] | None = None
    auth: Annotated[str, "who is let in, as `QUEUE_TOOL_AUTH` says"] | None = None
    name: Annotated[str, "the name of the worker, as RQ's tools show it"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready(Event):
    """The system that `queue-tool up` runs answers requests, and all of its workers work."""

    title = "ready"
    open: Annotated[str, "the address to open in a browser"]
    data: Annotated[Path, "the data directory"]
    stop: Annotated[str, "the key that stops the system"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopping(Event):
    """`queue-tool up` stops: it takes nothing new and lets running tasks end."""

    title = "stopping"
    at_most: Annotated[str, "how long it waits for running tasks, such as `20 s`"]
    at_once: Annotated[str, "the key that stops it without waiting"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped(Event):
    """A process of the service has stopped as it should: `up`, a worker, or `sweep`."""

    title = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned(Event):
    """Something is not as it should be, and an operator may want to know."""

    title = "warning"
    level = Level.WARNING
    reason: Annotated[str, "what it is, in words"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildStarted(Event):
    """A part of the system has been started as a process."""

    title = "child started"
    child: Child
    pid: Annotated[int, "its process id; in a JSON line it takes the place of the `pid` of the process that writes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildDied(Event):
    """A part of the system has ended though nobody asked it to, or could not be started; it is soon started again.

    If it ends again and again as soon as it is started, the system stops.
    """

    title = "child died"
    level = Level.ERROR
    child: Annotated[str, "the part of the service: `valkey`, `web`, `worker-` and a number, or `up`"]
    code: Annotated[int, "its exit code; below 0 it is the number of the signal that killed it"] | None = None
    lived: Annotated[float, "how long it was there, in seconds"] | None = None
    reason: Annotated[str, "why it could not be started"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildReplaced(Event):
    """A worker is asked to end and will be started again, because the code has changed."""

    title = "child is replaced, for new code"
    child: Child
