"""Summaries: all metrics in a few figures."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from queue_tool.model import json_text, metrics
from queue_tool.model.histogram import number_in, quantile
from queue_tool.model.metrics import Measure
from queue_tool.model.states import State

LATEST = 1000
"""How many of the newest runs the durations are about."""

LATELY = timedelta(days=1)
"""The time before now whose runs are taken for usual ones."""

FEW = 10
"""Runs. Of fewer ones nobody knows what is usual."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """How many tasks were submitted and how they ended."""

    submitted: int
    finished: int
    failed: int
    canceled: int
    retried: int  # runs that failed and were retried
    refused: int  # elements

    @property
    def success_rate(self) -> float | None:
        """Return the share of finished tasks among those that finished or failed; None if there are none."""
        ended = self.finished + self.failed
        return self.finished / ended if ended else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Durations:
    """How long runs took, in seconds. All are None if there are no runs."""

    runs: int
    average: float | None = None
    minimum: float | None = None
    median: float | None = None
    p95: float | None = None
    maximum: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """How long runs of a task type usually take, in seconds. Both are estimates from a histogram."""

    median: float
    p95: float


def counted(measures: Iterable[Measure]) -> Counted:
    """Return the figures that these sums say."""
    ended: Counter[str] = Counter()
    sums: Counter[str] = Counter()
    for measure in measures:
        if not measure.bucket:
            sums[measure.metric] += int(measure.value)
            if measure.metric in (metrics.ENDED.name, metrics.UNFINISHED.name):
                labels = json_text.loads(measure.labels)
                assert isinstance(labels, dict)  # `labels_text` has made it
                ended[str(labels.get("status") or labels.get("how"))] += int(measure.value)
    return Counted(
        submitted=sums[metrics.SUBMITTED.name],
        finished=ended[State.FINISHED.value],
        failed=ended[State.FAILED.value],
        canceled=ended[State.CANCELED.value],
        retried=ended["retried"],
        refused=sums[metrics.REFUSED.name],
    )


def usual_of(buckets: Mapping[str, float]) -> Usual | None:
    """Return how long runs usually take, from their histogram; None if there are few."""
    median, p95 = (quantile(metrics.RUN_SECONDS.bounds, buckets, share) for share in (0.5, 0.95))
    if median is None or p95 is None or number_in(buckets) < FEW:
        return None
    return Usual(median=median, p95=p95)


def durations(seconds: Sequence[float]) -> Durations:
    """Return the figures of these durations. The 95th percentile is the smallest one that 95 % do not exceed."""
    if not seconds:
        return Durations(runs=0)
    ordered = sorted(seconds)
    return Durations(
        runs=len(ordered),
        average=statistics.fmean(ordered),
        minimum=ordered[0],
        median=statistics.median(ordered),
        p95=ordered[-(-len(ordered) * 95 // 100) - 1],
        maximum=ordered[-1],
    )
