"""The home page: a description, the totals, and a form that submits a batch."""

from __future__ import annotations

from flask import Blueprint, Response, render_template, request

from queue_tool.errors import NotAnArray, QueueToolError
from queue_tool.model import json_text
from queue_tool.model.access import Role
from queue_tool.model.batch import Accepted, Element, item_of
from queue_tool.web.http.admission import FORM, needs, refuse_other_sites
from queue_tool.web.http.answers import runtime
from queue_tool.web.http.bodies import slot_for_body
from queue_tool.web.http.languages import words
from queue_tool.web.http.problems import STATUSES
from queue_tool.web.http.submissions import MAIN_TYPE

EXAMPLE = """[
  {"item": "item01", "valor": 10},
  {"item": "Teste1", "valor": "10"}
]"""

MOST_ROWS = 1000
LONGEST_ITEM = 200

pages = Blueprint("home", __name__)


@pages.get("/")
@needs(Role.READ)
def show() -> Response:
    """Show the page."""
    return _page(text=EXAMPLE)


@pages.post("/")
@needs(Role.SUBMIT, takes=FORM)
def send() -> Response:
    """Submit the batch from the form and show the token or the errors of each item."""
    refuse_other_sites()
    with slot_for_body():
        return _sent(request.form.get("items", ""))


def _sent(text: str) -> Response:
    try:
        elements = json_text.loads(text)
        if not isinstance(elements, list):
            raise NotAnArray
        submission = runtime().submit(elements, runtime().of_type(MAIN_TYPE))
    except QueueToolError as error:
        return _page(text=text, problem=error.sentence, status=STATUSES.get(error.code, 500))
    rows = [_row(element) for element in submission.elements[:MOST_ROWS]]
    return _page(text=text, batch=submission.batch, rows=rows)


def _row(element: Element) -> dict[str, object]:
    if isinstance(element, Accepted):
        return {"index": element.index, "item": _short(item_of(element.data)), "token": element.token}
    return {"index": element.index, "item": _short(element.item), "errors": element.errors}


def _short(item: object) -> str:
    text = item if isinstance(item, str) else json_text.dumps(item).decode()
    return text if len(text) <= LONGEST_ITEM else f"{text[:LONGEST_ITEM]}…"


def _page(status: int = 200, **shown: object) -> Response:
    page = render_template("home.html", totals=runtime().ask.totals(), words=words(), **shown)
    return Response(page, status=status, mimetype="text/html")
