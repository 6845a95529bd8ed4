"""Additions: the batches and tasks of many requests, added in one transaction.

Each request sees what the requests before it have added, as if every one had its own transaction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from sqlalchemy import Connection

from queue_tool.errors import CommitUnknown, FailureKind, StoreAway, TooManyWaiting
from queue_tool.model.batch import refuse_duplicate
from queue_tool.store import line, unique
from queue_tool.store.added import Added
from queue_tool.store.adding import NewTasks, add_batch, add_many, add_tasks, being_pushed
from queue_tool.store.addition import AddBatch, Addition, AddTask, Kind, is_simple, kind_of
from queue_tool.store.closed import follow_new
from queue_tool.store.committed import Row, of_batch, of_task, was_committed
from queue_tool.store.elements import AddElements, add_elements, lock_batches
from queue_tool.store.engine.compound import has_compounds
from queue_tool.store.engine.database import Database, moment
from queue_tool.store.growth import Growth
from queue_tool.store.idempotency import lock_and_recall, lock_keys, remember, remember_tasks, unused
from queue_tool.store.pushed_tickets import PushedTickets, mark_batches, mark_pushed, mark_tickets
from queue_tool.store.waiting_count import WaitingCount

NOTHING = PushedTickets(at=moment(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Limits:
    """What holds for all requests of a transaction."""

    most: int  # tasks that may be queued; 0 means no limit
    sender: int  # the number of the process that pushes the tickets next; 0: a sweeper does it
    growth: Growth  # what is added to open batches


class Additions:
    """Adds batches and tasks."""

    def __init__(self, database: Database) -> None:
        """Use this database."""
        self._database = database
        self._waiting = WaitingCount()

    def add(
        self, requests: Sequence[Addition], max_waiting: int = 0, pushed: PushedTickets | None = None, sender: int = 0
    ) -> list[Added]:
        """Add what the requests bring in one transaction, one request after the other.

        Args:
            requests: the requests, in the order in which they came.
            max_waiting: the most tasks that may be queued; 0 means no limit.
            pushed: tickets that are in Redis by now, which this transaction records too.
            sender: the number of the process that pushes the tickets next. Sweepers leave them to it for a while; 0:
                they do not.

        Returns:
            For each request, what was done with it.

        Raises:
            StoreAway: the database is busy or away; nothing was stored.
            CommitUnknown: the database went away during the commit, and it is not known whether all or nothing was
                stored.
        """
        answers: list[Added] = []
        growth, marks = Growth(), pushed or NOTHING
        try:
            with self._database.write() as connection:
                _lock(connection, requests)
                mark_tickets(connection, marks)
                limits = _Limits(most=max_waiting, sender=sender, growth=growth)
                at_once = self._add_at_once(connection, requests, limits, marks)
                answers += at_once
                if not at_once:
                    for kind, group in groupby(requests, key=kind_of):
                        answers += self._add_group(connection, list(group), limits, kind)
                    mark_batches(connection, marks, growth.batches)
                    growth.apply(connection)
        except CommitUnknown as error:
            self._require_committed(requests, answers, error)
        return answers

    def _require_committed(self, requests: Sequence[Addition], answers: Sequence[Added], error: CommitUnknown) -> None:
        """Return if the transaction of these requests was committed. If it added nothing, its answers hold as well.

        Raises:
            StoreAway: it was not committed.
            CommitUnknown: that cannot be found out, now or because it added only refused elements of open batches.
        """
        rows = [row for request, added in zip(requests, answers, strict=True) if (row := _row_of(request, added))]
        added_nothing = not any(added.part for added in answers)
        is_there = was_committed(self._database, rows[0]) if rows else added_nothing or None
        if is_there is None:
            raise error
        if not is_there:
            raise StoreAway.because(FailureKind.AWAY) from error.__cause__

    def record_pushed(self, pushed: PushedTickets) -> None:
        """Record that tickets are in Redis. If the record is lost, they are pushed again, which is harmless."""
        with self._database.write(durable=False) as connection:
            mark_pushed(connection, pushed)

    def _add_at_once(
        self, connection: Connection, requests: Sequence[Addition], limits: _Limits, marks: PushedTickets
    ) -> list[Added]:
        """Add all requests and record the pushed batches with one statement; return nothing if that is not possible."""
        if not has_compounds(connection) or marks.parts or not all(map(is_simple, requests)):
            return []
        from queue_tool.store.at_once import add_at_once  # most processes never need it

        last_row = self._waiting.last_row_for(sum(len(request.tasks) for request in requests), limits.most)
        if last_row < 0:
            return []
        fresh = [each for each in requests if not isinstance(each, AddElements)]
        answers = _held(fresh, {name for each in fresh for name in each.hold})
        return answers if add_at_once(connection, _new(fresh, answers, limits.sender), marks, last_row) else []

    def _add_group(
        self, connection: Connection, group: Sequence[Addition], limits: _Limits, kind: Kind
    ) -> Iterable[Added]:
        """Add requests of one kind. What does not depend on each other is added with as few statements as possible."""
        together: dict[int, Added] = {}
        if len(group) > 1 and kind is not Kind.OTHER:
            fresh = [each for each in group if not isinstance(each, AddElements)]
            if kind is Kind.KEYED:
                are_new = unused(connection, [each.key for each in fresh if each.key], fresh[0].new_tasks[2])
                fresh = [each for each, is_new in zip(fresh, are_new, strict=True) if is_new]
            total = sum(len(request.tasks) for request in fresh)
            if fresh and self._waiting.has_room(connection, total, limits.most):
                added = _add_together(connection, fresh, limits.sender)
                together = dict(zip(map(id, fresh), added, strict=True))
        return [together.get(id(request)) or self._add(connection, request, limits) for request in group]

    def _add(self, connection: Connection, request: Addition, limits: _Limits) -> Added:
        most, sender = limits.most, limits.sender
        try:
            if isinstance(request, AddBatch):
                return self._add_batch(connection, request, most, sender)
            if isinstance(request, AddElements):
                return add_elements(
                    connection, request, most=most, sender=sender, waiting=self._waiting, growth=limits.growth
                )
            return self._add_task(connection, request, most, sender)
        except TooManyWaiting as error:  # nothing of this request was added
            return Added(error=error)

    def _add_batch(self, connection: Connection, request: AddBatch, most: int, sender: int) -> Added:
        new, instead = request.new, None
        if new.idempotency and (before := lock_and_recall(connection, new.idempotency, new.created_at)):
            return Added(before=before)
        if keys := new.unique_keys:
            new = new.without_duplicates(unique.taken(connection, keys))
            instead = None if new is request.new else new
        if request.some_accepted and not new.accepted:
            return Added(instead=new, refused_whole=True)
        self._waiting.require_room(connection, len(new.accepted), most)
        held = line.must_wait(connection, request.hold, new.lists)
        batch_id = add_batch(connection, new, held=held, sender=sender) if new.elements else None
        made = follow_new(connection, new) if batch_id else ()
        if new.idempotency:
            remember(connection, new.idempotency, new.created_at, batch_id=batch_id, batch=new if batch_id else None)
        return Added(instead=instead, held=held, made=made)

    def _add_task(self, connection: Connection, request: AddTask, most: int, sender: int) -> Added:
        new, now, key = request.new, request.now, request.key
        if key and (before := lock_and_recall(connection, key, now)):
            return Added(before=before)
        if new.options.unique_key is not None:
            mine = (new.task_type.name, new.options.unique_key)
            owner = unique.taken(connection, [mine]).get(mine)
            if owner is not None:
                return Added(duplicate=refuse_duplicate(new, owner))
        self._waiting.require_room(connection, 1, most)
        held = line.must_wait(connection, request.hold, {new.list})
        add_tasks(connection, [new], None, now, being_pushed(sender, held=held))
        line.join_others(connection, [new.list] if held else [])
        if key:
            remember(connection, key, now, token=new.token)
        return Added(held=held)


def _add_together(connection: Connection, group: Sequence[AddBatch | AddTask], sender: int) -> list[Added]:
    """Add requests that do not depend on each other, with as many statements as one request needs."""
    uses = [(request.key, request.tasks[0].token) for request in group if request.key]
    if uses:
        remember_tasks(connection, uses, group[0].new_tasks[2])
    names = {task.list for request in group for task in request.tasks}
    held = {name for request in group for name in request.hold}
    held |= {name for name in sorted(names - held) if line.is_in_line(connection, name)}
    answers = _held(group, held)
    add_many(connection, _new(group, answers, sender))
    return answers


def _held(group: Sequence[AddBatch | AddTask], lists: Collection[str]) -> list[Added]:
    """Return for each request whether it joins the line, which all tasks for these lists do."""
    return [Added(held=any(task.list in lists for task in request.tasks)) for request in group]


def _new(group: Sequence[AddBatch | AddTask], answers: Sequence[Added], sender: int) -> list[NewTasks]:
    """Return the tasks of each request. The arguments are those of `_add_together` and its result."""
    return [
        NewTasks(tasks=tasks, batch=batch, created_at=at, held=answer.held, sender=sender)
        for (tasks, batch, at), answer in zip((request.new_tasks for request in group), answers, strict=True)
    ]


def _lock(connection: Connection, requests: Sequence[Addition]) -> None:
    """Lock idempotency keys in their order, then the unique keys, then the elements of open batches in their order."""
    lock_keys(connection, [request.key for request in requests if request.key])
    if any(task.options.unique_key is not None for request in requests for task in request.tasks):
        unique.lock_keys(connection)
    lock_batches(connection, [request for request in requests if isinstance(request, AddElements)])


def _row_of(request: Addition, added: Added) -> Row | None:
    """Return a row that this request has added, or None if it has added none."""
    if added.nothing:
        return None
    if isinstance(request, AddElements):
        # Not the row of the part: if this request was lost, one of another client may have added the same row since.
        accepted = (added.instead or request.new).accepted if added.part else ()
        return of_task(accepted[0].token) if accepted else None
    if isinstance(request, AddTask):
        return of_task(request.new.token)
    return of_batch(request.new.id) if request.new.elements else None


def new_tasks(requests: Sequence[Addition], answers: Sequence[Added]) -> Mapping[str, int]:
    """Return how many tasks requests have added, by task type.

    Args:
        requests: the requests of one transaction.
        answers: what was done with each.
    """
    found: Counter[str] = Counter()
    for request, added in zip(requests, answers, strict=True):
        if not added.nothing:
            found.update(map(_TYPE_NAME, added.instead.accepted if added.instead else request.tasks))
    return found


_TYPE_NAME = attrgetter("task_type.name")
