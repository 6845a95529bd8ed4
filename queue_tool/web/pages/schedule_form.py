"""The form of a schedule: make a new one, or change one, with a preview of the times at which it is due."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Response, request
from werkzeug.wrappers import Response as BaseResponse

from queue_tool.errors import BadTask, QueueToolError, ScheduleInCode
from queue_tool.model.access import Role
from queue_tool.model.payloads.schedules import ScheduleBody
from queue_tool.model.queues import Priority
from queue_tool.model.schedule import CatchUp, Overlap, Rhythm, Schedule
from queue_tool.model.schedule_rhythm import read_rhythm
from queue_tool.web.http.admission import FORM
from queue_tool.web.http.answers import runtime
from queue_tool.web.http.languages import words
from queue_tool.web.http.operation import Group
from queue_tool.web.http.schedule_shapes import UPCOMING
from queue_tool.web.pages import schedules
from queue_tool.web.pages.due_words import words_of
from queue_tool.web.pages.page import back_to, choice, page, status_of
from queue_tool.web.pages.schedule_fields import KNOWN, NEW, RHYTHM, UNITS, body_of, known, rhythm_of, texts_of
from queue_tool.web.pages.schedules import Moment, moments

STEPS = ("save", "preview")

pages = Group("schedule forms", "Make and change schedules.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """When a schedule would be due."""

    words: str = ""
    times: list[Moment] | None = None
    problem: str | None = None  # why there are no times


@pages.get(f"{schedules.PATH}/new", Role.ADMIN, in_document=False, takes_any_query=True)
def show_new_schedule() -> Response:
    """Show the form of a new schedule. The address may have values of its fields."""
    return _form(NEW | known(request.args))


@pages.post(f"{schedules.PATH}/new", Role.ADMIN, in_document=False, takes=FORM)
def make_schedule_by_form() -> BaseResponse:
    """Make a schedule, or only show when it would be due."""
    texts = known(request.form)
    if choice("step", STEPS) == "preview":
        return _form(texts)
    try:
        made = runtime().schedules.make(body_of(texts))
    except QueueToolError as error:
        return _refused(texts, error)
    return back_to(f"{schedules.PATH}/{made.id}", done="made")


@pages.get(f"{schedules.PATH}/<schedule>/edit", Role.ADMIN, in_document=False, takes_any_query=True)
def show_change_of_schedule(schedule: str) -> Response:
    """Show the form that changes a schedule. The address may have values of its fields."""
    found = _changeable(schedule)
    return _form(texts_of(found) | known(request.args), found)


@pages.post(f"{schedules.PATH}/<schedule>/edit", Role.ADMIN, in_document=False, takes=FORM)
def save_schedule(schedule: str) -> BaseResponse:
    """Change a schedule, or only show when it would be due."""
    found, texts = _changeable(schedule), known(request.form)
    if choice("step", STEPS) == "preview":
        return _form(texts, found)
    try:
        runtime().schedules.change(schedule, body_of(texts))
    except QueueToolError as error:
        return _refused(texts, error, found)
    return back_to(f"{schedules.PATH}/{schedule}", done="changed")


def _changeable(schedule: str) -> Schedule:
    """Return a schedule that may be changed here.

    Raises:
        ScheduleNotFound: no schedule has this id.
        ScheduleInCode: it is declared in code.
    """
    found = runtime().schedules.get(schedule)
    if found.declared is not None:
        raise ScheduleInCode
    return found


def _refused(texts: Mapping[str, str], error: QueueToolError, schedule: Schedule | None = None) -> Response:
    """Return the form with what was wrong. It keeps all fields."""
    reasons = error.errors if isinstance(error, BadTask) else ()
    return _form(texts, schedule, status_of(error), problem=error.sentence, reasons=reasons)


def _form(texts: Mapping[str, str], schedule: Schedule | None = None, status: int = 200, **wrong: Any) -> Response:
    system = runtime()
    return page(
        "schedule_form.html",
        status,
        texts=dict.fromkeys(KNOWN, "") | dict(texts),
        schedule=schedule,
        target=f"{schedules.PATH}/{schedule.id}/edit" if schedule else f"{schedules.PATH}/new",
        preview=preview_of(texts, system.clock.now()),
        rhythm=RHYTHM,
        types=sorted(system.types),
        units=list(UNITS),
        overlaps=list(Overlap),
        catch_ups=list(CatchUp),
        priorities=list(Priority),
        **{"problem": None, "reasons": ()} | wrong,
    )


def preview_of(texts: Mapping[str, str], now: datetime) -> Preview:
    """Return when a schedule with these fields would be due."""
    try:
        rhythm = read_rhythm(ScheduleBody(task_type="", **rhythm_of(texts)))
        recurrence = rhythm.recurrence(now)
        return Preview(words=words_of(recurrence, words()["lang"]), times=moments(_next_times(rhythm, now), recurrence))
    except QueueToolError as error:
        return Preview(problem=error.sentence)


def _next_times(rhythm: Rhythm, now: datetime) -> list[datetime]:
    found = [rhythm.require_usable(now)]
    while len(found) < UPCOMING and (following := rhythm.next(found[-1], now)) is not None:
        found.append(following)
    return found
