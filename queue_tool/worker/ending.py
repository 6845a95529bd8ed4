"""The end of a worker: when it must end, and what becomes of the runs that are active then."""

from __future__ import annotations

import math
from collections import deque

from queue_tool.host import files
from queue_tool.model.outcome import NOT_BEGUN, Ended, Failed, Outcome
from queue_tool.model.queues import Lane
from queue_tool.model.run import Run
from queue_tool.model.states import Code
from queue_tool.services.unfinished import lose, put_back, resign
from queue_tool.worker.active_runs import ActiveRun, ActiveRuns
from queue_tool.worker.inbox import Inbox
from queue_tool.worker.resignation import Resignation
from queue_tool.worker.watchdog import Stuck, Watchdog

STUCK_AFTER = 3.0
"""Seconds in which every thread is busy with an abandoned function before this worker ends. Most functions return soon
after they were told to."""

LAST_TRIES = 8.0
"""Seconds after the drain in which the last outcomes may still be written."""

SPARE = 16
"""Files that a worker keeps for its end, which needs connections and modules."""


class Ending:
    """Knows when this worker must end, and ends its active runs. Only the pump calls it."""

    def __init__(
        self,
        *,
        active: ActiveRuns,
        inbox: Inbox,
        resignation: Resignation,
        watchdog: Watchdog | None,
    ) -> None:
        """Prepare.

        Args:
            active: the active runs.
            inbox: says whether this worker was told to end.
            resignation: ends this worker when it cannot go on.
            watchdog: notices that the event loop is stuck; None: no lane uses the loop.
        """
        self._active = active
        self._inbox = inbox
        self._resignation = resignation
        self._watchdog = watchdog
        self._stuck_since: float | None = None  # monotonic: when the last thread became busy with an abandoned function
        self._could_open = True  # at the last check
        self._spare = files.Spare(SPARE)
        self.ended: deque[tuple[Outcome, ActiveRun]] = deque()  # the outcomes that are not written yet
        self.has_enough = False  # whether this worker has claimed as many runs as it should

    @property
    def finish_by(self) -> float | None:
        """Return when active runs must have ended (monotonic). None while this worker continues."""
        return math.inf if self.has_enough and self._inbox.finish_by is None else self._inbox.finish_by

    def next_moment(self, now: float) -> float:
        """Return when the pump must look again (monotonic)."""
        next_check, until = math.inf, self.finish_by
        if self._stuck_since is not None and until is None:
            next_check = self._stuck_since + STUCK_AFTER
        if self._watchdog is not None and len(self._active):
            next_check = min(next_check, self._watchdog.next_check)
        return next_check if until is None else min(next_check, until if until > now else until + LAST_TRIES)

    def check(self, now: float) -> Stuck | None:
        """Let this worker end if its threads are stuck. If its event loop is stuck, return what is known about that."""
        if not self._active.is_stuck(Lane.THREADS):
            self._stuck_since = None
        elif self._stuck_since is None:
            self._stuck_since = now
        elif self.finish_by is None and now - self._stuck_since >= STUCK_AFTER:
            self._resignation.for_threads()
        return self._watchdog.check(now) if self._watchdog is not None else None

    def check_files(self) -> None:
        """Let this worker end if it cannot open files now and could not at the last check."""
        could, self._could_open = self._could_open, files.can_open()
        if not (could or self._could_open) and self.finish_by is None:
            self._spare.close()
            self._resignation.for_files()

    def unfinished(self, run: Run, ended: Ended) -> Outcome | None:
        """Return the outcome of a run that ended for a reason that is not its own; None for all others.

        Its process may have got the same signal as this worker, from whoever stops both.
        """
        if ended is NOT_BEGUN:
            return put_back(run, begun=False)
        is_lost = isinstance(ended, Failed) and ended.code is Code.WORKER_LOST
        return put_back(run) if is_lost and self._inbox.was_told_to_finish else None

    def give_back(self) -> None:
        """End all active runs so that another worker runs their tasks: the same attempt, a new run."""
        for active in self._active:
            self._end(active, self._outcome(active))

    def leave_loop(self, stuck: Stuck) -> None:
        """Give up the event loop: what blocks it is lost, all others run elsewhere, and this worker ends."""
        self._watchdog = None
        blocking = next((active for active in self._active if active.run.task.token == stuck.token), None)
        self._resignation.for_loop(stuck, blocking.run if blocking else None)
        for active in self._active:
            if active is blocking:
                self._end(active, lose(active.run, stuck.sentence, stuck.stack))
            elif active.lane is Lane.LOOP:
                self._end(active, self._outcome(active))

    def _outcome(self, active: ActiveRun) -> Outcome:
        """Return the outcome of a run that this worker does not end. A function that was not called is no cause."""
        was_called = self._active.called_at(active) is not None
        return resign(active.run) if was_called and not self._inbox.was_told_to_finish else put_back(active.run)

    def _end(self, active: ActiveRun, outcome: Outcome) -> None:
        self._active.abandon(active)
        self.ended.append((outcome, active))
