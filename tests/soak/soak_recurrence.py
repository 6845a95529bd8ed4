"""The times of cron expressions around every change of the clock in a hundred years, in all zones of the test."""

from __future__ import annotations

from datetime import timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from queue_tool.model.recurrence import Cron
from tests.recurrences import DAY, ZONES, changes, expressions, times


@pytest.mark.parametrize("zone", ZONES)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(some.lists(expressions, min_size=1, max_size=3))
def test_around_every_change_the_times_are_those_of_an_independent_calculation(zone: str, them: list[str]) -> None:
    for change in changes(zone):
        begin, end = change - timedelta(hours=12), change + 2 * DAY
        for expression in them:
            found = list(takewhile(end.__ge__, Cron(expression=expression, zone=ZoneInfo(zone)).after(begin)))
            assert found == list(times(expression, zone, begin, end)), (expression, change)
