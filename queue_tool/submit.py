"""Submit: an array of elements in, a token or the reasons of a refusal for each out."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from queue_tool import tokens
from queue_tool.batch import IdempotencyKey, NewBatch, Submission, new_batch
from queue_tool.broker import Broker
from queue_tool.errors import BrokerAway, IdempotencyKeyReused, StoreAway, TooManyItems
from queue_tool.store import Remembered, Store
from queue_tool.task_types import TaskType
from queue_tool.tasks import AT_ONCE, Ticket, Timing
from queue_tool.telemetry import Event, Telemetry


@dataclass(frozen=True, slots=True, kw_only=True)
class Submit:
    """The verb, with what it works on."""

    store: Store
    broker: Broker
    telemetry: Telemetry
    now: Callable[[], datetime]
    max_batch: int
    max_waiting: int
    max_pushed: int  # tickets that one list may hold in Redis

    def __call__(
        self,
        elements: Sequence[object],
        task_type: TaskType,
        key: IdempotencyKey | None = None,
        *,
        timing: Timing = AT_ONCE,
    ) -> Submission:
        """Check every element, keep the good ones as tasks of a batch, push their tickets, and answer.

        When this returns, every token in it is on disk. When it raises, nothing was kept.

        Raises:
            TooManyItems: more elements than one request may have.
            TooManyWaiting: more tasks would wait than may.
            IdempotencyKeyReused: the key came with another body before.
            StoreAway: the database is busy or away.
        """
        if len(elements) > self.max_batch:
            raise TooManyItems(f"One request may have {self.max_batch} elements, and this one has {len(elements)}.")
        now = self.now()
        before = self.store.batches.recall(key, now) if key else None
        if before is not None:
            return self._repeated(before, key)
        batch = new_batch(elements, task_type, make_tokens(len(elements) + 1, now), now, key, timing=timing)
        if not elements and key is None:
            return Submission(batch=None, elements=())
        hold = not batch.must_wait and not self.broker.has_room(task_type.list, len(batch.accepted), self.max_pushed)
        added = self.store.batches.add(batch, self.max_waiting, hold=hold)
        if added.before is not None:
            return self._repeated(added.before, key)
        if not elements:
            return Submission(batch=None, elements=())
        self._tell(batch)
        if not (added.held or batch.must_wait):
            self._push(batch)
        return Submission(batch=batch.id, elements=batch.elements)

    def _repeated(self, before: Remembered, key: IdempotencyKey | None) -> Submission:
        """Answer as the first time, from what was kept."""
        if key is None or before.digest != key.digest:
            raise IdempotencyKeyReused
        self.telemetry.emit(Event.BATCH_REPEATED, batch=before.batch)
        elements = self.store.batches.elements(before.batch) if before.batch else []
        return Submission(batch=before.batch, elements=elements)

    def _tell(self, batch: NewBatch) -> None:
        self.telemetry.emit(
            Event.BATCH_ACCEPTED, batch=batch.id, accepted=len(batch.accepted), rejected=len(batch.refused)
        )
        if not batch.accepted:
            self.telemetry.emit(Event.BATCH_FINISHED, batch=batch.id)

    def _push(self, batch: NewBatch) -> None:
        """Push the tickets; what cannot be pushed or noted now is the sweeper's."""
        if not batch.accepted:
            return
        kind = batch.task_type
        tickets = [Ticket(token=one.token, run=1, list=kind.list, task_type=kind.name) for one in batch.accepted]
        try:
            self.broker.push(tickets)
            self.store.batches.mark_pushed(batch.id, self.now())
        except BrokerAway as error:
            self.telemetry.emit(Event.PUSH_POSTPONED, batch=batch.id, reason=error.sentence)
            with contextlib.suppress(StoreAway):  # then the sweeper waits for the grace to end
                self.store.batches.mark_push_failed(batch.id, self.now())
        except StoreAway:
            return  # the tickets are there, and the sweeper will see that they are


def make_tokens(count: int, now: datetime) -> list[str]:
    """Return new tokens of this moment; their random bits come from one call to the system's secure source."""
    return tokens.make(int(now.timestamp() * 1000), os.urandom(tokens.ENTROPY_BYTES * count))


def body_digest(body: bytes) -> str:
    """Return what tells one body from another."""
    return hashlib.sha256(body).hexdigest()
