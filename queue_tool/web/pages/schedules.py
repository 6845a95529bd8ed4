"""The pages of schedules: all of them; and one with its next times and its ticks, to pause, resume, run and delete."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from flask import Response
from werkzeug.wrappers import Response as BaseResponse

from queue_tool.model import json_text
from queue_tool.model.access import Role
from queue_tool.model.recurrence import Cron, Recurrence
from queue_tool.model.schedule import Schedule
from queue_tool.model.times import rfc3339
from queue_tool.web.http import schedule_shapes
from queue_tool.web.http.admission import FORM
from queue_tool.web.http.answers import runtime
from queue_tool.web.http.languages import words
from queue_tool.web.http.operation import Group
from queue_tool.web.pages.due_words import due_words
from queue_tool.web.pages.page import OFTEN, SOMETIMES, back_to, choice, last_change, page, place_in_list
from queue_tool.web.pages.pretty import pretty

PATH = "/dashboard/schedules"

ON_A_PAGE = 50

TICKS = 20
"""Ticks on the page of a schedule. The last hundred are kept."""

ACTIONS = ("pause", "resume", "run", "delete")

DONE = ("made", "changed", "paused", "resumed", "ran", "deleted")
"""What the address of a page may say about the last change."""

SHOWN = {"pause": "paused", "resume": "resumed", "run": "ran", "delete": "deleted"}

pages = Group("schedule pages", "Schedules with their ticks.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A time at which a schedule is due."""

    at: str  # in UTC
    wall: str  # what a clock in the time zone of the schedule shows; empty if that is UTC, or it needs no clock


@pages.get(PATH, Role.READ, in_document=False, takes_any_query=True)
def show_schedules() -> Response:
    """Show the schedules, newest first."""
    cursor = place_in_list()
    found = runtime().schedules(ON_A_PAGE, cursor)
    return page(
        "schedules.html",
        refresh=0 if cursor else SOMETIMES,
        schedules=[(schedule_shapes.summary(each), due_words(each, words()["lang"])) for each in found.items],
        found=found,
        done=last_change(*DONE),
    )


@pages.get(f"{PATH}/<schedule>", Role.READ, in_document=False, takes_any_query=True)
def show_schedule(schedule: str) -> Response:
    """Show a schedule: when it is due, what it sends, and its ticks."""
    system, cursor = runtime(), place_in_list()
    found = system.schedules.get(schedule)
    ticks = system.schedules.ticks(schedule, TICKS, cursor)
    shown = schedule_shapes.details(found)
    return page(
        "schedule.html",
        refresh=0 if cursor else OFTEN,
        schedule=shown,
        due=due_words(found, words()["lang"]),
        is_batch=found.work.is_batch,
        upcoming=upcoming(found),
        data=pretty(json_text.dumps(found.work.data).decode()),
        options={name: value for name, value in found.work.request.items() if name not in ("name", "task_type")},
        ticks=[schedule_shapes.tick(each) for each in ticks.items],
        found=ticks,
        done=last_change(*DONE),
    )


@pages.post(f"{PATH}/<schedule>", Role.ADMIN, in_document=False, takes=FORM)
def change_schedule_by_form(schedule: str) -> BaseResponse:
    """Pause, resume, run or delete a schedule."""
    schedules, name = runtime().schedules, choice("action", ACTIONS)
    {
        "pause": schedules.pause,
        "resume": schedules.resume,
        "run": schedules.run,
        "delete": schedules.remove,
    }[name](schedule)
    return back_to(PATH if name == "delete" else f"{PATH}/{schedule}", done=SHOWN[name])


def upcoming(schedule: Schedule) -> list[Moment]:
    """Return the next times of a schedule."""
    times = schedule.upcoming(schedule_shapes.UPCOMING)
    return moments(times, schedule.rhythm.recurrence(schedule.created_at)) if times else []


def moments(times: list[datetime], recurrence: Recurrence) -> list[Moment]:
    """Return times as a page shows them."""
    zone = recurrence.zone if isinstance(recurrence, Cron) else None
    return [
        Moment(at=rfc3339(time), wall="" if zone is None or zone.key == "UTC" else _on_the_wall(time, zone))
        for time in times
    ]


def _on_the_wall(time: datetime, zone: ZoneInfo) -> str:
    return f"{time.astimezone(zone):%Y-%m-%d %H:%M}"
