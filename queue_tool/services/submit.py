"""Submit: an array of elements in, a token or the reasons of a refusal for each out."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from queue_tool.broker import Broker
from queue_tool.errors import BrokerAway, IdempotencyKeyReused, StoreAway, TooManyItems
from queue_tool.model import events, tokens
from queue_tool.model.batch import (
    UNNAMED,
    Accepted,
    Element,
    IdempotencyKey,
    Judge,
    Label,
    NewBatch,
    Refused,
    Submission,
    new_batch,
)
from queue_tool.model.clock import Clock
from queue_tool.model.telemetry import Telemetry
from queue_tool.model.ticket import Ticket
from queue_tool.store import Remembered, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Submit:
    """The service, with what it works on."""

    store: Store
    broker: Broker
    telemetry: Telemetry
    clock: Clock
    max_batch: int
    max_waiting: int
    max_pushed: int  # tickets that one list may hold in Redis

    def __call__(
        self,
        values: Sequence[object],
        judge: Judge,
        key: IdempotencyKey | None = None,
        *,
        label: Label = UNNAMED,
    ) -> Submission:
        """Check every value, keep the good ones as tasks of a batch, push their tickets, and answer.

        When this returns, every token in it is on disk. When it raises, nothing was kept.

        Args:
            values: what was sent.
            judge: who says of each what becomes of it.
            key: by which the same request is known again.
            label: what the batch is called.

        Raises:
            TooManyItems: more values than one request may have.
            TooManyWaiting: more tasks would wait than may.
            IdempotencyKeyReused: the key came with another body before.
            StoreAway: the database is busy or away.
        """
        if len(values) > self.max_batch:
            raise TooManyItems(f"One request may have {self.max_batch} elements, and this one has {len(values)}.")
        now = self.clock.now()
        before = self.store.idempotency.recall(key, now) if key else None
        if before is not None:
            return self._repeated(before, key)
        batch = new_batch(values, judge, make_tokens(len(values) + 1, now), now, key, label=label)
        if not values and key is None:
            return Submission(batch=None, elements=())
        tickets = batch.tickets
        added = self.store.batches.add(batch, self.max_waiting, hold=self._lists_without_room(tickets))
        if added.before is not None:
            return self._repeated(added.before, key)
        if not values:
            return Submission(batch=None, elements=())
        kept = added.instead or batch
        self._tell(kept)
        if not added.held:
            self._push(batch.id, added.instead.tickets if added.instead else tickets)
        return Submission(batch=batch.id, elements=kept.elements)

    def single(self, value: object, judge: Judge, key: IdempotencyKey | None = None) -> Element:
        """Check a value, keep it as a task that belongs to no batch, push its ticket, and answer.

        Returns:
            What became of it; if another task has its unique key, a refusal that names that one.

        Raises:
            TooManyWaiting: more tasks would wait than may.
            IdempotencyKeyReused: the key came with another body before.
            StoreAway: the database is busy or away.
        """
        now = self.clock.now()
        before = self.store.idempotency.recall(key, now) if key else None
        if before is not None:
            return self._repeated_one(before, key)
        judged = judge(value, 0, make_tokens(1, now)[0])
        if isinstance(judged, Refused):
            return judged  # what is refused is not remembered: the key may come again with something better
        waits = judged.options.must_wait(now)
        held = self._lists_without_room([] if waits else [judged.ticket])
        added = self.store.singles.add(judged, now, self.max_waiting, key, hold=held)
        if added.before is not None:
            return self._repeated_one(added.before, key)
        if added.duplicate is not None:
            return added.duplicate
        self.telemetry.emit(events.TaskAccepted(token=judged.token, task_type=judged.task_type.name))
        if not (waits or added.held):
            self._push_one(judged.ticket)
        return judged

    def _lists_without_room(self, tickets: Sequence[Ticket]) -> list[str]:
        wanted = Counter(ticket.list for ticket in tickets)
        return [name for name, count in wanted.items() if not self.broker.has_room(name, count, self.max_pushed)]

    def _repeated(self, before: Remembered, key: IdempotencyKey | None) -> Submission:
        """Answer as the first time, from what was kept."""
        if key is None or before.digest != key.digest:
            raise IdempotencyKeyReused
        if before.token is not None:
            raise IdempotencyKeyReused
        self.telemetry.emit(events.BatchRepeated(batch=before.batch))
        elements = self.store.batches.elements(before.batch) if before.batch else []
        return Submission(batch=before.batch, elements=elements)

    def _tell(self, batch: NewBatch) -> None:
        self.telemetry.emit(
            events.BatchAccepted(batch=batch.id, accepted=len(batch.accepted), rejected=len(batch.refused))
        )
        if not batch.accepted:
            self.telemetry.emit(events.BatchFinished(batch=batch.id))

    def _repeated_one(self, before: Remembered, key: IdempotencyKey | None) -> Accepted:
        if key is None or before.digest != key.digest or before.token is None:
            raise IdempotencyKeyReused
        self.telemetry.emit(events.TaskRepeated(token=before.token))
        return self.store.singles.accepted(before.token)

    def _push(self, batch: str, tickets: Sequence[Ticket]) -> None:
        """Push the tickets of a batch; what cannot be pushed or noted now is the sweeper's."""
        if not tickets:
            return
        try:
            self.broker.push(tickets)
            self.store.batches.mark_pushed(batch, self.clock.now())
        except BrokerAway as error:
            self.telemetry.emit(events.PushPostponed(batch=batch, reason=error.sentence))
            with contextlib.suppress(StoreAway):  # then the sweeper waits for the grace to end
                self.store.batches.mark_push_failed(batch, self.clock.now())
        except StoreAway:
            return  # the tickets are there, and the sweeper will see that they are

    def _push_one(self, ticket: Ticket) -> None:
        try:
            self.broker.push([ticket])
            self.store.tickets.mark_pushed([ticket], self.clock.now())
        except BrokerAway as error:
            self.telemetry.emit(events.PushPostponed(token=ticket.token, reason=error.sentence))
        except StoreAway:
            return  # the sweeper pushes it once more, which does no harm


def make_tokens(count: int, now: datetime) -> list[str]:
    """Return new tokens of this moment; their random bits come from one call to the system's secure source."""
    return tokens.make(int(now.timestamp() * 1000), os.urandom(tokens.ENTROPY_BYTES * count))


def body_digest(body: bytes) -> str:
    """Return what tells one body from another."""
    return hashlib.sha256(body).hexdigest()
