"""Telemetry: what happens is told to every listener, in order, where it happened."""

from __future__ import annotations

import threading

from queue_tool.model.telemetry import Event, Telemetry


def test_every_listener_hears_an_event_with_its_fields_in_order() -> None:
    heard: list[tuple[str, Event, dict[str, object]]] = []
    telemetry = Telemetry(
        lambda event, fields: heard.append(("first", event, fields)),
        lambda event, fields: heard.append(("second", event, fields)),
    )
    telemetry.emit(Event.TASK_STARTED, task_type="a", run=1)
    telemetry.emit(Event.READY)
    assert heard == [
        ("first", Event.TASK_STARTED, {"task_type": "a", "run": 1}),
        ("second", Event.TASK_STARTED, {"task_type": "a", "run": 1}),
        ("first", Event.READY, {}),
        ("second", Event.READY, {}),
    ]


def test_an_event_is_heard_in_the_thread_in_which_it_happened() -> None:
    heard: list[str] = []
    telemetry = Telemetry(lambda event, fields: heard.append(threading.current_thread().name))
    thread = threading.Thread(target=lambda: telemetry.emit(Event.READY), name="elsewhere")
    thread.start()
    thread.join()
    telemetry.emit(Event.READY)
    assert heard == ["elsewhere", threading.current_thread().name]


def test_two_telemetries_do_not_hear_each_other() -> None:
    heard: list[Event] = []
    Telemetry(lambda event, fields: heard.append(event))
    Telemetry().emit(Event.READY)
    assert heard == []


def test_every_event_has_a_name_of_its_own() -> None:
    assert len({str(event) for event in Event}) == len(Event.__members__) == len(list(Event))
