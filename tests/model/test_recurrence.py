"""The times of schedules: cron expressions in time zones, intervals, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from queue_tool.errors import BadSchedule
from queue_tool.model.recurrence import Cron, Every, latest, recurrence_of
from tests.recurrences import DAY, ZONES, changes, expressions, times

START = datetime(2026, 1, 31, 12, tzinfo=UTC)

pytestmark = pytest.mark.sqlite


@settings(max_examples=25, deadline=None)
@given(some.sampled_from(ZONES), expressions, some.data())
def test_around_a_change_of_the_clock_the_times_are_those_of_an_independent_calculation(
    zone: str, expression: str, data: some.DataObject
) -> None:
    begin = data.draw(some.sampled_from(changes(zone))) - DAY / 2
    begin += timedelta(minutes=data.draw(some.integers(0, 1440)))
    end = begin + DAY
    found = list(takewhile(end.__ge__, Cron(expression=expression, zone=ZoneInfo(zone)).after(begin)))
    assert found == list(times(expression, zone, begin, end))
    if found:  # the times after one of them are the others
        assert (
            list(islice(Cron(expression=expression, zone=ZoneInfo(zone)).after(found[0]), len(found) - 1)) == found[1:]
        )


@pytest.mark.parametrize(
    ("expression", "zone", "after", "expected"),
    [
        # The clock skips 02:30: it runs at once after the jump, and once.
        ("0,30 2 * * *", "Europe/Berlin", "2026-03-29T00:00Z", ["2026-03-29T01:00Z", "2026-03-30T00:00Z"]),
        # The clock shows 02:30 twice: it runs the first time only.
        ("30 2 * * *", "Europe/Berlin", "2026-10-24T23:00Z", ["2026-10-25T00:30Z", "2026-10-26T01:30Z"]),
        # A wildcard goes with the clock: twice, and never.
        ("*/30 2 * * *", "Europe/Berlin", "2026-10-24T23:45Z", [
            "2026-10-25T00:00Z", "2026-10-25T00:30Z", "2026-10-25T01:00Z", "2026-10-25T01:30Z", "2026-10-26T01:00Z",
        ]),
        ("*/30 2 * * *", "Europe/Berlin", "2026-03-28T12:00Z", ["2026-03-30T00:00Z"]),
        # A day that begins at one o'clock.
        ("*/30 0 15 10 *", "America/Sao_Paulo", "2017-10-01T00:00Z", ["2018-10-15T03:00Z"]),
        # Half an hour is skipped: two o'clock does not exist, half past two does.
        ("* 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00Z", ["2026-10-03T15:30Z", "2026-10-03T15:31Z"]),
        ("0 0 29 2 *", "UTC", "2026-01-01T00:00Z", ["2028-02-29T00:00Z", "2032-02-29T00:00Z"]),
        ("@yearly", "UTC", "2026-01-01T00:00Z", ["2027-01-01T00:00Z"]),
        ("0 0 * * 7", "UTC", "2026-01-01T00:00Z", ["2026-01-04T00:00Z"]),
        ("0 12 l * *", "UTC", "2026-01-31T12:00Z", ["2026-02-28T12:00Z"]),
    ],
)  # fmt: skip
def test_the_next_times(expression: str, zone: str, after: str, expected: list[str]) -> None:
    found = recurrence_of(expression, None, zone, START).after(datetime.fromisoformat(after))
    assert list(islice(found, len(expected))) == [datetime.fromisoformat(each) for each in expected]


def test_an_interval_counts_from_its_start_which_is_its_first_time() -> None:
    every = Every(seconds=90, start=START)
    assert next(every.after(START - DAY)) == START
    assert next(every.after(START)) == START + timedelta(seconds=90)
    assert next(every.after(START + timedelta(seconds=89.5))) == START + timedelta(seconds=90)
    assert next(every.after(START + timedelta(seconds=90))) == START + timedelta(seconds=180)


@pytest.mark.parametrize("cron", ["* * * * *", "0 3 * * *", "*/7 1-3 * 2 *"])
def test_the_last_times_are_found_without_all_those_before(cron: str) -> None:
    recurrence = recurrence_of(cron, None, "Europe/Lisbon", START)
    first = next(recurrence.after(START))
    for until in (first, first + timedelta(hours=5), first + 5 * DAY):
        expected = [first, *takewhile(until.__ge__, recurrence.after(first))]
        for count in (1, 3):
            assert latest(recurrence, first, until, count) == expected[-count:]


def test_a_cron_expression_is_shown_in_words() -> None:
    assert (
        recurrence_of("*/5 * * * *", None, "Europe/Lisbon", START).words
        == "Every fifth minute of every hour, in Europe/Lisbon"
    )
    assert recurrence_of(None, 1.5, "UTC", START).words == "Every 1.5 seconds"
    assert recurrence_of(None, 86_400, "UTC", START).words == "Every day"
    assert recurrence_of(None, 5400, "UTC", START).words == "Every 90 minutes"


@pytest.mark.parametrize(
    ("cron", "every", "zone", "sentence"),
    [
        (None, None, "UTC", "either cron or every"),
        ("@daily", 5, "UTC", "either cron or every"),
        ("* * * *", None, "UTC", "has 4 fields"),
        ("* * * * * *", None, "UTC", "has 6 fields"),
        ("", None, "UTC", "has 0 fields"),
        ("@reboot", None, "UTC", "@reboot is no time"),
        ("61 * * * *", None, "UTC", "bad minute"),
        ("* * 31 2 *", None, "UTC", "bad day-of-month"),
        ("\u0661 * * * *", None, "UTC", "bad minute"),
        ("*," * 200 + "* * * * *", None, "UTC", "has 5 fields"),
        ("@daily", None, "Europe/Nowhere", "no time zone 'Europe/Nowhere'"),
        ("@daily", None, "Europe", "no time zone"),
        ("@daily", None, "../../etc/passwd", "no time zone"),
        ("@daily", None, "", "no time zone"),
        ("@daily", None, "\0", "no time zone"),
        (None, 0.5, "UTC", "from 1 to 1000000000"),
        (None, 2e9, "UTC", "from 1 to 1000000000"),
    ],
)  # fmt: skip
def test_what_is_no_time_is_refused(cron: str | None, every: float | None, zone: str, sentence: str) -> None:
    with pytest.raises(BadSchedule, match=sentence.replace("(", r"\(")):
        recurrence_of(cron, every, zone, START)


def test_times_end_with_the_calendar() -> None:
    late = datetime(9999, 12, 31, 23, 58, tzinfo=UTC)
    assert len(list(Cron(expression="* * * * *", zone=ZoneInfo("UTC")).after(late))) <= 1
    assert len(list(Every(seconds=30, start=late).after(late))) == 3
