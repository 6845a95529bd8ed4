"""A task: its states, the legal moves between them, the fence, and the ticket that carries it to a worker.

All of it is frozen data and pure functions. The store turns a move into one UPDATE; nobody else may change a
task's state, and no state is changed but by one of `MOVES`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from queue_tool.errors import IllegalMove, NaiveTime
from queue_tool.model import tokens

IN_PROGRESS = "Em processamento"
FINISHED = "Finalizado"


class State(StrEnum):
    """Where a task stands."""

    SCHEDULED = "scheduled"  # waits for its time: delayed, or between two attempts
    QUEUED = "queued"  # waits for a worker
    RUNNING = "running"  # a worker has really started it
    FINISHED = "finished"  # ended well
    FAILED = "failed"  # ended badly; these are the dead letters
    CANCELED = "canceled"  # ended because somebody said so

    @property
    def ended(self) -> bool:
        """Tell whether a task in this state is done with, unless somebody reopens it by hand."""
        return self in (State.FINISHED, State.FAILED, State.CANCELED)

    @property
    def can_be_reopened(self) -> bool:
        """Tell whether a task in this state can be retried by hand."""
        return self in (State.FAILED, State.CANCELED)

    @property
    def message(self) -> str:
        """Return what `/check` says. Failed and canceled tasks are "Finalizado" too: nobody waits for ever."""
        return FINISHED if self.ended else IN_PROGRESS


class Code(StrEnum):
    """Why a task failed."""

    ERROR = "error"  # its function raised
    ABORTED = "aborted"  # its function gave up on purpose
    TIMEOUT = "timeout"  # its function took too long
    EXPIRED = "expired"  # it was never started in time
    WORKER_LOST = "worker_lost"  # too many workers died under it
    UNKNOWN_TASK_TYPE = "unknown_task_type"  # no worker knows its type
    BAD_RESULT = "bad_result"  # what its function returned is not JSON


class Priority(StrEnum):
    """Which tasks go first. The value is what users write."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"

    @property
    def queue(self) -> str:
        """Return the name of the queue, as RQ knows it."""
        return "default" if self is Priority.NORMAL else self.value


class Lane(StrEnum):
    """How a task's function is run, which decides the list that its ticket waits in."""

    LOOP = "loop"  # `async def`
    THREADS = "threads"  # a plain function
    ISOLATED = "isolated"  # in a process of its own, which can be killed

    def list_of(self, queue: str) -> str:
        """Return the name of the RQ queue for this lane of a queue."""
        return queue if self is Lane.LOOP else f"{queue}.{self.value}"


LISTS = tuple(lane.list_of(priority.queue) for priority in Priority for lane in Lane)
"""Every list that tickets wait in, the most urgent first."""


def lane_and_queue(name: str) -> tuple[Lane, str]:
    """Return the lane and the queue that a list belongs to."""
    queue, _, lane = name.rpartition(".")
    return (Lane(lane), queue) if queue and lane in (Lane.THREADS, Lane.ISOLATED) else (Lane.LOOP, name)


def lists_of(names: Sequence[str]) -> list[str]:
    """Return every list of the queues that are named, the most urgent first; a list that is named stays alone."""
    found = [
        each
        for name in names
        for each in ([name] if name != lane_and_queue(name)[1] else [lane.list_of(name) for lane in Lane])
    ]
    return list(dict.fromkeys(found))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """What must still be true of a task when a change is written: the guard against late and double work."""

    state: State = State.QUEUED
    run: int = 1  # grows by one each time that the task goes back for another run, and never shrinks
    owner: int | None = None  # the process that claimed it last; while it runs, whose it is
    attempt: int = 1  # what users see and what a retry policy counts
    losses: int = 0  # how many workers died under it


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One legal change of state."""

    sources: frozenset[State]
    target: State
    new_run: bool = False  # the fence's `run` grows: nothing of the run before may count any more
    new_attempt: bool = False
    loss: bool = False


def _move(*sources: State, to: State, new_run: bool = False, new_attempt: bool = False, loss: bool = False) -> Move:
    return Move(sources=frozenset(sources), target=to, new_run=new_run, new_attempt=new_attempt, loss=loss)


MOVES: Mapping[str, Move] = MappingProxyType(
    {
        "claim": _move(State.QUEUED, to=State.RUNNING),
        "finish": _move(State.RUNNING, to=State.FINISHED),
        "fail": _move(State.RUNNING, to=State.FAILED),
        "put back": _move(State.RUNNING, to=State.QUEUED, new_run=True),
        "lose": _move(State.RUNNING, to=State.QUEUED, new_run=True, loss=True),
        "give up": _move(State.RUNNING, to=State.FAILED, loss=True),
        "retry later": _move(State.RUNNING, to=State.SCHEDULED, new_run=True, new_attempt=True),
        "come due": _move(State.SCHEDULED, to=State.QUEUED),
        "expire": _move(State.SCHEDULED, State.QUEUED, to=State.FAILED),
        "cancel": _move(State.SCHEDULED, State.QUEUED, State.RUNNING, to=State.CANCELED),
        "reopen": _move(State.FAILED, State.CANCELED, to=State.QUEUED, new_run=True, new_attempt=True),
    }
)
"""The table of legal moves, by name. The diagram in the README is made from it."""


def moved(fence: Fence, name: str, owner: int | None = None) -> Fence:
    """Return a task's fence after a move.

    Raises:
        IllegalMove: the task's state is none of those that the move starts from.
    """
    move = MOVES[name]
    if fence.state not in move.sources:
        raise IllegalMove(f"A task that is {fence.state} cannot {name}.")
    return replace(
        fence,
        state=move.target,
        owner=owner if move.target is State.RUNNING else fence.owner,
        run=fence.run + move.new_run,
        attempt=fence.attempt + move.new_attempt,
        losses=fence.losses + move.loss,
    )


ALONE_FROM = 2
"""Workers that may die under a task before it runs alone, in the isolated lane: a neighbour may be to blame."""

MOST_LOSSES = 3
"""Workers that may die under a task before it counts as the one that kills them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What carries one run of a task to a worker: RQ's job. It holds token and run and nothing else."""

    token: str
    run: int
    list: str  # the RQ queue that it waits in
    task_type: str  # for people who look into the queue

    @property
    def id(self) -> str:
        """Return the id of RQ's job."""
        return ticket_id(self.token, self.run)


