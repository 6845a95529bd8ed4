"""Processes of the service: start, stop, and unexpected exits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from queue_tool.model.events.shared import Child
from queue_tool.model.telemetry import Event, Level


@dataclass(frozen=True, slots=True, kw_only=True)
class Started(Event):
    """A process of the service has started: `up`, a worker, `consume` or `sweep`. Only `up` reports its settings."""

    title = "started"
    version: Annotated[str, "the version of Queue Tool"] | None = None
    data: Annotated[Path, "the data directory"] | None = None
    database: Annotated[str, "the URL of the database, without its secrets"] | None = None
    redis: Annotated[str, "the URL of Redis, without its secrets"] | None = None
    workers: Annotated[int, "the number of worker processes"] | None = None
    auth: Annotated[str, "the value of `QUEUE_TOOL_AUTH`"] | None = None
    name: Annotated[str, "the name of the worker, as RQ's tools show it"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready(Event):
    """The system of `queue-tool up` answers requests, and its workers are ready."""

    title = "ready"
    open: Annotated[str, "the address to open in a browser"]
    data: Annotated[Path, "the data directory"]
    stop: Annotated[str, "the key that stops the system"]
    access: Annotated[str, "who is served without an API key; left out if every request needs one"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopping(Event):
    """`queue-tool up` is stopping: it accepts nothing new and waits for running tasks."""

    title = "stopping"
    at_most: Annotated[str, "the longest time that it waits for running tasks, such as `20 s`"]
    at_once: Annotated[str, "the key that stops it immediately"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped(Event):
    """A process of the service has stopped normally: `up`, a worker, `consume` or `sweep`."""

    title = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned(Event):
    """Something is wrong or unusual, and an operator should know about it."""

    title = "warning"
    level = Level.WARNING
    reason: Annotated[str, "what is wrong or unusual"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopStuck(Event):
    """An `async def` function blocks the event loop of a worker, and with it all others. The worker ends.

    `QUEUE_TOOL_STUCK_AFTER` sets how long the loop may take for one turn. What only waited for the loop runs again
    elsewhere, without a loss.
    """

    title = "event loop stuck"
    level = Level.ERROR
    seconds: Annotated[float, "how long the loop has not turned, at least"]
    token: Annotated[str, "the token of the task whose function blocks the loop; missing if that is not known"] | None
    task_type: Annotated[str, "the name of this task's type; missing likewise"] | None
    stack: Annotated[str, "where the function is, as in a traceback"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildStarted(Event):
    """A part of the service was started as a process."""

    title = "child started"
    child: Child
    pid: Annotated[int, "its process id; in a JSON line it replaces the `pid` of the process that writes the line"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildDied(Event):
    """A part of the service has ended unexpectedly, or could not be started. It is started again after a short pause.

    If it ends again and again right after its start, the whole system stops, unless the database is away.
    """

    title = "child died"
    level = Level.ERROR
    child: Annotated[str, "the part of the service: `valkey`, `web`, `consume`, `worker-` and a number, or `up`"]
    code: Annotated[int, "its exit code, or minus the number of the signal that killed it"] | None = None
    lived: Annotated[float, "how long it ran, in seconds"] | None = None
    reason: Annotated[str, "why it could not be started"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildRemoved(Event):
    """A worker is asked to stop, because fewer are wanted. Its running tasks get `QUEUE_TOOL_DRAIN` seconds."""

    title = "child removed"
    child: Child


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkersKept(Event):
    """The supervisor starts as many workers as a request or the automatic rule has set before its last end.

    It does so while `QUEUE_TOOL_WORKERS` and `QUEUE_TOOL_MAX_WORKERS` stay as they were then.
    """

    title = "workers kept"
    wanted: Annotated[int, "the number of worker processes"]
    instead_of: Annotated[int, "the number that the settings say"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkersChanged(Event):
    """A request has changed how many workers a supervisor runs, or the bounds of this number."""

    title = "workers changed"
    host: Annotated[str, "the host of the supervisor"]
    wanted: Annotated[int, "the number of worker processes from now on"]
    minimum: Annotated[int, "the lowest number"]
    maximum: Annotated[int, "the highest number"]
    automatic: Annotated[bool, "whether the automatic rule may change the number"]
    by: Annotated[str, "the name of the API key that asked for it; missing if none was needed"] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkersScaled(Event):
    """The automatic rule has added or removed a worker."""

    title = "workers scaled"
    host: Annotated[str, "the host of the supervisor"]
    wanted: Annotated[int, "the number of worker processes from now on"]
    before: Annotated[int, "the number until now"]
    oldest: Annotated[float, "how long the oldest queued task waits, in seconds; 0 if none waits"]
    busy: Annotated[float, "how busy the workers were, from 0 to 1"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildReplaced(Event):
    """A worker is asked to stop and is then started again, because the code has changed."""

    title = "child replaced for new code"
    child: Child
