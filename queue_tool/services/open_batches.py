"""Open batches: take elements in any number of requests, each kept whole or not at all, until they are sealed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from queue_tool.errors import (
    BadRequest,
    BatchNotFound,
    BrokerAway,
    IdempotencyKeyReused,
    StoreAway,
    TooManyItems,
    WrongStart,
)
from queue_tool.model import events
from queue_tool.model.batch import (
    Element,
    IdempotencyKey,
    Judge,
    Label,
    NewBatch,
    SealedBy,
    Submission,
    judge_of,
    new_batch,
)
from queue_tool.model.task_request import Requests
from queue_tool.model.task_types import TaskTypes
from queue_tool.model.tokens import is_well_formed
from queue_tool.services.part_line import PartLine
from queue_tool.services.submit import Submit, make_tokens
from queue_tool.services.submitter import Push
from queue_tool.store import Added, AddElements, Part, Store

TRIES = 5
"""How often a process checks the line of what it has kept, if other processes fill the list meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenBatches:
    """Makes, fills and seals open batches."""

    submit: Submit
    types: TaskTypes
    check_line: PartLine
    pause: Callable[[], None]  # waits a moment between two checks of a line

    @property
    def _store(self) -> Store:
        return self.submit.store

    def open(
        self, label: Label, task_type: str | None, key: IdempotencyKey | None = None, on_finished: object = None
    ) -> str:
        """Make an open batch without elements, and return its id. The same key returns the same id again.

        Args:
            label: the name and the metadata of the batch.
            task_type: the elements are the data of this type; None: they are task objects, as in `POST /tasks`.
            key: the request's Idempotency-Key, if it has one.
            on_finished: what follows when it has ended, as in `Submit`.

        Raises:
            BadRequest: there is no such task type.
            BadContinuation: `on_finished` is not valid.
            IdempotencyKeyReused: an earlier request used the key with another body.
            StoreAway: the database is busy or away.
        """
        self._require_type(task_type)
        continuations = self.submit.continuations(on_finished)
        now = self.submit.clock.now()
        batch = make_tokens(1, now)[0]
        before = self._store.open_batches.add(batch, label, task_type, now, key, on_finished=continuations)
        if before is None:
            self.submit.telemetry.emit(events.BatchOpened(batch=batch))
            return batch
        if key is None or before.digest != key.digest or before.batch is None:
            raise IdempotencyKeyReused
        self.submit.telemetry.emit(events.BatchRepeated(batch=before.batch))
        return before.batch

    def add(self, batch: str, start: int, values: Sequence[object], digest: str) -> Submission:
        """Add elements to an open batch, and push their tickets. The same elements again get the same answer.

        If this returns, every returned token is on disk. If it raises, nothing was stored.

        Args:
            batch: the id of the batch.
            start: the index of the first element: how many elements the batch has.
            values: the elements.
            digest: of the body of the request.

        Raises:
            BatchNotFound: no batch has this id.
            BatchSealed: the batch takes no more elements.
            WrongStart: the batch has another number of elements.
            TooManyItems: the request has more than `max_batch` elements.
            TooManyWaiting: more than `max_waiting` tasks would wait.
            StoreAway: the database is busy or away.
        """
        if len(values) > self.submit.max_batch:
            raise TooManyItems(f"The request has {len(values)} elements; the limit is {self.submit.max_batch}.")
        _require_well_formed(batch)
        found = self._store.open_batches.get(batch)
        if start != found.total:  # another request may be adding elements, so a higher index is no error yet
            before = self._store.open_batches.part(batch, start)
            if before is not None and before.digest == digest:
                return self._repeated(before)
            if start < found.total:
                raise WrongStart.because(found.total)
        now = self.submit.clock.now()
        tokens = [batch, *make_tokens(len(values), now)]
        new = new_batch(values, self._judge(found.task_type), tokens, now, start=start)
        held = self.submit.filling.without_room(new.tickets)
        added = self.submit.submitter.keep(AddElements(new=new, start=start, digest=digest, hold=held))
        return self._kept(added, added.instead or new)

    def elements(self, batch: str, start: int, limit: int) -> tuple[list[Element], int | None]:
        """Return a page of the elements of a batch, and the index at which the next page begins.

        The index is None on the last page.

        Raises:
            BatchNotFound: no batch has this id.
            StoreAway: the database is busy or away.
        """
        _require_well_formed(batch)
        self._store.batches.get(batch)
        found = self._store.open_batches.elements(batch, start, limit + 1)
        return found[:limit], found[limit].index if len(found) > limit else None

    def seal(self, batch: str, by: SealedBy) -> None:
        """Seal a batch: it takes no more elements. A batch that is sealed already is not changed.

        Raises:
            BatchNotFound: no batch has this id.
            StoreAway: the database is busy or away.
        """
        _require_well_formed(batch)
        sealed = self._store.open_batches.seal(batch, by, self.submit.clock.now())
        if sealed.was_open:
            self.submit.telemetry.emit(events.BatchSealed(batch=batch, by=by.value))
        if sealed.is_finished:
            self.submit.telemetry.emit(events.BatchFinished(batch=batch))
        self.submit.follow(sealed.made)

    def _judge(self, task_type: str | None) -> Judge:
        if task_type is None:
            return Requests(types=self.types, now=self.submit.clock.now())
        self._require_type(task_type)
        return judge_of(self.types[task_type])

    def _require_type(self, name: str | None) -> None:
        if name is not None and name not in self.types:
            raise BadRequest(f"There is no task type {name[:80]!r:.80}.")

    def _kept(self, added: Added, new: NewBatch) -> Submission:
        if added.repeated is not None:
            return self._repeated(added.repeated)
        if added.part is not None:
            accepted, rejected = len(new.accepted), len(new.refused)
            self.submit.telemetry.emit(
                events.ElementsAccepted(batch=new.id, start=added.part.start, accepted=accepted, rejected=rejected)
            )
            self._push(added, added.part, new)
        return Submission(batch=new.id, elements=new.elements)

    def _repeated(self, part: Part) -> Submission:
        """Return the same answer as the first time, from the stored elements."""
        self.submit.telemetry.emit(events.BatchRepeated(batch=part.batch))
        elements = self._store.open_batches.elements(part.batch, part.start, part.count)
        return Submission(batch=part.batch, elements=elements)

    def _push(self, added: Added, part: Part, new: NewBatch) -> None:
        """Push the tickets of new elements, or fill the lists in whose lines they wait. The sweeper does what fails."""
        if added.held:
            self.submit.filling.try_to_fill(sorted(new.lists))
            if added.behind:
                self._check(part, added)
        elif new.lists:
            try:
                self.submit.submitter.push([Push(tickets=new.tickets, batch=None, part=part.key)])
            except BrokerAway as error:
                self.submit.telemetry.emit(events.PushPostponed(batch=new.id, reason=error.sentence))
                self._leave_to_sweeper(part)

    def _check(self, part: Part, added: Added) -> None:
        try:
            for _ in range(TRIES):
                if self.check_line(part, added.behind):
                    self.submit.submitter.record(Push(tickets=(), batch=None, part=part.key))
                    return
                self.pause()
        except (BrokerAway, StoreAway):
            pass
        self._leave_to_sweeper(part)

    def _leave_to_sweeper(self, part: Part) -> None:
        with contextlib.suppress(StoreAway):  # then the sweeper does it after `SUBMIT_GRACE`
            self._store.parts.end_grace(part.key)


def _require_well_formed(batch: str) -> None:
    """Check an id before the store gets it: PostgreSQL refuses texts with U+0000.

    Raises:
        BatchNotFound: no batch can have this id.
    """
    if not is_well_formed(batch):
        raise BatchNotFound
