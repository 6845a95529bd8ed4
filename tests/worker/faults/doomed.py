"""A worker that kills itself: `python -m tests.worker.faults.doomed STEP NUMBER`, at a step of its so-many-th turn."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from functools import partial
from typing import Any

from queue_tool.model.outcome import Note, Outcome
from queue_tool.model.queues import Lane
from queue_tool.runtime import Runtime
from queue_tool.services.run import Run, Turned
from queue_tool.worker.intake import Intake
from queue_tool.worker.lists import Gone, Lists
from queue_tool.worker.pauses import Pauses
from queue_tool.worker.process import work
from queue_tool.worker.pump import Parts
from queue_tool.worker.waker import Waker
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


class DoomedLists(Lists):
    """The lists of a worker, between whose calls it dies."""

    def __init__(self, real: Lists, doom: Doom) -> None:  # pylint: disable=super-init-not-called
        """Do everything as the real ones do."""
        self.__dict__.update(vars(real))
        self._doom = doom

    def exchange(
        self, wanted: Mapping[str, Lane], room: Mapping[Lane, int], gone: Sequence[Gone], ended: int
    ) -> dict[str, list[str]] | None:
        """Die before tickets are taken, after that, or after others are removed."""
        self._doom.at("before take", happens=wanted)
        taken = super().exchange(wanted, room, gone, ended)
        self._doom.at("after take", happens=any((taken or {}).values()))
        self._doom.at("after tell", happens=gone)
        return taken

    def show(self, began: Mapping[str, datetime]) -> None:
        """Die while functions run, which RQ's tools can see."""
        super().show(began)
        self._doom.at("while running", happens=True)


@dataclass(frozen=True, kw_only=True)
class DoomedRun(Run):
    """The turns of a worker, after which it dies."""

    doom: Doom

    def turn(
        self, outcomes: Sequence[Outcome], runs: Sequence[tuple[str, int]], owner: int, notes: Sequence[Note] = ()
    ) -> Turned:
        """Die after runs have been claimed, or after others have been settled."""
        turned = super().turn(outcomes, runs, owner, notes)
        self.doom.at("after claim", happens=turned.started)
        self.doom.at("after settle", happens=turned.settled.tokens)
        return turned


class DoomedWorker(Worker):
    """A worker with such parts."""

    doom: Doom

    def _parts(self, runtime: Runtime, loop: asyncio.AbstractEventLoop) -> tuple[Parts, Waker]:
        parts, waker = super()._parts(runtime, loop)
        known: dict[str, Any] = {field.name: getattr(parts.run, field.name) for field in fields(parts.run)}
        lists = DoomedLists(parts.lists, self.doom)
        intake = Intake(
            lists=lists,
            served=parts.intake.served,
            watch=waker.watch,
            refuse=partial(self._refuse, lists),
            pauses=Pauses(runtime.store.queues.paused, parts.intake.served),
            telemetry=runtime.telemetry,
        )
        return replace(parts, run=DoomedRun(**known, doom=self.doom), lists=lists, intake=intake), waker


if __name__ == "__main__":
    DoomedWorker.doom = Doom(sys.argv[1], int(sys.argv[2]))
    work(DoomedWorker)
