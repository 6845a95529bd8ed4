"""Users' changes to tasks: cancel, reopen or remove them, and find them by a filter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, true, update

from queue_tool.model.filter import Filter
from queue_tool.model.states import Move, State
from queue_tool.model.ticket import Ticket
from queue_tool.store import attempts, ends, holding, unique
from queue_tool.store.closed import Closed
from queue_tool.store.engine.database import Database, micros
from queue_tool.store.filtering import conditions
from queue_tool.store.listening import LISTENING
from queue_tool.store.moves import closes, lock_tokens
from queue_tool.store.removal import count_removable, remove
from queue_tool.store.tables import batches, in_state, tasks
from queue_tool.store.tasks import CHUNK, chunks
from queue_tool.store.tickets import TICKET_COLUMNS, ticket_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Canceled:
    """The tasks that a cancel ended."""

    tickets: tuple[Ticket, ...]  # the tickets of the canceled tasks
    running: frozenset[str]  # tokens of the canceled tasks that were running
    finished: tuple[str, ...]  # ids of the batches that have no open task left
    made: tuple[Ticket, ...] = ()  # tickets of the continuations of what has ended


class Control:
    """Changes to tasks that users request."""

    def __init__(self, database: Database) -> None:
        """Use this database."""
        self._database = database

    def cancel(
        self,
        tokens: Sequence[str],
        by: str,
        reason: str,
        now: datetime,
        key: str | None = None,
        *,
        continues: bool = True,
    ) -> Canceled:
        """Cancel tasks. Tasks that had already ended and unknown tokens are missing in the result.

        Args:
            tokens: the tokens of the tasks.
            by: who cancels the tasks, as stored with each task.
            reason: why the tasks are canceled, as stored with each task.
            now: when the tasks end.
            key: the name of the API key that cancels them, if there is one.
            continues: whether the continuations of these tasks run.
        """
        rows: list[tuple[Row[Any], State]] = []
        parameters = {"now": micros(now), "by": by, "reason": reason, "key": key}
        with self._database.write() as connection:
            for chunk in chunks(sorted(tokens)):
                lock_tokens(connection, chunk)
                before = _states_before(connection, chunk)
                canceled = connection.execute(_CANCEL, parameters | {"tokens": chunk})
                rows += [(row, before[row.token]) for row in canceled]
            ended = _count(connection, Move.CANCEL, rows, now, continues=continues)
        return Canceled(
            tickets=tuple(ticket_of(row) for row, _ in rows),
            running=frozenset(row.token for row, before in rows if before is State.RUNNING),
            finished=ended.finished,
            made=ended.made,
        )

    def suppress(self, batch: str) -> None:
        """Let no continuation run when a batch ends, if it has not ended yet. To reopen it takes this back."""
        with self._database.write() as connection:
            connection.execute(_SUPPRESS, {"public": batch})

    def reopen(
        self, tokens: Sequence[str], now: datetime | None = None, held: set[int] | None = None
    ) -> tuple[Ticket, ...]:
        """Queue failed and canceled tasks again. Return the tickets of the tasks that were queued.

        A task is not reopened if another task uses its unique key now. How a task ended stays on record as an attempt,
        but the attempts so far no longer count towards the task's maximum.

        Args:
            tokens: the tokens of the tasks.
            now: the current time, with `held`.
            held: the rows of batches that must not end before `release`, because more of their tasks will be reopened.
                Those of these tasks are added. None: no batch is held.
        """
        rows: list[tuple[Row[Any], State]] = []
        with self._database.write() as connection:
            unique.lock_keys(connection)
            for chunk in chunks(sorted(tokens)):
                lock_tokens(connection, chunk)
                taken = unique.taken_from(connection, chunk)
                free = [token for token in chunk if token not in taken]
                attempts.add_canceled(connection, free)
                before = _states_before(connection, free)
                rows += [(row, before[row.token]) for row in connection.execute(_REOPEN, {"tokens": free})]
            if held is not None and now is not None:
                held |= {row.batch_id for row, _ in rows if row.batch_id is not None}
                holding.hold(connection, held, now)
            _count(connection, Move.REOPEN, rows)
        return tuple(ticket_of(row) for row, _ in rows)

    def release(self, held: Iterable[int], now: datetime) -> Closed:
        """Let batches end that `reopen` has held."""
        with self._database.write() as connection:
            return holding.release(connection, held, now)

    def remove(self, tokens: Sequence[str], only: State | None = None) -> int:
        """Remove ended tasks with all of their rows. Return how many were removed.

        Args:
            tokens: the tokens of the tasks.
            only: the ended state that they must be in; None means any.
        """
        wanted = true() if only is None else in_state(only, keyed=True)
        with self._database.write() as connection:
            return sum(remove(connection, wanted & tasks.c.token.in_(chunk)) for chunk in chunks(tokens))

    def removable(self, tokens: Sequence[str], only: State) -> int:
        """Return how many tasks `remove` would remove."""
        wanted = in_state(only, keyed=True)
        with self._database.read() as connection:
            return sum(count_removable(connection, wanted & tasks.c.token.in_(chunk)) for chunk in chunks(tokens))

    def matching(self, wanted: Filter) -> Iterator[list[str]]:
        """Return the tokens of the tasks that match a filter, in pages, in the order of submission.

        Each page is read when the caller requests it, so it includes changes made since the previous page.
        """
        meant = list(conditions(wanted))
        last = 0
        while True:
            page = select(tasks.c.id, tasks.c.token).where(tasks.c.id > last, *meant)
            with self._database.read() as connection:
                rows = connection.execute(page.order_by(tasks.c.id).limit(CHUNK)).all()
            if not rows:
                return
            last = rows[-1].id
            yield [row.token for row in rows]


def _states_before(connection: Connection, tokens: Sequence[str]) -> dict[str, State]:
    """Return the state of each task. The transaction has locked the tasks, so none of them changes before its move."""
    return {token: State(state) for token, state in connection.execute(_STATES_OF, {"tokens": tokens})}


def _count(
    connection: Connection,
    move: Move,
    moved: Sequence[tuple[Row[Any], State]],
    now: datetime | None = None,
    *,
    continues: bool = True,
) -> Closed:
    """Change the counts of the batches of moved tasks. Return what has ended."""
    changes = ends.BatchChanges(connection, now)
    for state in {before for _, before in moved}:
        rows = [row for row, before in moved if before is state]
        continuing = [row.token for row in rows if row.continues and continues]
        changes.add(move, (row.batch_id for row in rows), before=state, continuing=continuing)
    if moved and closes(move):
        changes.tell_of((row.token for row, _ in moved), moved[0][0].listening)
    return changes.apply()


_CANCEL = (
    ends.closing(Move.CANCEL)
    .where(tasks.c.token.in_(bindparam("tokens", expanding=True)))
    .values(
        canceled_by=bindparam("by"),
        cancel_reason=bindparam("reason"),
        canceled_key=bindparam("key"),
    )
    .returning(*TICKET_COLUMNS, tasks.c.batch_id, tasks.c.continues, LISTENING)
)

_STATES_OF = select(tasks.c.token, tasks.c.state).where(tasks.c.token.in_(bindparam("tokens", expanding=True)))

_REOPEN = (
    ends.reopening(Move.REOPEN)
    .where(tasks.c.token.in_(bindparam("tokens", expanding=True)))
    .values(
        forgiven=tasks.c.attempt,
        losses=0,
        resignations=0,
        due_at=None,
        expires_at=None,
    )
    .returning(*TICKET_COLUMNS, tasks.c.batch_id, tasks.c.continues)
)

_SUPPRESS = (
    update(batches)
    .where(batches.c.public_id == bindparam("public"), batches.c.finished_at.is_(None), batches.c.continues == 1)
    .values(continues=0)
)
