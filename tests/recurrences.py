"""An independent calculation of the times of a cron expression: it looks at every minute, as Debian's cron does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from hypothesis import strategies as some

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)

ZONES = (
    "Europe/Lisbon",
    "Europe/Dublin",  # its winter is the exception
    "America/New_York",
    "America/Sao_Paulo",  # the change was at midnight
    "America/Havana",  # the same
    "Australia/Lord_Howe",  # half an hour
    "Antarctica/Troll",  # two hours
    "Africa/Casablanca",  # twice more around Ramadan
    "Pacific/Apia",  # skipped a whole day
    "Asia/Kathmandu",  # moved by a quarter of an hour
)

FIRST, LAST = datetime(1970, 1, 2, tzinfo=UTC), datetime(2070, 1, 1, tzinfo=UTC)

RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))


@cache
def changes(zone: str) -> list[datetime]:
    """Return the days of a hundred years on which the offset of a zone changes."""
    found, here, day = [], ZoneInfo(zone), FIRST
    while day < LAST:
        if day.astimezone(here).utcoffset() != (day + DAY).astimezone(here).utcoffset():
            found.append(day)
        day += DAY
    return found


def times(expression: str, zone: str, begin: datetime, end: datetime) -> Iterator[datetime]:
    """Return the times after `begin`, up to `end`, in UTC. `begin` is a whole minute."""
    here, fields = ZoneInfo(zone), expression.split()
    wanted = [_values(field, *span) for field, span in zip(fields, RANGES, strict=True)]
    is_fixed = not (fields[0].startswith("*") or fields[1].startswith("*"))
    both_days = fields[2].startswith("*") or fields[4].startswith("*")

    def matches(wall: datetime) -> bool:
        day, weekday = wall.day in wanted[2], wall.isoweekday() % 7 in wanted[4]
        is_day = (day and weekday) if both_days else (day or weekday)
        return is_day and wall.minute in wanted[0] and wall.hour in wanted[1] and wall.month in wanted[3]

    now, before = begin, begin.astimezone(here).replace(tzinfo=None)
    latest = max((begin - step * MINUTE).astimezone(here).replace(tzinfo=None) for step in range(26 * 60))
    while now < end:
        now += MINUTE
        wall = now.astimezone(here).replace(tzinfo=None, fold=0)
        if not is_fixed:
            is_due = matches(wall)
        else:  # the minutes that the clock has not shown before: this one, and those that it skips
            new = [before + step * MINUTE for step in range(1, int((wall - before) / MINUTE) + 1)]
            is_due = any(matches(each) for each in new if each > latest)
        if is_due:
            yield now
        before, latest = wall, max(latest, wall)


def _values(field: str, least: int, most: int) -> set[int]:
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        low, _, high = span.partition("-")
        first = least if span == "*" else int(low)
        last = most if span == "*" or (step and not high) else int(high or low)
        found |= set(range(first, last + 1, int(step or 1)))
    return found


def _field(least: int, most: int) -> some.SearchStrategy[str]:
    number = some.integers(least, most)
    ends = some.lists(number, min_size=2, max_size=2, unique=True)  # cronsim reads 3-3/2 as 3/2
    span = ends.map(lambda pair: f"{min(pair)}-{max(pair)}")
    step = some.integers(1, 20)
    return some.one_of(
        some.just("*"),
        step.map(lambda each: f"*/{each}"),
        number.map(str),
        some.lists(number, min_size=2, max_size=3).map(lambda them: ",".join(map(str, them))),
        span,
        some.tuples(span, step).map(lambda pair: f"{pair[0]}/{pair[1]}"),
    )


expressions = some.tuples(
    _field(0, 59),
    _field(0, 4) | _field(0, 23),
    some.just("*") | _field(1, 31),
    some.just("*"),
    some.just("*") | _field(0, 6),
).map(" ".join)
"""Cron expressions, most of them due in the hours in which clocks change."""
