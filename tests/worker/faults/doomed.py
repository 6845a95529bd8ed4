"""A worker that kills itself when it reaches STEP for the NUMBER-th time.

Start it with `python -m tests.worker.faults.doomed STEP NUMBER`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from redis import Redis

from queue_tool.model.context import Context
from queue_tool.model.outcome import Ended, Note, Outcome
from queue_tool.model.queues import Lane
from queue_tool.model.run import Run
from queue_tool.model.ticket import Ticket
from queue_tool.runtime import Runtime
from queue_tool.services.filling import Filled, Filling
from queue_tool.services.run import RecordedAndClaimed, Runner
from queue_tool.store import Portion
from queue_tool.worker.executor import Executor
from queue_tool.worker.isolated import IsolatedExecutor
from queue_tool.worker.loop import LoopThread
from queue_tool.worker.process import work
from queue_tool.worker.ticket_lists import Removable, TicketLists
from queue_tool.worker.worker import Worker


class Doom:
    """Kills this process when it reaches a step for the given time."""

    def __init__(self, step: str, number: int) -> None:
        """Count how often this step is reached.

        Args:
            step: the step at which the process dies.
            number: which time it dies there: 1 is the first time.
        """
        self._step = step
        self._left = number

    def at(self, step: str, *, happens: object) -> None:
        """Reach a step; it is counted only if `happens` is true."""
        if step == self._step and happens:
            self._left -= 1
            if not self._left:
                os.kill(os.getpid(), signal.SIGKILL)


class DoomedLists(TicketLists):
    """The lists of a worker that dies before, after or between the calls."""

    def __init__(self, real: TicketLists, doom: Doom) -> None:  # pylint: disable=super-init-not-called
        """Share the state of the real lists."""
        self.__dict__.update(vars(real))
        self._doom = doom

    def exchange(
        self, wanted: Mapping[str, Lane], room: Mapping[Lane, int], to_remove: Sequence[Removable], ended: int
    ) -> dict[str, list[str]] | None:
        """Die before tickets are taken, after they are taken, or after ended tickets are removed."""
        self._doom.at("before take", happens=wanted)
        taken = super().exchange(wanted, room, to_remove, ended)
        self._doom.at("after take", happens=any((taken or {}).values()))
        self._doom.at("after tell", happens=to_remove)
        return taken

    def show(self, began: Mapping[str, datetime]) -> None:
        """Die while functions run whose tickets RQ's tools can see."""
        super().show(began)
        self._doom.at("while running", happens=True)


@dataclass(frozen=True, kw_only=True)
class DoomedRunner(Runner):
    """The transactions of a worker that dies after them."""

    doom: Doom

    def record_and_claim(
        self,
        outcomes: Sequence[Outcome],
        tickets: Sequence[tuple[str, int]],
        owner: int,
        notes: Sequence[Note] = (),
    ) -> RecordedAndClaimed:
        """Die after runs have been claimed, or after outcomes have been settled."""
        changes = super().record_and_claim(outcomes, tickets, owner, notes)
        self.doom.at("after claim", happens=changes.runs)
        self.doom.at("after settle", happens=changes.settled.tokens)
        return changes


class DoomedIsolated(IsolatedExecutor):
    """An isolated lane that dies while suspects share a process."""

    def __init__(self, real: IsolatedExecutor, doom: Doom) -> None:  # pylint: disable=super-init-not-called
        """Share the state of the real one."""
        self.__dict__.update(vars(real))
        self._doom = doom

    def _fill_places(self) -> None:
        self._doom.at("after the start of a shared process", happens=True)
        super()._fill_places()

    def _join(self, ticket: str, run: Run) -> bool:
        joins = super()._join(ticket, run)
        self._doom.at("after a join", happens=joins)
        return joins

    def _work_together(self, slot: int, ticket: str, run: Run, context: Context) -> Ended:
        self._doom.at("before a shared run", happens=True)
        ended = super()._work_together(slot, ticket, run, context)
        self._doom.at("after a shared run", happens=True)
        return ended


class DoomedFilling(Filling):
    """The fills of a worker that dies between the steps of a fill."""

    def __init__(self, real: Filling, doom: Doom) -> None:
        """Use the same parts as the real one."""
        super().__init__(store=real.store, broker=real.broker, clock=real.clock, max_pushed=real.max_pushed)
        self._doom = doom

    def fill(self, name: str, slots: int | None = None) -> Filled:
        """Die after the push was noted."""
        filled = super().fill(name, slots)
        self._doom.at("after note", happens=filled.tickets)
        return filled

    def _push(self, portion: Portion) -> None:
        """Die with the lock, before the push or after it."""
        self._doom.at("before push", happens=True)
        super()._push(portion)
        self._doom.at("before note", happens=portion.count)


class DoomedWorker(Worker):
    """A worker whose lists, fills, runner and isolated lane can kill it."""

    doom: Doom

    def _run_pump(self, runtime: Runtime, loop: LoopThread, *, burst: bool, most: int | None) -> int:
        known: dict[str, Any] = {field.name: getattr(runtime.runner, field.name) for field in fields(runtime.runner)}
        known["follow"] = self._doomed_follow(runtime.runner.follow)
        doomed = replace(runtime, runner=DoomedRunner(**known, doom=self.doom))
        doomed = replace(doomed, filling=DoomedFilling(runtime.filling, self.doom))
        return super()._run_pump(doomed, loop, burst=burst, most=most)

    def _doomed_follow(self, real: Callable[[Sequence[Ticket]], None]) -> Callable[[Sequence[Ticket]], None]:
        """Die after continuations were made, before their tickets are pushed."""

        def follow(made: Sequence[Ticket]) -> None:
            self.doom.at("before follow", happens=made)
            real(made)

        return follow

    def _executors(
        self, runtime: Runtime, loop: asyncio.AbstractEventLoop, lanes: set[Lane]
    ) -> Mapping[Lane, Executor]:
        executors = dict(super()._executors(runtime, loop, lanes))
        isolated = executors[Lane.ISOLATED]
        assert isinstance(isolated, IsolatedExecutor)
        return executors | {Lane.ISOLATED: DoomedIsolated(isolated, self.doom)}

    def _lists(self, redis: Redis, served: Iterable[str], database: str) -> TicketLists:
        return DoomedLists(super()._lists(redis, served, database), self.doom)


if __name__ == "__main__":
    DoomedWorker.doom = Doom(sys.argv[1], int(sys.argv[2]))
    work(DoomedWorker)
