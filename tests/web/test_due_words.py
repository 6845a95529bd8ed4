"""When a schedule is due, in words: exact in each language, from the same fields that cronsim uses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import takewhile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queue_tool.model.cron_fields import LAST, cron_fields
from queue_tool.model.recurrence import recurrence_of
from queue_tool.web.http.languages import LANGUAGES
from queue_tool.web.pages.due_words import texts, words_of

START = datetime(2026, 1, 1, tzinfo=UTC)


def said(cron: str, language: str = "pt") -> str:
    """Return when a cron expression is due."""
    return words_of(recurrence_of(cron, None, "UTC", START), language)


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("* * * * *", "a cada minuto"),
        ("*/5 * * * *", "a cada 5 min"),
        ("*/40 * * * *", "minutos: 0, 40"),
        ("@hourly", "a cada hora"),
        ("0 */6 * * 1", "00:00, 06:00, 12:00, 18:00 · segunda-feira"),
        ("0 */2 * * *", "a cada 2 h · todos os dias"),
        ("*/10 8-18 * * 1-5", "a cada 10 min, 08:00--18:59 · segunda-feira--sexta-feira"),
        ("5-9 8-18 * * SAT,7", "minutos: 5--9 · horas: 8--18 · sábado, domingo"),
        ("0 0 1,15 * 1", "00:00 · dias do mês: 1, 15 ou segunda-feira"),
        ("0 0 1-31 * 1", "00:00 · todos os dias"),  # one of the two fields is enough, and the first one always matches
        ("0 0 */10 * 1", "00:00 · dias do mês: 1, 11, 21, 31 · segunda-feira"),
        ("0 0 L 1-3,6 *", "00:00 · último dia do mês · janeiro--março, junho"),
        ("0 0 LW * *", "00:00 · último dia útil do mês"),
        ("0 0 * * MON#2", "00:00 · segunda-feira, 2ª vez no mês"),
        ("0 0 * * 5L", "00:00 · sexta-feira, última vez no mês"),
    ],
)
def test_what_an_expression_says(cron: str, words: str) -> None:
    assert said(cron).replace("\u2013", "--") == f"{words} · fuso UTC"


def test_every_language_but_english_has_all_words_and_its_own_names_of_days() -> None:
    assert [*texts()] == [language for language in LANGUAGES if language != "en"]
    keys = {tuple(terms) for terms in texts().values()}
    assert len(keys) == 1
    assert {len(set(terms["weekdays"])) for terms in texts().values()} == {7}
    assert {len(set(terms["months"])) for terms in texts().values()} == {12}
    assert said("0 6 * * 1", "en") == "At 06:00 on Monday, in UTC"
    for language, terms in texts().items():
        assert said("0 6 * * 1", language) == f"06:00 · {terms['weekdays'][1]} · {terms['in_zone'].format('UTC')}"


def test_an_interval_is_said_without_rounding() -> None:
    found = [words_of(recurrence_of(None, seconds, "UTC", START), "pt") for seconds in (1, 90, 5400.5, 86_400)]
    assert found == ["a cada 1 s", "a cada 1 min 30 s", "a cada 1 h 30 min 0.5 s", "a cada 1 d"]


@given(
    minute=st.sampled_from(["*", "0", "*/7", "3,30-33", "5/20"]),
    hour=st.sampled_from(["*", "0", "8-18", "*/5", "23"]),
    day=st.sampled_from(["*", "1", "*/9", "13-15", "1-31"]),
    month=st.sampled_from(["*", "2", "JAN-MAR", "*/4"]),
    weekday=st.sampled_from(["*", "1-5", "7", "0,3", "*/2"]),
)
def test_the_fields_hold_at_each_time(minute: str, hour: str, day: str, month: str, weekday: str) -> None:
    cron = f"{minute} {hour} {day} {month} {weekday}"
    fields = cron_fields(cron)
    until = START + timedelta(days=400)
    times = takewhile(until.__gt__, recurrence_of(cron, None, "UTC", START).after(START))
    for at, _ in zip(times, range(200), strict=False):
        days = [at.day in fields.days, at.isoweekday() % 7 in fields.weekdays]
        assert at.minute in fields.minutes
        assert at.hour in fields.hours
        assert at.month in fields.months
        assert all(days) if fields.needs_both else any(days)


def test_numbered_days_and_the_last_ones_are_no_plain_days() -> None:
    fields = cron_fields("0 0 L,3 * 5L,0#1")
    assert (fields.has_last_day, set(fields.days)) == (True, {3})
    assert (set(fields.numbered), set(fields.weekdays)) == ({(5, LAST), (0, 1)}, set())
