"""The chart of a batch: how fast its tasks ended, from all of them or from an even sample."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queue_tool.model.batch_ends import BatchEnds
from queue_tool.model.states import State
from queue_tool.store.batch_ends import MOST, spread
from queue_tool.web.pages.charts.batch import pace_chart
from queue_tool.web.pages.charts.drawing import draw
from queue_tool.web.pages.pace import pace_of, recent_pace
from tests.web.site import ON_BOTH, Site

START = datetime(2026, 11, 27, 12, tzinfo=UTC)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 10**5)), min_size=1, max_size=5), st.integers(1, 600))
def test_a_sample_is_even_over_all_ranges(pieces: list[tuple[int, int]], count: int) -> None:
    ranges: list[tuple[int, int]] = []
    for gap, length in pieces:
        first = gap + (ranges[-1][1] + 1 if ranges else 1)
        ranges.append((first, first + length - 1))
    found = spread(ranges, count)
    total = sum(length for _, length in pieces)
    assert len(found) == count
    assert all(any(first <= number <= last for first, last in ranges) for number in found)
    places = [number - first + sum(b - a + 1 for a, b in ranges[:n]) for number in found
              for n, (first, last) in enumerate(ranges) if first <= number <= last]  # fmt: skip
    assert all(abs(b - a - total / count) <= 1 for a, b in pairwise(places))


@pytest.mark.sqlite
def test_the_columns_are_rates_of_all_tasks_since_the_batch_was_sent(site: Site) -> None:
    batch = replace(
        site.runtime.ask.batch(site.batch({})[0]), created_at=START, accepted=4000, open=1000, finished_at=None
    )
    ended = [(State.FINISHED if n % 4 else State.FAILED, START.timestamp() + n // 10) for n in range(300)]
    chart = pace_chart(batch, BatchEnds(looked_at=400, ends=ended), 59.0)
    assert chart is not None
    assert (chart.step, list(chart.times)) == (1, list(range(60)))
    assert [sum(values for values in series.values if values) for series in chart.series] == [2250, 750, 0]
    assert chart.series[0].values[3] == 80  # eight of ten finished, and each one stands for ten
    drawn = draw(chart)
    assert [mark.text for mark in drawn.marks] == ["0\u202fs", "30\u202fs", "1\u202fmin"]
    assert {row.minute for row in drawn.rows} == {None}
    long = pace_chart(batch, BatchEnds(looked_at=400, ends=ended), 100_000.0)
    assert long is not None
    assert (long.step, len(long.times)) == (1800, 56)
    assert draw(pace_chart(batch, BatchEnds(looked_at=0, ends=[]), 0.0) or chart).is_empty
    assert pace_chart(replace(batch, finished_at=START), BatchEnds(looked_at=1, ends=ended), 4.9) is None


@pytest.mark.sqlite
def test_the_time_left_follows_the_latest_ends_and_not_the_wait_before_the_first(site: Site) -> None:
    batch = replace(site.runtime.ask.batch(site.batch({})[0]), created_at=START, accepted=4000, open=2000)
    now = START + timedelta(seconds=1000)  # it waited for 900 seconds, and then ended 20 tasks per second
    ends = [(State.FINISHED, START.timestamp() + 900 + n / 2) for n in range(200)]
    pace = recent_pace(batch, BatchEnds(looked_at=400, ends=ends), now)
    assert (pace.took, round(pace.rate), round(pace.left or 0)) == (1000, 20, 100)
    stalled = recent_pace(batch, BatchEnds(looked_at=400, ends=ends), now + timedelta(seconds=180))
    assert (round(stalled.rate, 6), round(pace.rate, 6)) == (2, 20)
    average = pace_of(batch, now)
    assert (average.rate, average.left) == (2, 1000)
    assert recent_pace(batch, BatchEnds(looked_at=400, ends=ends[:4]), now) == average
    ended = replace(batch, finished_at=now, open=0)
    assert recent_pace(ended, BatchEnds(looked_at=400, ends=ends), now) == pace_of(ended, now)


@ON_BOTH
def test_a_large_batch_shows_an_estimate_from_an_even_sample(site: Site) -> None:
    element: Any = {"item": "a", "valor": 0}
    batch = site.post("/batches", {"task_type": "sleep"}).json["id"]
    tokens: list[str] = []
    for start in (0, 700):
        answer = site.post(f"/batches/{batch}/elements?from={start}", [element] * 700).json["processing_items"]
        tokens += [each["hash"] for each in answer]
        site.batch(*[{}] * 300)  # rows of others between the two parts
    site.post_json("/tasks/cancel", {"tokens": tokens[:350]})
    ends = site.runtime.ask.ends(batch)
    assert ends.looked_at == MOST
    assert abs(len(ends.ends) - MOST / 4) <= 1
    assert {state for state, _ in ends.ends} == {State.CANCELED}
    assert all(timedelta(0) <= datetime.now(UTC) - datetime.fromtimestamp(at, UTC) for _, at in ends.ends)
    page = site.get(f"/dashboard/batches/{batch}").text
    assert f"Estimated from some of its tasks: {MOST}" in page
    assert re.search(r'<path class="canceled" d="M', page)
    small, _ = site.batch({}, {})
    assert site.runtime.ask.ends(small).looked_at == 2
    assert "No task has ended yet." in site.get(f"/dashboard/batches/{small}").text
    assert site.runtime.ask.ends("0" * 32).looked_at == 0
