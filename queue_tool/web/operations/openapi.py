"""`/openapi.json`: the description of all operations for programs."""

from __future__ import annotations

import msgspec
from flask import Response, current_app

from queue_tool.model.access import Role
from queue_tool.web.http.answers import runtime
from queue_tool.web.http.operation import GROUPS, Answer, Group
from queue_tool.web.openapi.document import document

EXTENSION = "queue_tool.openapi"

routes = Group("service", "The description of this API.")


@routes.get(
    "/openapi.json",
    Role.READ,
    answers={200: Answer(body=None, meaning="An OpenAPI 3.1 document.")},
)
def get_openapi() -> Response:
    """Read this description of the API.

    An OpenAPI 3.1 document, from which generators make clients. It contains the schema of each task type of this
    service, so it changes when the service is started with other task types.
    """
    made: dict[str, bytes] = current_app.extensions[EXTENSION]
    if not made:
        system = runtime()
        found = document(current_app.extensions[GROUPS], system.types, system.settings.max_batch)
        made["text"] = msgspec.json.encode(found) + b"\n"
    return Response(made["text"], mimetype="application/json", headers={"Cache-Control": "no-cache"})
