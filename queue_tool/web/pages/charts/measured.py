"""The charts of the overview, from what was counted and measured in each step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from queue_tool.model import metrics
from queue_tool.model.histogram import quantile
from queue_tool.model.metrics import Level, Metric
from queue_tool.model.queues import Lane, Priority
from queue_tool.model.states import Code, State
from queue_tool.services.measures.gauges import WorkerState
from queue_tool.services.measures.history import Step
from queue_tool.web.pages.charts.chart import Chart, Look, Series, Unit

ENDS = (State.FINISHED, State.FAILED, State.CANCELED)

SHARES = {"median": 0.5, "most": 0.95}
"""The quantiles that charts of times show, by the names of their words."""

WORKERS = {
    WorkerState.BUSY: "finished",
    WorkerState.IDLE: "queued",
    WorkerState.SILENT: "running",
    WorkerState.TROUBLED: "failed",
}
"""The states of workers with their colors, from the bottom of the columns up."""


def charts_of(steps: Sequence[Step]) -> list[Chart]:
    """Return the charts of these steps, in the order of the page."""
    columns = partial(Chart, look=Look.COLUMNS, times=[step.at for step in steps], step=steps[1].at - steps[0].at)
    lines = partial(columns, look=Look.LINES)
    levels = partial(lines, draws_zero=True)
    waits, runs = _times(steps, metrics.WAIT_SECONDS), _times(steps, metrics.RUN_SECONDS)
    depth, age = _queues(steps, metrics.WAITING), _queues(steps, metrics.AGE)
    return [
        columns(name="throughput", unit=Unit.RATE, series=_throughput(steps), empty="none_ended"),
        columns(name="failures", unit=Unit.COUNT, series=_failures(steps), empty="none_failed"),
        lines(name="wait", unit=Unit.SECONDS, series=waits, empty="none_started"),
        lines(name="run", unit=Unit.SECONDS, series=runs, empty="none_ended"),
        levels(name="depth", unit=Unit.COUNT, series=depth, empty="none_measured"),
        levels(name="age", unit=Unit.SECONDS, series=age, empty="none_measured"),
        levels(name="lanes", unit=Unit.SHARE, series=_lanes(steps), empty="none_measured"),
        columns(name="workers", unit=Unit.COUNT, series=_workers(steps), empty="none_working"),
    ]


def _throughput(steps: Sequence[Step]) -> list[Series]:
    return [
        Series(
            name=state.value,
            word=f"state_{state.value}",
            color=state.value,
            values=[step.ended.get(state.value, 0.0) / step.minutes if step.is_known else None for step in steps],
        )
        for state in ENDS
    ]


def _failures(steps: Sequence[Step]) -> list[Series]:
    seen = {code for step in steps for code in step.failed}
    return [
        Series(
            name=code.value,
            color=f"color{place}",
            values=[step.failed.get(code.value, 0.0) if step.is_known else None for step in steps],
        )
        for place, code in enumerate(Code)
        if code.value in seen
    ]


def _times(steps: Sequence[Step], metric: Metric) -> list[Series]:
    def buckets(step: Step) -> Mapping[str, float]:
        return step.waits if metric is metrics.WAIT_SECONDS else step.runs

    return [
        Series(
            name=name,
            word=f"series_{name}",
            color=f"line{place}",
            values=[quantile(metric.bounds, buckets(step), share) for step in steps],
        )
        for place, (name, share) in enumerate(SHARES.items())
    ]


def _queues(steps: Sequence[Step], metric: Metric) -> list[Series]:
    """Return the highest value of each queue in each step."""
    return [
        Series(name=priority.queue, color=f"line{place}", values=_values(steps, metric, priority.queue, _peak))
        for place, priority in enumerate(Priority)
    ]


def _lanes(steps: Sequence[Step]) -> list[Series]:
    """Return which share of the slots of each lane was busy, on average. Lanes without slots are left out."""
    found = []
    for place, lane in enumerate(Lane):
        slots = _values(steps, metrics.SLOTS, lane.value, _mean)
        busy = _values(steps, metrics.BUSY_SLOTS, lane.value, _mean)
        if any(slots):
            shares = [min((use or 0.0) / of, 1.0) if of else None for use, of in zip(busy, slots, strict=True)]
            word, color = f"lane_{lane.value}", f"line{place}"
            found.append(Series(name=lane.value, word=word, color=color, values=shares))
    return found


def _workers(steps: Sequence[Step]) -> list[Series]:
    """Return how many workers were in each state, on average in each step. States that no worker had are left out."""
    series = [
        Series(
            name=state.value,
            word=f"series_{state.value}",
            color=color,
            values=_values(steps, metrics.PROCESSES, state.value, _mean),
        )
        for state, color in WORKERS.items()
    ]
    return [each for each in series if any(each.values)]


def _values(steps: Sequence[Step], metric: Metric, label: str, of: Callable[[Level, int], float]) -> list[float | None]:
    """Return a value of a gauge for each step; None where nobody has measured."""
    found = [(step.levels.get((metric.name, label)), step.measured) for step in steps]
    return [None if not measured else 0.0 if level is None else of(level, measured) for level, measured in found]


def _peak(level: Level, _measured: int) -> float:
    return level.peak


def _mean(level: Level, measured: int) -> float:
    return level.total / measured
