"""Measures: what this process counts, how it comes into the database, and the sums of all processes.

A worker writes its sums with each heartbeat. Processes without a heartbeat write them as often.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from queue_tool.errors import CommitUnknown, StoreAway
from queue_tool.model import json_text
from queue_tool.model.clock import Clock
from queue_tool.model.heartbeat import Heartbeat
from queue_tool.model.made_once import made_once
from queue_tool.model.metrics import ENDED, RUN_SECONDS, Measure, Point
from queue_tool.model.states import State
from queue_tool.model.telemetry import Telemetry
from queue_tool.services.measures.listening import listeners
from queue_tool.services.measures.summary import LATELY, Usual, usual_of
from queue_tool.services.measures.sums import Sums, labels_text
from queue_tool.store import Store

if TYPE_CHECKING:
    from queue_tool.services.measures.history import History

WRITE_EVERY = 5.0
"""Seconds between two writes. A process that is killed loses what it counted in this time."""

Written = TypeVar("Written")


class Measures:
    """What this process counts, and what all processes have counted."""

    def __init__(self, store: Store, telemetry: Telemetry, clock: Clock) -> None:
        """Listen to the events of this process."""
        self._store = store
        self._clock = clock
        self._sums = Sums()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._next_write = clock.monotonic() + WRITE_EVERY
        telemetry.listen(listeners(self._sums))

    # -- this process --------------------------------------------------------------------------------------

    def send(self, write: Callable[[Heartbeat], Written]) -> Written:
        """Pass what was counted to a function that writes it. If it fails, the next call passes it again.

        If it is not known whether it was written, it is not passed again: no sum may count anything twice.

        Raises:
            StoreAway: the function raised it.
        """
        taken = self._sums.take()
        try:
            return write(
                Heartbeat(
                    at=self._clock.now(),
                    measures=taken,
                    finished=_ended(taken, State.FINISHED),
                    failed=_ended(taken, State.FAILED),
                )
            )
        except CommitUnknown:
            raise
        except BaseException:
            self._sums.put_back(taken)
            raise

    @property
    def has_any(self) -> bool:
        """Return whether anything was counted since the last write."""
        return self._sums.has_any

    def write(self) -> None:
        """Write what was counted, if there is anything.

        Raises:
            StoreAway: the database is busy or away; the next call writes it.
        """
        if self.has_any:
            self.send(lambda heartbeat: self._store.measures.add(heartbeat.measures, heartbeat.at))

    def write_if_due(self) -> None:
        """Do the same if the last write was `WRITE_EVERY` seconds ago.

        Raises:
            StoreAway: as `write` does.
        """
        if self._clock.monotonic() >= self._next_write:
            self._next_write = self._clock.monotonic() + WRITE_EVERY
            self.write()

    def write_regularly(self) -> None:
        """Start a thread that writes, in a process that sends no heartbeat."""
        self._thread = threading.Thread(target=self._write_until_stopped, name="measures", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write what is left, if the database takes it, and end the thread."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()
        with contextlib.suppress(StoreAway):
            self.write()

    def _write_until_stopped(self) -> None:
        while not self._stopped.wait(WRITE_EVERY):
            with contextlib.suppress(StoreAway):
                self.write()

    # -- all processes -------------------------------------------------------------------------------------

    def totals(self) -> Sequence[Measure]:
        """Return the sums of all time. They never fall.

        Raises:
            StoreAway: the database is busy or away.
        """
        return self._store.measures.totals()

    def between(self, start: datetime, end: datetime, step: int, metrics: Sequence[str] = ()) -> Sequence[Point]:
        """Return what was added in each step of a time, in the order of time, then of metric, labels and bucket.

        Steps in which nothing was added are missing. Minutes are kept for three days.

        Args:
            start: the first minute. Steps begin at multiples of their length.
            end: the minute before which the last step ends.
            step: minutes.
            metrics: the names of the metrics; empty: all of them.

        Raises:
            StoreAway: the database is busy or away.
        """
        return self._store.measures.between(start, end, step, metrics)

    @made_once
    def history(self) -> History:
        """The history for charts. Its module is imported at the first use, because few processes show charts."""
        from queue_tool.services.measures.history import History

        return History(self._store)

    def usual(self, task_type: str, now: datetime) -> Usual | None:
        """Return how long runs of a task type took in the last day; None if there were few.

        Raises:
            StoreAway: the database is busy or away.
        """
        labels = labels_text(RUN_SECONDS, (task_type,))
        return usual_of(self._store.measures.buckets(RUN_SECONDS.name, labels, now - LATELY, now))

    def durations(self, most: int) -> Sequence[float]:
        """Return the seconds of the last runs of the newest tasks that finished or failed, `most` at most.

        Raises:
            StoreAway: the database is busy or away.
        """
        return self._store.measures.durations(most)


def _ended(measures: Sequence[Measure], state: State) -> int:
    """Return how many tasks ended in this state."""
    return int(sum(each.value for each in measures if each.metric == ENDED.name and _status(each) == state))


def _status(measure: Measure) -> object:
    labels = json_text.loads(measure.labels)
    assert isinstance(labels, dict)  # `labels_text` has made it
    return labels.get("status")
