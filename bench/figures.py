"""Figures: what was measured, beside what was wanted. Pure: no clock, no process, no file."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class Better(Enum):
    """Which end of a scale is the good one."""

    HIGHER = "more is better"
    LOWER = "less is better"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One contender's figure, from every round, and what was seen beside it."""

    name: str
    values: tuple[float, ...]  # in the table's unit, at least one
    beside: tuple[str, ...] = ()  # one text for each of the table's further columns
    ours: bool = False

    @property
    def median(self) -> float:
        """Return the value in the middle."""
        return statistics.median(self.values)

    @property
    def spread(self) -> str:
        """Return the least and the greatest value; nothing where there is but one."""
        return f"{number(min(self.values))} to {number(max(self.values))}" if len(self.values) > 1 else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What is wanted of a figure, and what was found."""

    figure: str  # what is measured, as "the worst answer"
    found: float
    limit: float
    unit: str = ""
    at_most: bool = False  # or else at least

    @property
    def met(self) -> bool:
        """Tell whether the figure is on the right side of its limit."""
        return self.found <= self.limit if self.at_most else self.found >= self.limit

    @property
    def sentence(self) -> str:
        """Return goal, figure and verdict on one line."""
        wanted = f"{'at most' if self.at_most else 'at least'} {number(self.limit)}{self.unit}"
        return (
            f"{self.figure}: wanted {wanted}, found {number(self.found)}{self.unit}: {'met' if self.met else 'MISSED'}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Contenders side by side in one measure."""

    part: str  # the goal's name, as P1
    title: str
    unit: str
    better: Better
    rows: tuple[Row, ...]
    columns: tuple[str, ...] = ()  # headings of what stands beside the figures
    goals: tuple[Goal, ...] = ()
    notes: tuple[str, ...] = ()
    charted: bool = False

    @property
    def best(self) -> Row | None:
        """Return the best row of ours; None where there is none."""
        ours = [row for row in self.rows if row.ours]
        if not ours:
            return None
        choose = max if self.better is Better.HIGHER else min
        return choose(ours, key=lambda row: row.median)

    def ratio(self, row: Row) -> float | None:
        """Return how many times better our best row is; None for ours, and where nothing can be divided."""
        if self.best is None or row.ours or not row.median or not self.best.median:
            return None
        return times_better(self.best.median, row.median, self.better)

    def against(self, name: str, limit: float, of: str = "ours beside") -> tuple[Goal, ...]:
        """Return the goal that our best row is so many times better than a named one; none where it did not run."""
        found = [ratio for row in self.rows if row.name == name and (ratio := self.ratio(row)) is not None]
        return tuple(Goal(figure=f"{of} {name}", found=ratio, limit=limit, unit=" x") for ratio in found)


def times_better(ours: float, theirs: float, better: Better) -> float:
    """Return how many times ours is better; below 1 it is worse."""
    return ours / theirs if better is Better.HIGHER else theirs / ours


def number(value: float) -> str:
    """Return a number with three digits that count, and commas between thousands."""
    if abs(value) >= 100 or value == int(value):  # noqa: PLR2004 - ten is where a second digit is enough - three digits stand before the point
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"  # noqa: PLR2004 - ten is where a second digit is enough


def medians(rounds: Sequence[float]) -> str:
    """Return the median of some counts, as a text for a column."""
    return number(statistics.median(rounds)) if rounds else "-"
