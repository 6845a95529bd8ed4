"""A worker that kills itself: `python -m tests.worker.faults.doomed STEP NUMBER`, at a step of its so-many-th cycle."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from redis import Redis

from queue_tool.model.outcome import Note, Outcome
from queue_tool.model.queues import Lane
from queue_tool.runtime import Runtime
from queue_tool.services.run import RecordedAndClaimed, Runner
from queue_tool.worker.process import work
from queue_tool.worker.ticket_lists import Removable, TicketLists
from queue_tool.worker.worker import Worker


class Doom:
    """Kills this process when a step is reached so many times."""

    def __init__(self, step: str, number: int) -> None:
        """Wait for this step."""
        self._step = step
        self._left = number

    def at(self, step: str, *, happens: object) -> None:
        """Come to a step; it counts only if something happens in it."""
        if step == self._step and happens:
            self._left -= 1
            if not self._left:
                os.kill(os.getpid(), signal.SIGKILL)


class DoomedLists(TicketLists):
    """The lists of a worker, between whose calls it dies."""

    def __init__(self, real: TicketLists, doom: Doom) -> None:  # pylint: disable=super-init-not-called
        """Do everything as the real ones do."""
        self.__dict__.update(vars(real))
        self._doom = doom

    def exchange(
        self, wanted: Mapping[str, Lane], room: Mapping[Lane, int], to_remove: Sequence[Removable], ended: int
    ) -> dict[str, list[str]] | None:
        """Die before tickets are taken, after that, or after others are removed."""
        self._doom.at("before take", happens=wanted)
        taken = super().exchange(wanted, room, to_remove, ended)
        self._doom.at("after take", happens=any((taken or {}).values()))
        self._doom.at("after tell", happens=to_remove)
        return taken

    def show(self, began: Mapping[str, datetime]) -> None:
        """Die while functions run, which RQ's tools can see."""
        super().show(began)
        self._doom.at("while running", happens=True)


@dataclass(frozen=True, kw_only=True)
class DoomedRunner(Runner):
    """The transactions of a worker, after which it dies."""

    doom: Doom

    def record_and_claim(
        self,
        outcomes: Sequence[Outcome],
        tickets: Sequence[tuple[str, int]],
        owner: int,
        notes: Sequence[Note] = (),
    ) -> RecordedAndClaimed:
        """Die after runs have been claimed, or after others have been settled."""
        changes = super().record_and_claim(outcomes, tickets, owner, notes)
        self.doom.at("after claim", happens=changes.runs)
        self.doom.at("after settle", happens=changes.settled.tokens)
        return changes


class DoomedWorker(Worker):
    """A worker with such parts."""

    doom: Doom

    def _run_pump(self, runtime: Runtime, loop: asyncio.AbstractEventLoop, *, burst: bool, most: int | None) -> int:
        known: dict[str, Any] = {field.name: getattr(runtime.runner, field.name) for field in fields(runtime.runner)}
        doomed = replace(runtime, runner=DoomedRunner(**known, doom=self.doom))
        return super()._run_pump(doomed, loop, burst=burst, most=most)

    def _lists(self, redis: Redis, served: Iterable[str], database: str) -> TicketLists:
        return DoomedLists(super()._lists(redis, served, database), self.doom)


if __name__ == "__main__":
    DoomedWorker.doom = Doom(sys.argv[1], int(sys.argv[2]))
    work(DoomedWorker)
