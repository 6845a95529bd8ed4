"""`/check`: how tasks stand, by their tokens."""

from __future__ import annotations

from flask import Blueprint, Response

from queue_tool.errors import BadTokens, TaskNotFound, TooManyItems
from queue_tool.model.access import Role
from queue_tool.model.states import State
from queue_tool.web.http import shapes
from queue_tool.web.http.admission import needs
from queue_tool.web.http.answers import answer, runtime
from queue_tool.web.http.bodies import json_body
from queue_tool.web.http.prefer import answer_in_time

MAX_TOKENS = 100_000

routes = Blueprint("check", __name__)


@routes.get("/check/<path:token>")
@needs(Role.OPEN)
def show(token: str) -> Response:
    """Say how one task stands; its token is all that is needed."""
    system = runtime()
    return answer_in_time(
        ask=lambda: system.ask.task(token),
        is_over=lambda task: task.state.ended,
        wait=lambda seconds: system.wait.task(token, seconds),
        answer=lambda task: answer(shapes.check(task)),
    )


@routes.post("/check")
@needs(Role.READ)
def many() -> Response:
    """Say how any number of tasks stand, in the order asked."""
    with json_body() as (_, value):
        wanted = _tokens(value)
        states = runtime().ask.states(wanted)
        return answer({"results": [_line(token, state) for token, state in zip(wanted, states, strict=True)]})


def _tokens(value: object) -> list[str]:
    """Return the tokens that a body asks for.

    Raises:
        BadTokens: it is not an object with an array of strings.
        TooManyItems: it asks for too many.
    """
    wanted = value.get("tokens") if isinstance(value, dict) else None
    if not isinstance(wanted, list) or not all(isinstance(token, str) for token in wanted):
        raise BadTokens
    if len(wanted) > MAX_TOKENS:
        raise TooManyItems(f"One request may ask for {MAX_TOKENS} tokens, and this one asks for {len(wanted)}.")
    return wanted


def _line(token: str, state: State | None) -> dict[str, str]:
    if state is None:
        return {"hash": token, "message": TaskNotFound.default_sentence(), "status": "unknown"}
    return {"hash": token, "message": state.message, "status": state.value}
