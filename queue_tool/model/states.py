"""The states of a task, and the legal moves between them.

The store turns a move into one UPDATE. Nothing else changes a task's state, and there are no other moves. The UPDATE
checks the current state and, for a run, its number and its owner. This check is the fence: it rejects late and
duplicate results.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

IN_PROGRESS = "Em processamento"
FINISHED = "Finalizado"


class State(StrEnum):
    """The state of a task."""

    SCHEDULED = "scheduled"  # waits for its due time: delayed, or between two attempts
    QUEUED = "queued"  # waits for a worker
    RUNNING = "running"  # a worker has claimed it
    FINISHED = "finished"  # ended successfully
    FAILED = "failed"  # ended with an error; failed tasks are the dead letters
    CANCELED = "canceled"  # ended by a cancel request

    @property
    def ended(self) -> bool:
        """Return whether this state is an end. Only a manual retry changes it."""
        return self in (State.FINISHED, State.FAILED, State.CANCELED)

    @property
    def can_be_reopened(self) -> bool:
        """Return whether a task in this state can be retried manually."""
        return self in (State.FAILED, State.CANCELED)

    @property
    def message(self) -> str:
        """Return the message of `/check`: "Finalizado" for every ended task, so that no client polls forever."""
        return FINISHED if self.ended else IN_PROGRESS


class Code(StrEnum):
    """Why a task failed."""

    ERROR = "error"  # its function raised an exception
    ABORTED = "aborted"  # its function raised `Abort`
    TIMEOUT = "timeout"  # its function took too long
    EXPIRED = "expired"  # it did not start before it expired
    WORKER_LOST = "worker_lost"  # too many processes died while they ran it
    UNKNOWN_TASK_TYPE = "unknown_task_type"  # no worker knows its type
    BAD_RESULT = "bad_result"  # what its function returned is not JSON, or cannot be stored


class Move(StrEnum):
    """A change of a task's state."""

    CLAIM = "claim"  # a worker claims it
    FINISH = "finish"  # its run succeeded
    FAIL = "fail"  # its run failed, and it is not retried
    PUT_BACK = "put_back"  # its worker stops, and another worker makes the same attempt
    RESIGN = "resign"  # its worker ends by itself, and another worker makes the same attempt
    LOSE = "lose"  # its process died, and it runs again
    GIVE_UP = "give_up"  # its process died, as too many had before
    RETRY_LATER = "retry_later"  # its run failed, and it is retried later
    COME_DUE = "come_due"  # its due time has come
    EXPIRE = "expire"  # it did not start before it expired
    CANCEL = "cancel"  # a user cancels it
    REOPEN = "reopen"  # a user retries it


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """The effect of a move on a task."""

    sources: frozenset[State]  # the states in which the move is legal
    target: State
    new_run: bool = False  # `run` grows by one, so results of earlier runs are rejected
    new_attempt: bool = False
    loss: bool = False
    resignation: bool = False


def _from(*sources: State, to: State, **effects: bool) -> Transition:
    return Transition(sources=frozenset(sources), target=to, **effects)


MOVES: Mapping[Move, Transition] = MappingProxyType(
    {
        Move.CLAIM: _from(State.QUEUED, to=State.RUNNING),
        Move.FINISH: _from(State.RUNNING, to=State.FINISHED),
        Move.FAIL: _from(State.RUNNING, to=State.FAILED),
        Move.PUT_BACK: _from(State.RUNNING, to=State.QUEUED, new_run=True),
        Move.RESIGN: _from(State.RUNNING, to=State.QUEUED, new_run=True, resignation=True),
        Move.LOSE: _from(State.RUNNING, to=State.QUEUED, new_run=True, loss=True),
        Move.GIVE_UP: _from(State.RUNNING, to=State.FAILED, loss=True),
        Move.RETRY_LATER: _from(State.RUNNING, to=State.SCHEDULED, new_run=True, new_attempt=True),
        Move.COME_DUE: _from(State.SCHEDULED, to=State.QUEUED),
        Move.EXPIRE: _from(State.SCHEDULED, State.QUEUED, to=State.FAILED),
        Move.CANCEL: _from(State.SCHEDULED, State.QUEUED, State.RUNNING, to=State.CANCELED),
        Move.REOPEN: _from(State.FAILED, State.CANCELED, to=State.QUEUED, new_run=True, new_attempt=True),
    }
)
"""The legal moves. `docs/made.py` generates the README's diagram from them."""

TOGETHER_FROM = 2
"""Losses after which a task is a suspect: it runs in a fresh process of the isolated lane, together with others.

A loss is the death of the process that ran the task. Another task may have caused it.
"""

MOST_TOGETHER = 16
"""The most suspects that run in one process."""

ALONE_FROM = 3
"""Losses after which a suspect runs alone in a fresh process."""

MOST_RESIGNATIONS = 10
"""Workers that may end by themselves while they run a task. Each further one counts as a loss."""

MOST_LOSSES = 4
"""Losses after which a task counts as their cause and fails."""
