"""Times are UTC inside the model."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from queue_tool.errors import NaiveTime
from queue_tool.model.times import require_time_zone

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(NaiveTime, match=r"^2026-11-22T12:00:00 has no time zone\.$"):
        require_time_zone(NOON.replace(tzinfo=None))


@pytest.mark.parametrize("time", [NOON, NOON.astimezone(timezone(timedelta(hours=-3)))])
def test_a_time_with_a_zone_stays_the_same_moment(time: datetime) -> None:
    assert require_time_zone(time) == NOON
