"""Sums: what one process has counted and measured since it last wrote it to the database."""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence

from queue_tool.model import json_text
from queue_tool.model.metrics import BY_NAME, INFINITY, SUM, Measure, Metric

_Key = tuple[str, tuple[str, ...], int]
"""The name of a metric, the values of its labels, and the place of its bucket, or one of the next two."""

_WHOLE = -1
"""The value of a counter."""

_SUM = -2
"""The sum of a histogram."""


class Sums:
    """The sums. Any thread may add to them."""

    def __init__(self) -> None:
        """Start empty."""
        self._lock = threading.Lock()
        self._sums: dict[_Key, float] = {}

    def count(self, metric: Metric, number: float, *labels: str) -> None:
        """Add to a counter.

        Args:
            metric: the counter.
            number: what is added; 0 adds nothing.
            labels: the values of its labels, in their order. Those at the end may be left out.
        """
        if number:
            key = metric.name, labels, _WHOLE
            with self._lock:
                self._sums[key] = self._sums.get(key, 0.0) + number

    def observe(self, metric: Metric, values: Sequence[float], *labels: str) -> None:
        """Add observations to a histogram. Many at once cost little more than one.

        Args:
            metric: the histogram.
            values: the observations.
            labels: the values of its labels, in their order.
        """
        if len(values) == 1:
            self.observe_alike(metric, values[0], 1, *labels)
        elif values:
            ordered, name = sorted(values), metric.name  # a search for each bound is faster than one for each value
            upto = [*(bisect_right(ordered, bound) for bound in metric.bounds), len(ordered)]
            counts = (upto[place] - (upto[place - 1] if place else 0) for place in range(len(upto)))
            self._add({(name, labels, place): count for place, count in enumerate(counts) if count})
            self._add({(name, labels, _SUM): sum(ordered)})

    def observe_alike(self, metric: Metric, value: float, times: int, *labels: str) -> None:
        """Add the same observation several times.

        Args:
            metric: the histogram.
            value: the observation.
            times: how often it was made.
            labels: the values of its labels, in their order.
        """
        place = bisect_left(metric.bounds, value)
        self._add({(metric.name, labels, place): times, (metric.name, labels, _SUM): value * times})

    def take(self) -> list[Measure]:
        """Return all sums, in the order in which every process writes them, and start again from nothing."""
        with self._lock:
            taken, self._sums = self._sums, {}
        measures = [
            Measure(metric=name, labels=labels_text(BY_NAME[name], labels), bucket=_bucket(name, place), value=value)
            for (name, labels, place), value in taken.items()
        ]
        return sorted(measures, key=lambda measure: (measure.metric, measure.labels, measure.bucket))

    @property
    def has_any(self) -> bool:
        """Return whether there is anything to take."""
        return bool(self._sums)

    def put_back(self, taken: Sequence[Measure]) -> None:
        """Add what was taken again, because it could not be written."""
        self._add({(each.metric, _values(each), _place(each)): each.value for each in taken})

    def _add(self, added: Mapping[_Key, float]) -> None:
        with self._lock:
            for key, value in added.items():
                self._sums[key] = self._sums.get(key, 0.0) + value


def labels_text(metric: Metric, values: Sequence[str]) -> str:
    """Return labels as the database has them. Empty ones are left out."""
    named = {name: value for name, value in zip(metric.labels, values, strict=False) if value}
    return json_text.dumps(dict(sorted(named.items()))).decode()


def _values(measure: Measure) -> tuple[str, ...]:
    """Return the values of the labels of a measure, in their order."""
    known = json_text.loads(measure.labels)
    assert isinstance(known, dict)  # `labels_text` has made it
    return tuple(str(known.get(name, "")) for name in BY_NAME[measure.metric].labels)


def _bucket(name: str, place: int) -> str:
    """Return the bucket of a measure."""
    if place < 0:
        return SUM if place == _SUM else ""
    bounds = BY_NAME[name].bounds
    return f"{bounds[place]:g}" if place < len(bounds) else INFINITY


def _place(measure: Measure) -> int:
    """Return the place of the bucket of a measure."""
    if measure.bucket in ("", SUM):
        return _SUM if measure.bucket else _WHOLE
    return bisect_left(BY_NAME[measure.metric].bounds, float(measure.bucket))
