"""`POST /api`: takes a JSON array and returns a token or the errors for each element."""

from __future__ import annotations

from flask import Blueprint, Response

from queue_tool.errors import NotAnArray
from queue_tool.model.access import Role
from queue_tool.web.http.admission import needs
from queue_tool.web.http.answers import runtime
from queue_tool.web.http.bodies import json_body
from queue_tool.web.http.query import label_of, parameters
from queue_tool.web.http.submissions import MAIN_TYPE, idempotency_key, received

routes = Blueprint("api", __name__)


@routes.post("/api")
@needs(Role.SUBMIT)
def submit() -> Response:
    """Accept a batch of items."""
    label = label_of(parameters("name", labels=True))
    with json_body() as (body, value):
        if not isinstance(value, list):
            raise NotAnArray
        system = runtime()
        submission = system.submit(value, system.of_type(MAIN_TYPE), idempotency_key(body), label=label)
        return received(submission)
