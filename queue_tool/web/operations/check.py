"""`/check`: how tasks stand, by their tokens."""

from __future__ import annotations

from flask import Blueprint, Response

from queue_tool.errors import BadTokens, TaskNotFound, TooManyItems
from queue_tool.model import json_text
from queue_tool.model.access import Role
from queue_tool.model.batch import item_of
from queue_tool.model.states import State
from queue_tool.model.task import Status
from queue_tool.web.http.admission import needs
from queue_tool.web.http.answers import answer, rfc3339, runtime
from queue_tool.web.http.bodies import json_body
from queue_tool.web.http.prefer import answer_in_time
from queue_tool.web.http.shapes import error

MAX_TOKENS = 100_000

routes = Blueprint("check", __name__)


@routes.get("/check/<path:token>")
@needs(Role.OPEN)
def one(token: str) -> Response:
    """Say how one task stands; its token is all that is needed."""
    hands = runtime()
    return answer_in_time(
        ask=lambda: hands.ask.task(token),
        is_over=lambda task: task.state.ended,
        wait=lambda seconds: hands.wait.task(token, seconds),
        answer=lambda task: answer(shown(task)),
    )


@routes.post("/check")
@needs(Role.READ)
def many() -> Response:
    """Say how any number of tasks stand, in the order asked."""
    with json_body() as (_, value):
        wanted = _tokens(value)
        states = runtime().ask.states(wanted)
        return answer({"results": [_line(token, state) for token, state in zip(wanted, states, strict=True)]})


def shown(task: Status) -> dict[str, object]:
    """Return what a user may know of a task."""
    return {
        "message": task.state.message,
        "token": task.token,
        "batch": task.batch,
        "task_type": task.task_type,
        "item": item_of(json_text.loads(task.data)),
        "status": task.state,
        "attempt": task.attempt,
        "created_at": rfc3339(task.created_at),
        "started_at": rfc3339(task.started_at),
        "finished_at": rfc3339(task.finished_at),
        "duration": task.duration,
        "progress": task.progress,
        "note": task.note,
        "result": json_text.embed(task.result),
        "error": error(task),
    }


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
