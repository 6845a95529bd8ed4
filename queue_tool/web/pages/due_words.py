"""When a schedule is due, in the words of a language. English has those of the API; the others are in a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from functools import cache
from pathlib import Path
from typing import Any

from queue_tool.errors import BadSchedule
from queue_tool.model.cron_fields import HOURS, LAST, MINUTES, MONTHS, CronFields, cron_fields
from queue_tool.model.recurrence import Cron, Every, Recurrence
from queue_tool.model.schedule import Schedule
from queue_tool.web.http.numbers import DAY, HOUR, MINUTE

MOST_CLOCKS = 6
"""Times of a day that are written out."""

SHORTEST_RANGE = 3
"""Values that follow each other; fewer are written one by one."""

TO = "\u2013"
"""It stands between the first and the last value of a range."""

_FILE = Path(__file__).with_suffix(".toml")


def due_words(schedule: Schedule, language: str) -> str:
    """Return when a schedule is due; why that is not known, if it is not."""
    try:
        return words_of(schedule.rhythm.recurrence(schedule.created_at), language)
    except BadSchedule as error:  # for example, this machine does not know its time zone
        return error.sentence


def words_of(recurrence: Recurrence, language: str) -> str:
    """Return when something is due."""
    terms = texts().get(language)
    if terms is None:
        return recurrence.words
    if isinstance(recurrence, Every):
        return str(terms["interval"]).format(exact(recurrence.seconds))
    return " · ".join(_parts(recurrence, terms))


@cache
def texts() -> dict[str, dict[str, Any]]:
    """Return the words of each language. They are read at their first use."""
    import tomllib

    with _FILE.open("rb") as file:
        return tomllib.load(file)


def exact(seconds: float) -> str:
    """Return an interval in all of its units."""
    rest, found = seconds, []
    for size, unit in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if rest >= size:
            found.append(f"{rest // size:.0f} {unit}")
            rest %= size
    return " ".join([*found, f"{rest:g} s"] if rest or not found else found)


def _parts(cron: Cron, terms: dict[str, Any]) -> Iterator[str]:
    fields = cron_fields(cron.expression)
    yield from _times(fields, terms)
    yield from _days(fields, terms)
    if fields.months < MONTHS:
        yield _list(fields.months, ["", *terms["months"]])
    yield terms["in_zone"].format(cron.zone.key)


def _times(fields: CronFields, terms: dict[str, Any]) -> Iterator[str]:
    """Iterate over what is said about the time of the day."""
    minutes, hours = fields.minutes, fields.hours
    is_often, is_hourly = (step := _step(minutes, 60)) is not None, _step(hours, 24) is not None
    often = terms["every_minute"] if minutes >= MINUTES else terms["every_minutes"].format(step)
    if hours >= HOURS:
        yield terms["every_hour"] if minutes == {0} else often if is_often else _of(terms, "minutes", minutes)
    elif len(minutes) * len(hours) <= MOST_CLOCKS:
        yield ", ".join(f"{hour:02}:{minute:02}" for hour in sorted(hours) for minute in sorted(minutes))
    elif minutes == {0} and is_hourly:
        yield terms["every_hours"].format(_step(hours, 24))
    elif is_often and len(hours) == max(hours) - min(hours) + 1:
        yield f"{often}, {min(hours):02}:00{TO}{max(hours):02}:59"
    else:
        yield _of(terms, "minutes", minutes)
        yield _of(terms, "hours", hours)


def _days(fields: CronFields, terms: dict[str, Any]) -> Iterator[str]:
    """Iterate over what is said about the days. Times without it are those of every day."""
    found = [
        *([] if fields.is_any_day else [", ".join(_of_month(fields, terms))]),
        *([] if fields.is_any_weekday else [", ".join(_of_week(fields, terms))]),
    ]
    if found and (fields.needs_both or not (fields.is_any_day or fields.is_any_weekday)):
        yield (" · " if fields.needs_both else f" {terms['or']} ").join(found)
    elif fields.hours < HOURS:
        yield terms["every_day"]


def _of_month(fields: CronFields, terms: dict[str, Any]) -> Iterator[str]:
    if fields.days:
        yield _of(terms, "days", fields.days)
    if fields.has_last_day:
        yield terms["last_day"]
    if fields.has_last_working_day:
        yield terms["last_working_day"]


def _of_week(fields: CronFields, terms: dict[str, Any]) -> Iterator[str]:
    names = [*terms["weekdays"][1:], terms["weekdays"][0]]  # a list of weekdays begins with Monday
    if fields.weekdays:
        yield _list({(day - 1) % 7 for day in fields.weekdays}, names)
    for day, number in sorted(fields.numbered):
        name = terms["weekdays"][day]
        yield terms["last"].format(name) if number == LAST else terms["number"].format(name, number)


def _step(values: AbstractSet[int], whole: int) -> int | None:
    """Return the distance between the values, if they divide a whole hour or day equally from its beginning on."""
    step = whole // len(values)
    return step if len(values) > 1 and values == set(range(0, whole, step)) else None


def _of(terms: dict[str, Any], word: str, values: AbstractSet[int]) -> str:
    return str(terms[word]).format(_list(values))


def _list(values: AbstractSet[int], names: Sequence[str] | None = None) -> str:
    """Return values, in their order. Those that follow each other are a range."""
    ranges: list[list[int]] = []
    for value in sorted(values):
        if ranges and ranges[-1][-1] == value - 1:
            ranges[-1].append(value)
        else:
            ranges.append([value])
    return ", ".join(_range([str(value) if names is None else names[value] for value in each]) for each in ranges)


def _range(texts: Sequence[str]) -> str:
    return f"{texts[0]}{TO}{texts[-1]}" if len(texts) >= SHORTEST_RANGE else ", ".join(texts)
