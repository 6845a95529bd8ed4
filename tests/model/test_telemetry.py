"""Telemetry: every listener receives every event, in order, in the thread that emits it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

from queue_tool.model import events
from queue_tool.model.states import Code
from queue_tool.model.telemetry import Event, Telemetry, fields

TOKEN = "0" * 32
STARTED = events.TaskStarted(token=TOKEN, task_type="sleep", run=1, attempt=1)
STOPPED = events.Stopped()


def test_every_listener_receives_every_event_in_order() -> None:
    heard: list[tuple[str, Event]] = []
    telemetry = Telemetry(lambda event: heard.append(("first", event)), lambda event: heard.append(("second", event)))
    telemetry.emit(STARTED)
    telemetry.emit(STOPPED)
    assert heard == [("first", STARTED), ("second", STARTED), ("first", STOPPED), ("second", STOPPED)]


def test_an_event_is_delivered_in_the_thread_that_emits_it() -> None:
    heard: list[str] = []
    telemetry = Telemetry(lambda event: heard.append(threading.current_thread().name))
    thread = threading.Thread(target=lambda: telemetry.emit(STOPPED), name="elsewhere")
    thread.start()
    thread.join()
    telemetry.emit(STOPPED)
    assert heard == ["elsewhere", threading.current_thread().name]


def test_two_telemetries_are_independent() -> None:
    heard: list[Event] = []
    Telemetry(heard.append)
    Telemetry().emit(STOPPED)
    assert heard == []


def test_a_kind_is_heard_if_there_is_a_listener_that_wants_it() -> None:
    unheard = frozenset[type[Event]]({events.Asked})
    telemetry = Telemetry(print, unheard=unheard)
    assert telemetry.hears(events.Requested)
    assert not telemetry.hears(events.Asked)
    assert not Telemetry().hears(events.Requested)


def test_the_fields_for_the_log_are_in_the_order_of_the_class() -> None:
    due = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)
    retried = events.TaskRetried(attempt=2, due_at=due, run=3, token=TOKEN, code=Code.TIMEOUT, error="too long")
    assert list(fields(retried).items()) == [
        ("token", TOKEN),
        ("run", 3),
        ("code", "timeout"),
        ("error", "too long"),
        ("attempt", 2),
        ("due_at", "2026-01-31T12:00:00.123+00:00"),
    ]


def test_a_field_without_a_value_is_left_out_and_an_empty_one_is_not() -> None:
    assert fields(events.ChildDied(child="web", code=0)) == {"child": "web", "code": 0}
    assert fields(events.TaskCanceled(token=TOKEN, run=1, by="", reason="")) == {
        "token": TOKEN,
        "run": 1,
        "by": "",
        "reason": "",
    }
