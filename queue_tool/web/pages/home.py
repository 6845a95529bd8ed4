"""The home page: what this is, and a form that checks and sends a batch of any task type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import islice

from flask import Response, request
from werkzeug.wrappers import Response as BaseResponse

from queue_tool.errors import BadRequest, QueueToolError, StoreAway
from queue_tool.model.access import Role
from queue_tool.model.batch import Refused
from queue_tool.model.csv_elements import LEFT_OUT
from queue_tool.model.labels import label_of
from queue_tool.model.pasted import FORMATS, Pasted, pasted
from queue_tool.model.task_types import TaskType
from queue_tool.web.http.admission import FORM
from queue_tool.web.http.answers import runtime
from queue_tool.web.http.bodies import slot_for_body
from queue_tool.web.http.operation import Group
from queue_tool.web.http.problems import STATUSES
from queue_tool.web.http.submissions import MAIN_TYPE
from queue_tool.web.pages import batches
from queue_tool.web.pages.page import back_to, choice, field, page

EXAMPLE = """[
  {"item": "item01", "valor": 10},
  {"item": "Teste1", "valor": "10"}
]"""

MOST_REFUSALS = 50
"""Refused elements that a check names."""

LONGEST_TEXT = 60_000
"""Characters of a text that the page gives back. A longer one must be picked again."""

pages = Group("home", "The home page.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What the check of a text has found. Nothing was stored."""

    format: str
    total: int
    accepted: int
    refusals: list[dict[str, object]]  # the first ones


@pages.get("/", Role.READ, in_document=False)
def show_home() -> Response:
    """Show the home page, with a form that sends a batch."""
    return _home(text=EXAMPLE)


@pages.post("/", Role.SUBMIT, in_document=False, takes=FORM)
def submit_form() -> BaseResponse:
    """Send the batch in the form of the home page, or only check it.

    The answer leads the browser to the page of the batch. A reload of that page sends nothing again.
    """
    with slot_for_body():
        text, name = _text()
        try:
            kind = _task_type()
            found = pasted(text, kind.schema.document, form=_format(), name=name, mapping=_mapping())
            if field("step") == "check":
                return _home(text=_shown(text), found=found, checked=_check(found, kind), kind=kind)
            return _sent(found, kind)
        except QueueToolError as error:
            return _home(text=_shown(text), problem=error.sentence, status=STATUSES.get(error.code, 500))


def _sent(found: Pasted, kind: TaskType) -> BaseResponse:
    label = label_of(field("name") or None, {})
    batch = runtime().submit(found.elements, runtime().of_type(kind.name), label=label).batch
    return back_to("/" if batch is None else f"{batches.PATH}/{batch}")


def _text() -> tuple[bytes, str]:
    """Return the text of the form and the name of its file: of the picked file, or else of the text field."""
    file = request.files.get("file")
    if file is not None and file.filename:
        return file.read(), file.filename
    if "items" not in request.form:
        raise BadRequest("The form has neither a file nor the field items.")
    return request.form["items"].encode(), ""


def _task_type() -> TaskType:
    name, types = field("task_type") or MAIN_TYPE, runtime().types
    if name not in types:
        raise BadRequest(f"There is no task type {name[:80]!r:.80}.")
    return types[name]


def _format() -> str:
    return choice("format", ("", *FORMATS))


def _mapping() -> Mapping[str, str]:
    """Return the fields that the user has chosen for columns of CSV."""
    return {name.removeprefix("map."): text for name, text in request.form.items() if name.startswith("map.") and text}


def _check(found: Pasted, kind: TaskType) -> Checked:
    """Check each element as a request would, and store nothing."""
    system = runtime()
    drafted = system.submit.batch_draft(found.elements, system.of_type(kind.name)).addition.new
    return Checked(
        format=found.format,
        total=len(found.elements),
        accepted=len(drafted.accepted),
        refusals=[_refusal(refused) for refused in islice(drafted.refused, MOST_REFUSALS)],
    )


def _refusal(refused: Refused) -> dict[str, object]:
    return {
        "index": refused.index,
        "item": batches.short(refused.item),
        "errors": [asdict(error) for error in refused.errors],
    }


def _shown(text: bytes) -> str:
    """Return a text for the field of the form; empty if it is too long to be given back."""
    return text.decode(errors="replace") if len(text) <= LONGEST_TEXT else ""


def _home(
    *,
    text: str,
    status: int = 200,
    found: Pasted | None = None,
    checked: Checked | None = None,
    kind: TaskType | None = None,
    problem: str | None = None,
) -> Response:
    system = runtime()
    try:
        totals = system.ask.totals()
    except StoreAway:
        if problem is None:
            raise
        totals = None  # the page says already what is wrong, and keeps the text
    document = kind.schema.document if kind else True
    properties = document.get("properties") if isinstance(document, Mapping) else None
    return page(
        "home.html",
        status,
        text=text,
        is_long=bool(request.method == "POST" and not text),
        totals=totals,
        problem=problem,
        checked=checked,
        columns=found.columns if found else (),
        fields=list(properties) if isinstance(properties, Mapping) else [],
        mapping=_mapping() if request.method == "POST" else {},
        left_out=LEFT_OUT,
        types=sorted(system.types),
        task_type=request.form.get("task_type") or MAIN_TYPE,
        format=request.form.get("format", ""),
        formats=FORMATS,
        batch_name=request.form.get("name", ""),
    )
