"""Charts: what was measured becomes steps, series, and what a page draws; and the usual time of a task's type."""

from __future__ import annotations

import html
import re
import threading
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from queue_tool.model import metrics
from queue_tool.model.clock import Clock
from queue_tool.model.histogram import quantile
from queue_tool.model.metrics import INFINITY, SUM, Measure
from queue_tool.model.states import State
from queue_tool.runtime import Runtime
from queue_tool.services.measures.history import History, Span
from queue_tool.services.measures.levels import Levels
from queue_tool.services.measures.sums import Sums, labels_text
from queue_tool.supervisor.sweeping import sweep_until
from queue_tool.web.pages.charts.axis import marks_of, scale_of
from queue_tool.web.pages.charts.chart import Chart, Look, Series, Unit
from queue_tool.web.pages.charts.drawing import draw
from queue_tool.web.pages.charts.measured import charts_of
from queue_tool.web.pages.charts.texts import scale_text, value_text
from tests.measured import measure
from tests.support import eventually, now
from tests.web.site import ON_BOTH, Site

NOON = datetime(2026, 11, 27, 12, 0, 30, tzinfo=UTC)

DASH = "\u2013"

BOUNDS = (1.0, 2.0, 10.0)


def chart(*values: list[float | None], look: Look = Look.LINES, unit: Unit = Unit.COUNT, zero: bool = False) -> Chart:
    """Return a chart of these series, whose steps are minutes."""
    series = [Series(name=f"s{n}", color=f"line{n}", values=each) for n, each in enumerate(values)]
    times = [int(NOON.timestamp()) // 60 * 60 + 60 * step for step in range(len(values[0]))]
    return Chart(
        name="some", look=look, unit=unit, times=times, step=60, series=series, empty="none_ended", draws_zero=zero
    )


# -- from values to what is drawn ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("highest", "unit", "texts"),
    [
        (0, Unit.COUNT, ["1", "0"]),
        (1, Unit.COUNT, ["1", "0"]),
        (7, Unit.COUNT, ["8", "6", "4", "2", "0"]),
        (23_456, Unit.COUNT, ["30\u202f000", "20\u202f000", "10\u202f000", "0"]),
        (0.3, Unit.RATE, ["0.3", "0.2", "0.1", "0"]),
        (0.0031, Unit.SECONDS, ["4\u202fms", "3\u202fms", "2\u202fms", "1\u202fms", "0\u202fs"]),
        (170, Unit.SECONDS, ["3\u202fmin", "2\u202fmin", "1\u202fmin", "0\u202fs"]),
        (200_000, Unit.SECONDS, ["3\u202fd", "2\u202fd", "1\u202fd", "0\u202fs"]),
        (0.9, Unit.SHARE, ["100\u202f%", "75\u202f%", "50\u202f%", "25\u202f%", "0\u202f%"]),
    ],
)
def test_a_scale_has_a_few_round_numbers_and_holds_the_highest_value(
    highest: float, unit: Unit, texts: list[str]
) -> None:
    scale = scale_of(highest, unit)
    assert [scale_text(value, unit) for value in scale.values] == texts
    assert scale.top >= highest


def test_no_number_of_a_scale_is_long() -> None:
    for unit, highest in product((Unit.SECONDS, Unit.COUNT), (1.13**power for power in range(-40, 120))):
        texts = [scale_text(value, unit) for value in scale_of(highest, unit).values]
        assert all(len(text.partition(".")[2]) <= len("5\u202fmin") for text in texts), texts


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, Unit.COUNT, DASH),
        (0.0, Unit.SECONDS, "0 s"),
        (0.25, Unit.SECONDS, "250 ms"),
        (0.0333, Unit.RATE, "0.033"),
        (12_345.6, Unit.RATE, "12\u202f346"),
        (0.0003, Unit.SHARE, "0.03\u202f%"),
        (0.123, Unit.SHARE, "12\u202f%"),
    ],
)
def test_a_value_is_shown_with_as_many_digits_as_people_need(value: float | None, unit: Unit, text: str) -> None:
    assert value_text(value, unit) == text


