"""Summaries: all metrics in a few figures."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from queue_tool.model import json_text, metrics
from queue_tool.model.metrics import Measure
from queue_tool.model.states import State

LATEST = 1000
"""How many of the newest runs the durations are about."""


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


def counted(measures: Iterable[Measure]) -> Counted:
    """Return the figures that these sums say."""
    ended: Counter[str] = Counter()
    sums: Counter[str] = Counter()
    for measure in measures:
        if not measure.bucket:
            sums[measure.metric] += int(measure.value)
            if measure.metric in (metrics.ENDED.name, metrics.UNFINISHED.name):
                labels = json_text.loads(measure.labels)
                assert isinstance(labels, dict)  # noqa: S101 - `labels_text` has made it
                ended[str(labels.get("status") or labels.get("how"))] += int(measure.value)
    return Counted(
        submitted=sums[metrics.SUBMITTED.name],
        finished=ended[State.FINISHED.value],
        failed=ended[State.FAILED.value],
        canceled=ended[State.CANCELED.value],
        retried=ended["retried"],
        refused=sums[metrics.REFUSED.name],
    )


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
