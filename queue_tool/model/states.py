"""The states of a task, and the legal moves between them.

The store turns a move into one UPDATE; nothing else changes a task's state, and there is no other move than these. The
UPDATE says what must still be true: the state, and for a run its number and its owner. That is the fence, the guard
against late and double work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

IN_PROGRESS = "Em processamento"
FINISHED = "Finalizado"


class State(StrEnum):
    """Where a task stands."""

    SCHEDULED = "scheduled"  # waits for its time: delayed, or between two attempts
    QUEUED = "queued"  # waits for a worker
    RUNNING = "running"  # a worker has really started it
    FINISHED = "finished"  # ended well
    FAILED = "failed"  # ended badly; these are the dead letters
    CANCELED = "canceled"  # ended because somebody asked for it

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


class Move(StrEnum):
    """A change of state, by its name."""

    CLAIM = "claim"  # a worker takes it
    FINISH = "finish"  # its run ended well
    FAIL = "fail"  # its run ended badly, and it is not tried again
    PUT_BACK = "put_back"  # its worker stops: the same attempt, somewhere else
    LOSE = "lose"  # its worker died
    GIVE_UP = "give_up"  # its worker died, as too many had before
    RETRY_LATER = "retry_later"  # its run ended badly, and it is tried again
    COME_DUE = "come_due"  # its time has come
    EXPIRE = "expire"  # it was not started in time
    CANCEL = "cancel"  # somebody asked for its end
    REOPEN = "reopen"  # somebody asked for it to be done again


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """What a move does to a task."""

    sources: frozenset[State]  # the states that it starts from
    target: State
    new_run: bool = False  # the task's `run` grows: nothing of the run before may count any more
    new_attempt: bool = False
    loss: bool = False


def _from(
    *sources: State, to: State, new_run: bool = False, new_attempt: bool = False, loss: bool = False
) -> Transition:
    return Transition(sources=frozenset(sources), target=to, new_run=new_run, new_attempt=new_attempt, loss=loss)


MOVES: Mapping[Move, Transition] = MappingProxyType(
    {
        Move.CLAIM: _from(State.QUEUED, to=State.RUNNING),
        Move.FINISH: _from(State.RUNNING, to=State.FINISHED),
        Move.FAIL: _from(State.RUNNING, to=State.FAILED),
        Move.PUT_BACK: _from(State.RUNNING, to=State.QUEUED, new_run=True),
        Move.LOSE: _from(State.RUNNING, to=State.QUEUED, new_run=True, loss=True),
        Move.GIVE_UP: _from(State.RUNNING, to=State.FAILED, loss=True),
        Move.RETRY_LATER: _from(State.RUNNING, to=State.SCHEDULED, new_run=True, new_attempt=True),
        Move.COME_DUE: _from(State.SCHEDULED, to=State.QUEUED),
        Move.EXPIRE: _from(State.SCHEDULED, State.QUEUED, to=State.FAILED),
        Move.CANCEL: _from(State.SCHEDULED, State.QUEUED, State.RUNNING, to=State.CANCELED),
        Move.REOPEN: _from(State.FAILED, State.CANCELED, to=State.QUEUED, new_run=True, new_attempt=True),
    }
)
"""The table of legal moves. The diagram in the README is made from it."""

ALONE_FROM = 2
"""Workers that may die under a task before it runs alone, in the isolated lane: a neighbour may be to blame."""

MOST_LOSSES = 3
"""Workers that may die under a task before it counts as the one that kills them."""
