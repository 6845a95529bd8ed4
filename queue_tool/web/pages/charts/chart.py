"""Charts as data: series of values over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Look(StrEnum):
    """How a chart shows its series."""

    COLUMNS = "columns"  # they stand on each other: their sum has a meaning
    LINES = "lines"


class Unit(StrEnum):
    """What the values of a chart are."""

    COUNT = "count"  # whole things
    RATE = "rate"  # things in a minute
    SECONDS = "seconds"
    SHARE = "share"  # from 0 to 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One series of values."""

    name: str  # as the system has it, such as the name of a queue
    color: str  # the class of its color
    values: Sequence[float | None]  # one for each step; None: nothing was measured
    word: str = ""  # the word of the pages that is shown; empty: its name


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart. Its title is a word of the pages."""

    name: str
    look: Look
    unit: Unit
    times: Sequence[int]  # seconds: when the steps begin, as Unix times or counted from a beginning
    step: int  # seconds from one step to the next
    series: Sequence[Series]
    empty: str  # the word that the page shows if there is nothing to draw
    is_counted: bool = False  # the times are counted from a beginning
    draws_zero: bool = False  # whether there is something to draw if all values are 0

    @property
    def is_empty(self) -> bool:
        """Return whether there is nothing to draw."""
        known = [value for series in self.series for value in series.values if value is not None]
        return not (known if self.draws_zero else any(known))
