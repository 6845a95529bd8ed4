"""History: what was counted and measured in each step of the last hour or day, for charts."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from queue_tool.model import json_text, metrics
from queue_tool.model.metrics import Level, Point
from queue_tool.model.states import State
from queue_tool.services.measures.levels import MARK
from queue_tool.store import Store

MINUTE = 60
"""Seconds."""

LATE = 10
"""Seconds after the end of a minute in which processes may still write what they have counted until then."""

SETTLED = 120
"""Seconds after the end of a step after which it is not read again."""

SUMS = (metrics.ENDED.name, metrics.WAIT_SECONDS.name, metrics.RUN_SECONDS.name)

LEVELS = (
    metrics.WAITING.name,
    metrics.AGE.name,
    metrics.PROCESSES.name,
    metrics.SLOTS.name,
    metrics.BUSY_SLOTS.name,
)


class Span(StrEnum):
    """The time that a chart shows."""

    HOUR = "hour"
    DAY = "day"


@dataclass(frozen=True, slots=True, kw_only=True)
class Division:
    """How a span is divided."""

    steps: int
    minutes: int  # of each step


DIVISIONS: Mapping[Span, Division] = {
    Span.HOUR: Division(steps=60, minutes=1),
    Span.DAY: Division(steps=48, minutes=30),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What was counted and measured in one step."""

    at: int  # Unix time in seconds: when it begins
    minutes: int  # those of it that are over
    measured: int  # those of them in which the gauges were measured; without any, nobody knows what is missing
    ended: Mapping[str, float]  # tasks by state
    failed: Mapping[str, float]  # tasks by failure code
    waits: Mapping[str, float]  # how many waits of tasks were in each bucket
    runs: Mapping[str, float]  # how many runs were in each bucket
    levels: Mapping[tuple[str, str], Level]  # by the name of the gauge and the value of its label

    @property
    def is_known(self) -> bool:
        """Return whether anything was counted or measured. A system that is off does neither."""
        return bool(self.measured or self.ended or self.waits or self.runs)


class History:
    """Reads the steps of a span. Steps that are over for some time are read once by each process."""

    def __init__(self, store: Store) -> None:
        """Know nothing yet."""
        self._store = store
        self._known: dict[Span, dict[int, Step]] = {span: {} for span in Span}

    def __call__(self, span: Span, now: datetime) -> Sequence[Step]:
        """Return the steps of the time until now, the oldest first. The last minute is the last one that is over.

        Raises:
            StoreAway: the database is busy or away.
        """
        division, known = DIVISIONS[span], self._known[span]
        length = division.minutes * MINUTE
        end = int(now.timestamp() - LATE) // MINUTE * MINUTE
        last = (end - MINUTE) // length * length
        times = range(last - (division.steps - 1) * length, end, length)
        missing = next(at for at in times if at not in known or at == last)
        found = {at: known[at] for at in times if at < missing} | self._read(range(missing, end, length), end)
        self._known[span] = {at: step for at, step in found.items() if at + length + SETTLED <= now.timestamp()}
        return [found[at] for at in times]

    def _read(self, times: range, end: int) -> dict[int, Step]:
        span = (_moment(times.start), _moment(end), times.step // MINUTE)
        points = self._store.measures.between(*span, SUMS)
        levels = self._store.measures.levels(*span, LEVELS)
        sums = {at: _Sums() for at in times}
        for point in points:
            sums[point.at].add(point)
        found: dict[int, list[Level]] = {at: [] for at in times}
        for level in levels:
            found[level.at].append(level)
        return {at: sums[at].step(at, min(times.step, end - at) // MINUTE, found[at]) for at in times}


class _Sums:
    """The sums of one step, while its rows are read."""

    def __init__(self) -> None:
        self._ended: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._buckets: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))

    def add(self, point: Point) -> None:
        measure = point.measure
        if measure.metric != metrics.ENDED.name:
            self._buckets[measure.metric][measure.bucket] += measure.value
            return
        labels: Any = json_text.loads(measure.labels)
        self._ended[labels["status"]] += int(measure.value)
        if labels["status"] == State.FAILED:
            self._failed[labels.get("code", "")] += int(measure.value)

    def step(self, at: int, minutes: int, levels: Iterable[Level]) -> Step:
        by_label = {(level.metric, _label(level)): level for level in levels}
        marks = [level.minutes for (metric, _), level in by_label.items() if metric == MARK.name]
        return Step(
            at=at,
            minutes=minutes,
            measured=max(marks, default=0),
            ended=dict(self._ended),
            failed=dict(self._failed),
            waits=dict(self._buckets[metrics.WAIT_SECONDS.name]),
            runs=dict(self._buckets[metrics.RUN_SECONDS.name]),
            levels=by_label,
        )


def _label(level: Level) -> str:
    """Return the value of the only label of a gauge."""
    labels: Any = json_text.loads(level.labels)
    return str(next(iter(labels.values()), ""))


def _moment(at: int) -> datetime:
    return datetime.fromtimestamp(at, UTC)
