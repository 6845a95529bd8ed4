"""The home page: a description, the totals, and a form that submits a batch."""

from __future__ import annotations

from http import HTTPStatus
from itertools import islice

from flask import Response, redirect, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from queue_tool.errors import NotAnArray, QueueToolError, StoreAway
from queue_tool.model import json_text
from queue_tool.model.access import Role
from queue_tool.model.details import ElementResult
from queue_tool.model.payloads.queries import HomeQuery
from queue_tool.web.http.admission import FORM, refuse_other_sites
from queue_tool.web.http.answers import runtime
from queue_tool.web.http.bodies import slot_for_body
from queue_tool.web.http.languages import words
from queue_tool.web.http.operation import Group
from queue_tool.web.http.problems import STATUSES
from queue_tool.web.http.submissions import MAIN_TYPE

EXAMPLE = """[
  {"item": "item01", "valor": 10},
  {"item": "Teste1", "valor": "10"}
]"""

MOST_ROWS = 1000
LONGEST_ITEM = 200

pages = Group("home", "The home page.")


@pages.get("/", Role.READ, in_document=False)
def show_home(query: HomeQuery) -> Response:
    """Show the home page, with a form that sends a batch.

    With `?batch=`, it shows what became of the elements of a batch.
    """
    if query.batch is None:
        return _page(text=EXAMPLE)
    rows = [_row(element) for element in islice(runtime().ask.results(query.batch), MOST_ROWS)]
    return _page(text=EXAMPLE, batch=query.batch, rows=rows)


@pages.post("/", Role.SUBMIT, in_document=False, takes=FORM)
def submit_form() -> BaseResponse:
    """Send the batch in the form of the home page.

    The answer leads the browser to the page of the batch. A reload of that page sends nothing again.
    """
    refuse_other_sites()
    with slot_for_body():
        return _sent(request.form.get("items", ""))


def _sent(text: str) -> BaseResponse:
    try:
        elements = json_text.loads(text)
        if not isinstance(elements, list):
            raise NotAnArray
        batch = runtime().submit(elements, runtime().of_type(MAIN_TYPE)).batch
    except QueueToolError as error:
        return _page(text=text, problem=error.sentence, status=STATUSES.get(error.code, 500))
    return redirect("/" if batch is None else f"/?batch={batch}", HTTPStatus.SEE_OTHER)


def _row(element: ElementResult) -> dict[str, object]:
    errors = [] if element.token or element.error is None else element.error["errors"]
    return {"index": element.index, "item": _short(element.item), "token": element.token, "errors": errors}


def _short(item: object) -> str:
    text = item if isinstance(item, str) else json_text.dumps(item).decode()
    return text if len(text) <= LONGEST_ITEM else f"{text[:LONGEST_ITEM]}…"


def _page(status: int = 200, **shown: object) -> Response:
    try:
        totals = runtime().ask.totals()
    except StoreAway:
        if "batch" not in shown:
            raise
        totals = None  # the batch was saved: its answer must not be lost
    page = render_template("home.html", totals=totals, words=words(), **shown)
    return Response(page, status=status, mimetype="text/html")