def test_columns_stand_on_each_other_and_the_smallest_one_can_be_seen() -> None:
    drawn = draw(chart([500, 0, None], [500, 1, None], look=Look.COLUMNS))
    assert drawn.scale == ["1000", "500", "0"]
    assert [shape.path for shape in drawn.shapes] == [
        "M26.7 1000v-500h280.0v500z",
        "M26.7 500v-500h280.0v500zM360.0 1000v-14h280.0v14z",
    ]
    assert [row.values for row in drawn.rows] == [[DASH, DASH], ["0", "1"], ["500", "500"]]
    assert [shape.latest for shape in drawn.shapes] == [DASH, DASH]


def test_a_line_has_gaps_and_a_value_between_two_gaps_is_a_dash() -> None:
    drawn = draw(chart([0, 2, None, 4, None]))
    assert [shape.path for shape in drawn.shapes] == ["M100 1000L300 500M600 0L800 0"]
    assert drawn.grid.startswith("M0 0H1000M0 250H1000")


def test_a_chart_without_values_says_so_and_a_measured_zero_is_a_value() -> None:
    assert [draw(chart([None, None])).is_empty, draw(chart([0, 0])).is_empty] == [True, True]
    assert [draw(chart([None, None], zero=True)).is_empty, draw(chart([0, None], zero=True)).is_empty] == [True, False]


def test_round_times_stand_below_a_chart() -> None:
    marks = marks_of(chart([1.0] * 60))
    assert [(mark.text, mark.place) for mark in marks] == [
        ("12:00", 0),
        ("12:15", 25),
        ("12:30", 50),
        ("12:45", 75),
        ("13:00", 100),
    ]


@pytest.mark.parametrize(
    ("buckets", "share", "expected"),
    [
        ({}, 0.5, None),
        ({"1": 2, "2": 2, SUM: 5}, 0.5, 1.0),
        ({"1": 2, "2": 2, SUM: 5}, 0.95, 1.9),
        ({"10": 99, "1": 1, SUM: 99 * 3.0 + 1}, 0.5, 2.98),  # nearly all are in one bucket: their mean is known
        ({"10": 100, SUM: 5000}, 0.5, 10.0),
        ({INFINITY: 100, SUM: 5000}, 0.5, 50.0),
        ({"1": 1, INFINITY: 1, SUM: 50}, 0.95, 10.0),
    ],
)
def test_a_quantile_is_estimated_from_the_buckets(
    buckets: dict[str, float], share: float, expected: float | None
) -> None:
    assert quantile(BOUNDS, buckets, share) == (expected if expected is None else pytest.approx(expected))


# -- from measures to values -----------------------------------------------------------------------------------


def values(runtime: Runtime, at: datetime, span: Span = Span.HOUR) -> dict[str, dict[str, list[float | None]]]:
    """Return the values of each series of each chart."""
    steps = runtime.measures.history(span, at)
    return {each.name: {series.name: list(series.values) for series in each.series} for each in charts_of(steps)}


@ON_BOTH
def test_gauges_are_measured_once_a_minute_by_one_sweeper_and_a_minute_without_is_a_gap(site: Site) -> None:
    system, times = site.runtime, [NOON]
    clock = Clock(now=lambda: times[-1], monotonic=system.clock.monotonic)
    sweepers = [Levels(store=system.store, gauges=system.gauges, clock=clock) for _ in range(2)]
    site.send(priority="low")
    for minutes in (0, 0.2, 1, 3):  # nobody measures in the third minute
        times.append(NOON + timedelta(minutes=minutes))
        for sweeper in sweepers:
            sweeper()
        site.send()
    found = values(system, NOON + timedelta(minutes=4))
    assert {name: series[-5:] for name, series in found["depth"].items()} == {
        "high": [None, 0, 0, None, 0],
        "default": [None, 0, 2, None, 3],
        "low": [None, 1, 1, None, 1],
    }
    assert found["age"]["low"][-5] is None
    assert found["workers"] == {}
    (step,) = {step.measured for step in system.measures.history(Span.DAY, NOON + timedelta(minutes=4))} - {0}
    assert step == 3


def test_the_sweeper_measures_the_gauges(runtime: Runtime) -> None:
    stopping, began = threading.Event(), now()
    sweeper = threading.Thread(target=sweep_until, args=[stopping, runtime])
    sweeper.start()
    span = began - timedelta(minutes=1), began + timedelta(minutes=5)
    found = eventually(lambda: runtime.store.measures.levels(*span, 1, [metrics.WAITING.name]))
    stopping.set()
    sweeper.join()
    assert {level.labels for level in found} == {f'{{"queue":"{name}"}}' for name in ("high", "default", "low")}


