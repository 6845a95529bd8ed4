"""Times: UTC inside this program, RFC 3339 in texts that users write and read."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from queue_tool.errors import NaiveTime

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,6}\d*)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


LONGEST = 64
"""Characters of a time."""


def read_time(text: str) -> datetime:
    """Return the time of a text, in UTC.

    Raises:
        ValueError: the text is not a time in the format of RFC 3339. The message is a sentence for users.
    """
    wrong = ValueError(f"{text[:LONGEST]!r:.60} is not a time such as 2026-01-31T12:00:00Z.")
    if len(text) > LONGEST or not _RFC_3339.fullmatch(text):
        raise wrong
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise wrong from None


def rfc3339(time: datetime) -> str:
    """Return a time in UTC as text: RFC 3339, with microseconds."""
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z")


def since_1970(microseconds: int) -> datetime:
    """Return the time so many microseconds after the beginning of 1970 in UTC."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)


def require_time_zone(time: datetime) -> datetime:
    """Return the time unchanged if it has a time zone.

    Raises:
        NaiveTime: it has none.
    """
    if time.tzinfo is None:
        raise NaiveTime(f"{time.isoformat()} has no time zone.")
    return time
