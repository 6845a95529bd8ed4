"""Times: in UTC inside of this program, in RFC 3339 where users write and read them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from queue_tool.errors import NaiveTime

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,6}\d*)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def read_time(text: str) -> datetime:
    """Return the time that a text means, in UTC.

    Raises:
        ValueError: it is no time as RFC 3339 writes it; the sentence says so.
    """
    wrong = ValueError(f"{text!r:.60} is no time like 2026-01-31T12:00:00Z.")
    if not _RFC_3339.fullmatch(text):
        raise wrong
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise wrong from None


def require_utc(time: datetime) -> datetime:
    """Return a time as it is, if it knows its time zone.

    Raises:
        NaiveTime: it does not.
    """
    if time.tzinfo is None:
        raise NaiveTime(f"{time.isoformat()} has no time zone.")
    return time
