"""Ticking: makes the ticks of a schedule, stores what they send, and pushes the tickets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Never

from msgspec import structs

from queue_tool.host import senders
from queue_tool.model import events
from queue_tool.model.batch import Judge, Label, NewBatch, Refused, Submission, new_batch
from queue_tool.model.bounded_text import keepable
from queue_tool.model.new_task import NewTask
from queue_tool.model.schedule import Due, DueTick, Schedule, Tick, TickResult, Work
from queue_tool.model.schema import Schema
from queue_tool.model.task import AT_ONCE, Timing
from queue_tool.model.task_request import Requests
from queue_tool.model.task_types import TaskType, TaskTypes
from queue_tool.services.drafts import Kept
from queue_tool.services.submit import Submit, make_tokens
from queue_tool.store.ticks import MadeTick, NewTick

LONGEST_ERROR = 1000
"""Characters of the reason why the data of a tick was refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticking:
    """Makes ticks, for the sweeper and for requests."""

    submit: Submit
    types: TaskTypes

    def __call__(
        self, schedule: Schedule, ticks: Sequence[DueTick], now: datetime, due: Due | None = None
    ) -> list[Tick] | None:
        """Make ticks. If this returns, what they have sent is on disk.

        Args:
            schedule: the schedule, as it was read.
            ticks: the ticks.
            now: the present time.
            due: what the schedule has to do now, if these ticks are due; None: a request makes them.

        Returns:
            The ticks; None if another process has made them, or has changed the schedule.

        Raises:
            StoreAway: the database is busy or away; nothing was stored.
        """
        new = [self._draft(schedule, tick, now) for tick in ticks]
        made = self.submit.store.ticks.make(schedule, new, now, senders.own(), due)
        if made is None:
            return None
        works: list[NewTask | NewBatch | None] = [None] * (len(made) - len(new)) + [each.work for each in new]
        kept: list[Kept[Any]] = []
        for each, work in zip(made, works, strict=True):
            self._emit(schedule, each.tick, work)
            if each.tick.result is TickResult.SENT and work is not None:
                kept.append(_kept(work, each, now))
        self.submit.push(kept)
        return [each.tick for each in made]

    def _draft(self, schedule: Schedule, tick: DueTick, now: datetime) -> NewTick:
        """Check what a tick sends, and store nothing yet."""
        work = schedule.work
        judge = self._judge(work, now, tick.at + schedule.delay(tick.at) if schedule.rhythm.jitter else None)
        if work.is_batch:
            assert isinstance(work.data, list)  # as it was read
            label = Label(name=work.name, metadata={"schedule": schedule.id})
            batch = new_batch(work.data, judge, make_tokens(len(work.data) + 1, now), now, label=label)
            if not batch.accepted:
                return NewTick(due=tick, work=None, error=_reason(batch.refused[0]))
            return NewTick(due=tick, work=batch, hold=self.submit.filling.without_room(batch.tickets))
        task = judge(work.data, 0, make_tokens(1, now)[0])
        if isinstance(task, Refused):
            return NewTick(due=tick, work=None, error=_reason(task))
        tagged = structs.replace(task.options, tags=(*task.options.tags, f"schedule:{schedule.id}"))
        tickets = [] if tagged.must_wait(now) else [task.ticket]
        hold = self.submit.filling.without_room(tickets)
        return NewTick(due=tick, work=structs.replace(task, options=tagged), hold=hold)

    def _judge(self, work: Work, now: datetime, due_at: datetime | None) -> Judge:
        """Return what makes a task of a value. It accepts any data of a type that this process does not know.

        Args:
            work: what a schedule sends.
            now: the present time.
            due_at: when the tasks may start; None: at once.
        """
        timing = AT_ONCE if due_at is None else Timing(due_at=due_at)
        known: Mapping[str, TaskType] = self.types
        if work.task_type not in known:
            known = {work.task_type: _unknown_type(work)}
        requests = Requests(types=known, now=now)

        def judge(value: object, index: int, token: str) -> NewTask | Refused:
            task = requests({**work.request, "data": value}, index, token)
            if isinstance(task, Refused) or timing is AT_ONCE:
                return task
            return structs.replace(task, options=structs.replace(task.options, timing=timing))

        return judge

    def _emit(self, schedule: Schedule, tick: Tick, work: NewTask | NewBatch | None) -> None:
        at, emit = tick.at.isoformat(), self.submit.telemetry.emit
        if tick.result is TickResult.REFUSED:
            emit(events.TickRefused(schedule=schedule.id, at=at, reason=tick.error or ""))
            return
        tasks, rejected = _sizes(work) if tick.result is TickResult.SENT else (0, 0)
        emit(
            events.Ticked(
                schedule=schedule.id,
                at=at,
                result=tick.result.value,
                task_type=schedule.work.task_type,
                tasks=tasks,
                rejected=rejected,
                token=tick.token,
                batch=tick.batch,
            )
        )


def _sizes(work: NewTask | NewBatch | None) -> tuple[int, int]:
    """Return how many tasks a tick has sent, and how many elements were refused."""
    if isinstance(work, NewBatch):
        return len(work.accepted), len(work.refused)
    return int(work is not None), 0


def _kept(work: NewTask | NewBatch, made: MadeTick, now: datetime) -> Kept[Any]:
    """Return what must be pushed of a tick."""
    if isinstance(work, NewBatch):
        return Kept(
            result=Submission(batch=work.id, elements=work.elements),
            batch=work.id,
            tickets=() if made.held else work.tickets,
            in_line=work.lists if made.held else (),
        )
    waits = made.held or work.options.must_wait(now)
    return Kept(result=work, tickets=() if waits else [work.ticket], in_line=[work.list] if made.held else ())


def _unknown_type(work: Work) -> TaskType:
    return TaskType(
        name=work.task_type, function=_never_called, schema=Schema(True), lane=work.lane, priority=work.priority
    )


def _never_called(_data: object) -> Never:
    raise NotImplementedError("only workers call functions, and they know their types")


def _reason(refused: Refused) -> str:
    text = "; ".join(f"{error.path}: {error.message}" for error in refused.errors)
    return keepable(text, LONGEST_ERROR)
