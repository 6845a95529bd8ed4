"""Drawings: a chart as the paths and texts that a template puts on the page.

A path is drawn on an area of 1000 by 1000, which the browser stretches to the size of the chart. Texts and lines keep
their size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from queue_tool.web.pages.charts.axis import Mark, Scale, marks_of, minute_of, scale_of, time_text
from queue_tool.web.pages.charts.chart import Chart, Look, Series
from queue_tool.web.pages.charts.texts import scale_text, value_text

SIZE = 1000

GAP = 0.16
"""The share of a step that is left free between two columns."""

LOWEST = 14
"""The least height of a column whose value is not 0: one failure among thousands must be seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The path of one series, and its latest value."""

    name: str
    word: str  # the word of the pages that is shown; empty: its name
    color: str
    path: str
    latest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The values of one step as texts."""

    minute: int | None  # Unix time in minutes; None: the time is counted from a beginning
    time: str  # hours and minutes in UTC, or a duration
    values: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """All that a page shows of a chart."""

    name: str
    look: Look
    empty: str  # the word that is shown if there is nothing to draw
    is_empty: bool
    scale: Sequence[str] = ()  # from the top down
    grid: str = ""
    marks: Sequence[Mark] = ()
    shapes: Sequence[Shape] = ()
    rows: Sequence[Row] = ()  # the newest first


def draw(chart: Chart) -> Drawing:
    """Return the drawing of a chart."""
    if chart.is_empty:
        return Drawing(name=chart.name, look=chart.look, empty=chart.empty, is_empty=True)
    scale = scale_of(_highest(chart), chart.unit)
    paths = _columns(chart, scale) if chart.look is Look.COLUMNS else _lines(chart, scale)
    return Drawing(
        name=chart.name,
        look=chart.look,
        empty=chart.empty,
        is_empty=False,
        scale=[scale_text(value, chart.unit) for value in scale.values],
        grid="".join(f"M0 {SIZE * part / scale.parts:.0f}H{SIZE}" for part in range(scale.parts + 1)),
        marks=marks_of(chart),
        shapes=[
            Shape(
                name=series.name,
                word=series.word,
                color=series.color,
                path=path,
                latest=value_text(series.values[-1], chart.unit),
            )
            for series, path in zip(chart.series, paths, strict=True)
        ],
        rows=[*_rows(chart)],
    )


def _highest(chart: Chart) -> float:
    steps = zip(*(series.values for series in chart.series), strict=True)
    together = sum if chart.look is Look.COLUMNS else max
    return max(together(value or 0.0 for value in values) for values in steps)


def _columns(chart: Chart, scale: Scale) -> list[str]:
    """Return the path of each series: a column for each step, on top of those of the series before."""
    width = SIZE / len(chart.times)
    heights = [0.0] * len(chart.times)
    paths = []
    for series in chart.series:
        path = ""
        for step, value in enumerate(series.values):
            if value:
                height = max(LOWEST, SIZE * value / scale.top)
                left, bottom, wide = width * (step + GAP / 2), SIZE - heights[step], width * (1 - GAP)
                path += f"M{left:.1f} {bottom:.0f}v-{height:.0f}h{wide:.1f}v{height:.0f}z"
                heights[step] += height
        paths.append(path)
    return paths


def _lines(chart: Chart, scale: Scale) -> list[str]:
    """Return the path of each series: a line through the middles of the steps, with gaps where nothing is known."""
    return ["".join(map(_line, _pieces(series, scale.top))) for series in chart.series]


def _pieces(series: Series, top: float) -> Iterator[list[tuple[float, float]]]:
    """Iterate over the parts of a line without gaps, as points."""
    width = SIZE / len(series.values)
    piece: list[tuple[float, float]] = []
    for step, value in enumerate([*series.values, None]):
        if value is not None:
            piece.append((width * (step + 0.5), SIZE - SIZE * value / top))
        elif piece:
            yield piece if len(piece) > 1 else [(x, y) for (at, y) in piece for x in (at - width / 2, at + width / 2)]
            piece = []


def _line(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.0f} {y:.0f}" for x, y in points)


def _rows(chart: Chart) -> Iterator[Row]:
    for step in reversed(range(len(chart.times))):
        yield Row(
            minute=minute_of(chart, chart.times[step]),
            time=time_text(chart, chart.times[step]),
            values=[value_text(series.values[step], chart.unit) for series in chart.series],
        )
