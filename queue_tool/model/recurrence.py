"""Recurrence: the times at which a schedule is due, by a cron expression or at equal intervals.

cronsim reads the expression and finds the times on a clock without a time zone. What a change of the zone's offset does
to them is decided here, as Debian's cron does it (cron(8), "Notes"). cronsim decides it in another way in a few zones:
where a day begins after midnight, and where the clock moves by half an hour.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from queue_tool.errors import BadSchedule

if TYPE_CHECKING:
    from cronsim import CronSim

NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}

FIELDS = 5
"""The fields of a cron expression: minute, hour, day of the month, month, day of the week."""

LONGEST_CRON = 200
"""Characters of a cron expression."""

SHORTEST_INTERVAL = 1
"""Seconds. The sweeper looks once a second."""

LONGEST_INTERVAL = 10**9
"""Seconds, about thirty years."""

UNITS = ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
"""Seconds of each unit of an interval, and its English name."""

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)

BETWEEN_LOOKS = timedelta(hours=12)
"""Two changes of a zone's offset are never closer together than this."""

FIRST_SPAN = timedelta(hours=1)
"""How far back the last times before another time are looked for at first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Every:
    """Equal intervals."""

    seconds: float
    start: datetime  # all times are counted from this one, which is the first

    @property
    def words(self) -> str:
        """Return when it is due, in English."""
        size, unit = next((size, unit) for size, unit in UNITS if self.seconds % size == 0 or size == 1)
        number = self.seconds / size
        return f"Every {unit}" if number == 1 else f"Every {number:.12g} {unit}s"

    def after(self, time: datetime) -> Iterator[datetime]:
        """Return the times after a time, in their order."""
        step = timedelta(seconds=self.seconds)
        number = 0 if time < self.start else (time - self.start) // step + 1
        while True:
            try:
                yield self.start + number * step
            except OverflowError:  # after the year 9999
                return
            number += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    """The times of a cron expression in a time zone."""

    expression: str  # with its five fields
    zone: ZoneInfo

    @property
    def words(self) -> str:
        """Return when it is due, in English."""
        return f"{_cronsim(self.expression, datetime(2000, 1, 1)).explain()}, in {self.zone.key}"

    @property
    def is_fixed(self) -> bool:
        """Return whether it names the hours and the minutes. Then no change of the clock skips or repeats a time."""
        minute, hour, *_ = self.expression.split()
        return not (minute.startswith("*") or hour.startswith("*"))

    def after(self, time: datetime) -> Iterator[datetime]:
        """Return the times after a time, in their order. There are none if none is in the next fifty years."""
        try:
            yield from self._fixed(time) if self.is_fixed else self._by_the_clock(time)
        except OverflowError:  # after the year 9999
            return

    def _fixed(self, time: datetime) -> Iterator[datetime]:
        """Return the times after a time. One that the clock skips comes at once after the jump.

        One that the clock shows twice comes the first time only.
        """
        last = time
        for wall in _cronsim(self.expression, self._wall(time)):
            shown = wall
            while self._wall(self._instant(shown)) != shown:  # the clock skips it
                shown += MINUTE
            if (found := self._instant(shown)) > last:
                yield found
                last = found

    def _by_the_clock(self, time: datetime) -> Iterator[datetime]:
        """Return the times after a time, as often as the clock shows them: twice, once or never."""
        since = time.replace(microsecond=0)
        begin = self._wall(since)
        while True:
            offset, change = self._offset(since), None
            for wall in _cronsim(self.expression, begin):
                found = (wall - offset).replace(tzinfo=UTC)
                change = self._first_change(since, found, offset)
                if change is not None:
                    break
                yield found
                since = found
            if change is None:
                return
            since, begin = change, self._wall(change) - SECOND

    def _first_change(self, since: datetime, until: datetime, offset: timedelta) -> datetime | None:
        """Return when the offset first changes between two times; None if it does not."""
        low = since
        while low < until:
            high = min(low + BETWEEN_LOOKS, until)
            if self._offset(high) != offset:
                while high - low > SECOND:
                    middle = low + (high - low) // 2 // SECOND * SECOND
                    low, high = (middle, high) if self._offset(middle) == offset else (low, middle)
                return high
            low = high
        return None

    def _offset(self, time: datetime) -> timedelta:
        return time.astimezone(self.zone).utcoffset() or timedelta()

    def _wall(self, time: datetime) -> datetime:
        return time.astimezone(self.zone).replace(tzinfo=None, fold=0)

    def _instant(self, wall: datetime) -> datetime:
        return wall.replace(tzinfo=self.zone).astimezone(UTC)


Recurrence = Cron | Every


def recurrence_of(cron: str | None, every: float | None, timezone: str, start: datetime) -> Recurrence:
    """Return the recurrence of a schedule.

    Args:
        cron: a cron expression or its nickname; None if there is an interval.
        every: seconds between two times; None if there is a cron expression.
        timezone: the name of the time zone of a cron expression.
        start: the time from which the intervals are counted.

    Raises:
        BadSchedule: there is not exactly one of the two, or one of them or the time zone cannot be used.
    """
    if (cron is None) == (every is None):
        raise BadSchedule("A schedule has either cron or every.")
    zone = _zone(timezone)
    if every is not None:
        if not SHORTEST_INTERVAL <= every <= LONGEST_INTERVAL:
            raise BadSchedule(f"every must be a number of seconds from {SHORTEST_INTERVAL} to {LONGEST_INTERVAL}.")
        return Every(seconds=every, start=start)
    return Cron(expression=_expression(cron or ""), zone=zone)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: it is the name of a folder
        raise BadSchedule(f"There is no time zone {name[:80]!r}. Use a name such as Europe/Lisbon or UTC.") from None


def _expression(text: str) -> str:
    """Return a cron expression with its five fields.

    Raises:
        BadSchedule: it is none.
    """
    if text.strip().lower() == "@reboot":
        raise BadSchedule("@reboot is no time. Use five fields such as */5 * * * *, or a nickname such as @daily.")
    found = NICKNAMES.get(text.strip().lower(), text)
    fields = len(found.split())
    if len(found) > LONGEST_CRON or fields != FIELDS:
        raise BadSchedule(
            f"The cron expression {text[:80]!r} has {fields} fields: write five (minute, hour, day of the month, "
            f"month, day of the week), or one of {', '.join(NICKNAMES)}."
        )
    from cronsim import CronSimError

    try:
        _cronsim(found, datetime(2000, 1, 1))
    except CronSimError as error:
        raise BadSchedule(f"The cron expression {text[:80]!r} cannot be used: {str(error).lower()}.") from None
    return found


def _cronsim(expression: str, begin: datetime) -> CronSim:
    """Return an iterator over the times after a time, on a clock without a time zone."""
    from cronsim import CronSim

    return CronSim(expression, begin)


def latest(recurrence: Recurrence, first: datetime, until: datetime, count: int) -> list[datetime]:
    """Return the last times up to a time, in their order.

    Args:
        recurrence: when it is due.
        first: one of its times. Earlier ones are left out.
        until: the time, not before `first`.
        count: the most times to return.
    """
    is_reached: Callable[[datetime], bool] = until.__ge__
    span = FIRST_SPAN
    while until - span > first:
        found = deque(takewhile(is_reached, recurrence.after(until - span)), count)
        if len(found) == count:
            return list(found)
        span *= 2
    return list(deque([first, *takewhile(is_reached, recurrence.after(first))], count))
