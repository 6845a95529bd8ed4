"""`/check`: the status of tasks by their tokens."""

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
    """Return the status of one task. The token is enough; no API key is needed."""
    system = runtime()
    return answer_in_time(
        ask=lambda: system.ask.task(token),
        is_over=lambda task: task.state.ended,
        wait=lambda seconds, on_leave: system.wait.task(token, seconds, on_leave),
        answer=lambda task: answer(shapes.check(task)),
    )


@routes.post("/check")
@needs(Role.READ)
def many() -> Response:
    """Return the status of many tasks, in the order of the request."""
    with json_body() as (_, value):
        wanted = _tokens(value)
        states = runtime().ask.states(wanted)
        return answer({"results": [_line(token, state) for token, state in zip(wanted, states, strict=True)]})


def _tokens(value: object) -> list[str]:
    """Return the tokens in a body.

    Raises:
        BadTokens: the body is not an object whose `tokens` is an array of strings.
        TooManyItems: the body has too many tokens.
    """
    wanted = value.get("tokens") if isinstance(value, dict) else None
    if not isinstance(wanted, list) or not all(isinstance(token, str) for token in wanted):
        raise BadTokens
    if len(wanted) > MAX_TOKENS:
        raise TooManyItems(f"The request has {len(wanted)} tokens; the limit is {MAX_TOKENS}.")
    return wanted


def _line(token: str, state: State | None) -> dict[str, str]:
    if state is None:
        return {"hash": token, "message": TaskNotFound.default_sentence(), "status": "unknown"}
    return {"hash": token, "message": state.message, "status": state.value}
