"""Submit: takes an array of elements, and returns for each a token or the reasons why it was refused."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from msgspec import structs

from queue_tool.broker import Broker
from queue_tool.errors import BadContinuation, BrokerAway, IdempotencyKeyReused, StoreAway, TooManyItems
from queue_tool.model import events, tokens
from queue_tool.model.batch import (
    UNNAMED,
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
from queue_tool.model.new_task import Accepted, Continuation
from queue_tool.model.resolving import under
from queue_tool.model.schema import FieldError
from queue_tool.model.task_request import Requests
from queue_tool.model.task_types import TaskType
from queue_tool.model.telemetry import Telemetry
from queue_tool.services.drafts import BatchDraft, Draft, Kept, TaskDraft
from queue_tool.services.filling import Filling
from queue_tool.services.follow import Follow
from queue_tool.services.submitter import Push, Submitter
from queue_tool.services.together import Failed
from queue_tool.store import AddBatch, Added, AddTask, Remembered, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Submit:
    """Checks elements, stores the accepted ones as tasks, and pushes their tickets."""

    store: Store
    broker: Broker
    telemetry: Telemetry
    clock: Clock
    submitter: Submitter
    max_batch: int  # elements in one request
    filling: Filling
    types: Mapping[str, TaskType]  # for continuations
    follow: Follow

    def __call__(
        self,
        values: Sequence[object],
        judge: Judge,
        key: IdempotencyKey | None = None,
        *,
        label: Label = UNNAMED,
        some_accepted: bool = False,
        on_finished: object = None,
    ) -> Submission:
        """Check every value, store the accepted ones as tasks of a batch, and push their tickets.

        If this returns, every returned token is on disk. If it raises, nothing was stored.

        Args:
            values: the elements of the request.
            judge: decides for each value whether it is accepted or refused.
            key: the request's Idempotency-Key, if it has one.
            label: the name and the metadata of the batch.
            some_accepted: whether nothing is kept if every element is refused. Otherwise the batch keeps its refusals.
            on_finished: what follows when all tasks have ended: a task as in `POST /tasks`, with the additional key
                `when`, or a list of them.

        Raises:
            BadContinuation: `on_finished` is not valid.
            TooManyItems: the request has more than `max_batch` elements.
            TooManyWaiting: more than `max_waiting` tasks would wait.
            IdempotencyKeyReused: an earlier request used the key with another body.
            StoreAway: the database is busy or away.
        """
        if len(values) > self.max_batch:
            raise TooManyItems(f"The request has {len(values)} elements; the limit is {self.max_batch}.")
        now = self.clock.now()
        before = self.store.idempotency.recall(key, now) if key else None
        if before is not None:
            return self._repeated(before, key)
        draft = self.batch_draft(
            values, judge, key, label=label, some_accepted=some_accepted, on_finished=self.continuations(on_finished)
        )
        if not values and key is None:
            return Submission(batch=None, elements=())
        if draft.addition.some_accepted and not draft.addition.new.accepted:
            return Submission(batch=None, elements=draft.addition.new.elements)
        kept = self.kept_batch(draft, self.submitter.keep(draft.addition))
        self.push([kept])
        return kept.result

    def batch_draft(
        self,
        values: Sequence[object],
        judge: Judge,
        key: IdempotencyKey | None = None,
        *,
        label: Label = UNNAMED,
        some_accepted: bool = False,
        on_finished: Sequence[Continuation] = (),
    ) -> BatchDraft:
        """Check every value, and store nothing yet. The arguments are those of a call.

        A call takes four steps: it makes a draft, keeps it, looks at what was kept, and pushes it. A caller that takes
        these steps itself can keep and push many requests at once.
        """
        now = self.clock.now()
        tokens = make_tokens(len(values) + 1, now)
        new = new_batch(values, judge, tokens, now, key, label=label, on_finished=on_finished)
        tickets = new.tickets
        held = self.filling.without_room(tickets)
        return BatchDraft(
            addition=AddBatch(new=new, hold=held, some_accepted=some_accepted and bool(values)), tickets=tickets
        )

    def continuations(self, on_finished: object) -> tuple[Continuation, ...]:
        """Return the continuations that `on_finished` describes.

        Raises:
            BadContinuation: it is not valid.
        """
        found, errors = Requests(types=self.types, now=self.clock.now()).continuations(on_finished)
        if errors:
            raise _bad_continuation(under("/on_finished", errors))
        return found

    def keep(self, drafts: Sequence[Draft]) -> list[Added | Failed]:
        """Store several drafts; return for each what was added, or the error because of which nothing was stored."""
        return self.submitter.keep_each([draft.addition for draft in drafts])

    def kept_batch(self, draft: BatchDraft, added: Added) -> Kept[Submission]:
        """Return what became of a batch that was stored, and emit the events about it."""
        new = draft.addition.new
        if added.before is not None:
            return Kept(result=self._repeated(added.before, new.idempotency))
        if not new.elements:
            return Kept(result=Submission(batch=None, elements=()))
        batch = added.instead or new
        if added.refused_whole:
            return Kept(result=Submission(batch=None, elements=batch.elements))
        self._emit_accepted(batch)
        tickets = batch.tickets if added.instead else draft.tickets
        self.follow(added.made)
        return Kept(
            result=Submission(batch=batch.id, elements=batch.elements),
            batch=batch.id,
            tickets=() if added.held else tickets,
            in_line=batch.lists if added.held else (),
        )

    def push(self, kept: Sequence[Kept[Any]]) -> None:
        """Push the tickets of what was stored, and fill the lists of batches in line. The sweeper does what fails."""
        self.filling.try_to_fill({name for each in kept for name in each.in_line})
        pushes = [Push(tickets=each.tickets, batch=each.batch) for each in kept if each.tickets]
        if not pushes:
            return
        try:
            self.submitter.push(pushes)
        except BrokerAway as error:
            for push in pushes:
                self._postpone(push, error)

    def single(
        self, value: object, judge: Judge, key: IdempotencyKey | None = None, *, on_finished: object = None
    ) -> Element:
        """Check one value, store it as a task without a batch, and push its ticket.

        Args:
            value: the element.
            judge: decides whether it is accepted or refused.
            key: the request's Idempotency-Key, if it has one.
            on_finished: what follows when the task has ended, if the value itself does not say it.

        Returns:
            The accepted element, or the refusal. If another task has its unique key, the refusal names that task.

        Raises:
            BadContinuation: `on_finished` is not valid.
            TooManyWaiting: more than `max_waiting` tasks would wait.
            IdempotencyKeyReused: an earlier request used the key with another body.
            StoreAway: the database is busy or away.
        """
        now = self.clock.now()
        before = self.store.idempotency.recall(key, now) if key else None
        if before is not None:
            return self._repeated_single(before, key)
        draft = self.task_draft(value, judge, key, self.continuations(on_finished))
        if isinstance(draft, Refused):
            return draft  # a refusal is not remembered: the client may send the key again with corrected data
        kept = self.kept_task(draft, self.submitter.keep(draft.addition))
        self.push([kept])
        return kept.result

    def task_draft(
        self,
        value: object,
        judge: Judge,
        key: IdempotencyKey | None = None,
        on_finished: tuple[Continuation, ...] = (),
    ) -> TaskDraft | Refused:
        """Check one value, and store nothing yet. The arguments are those of `single`."""
        now = self.clock.now()
        judged = judge(value, 0, make_tokens(1, now)[0])
        if isinstance(judged, Refused):
            return judged
        if on_finished:
            options = judged.options
            both = (*options.on_finished, *on_finished)
            judged = structs.replace(judged, options=structs.replace(options, on_finished=both))
        tickets = [] if judged.options.must_wait(now) else [judged.ticket]
        held = self.filling.without_room(tickets)
        return TaskDraft(addition=AddTask(new=judged, now=now, key=key, hold=held), tickets=tickets)

    def kept_task(self, draft: TaskDraft, added: Added) -> Kept[Element]:
        """Return what became of a task that was stored, and emit the event about it."""
        new = draft.addition.new
        if added.before is not None:
            return Kept(result=self._repeated_single(added.before, draft.addition.key))
        if added.duplicate is not None:
            return Kept(result=added.duplicate)
        self.telemetry.emit(events.TaskAccepted(token=new.token, task_type=new.task_type.name))
        return Kept(result=new, tickets=() if added.held else draft.tickets)

    def _repeated(self, before: Remembered, key: IdempotencyKey | None) -> Submission:
        """Return the same answer as the first time, from the stored batch."""
        if key is None or before.digest != key.digest:
            raise IdempotencyKeyReused
        if before.token is not None:
            raise IdempotencyKeyReused
        self.telemetry.emit(events.BatchRepeated(batch=before.batch))
        elements = self.store.batches.elements(before.batch) if before.batch else []
        removed = (before.elements or len(elements)) - len(elements)
        return Submission(batch=before.batch, elements=elements, removed=removed)

    def _emit_accepted(self, batch: NewBatch) -> None:
        self.telemetry.emit(
            events.BatchAccepted(batch=batch.id, accepted=len(batch.accepted), rejected=len(batch.refused))
        )
        if not batch.accepted:
            self.telemetry.emit(events.BatchFinished(batch=batch.id))

    def _repeated_single(self, before: Remembered, key: IdempotencyKey | None) -> Accepted:
        if key is None or before.digest != key.digest or before.token is None:
            raise IdempotencyKeyReused
        self.telemetry.emit(events.TaskRepeated(token=before.token))
        return self.store.singles.accepted(before.token)

    def _postpone(self, push: Push, error: BrokerAway) -> None:
        token = None if push.batch else push.tickets[0].token
        self.telemetry.emit(events.PushPostponed(batch=push.batch, token=token, reason=error.sentence))
        with contextlib.suppress(StoreAway):  # then the sweeper pushes them after `SUBMIT_GRACE`
            if push.batch is not None:
                self.store.batches.mark_push_failed(push.batch, self.clock.now())
            else:
                self.store.tickets.end_grace([ticket.token for ticket in push.tickets])


def make_tokens(count: int, now: datetime) -> list[str]:
    """Return new tokens for this time. One call to the system's secure source provides all their random bits."""
    return tokens.make(int(now.timestamp() * 1000), os.urandom(tokens.ENTROPY_BYTES * count))


def _bad_continuation(errors: Sequence[FieldError]) -> BadContinuation:
    first = errors[0]
    error = BadContinuation(f"What should follow is not valid: {first.path}: {first.message}")
    error.errors = [asdict(each) for each in errors]
    return error


def request_digest(body: bytes, query: bytes = b"") -> str:
    """Return the SHA-256 digest of a request's body and query, in hexadecimal."""
    return hashlib.sha256(body + b"\0?" + query if query else body).hexdigest()
