"""Levels: once a minute, the sweeper measures the gauges that charts show over time."""

from __future__ import annotations

from dataclasses import dataclass, field

from queue_tool.model.clock import Clock
from queue_tool.model.metrics import WAITING, Measure
from queue_tool.services.measures.gauges import Gauge, Gauges
from queue_tool.services.measures.sums import labels_text
from queue_tool.store import Store

MARK = WAITING
"""The metric that is kept even if it is 0, so that a minute in which nobody has measured is known as a gap."""


@dataclass(slots=True, kw_only=True)
class Levels:
    """Measures what is due each minute. Of several sweepers, the first one in a minute does it."""

    store: Store
    gauges: Gauges
    clock: Clock
    _measured: int = field(default=-1, init=False)  # the last minute in which this process has tried

    def __call__(self) -> None:
        """Measure the gauges, unless this process has done it in this minute.

        Raises:
            StoreAway: the database is busy or away; the next call tries it again.
        """
        now = self.clock.now()
        minute = int(now.timestamp() // 60)
        if minute == self._measured:
            return
        levels = [measure_of(gauge) for gauge in self.gauges.levels(now) if gauge.value or gauge.metric is MARK]
        self.store.measures.keep_levels(levels, now)
        self._measured = minute


def measure_of(gauge: Gauge) -> Measure:
    return Measure(metric=gauge.metric.name, labels=labels_text(gauge.metric, gauge.labels), value=float(gauge.value))
