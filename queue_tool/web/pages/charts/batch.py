"""The chart of a batch: how many of its tasks ended per second, from the time at which it was sent."""

from __future__ import annotations

from collections import Counter

from queue_tool.model.batch import Batch
from queue_tool.model.batch_ends import BatchEnds
from queue_tool.model.states import State
from queue_tool.web.pages.charts.axis import round_lengths
from queue_tool.web.pages.charts.chart import Chart, Look, Series, Unit

ENDS = (State.FINISHED, State.FAILED, State.CANCELED)

MOST_STEPS = 60

SHORTEST = 5
"""Seconds. What took less time gives no chart that says anything."""


def pace_chart(batch: Batch, ends: BatchEnds, took: float) -> Chart | None:
    """Return the chart of a batch; None if it ended too soon for one.

    Args:
        batch: the batch.
        ends: when its tasks ended, or those of a sample.
        took: seconds since it was sent; until its end, if it has ended.
    """
    if batch.finished_at is not None and took < SHORTEST:
        return None
    step = next(length for length in round_lengths() if took < MOST_STEPS * length)
    count = int(took / step) + 1
    start, weight = batch.created_at.timestamp(), batch.accepted / max(ends.looked_at, 1)
    found = Counter((state, min(max(0, int((at - start) / step)), count - 1)) for state, at in ends.ends)
    lengths = [*[float(step)] * (count - 1), max(took - (count - 1) * step, step / 2)]
    return Chart(
        name="pace",
        look=Look.COLUMNS,
        unit=Unit.RATE,
        times=range(0, count * step, step),
        step=step,
        series=[
            Series(
                name=state.value,
                word=f"state_{state.value}",
                color=state.value,
                values=[found[state, place] * weight / length for place, length in enumerate(lengths)],
            )
            for state in ENDS
        ],
        empty="none_ended_yet",
        is_counted=True,
    )