def ticket_id(token: str, run: int) -> str:
    """Return the id of the RQ job of a run: the token for the first one, `token-run` after.

    So a worker that comes back from the dead and cleans up after one run cannot remove the next one's.
    """
    return token if run == 1 else f"{token}-{run}"


def read_ticket_id(job_id: str) -> tuple[str, int]:
    """Return the token and the run that an RQ job's id stands for.

    Raises:
        ValueError: the id is not one of ours.
    """
    token, dash, run = job_id.partition("-")
    if not tokens.is_well_formed(token) or (dash and not re.fullmatch("[1-9][0-9]{0,17}", run)) or run == "1":
        raise ValueError(f"The job {job_id[:80]!r} is not a ticket of this service.")
    return token, int(run or "1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A task that this process has just moved to running, with all that its run needs."""

    token: str
    run: int
    attempt: int
    task_type: str
    data: str  # JSON text
    started_at: datetime
    losses: int = 0  # workers that died under it
    max_attempts: int | None = None  # None: the type's
    forgiven: int = 0  # attempts before it was last retried by hand, which do not count
    timeout: float | None = None  # seconds, 0 for no limit; None: the type's
    parameters: str | None = None  # JSON text of an object


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run ended: the move to make, and what to keep."""

    token: str
    run: int
    move: str  # "finish", "fail", "retry later" or "put back"
    result: str | None = None  # JSON text
    code: Code | None = None
    error: str | None = None
    traceback: str = ""
    attempt: int = 1
    started_at: datetime | None = None
    due_at: datetime | None = None  # when the next attempt comes; only of "retry later"
    seconds: float | None = None  # that the run took, for the log


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A run that did not succeed, as it is kept for those who want to know."""

    attempt: int
    run: int
    worker: str  # which process it was, as far as that is known
    started_at: datetime | None
    ended_at: datetime
    code: str  # why it failed; "canceled" where somebody ended it
    error: str | None
    traceback: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """When tasks may be done."""

    due_at: datetime | None = None  # not before; None: at once
    expires_at: datetime | None = None  # one that was never started by then is failed


AT_ONCE = Timing()
"""As soon as there is a worker, whenever that is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What a run says of itself while it runs."""

    token: str
    run: int
    progress: float | None  # from 0 to 1; None: as before
    note: str
    lines: tuple[str, ...]  # new ones for its log


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What a user may know of a task by its token alone."""

    token: str
    batch: str | None
    task_type: str
    data: str  # JSON text
    state: State
    attempt: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    result: str | None  # JSON text
    code: Code | None
    error: str | None
    progress: float | None = None
    note: str | None = None
    canceled_by: str | None = None
    cancel_reason: str | None = None

    @property
    def duration(self) -> float | None:
        """Return how long the last run took, in seconds; None until it has ended."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()


def require_utc(time: datetime) -> datetime:
    """Return a time as it is, if it knows its time zone.

    Raises:
        NaiveTime: it does not.
    """
    if time.tzinfo is None:
        raise NaiveTime(f"{time.isoformat()} has no time zone.")
    return time
