"""Log in with an API key, log out, and choose the colors of the pages."""

from __future__ import annotations

from flask import Response
from werkzeug.wrappers import Response as BaseResponse

from queue_tool.model.access import Role
from queue_tool.model.payloads.queries import LoginQuery
from queue_tool.web.http.admission import FORM, end_session, keys_exist, start_session
from queue_tool.web.http.answers import runtime
from queue_tool.web.http.frame import THEME_COOKIE, THEMES
from queue_tool.web.http.operation import Group
from queue_tool.web.pages.page import back_to, choice, field, local, page

START = "/dashboard"
"""The page after the login, if none was asked for before."""

ONE_YEAR = 365 * 24 * 3600

pages = Group("login", "Log in to the pages.")


@pages.get("/login", Role.OPEN, in_document=False)
def show_login(query: LoginQuery) -> Response:
    """Show the form to log in."""
    return _login(local(query.next, START))


@pages.post("/login", Role.OPEN, in_document=False, takes=FORM)
def log_in() -> BaseResponse:
    """Start a session with an API key.

    The browser gets a signed cookie for a week. It ends earlier if the key is revoked.
    """
    target = local(field("next"), START)
    response = back_to(target)
    assert isinstance(response, Response)  # Flask's own
    return response if start_session(response, field("key")) else _login(target, 400, is_refused=True)


@pages.post("/logout", Role.OPEN, in_document=False, takes=FORM)
def log_out() -> BaseResponse:
    """End the session of this browser."""
    response = back_to("/login")
    assert isinstance(response, Response)  # Flask's own
    end_session(response)
    return response


@pages.post("/theme", Role.OPEN, in_document=False, takes=FORM)
def choose_theme() -> BaseResponse:
    """Choose light or dark colors for this browser."""
    response = back_to(local(field("next"), START))
    response.set_cookie(THEME_COOKIE, choice("theme", THEMES), max_age=ONE_YEAR, samesite="Lax")
    return response


def _login(target: str, status: int = 200, *, is_refused: bool = False) -> Response:
    is_needed = runtime().settings.auth != "off" and keys_exist()
    return page("login.html", status, target=target, is_needed=is_needed, is_refused=is_refused)
