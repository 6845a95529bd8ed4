"""What every page shows: its language and colors, the menu, and who is logged in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import g, request

from queue_tool.model.access import Role
from queue_tool.web.http import numbers
from queue_tool.web.http.languages import words

THEMES = ("light", "dark")

THEME_COOKIE = "queue_tool_theme"
"""The cookie with the colors that a user has chosen. Without it, the browser chooses."""

MENU: Mapping[str, str] = {
    "/dashboard": "overview",
    "/dashboard/tasks": "tasks",
    "/dashboard/batches": "batches",
    "/dashboard/deadletters": "dead_letters",
    "/dashboard/schedules": "schedules",
    "/": "send",
}
"""The word of each entry of the menu, by its path."""

MORE: Mapping[str, str] = {
    "/dashboard/queues": "queues",
    "/dashboard/workers": "workers",
    "/dashboard/webhooks": "webhooks",
    "/dashboard/keys": "keys_of_api",
    "/docs": "api",
}
"""The word of each entry behind `More` in the menu."""

FOR_ADMINS = ("/dashboard/keys",)
"""Entries that others do not see."""


def shown() -> dict[str, Any]:
    """Return the values that every template may use. It reads no database, because error pages use it too."""
    theme = request.cookies.get(THEME_COOKIE, "")
    return {
        "words": words(),
        "theme": theme if theme in THEMES else "",
        "menu": MENU,
        "more": {path: word for path, word in MORE.items() if path not in FOR_ADMINS or _may(Role.ADMIN)},
        "path": request.path,
        "here": _this_page(),
        "key_name": g.get("key_name", ""),
        "role": _role(),
        "has_key": bool(g.get("key_id")),
        "may_submit": _may(Role.SUBMIT),
        "may_admin": _may(Role.ADMIN),
        "number": numbers.number,
        "seconds": numbers.seconds,
        "percent": numbers.percent,
    }


def _this_page() -> str:
    """Return the address of this page, so that a form can lead back to it. A form's own answer has none."""
    query = request.query_string.decode("latin-1")
    if request.method != "GET":
        return request.path
    return f"{request.path}?{query}" if query else request.path


def _role() -> str:
    found: Role = g.get("role", Role.OPEN)
    return found.name.lower()


def _may(role: Role) -> bool:
    return bool(g.get("role", Role.OPEN) >= role)
