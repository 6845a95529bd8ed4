"""Figures: measured values, ratios and goals. Pure: no clock, no process, no file."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class Better(Enum):
    """Which values are better."""

    HIGHER = "higher is better"
    LOWER = "lower is better"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The values of one contender from all rounds, and its further columns."""

    name: str
    values: tuple[float, ...]  # in the table's unit, at least one
    extra: tuple[str, ...] = ()  # one text for each of the table's further columns
    ours: bool = False

    @property
    def median(self) -> float:
        """Return the median of the values."""
        return statistics.median(self.values)

    @property
    def spread(self) -> str:
        """Return the minimum and the maximum; an empty text if there is only one value."""
        return f"{number(min(self.values))} to {number(max(self.values))}" if len(self.values) > 1 else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """The limit for a figure, and the measured value."""

    figure: str  # what is measured, for example "slowest response"
    found: float
    limit: float
    unit: str = ""
    at_most: bool = False  # otherwise the limit is a minimum

    @property
    def met(self) -> bool:
        """Return whether the value is within the limit."""
        return self.found <= self.limit if self.at_most else self.found >= self.limit

    @property
    def sentence(self) -> str:
        """Return the goal, the value and the verdict on one line."""
        limit = f"{'at most' if self.at_most else 'at least'} {number(self.limit)}{self.unit}"
        verdict = "met" if self.met else "MISSED"
        return f"{self.figure}: goal {limit}, measured {number(self.found)}{self.unit}, {verdict}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """All contenders in one measurement."""

    part: str  # of the benchmark, for example P1
    title: str
    unit: str
    better: Better
    rows: tuple[Row, ...]
    columns: tuple[str, ...] = ()  # headings of the further columns
    goals: tuple[Goal, ...] = ()
    notes: tuple[str, ...] = ()
    charted: bool = False

    @property
    def best(self) -> Row | None:
        """Return the best of our rows; None if there is none."""
        ours = [row for row in self.rows if row.ours]
        if not ours:
            return None
        choose = max if self.better is Better.HIGHER else min
        return choose(ours, key=lambda row: row.median)

    def ratio(self, row: Row) -> float | None:
        """Return how many times better our best row is; None for our own rows, and if a median is 0."""
        if self.best is None or row.ours or not row.median or not self.best.median:
            return None
        return times_better(self.best.median, row.median, self.better)

    def against(self, name: str, limit: float, of: str = "ours compared with") -> tuple[Goal, ...]:
        """Return the goal that our best row is `limit` times better than a peer; empty if the peer did not run.

        Args:
            name: the name of the peer's row.
            limit: the minimum ratio.
            of: the words before the name in the goal.
        """
        found = [ratio for row in self.rows if row.name == name and (ratio := self.ratio(row)) is not None]
        return tuple(Goal(figure=f"{of} {name}", found=ratio, limit=limit, unit=" x") for ratio in found)


def times_better(ours: float, theirs: float, better: Better) -> float:
    """Return how many times better ours is; below 1 it is worse."""
    return ours / theirs if better is Better.HIGHER else theirs / ours


def number(value: float) -> str:
    """Return a number with three significant digits and commas between thousands."""
    if abs(value) >= 100 or value == int(value):  # from 100 on, the three digits are before the point
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"  # from 10 on, two digits are before the point


def medians(rounds: Sequence[float]) -> str:
    """Return the median of the values of all rounds, as text for a column."""
    return number(statistics.median(rounds)) if rounds else "-"
