"""Cron fields: what a cron expression names, as values. Pages say it in the language of their reader."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime

MINUTES, HOURS = frozenset(range(60)), frozenset(range(24))
DAYS, MONTHS = frozenset(range(1, 32)), frozenset(range(1, 13))
WEEKDAYS = frozenset(range(7))

LAST = -1
"""In place of a number: the last one of the month."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CronFields:
    """The values of the five fields. Sunday is the weekday 0."""

    minutes: AbstractSet[int]
    hours: AbstractSet[int]
    days: AbstractSet[int]  # of the month, from 1
    has_last_day: bool  # the last day of the month, too
    has_last_working_day: bool
    months: AbstractSet[int]  # from 1
    weekdays: AbstractSet[int]
    numbered: AbstractSet[tuple[int, int]]  # weekdays with their number in the month, such as the second Monday
    needs_both: bool  # a day must match both day fields; False: one of them is enough

    @property
    def is_any_day(self) -> bool:
        """Return whether the day of the month does not matter."""
        return self.days >= DAYS

    @property
    def is_any_weekday(self) -> bool:
        """Return whether the weekday does not matter."""
        return self.weekdays >= WEEKDAYS


def cron_fields(expression: str) -> CronFields:
    """Return the fields of a usable cron expression with five fields."""
    from cronsim import CronSim

    found = CronSim(expression, datetime(2000, 1, 1))
    numbered = {each for each in found.weekdays if isinstance(each, tuple)}
    return CronFields(
        minutes=found.minutes,
        hours=found.hours,
        days={day for day in found.days if day > 0},
        has_last_day=CronSim.LAST in found.days,
        has_last_working_day=CronSim.LAST_WEEKDAY in found.days,
        months=found.months,
        weekdays={day % 7 for day in found.weekdays if isinstance(day, int)},
        numbered={(day % 7, LAST if number == CronSim.LAST else number) for day, number in numbered},
        needs_both=found.day_and,
    )
