"""Sums: what one process has counted and measured since it last wrote it to the database."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial

from queue_tool.model import json_text
from queue_tool.model.metrics import BY_NAME, INFINITY, SUM, Measure, Metric

_Key = tuple[str, tuple[str, ...], str]
"""The name of a metric, the values of its labels, and the bucket."""


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
            self._add([((metric.name, labels, ""), number)])

    def observe(self, metric: Metric, values: Sequence[float], *labels: str) -> None:
        """Add observations to a histogram. Many at once cost little more than one.

        Args:
            metric: the histogram.
            values: the observations.
            labels: the values of its labels, in their order.
        """
        if values:
            places = Counter(map(partial(bisect_left, metric.bounds), values))
            added = [((metric.name, labels, _bucket(metric, place)), float(count)) for place, count in places.items()]
            self._add([*added, ((metric.name, labels, SUM), sum(values))])

    def take(self) -> list[Measure]:
        """Return all sums, in the order in which every process writes them, and start again from nothing."""
        with self._lock:
            taken, self._sums = self._sums, {}
        measures = [
            Measure(metric=name, labels=labels_text(BY_NAME[name], labels), bucket=bucket, value=value)
            for (name, labels, bucket), value in taken.items()
        ]
        return sorted(measures, key=lambda measure: (measure.metric, measure.labels, measure.bucket))

    @property
    def has_any(self) -> bool:
        """Return whether there is anything to take."""
        return bool(self._sums)

    def put_back(self, taken: Sequence[Measure]) -> None:
        """Add what was taken again, because it could not be written."""
        self._add(((each.metric, _values(each), each.bucket), each.value) for each in taken)

    def _add(self, added: Iterable[tuple[_Key, float]]) -> None:
        with self._lock:
            for key, value in added:
                self._sums[key] = self._sums.get(key, 0.0) + value


def labels_text(metric: Metric, values: Sequence[str]) -> str:
    """Return labels as the database has them. Empty ones are left out."""
    named = {name: value for name, value in zip(metric.labels, values, strict=False) if value}
    return json_text.dumps(dict(sorted(named.items()))).decode()


def _values(measure: Measure) -> tuple[str, ...]:
    """Return the values of the labels of a measure, in their order."""
    known = json_text.loads(measure.labels)
    assert isinstance(known, dict)  # noqa: S101 - `labels_text` has made it
    return tuple(str(known.get(name, "")) for name in BY_NAME[measure.metric].labels)


def _bucket(metric: Metric, place: int) -> str:
    return f"{metric.bounds[place]:g}" if place < len(metric.bounds) else INFINITY