@ON_BOTH
def test_the_day_has_the_same_sums_as_its_minutes(site: Site) -> None:
    system = site.runtime
    measure(system.store, NOON, 100, gap=range(40, 50))
    hour, day = values(system, NOON), values(system, NOON, Span.DAY)
    assert hour["throughput"].keys() == {"finished", "failed", "canceled"}
    assert hour["throughput"]["finished"].count(None) == 10
    half = hour["throughput"]["finished"][30:]
    assert day["throughput"]["finished"][-1] == pytest.approx(sum(value or 0 for value in half) / 30)
    assert day["failures"]["error"][-1] == sum(value or 0 for value in hour["failures"]["error"][30:])
    assert day["depth"]["low"][-1] == max(value or 0 for value in hour["depth"]["low"][30:])
    busy = [value for value in hour["lanes"]["threads"][30:] if value is not None]
    assert day["lanes"]["threads"][-1] == pytest.approx(sum(busy) / len(busy))
    for name in ("wait", "run"):
        for found in (hour[name], day[name]):
            assert all(
                (m is None) == (p is None) and (m or 0) <= (p or 0) for m, p in zip(*found.values(), strict=True)
            )
    assert day["throughput"]["finished"][:44] == [None] * 44


def test_what_is_over_is_read_once_and_what_came_late_is_seen(runtime: Runtime) -> None:
    def end_task(at: datetime) -> None:
        labels = labels_text(metrics.ENDED, (State.FINISHED.value,))
        runtime.store.measures.add([Measure(metric=metrics.ENDED.name, labels=labels, value=1)], at)

    history = History(runtime.store)
    old, late = NOON - timedelta(minutes=30), NOON - timedelta(minutes=1)
    end_task(old)
    assert sum(step.ended.get("finished", 0) for step in history(Span.HOUR, NOON)) == 1
    end_task(old)
    end_task(late)
    assert [step.ended["finished"] for step in history(Span.HOUR, NOON) if step.ended] == [1, 1]
    assert [step.ended["finished"] for step in History(runtime.store)(Span.HOUR, NOON) if step.ended] == [2, 1]
    steps = history(Span.HOUR, NOON + timedelta(minutes=31))
    assert (len(steps), steps[-1].at) == (60, int(NOON.timestamp()) // 60 * 60 + 30 * 60)
    assert [step.ended["finished"] for step in steps if step.ended] == [1]


# -- on the pages ----------------------------------------------------------------------------------------------


def test_the_overview_shows_each_chart_with_its_numbers_in_a_table(site: Site) -> None:
    empty = site.get("/dashboard").text
    for sentence in (
        "No task ended in this time.",
        "No task failed in this time.",
        "Nothing was measured in this time.",
    ):
        assert sentence in empty
    measure(site.runtime.store, now(), 70)
    shown = site.get("/dashboard").text
    assert shown.count("<svg class=") == 16
    assert "in this time." not in shown
    rows = re.findall(r'<tr><th scope="row" data-minute="(\d+)">\d\d:\d\d</th>((?:<td>[^<]+</td>)+)</tr>', shown)
    assert len(rows) == 8 * 60
    assert int(rows[0][0]) - int(rows[59][0]) == 59
    assert "style=" not in shown
    assert 'aria-current="true">Last hour' in shown
    day = site.get("/dashboard?span=day", {"Accept-Language": "pt"}).text
    assert 'aria-current="true">Último dia' in day
    assert day.count('<tr><th scope="row" data-minute') == 8 * 48
    assert site.get("/dashboard?span=week").status_code == 400


def test_a_task_is_compared_with_the_usual_time_of_its_type(site: Site) -> None:
    token = site.send()
    site.work(token)
    page = f"/dashboard/tasks/{token}"
    assert "Usual time" not in site.get(page).text  # nobody knows it from few runs
    sums = Sums()
    sums.observe(metrics.RUN_SECONDS, [*[0.02] * 50, *[2.0] * 50], "mirror")
    sums.observe(metrics.RUN_SECONDS, [3000.0] * 50, "fails")
    site.runtime.store.measures.add(sums.take(), now() - timedelta(hours=3))
    shown = html.unescape(site.get(page).text)
    assert "half of the runs of this type took at most 25 ms, and 95\u00a0% of them at most 2.4 s." in shown
    assert re.search(r'<rect class="finished" width="\d+" height="10"/><path d="M10 0v10M943 0v10"/>', shown)
