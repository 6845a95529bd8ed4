"""The page that explains each error code. It holds no data, so everyone may read it."""

from __future__ import annotations

from itertools import groupby

from flask import Response, render_template
from werkzeug.http import HTTP_STATUS_CODES

from queue_tool.model.access import Role
from queue_tool.web.http.entries import entries
from queue_tool.web.http.languages import words_of
from queue_tool.web.http.operation import Group
from queue_tool.web.http.problems import DOCUMENTED_AT

pages = Group("errors", "What each error means.")


@pages.get(DOCUMENTED_AT, Role.OPEN, in_document=False)
def show_errors() -> Response:
    """Show what each error code means.

    The entries are grouped by status. The `id` of an entry is its code.
    """
    groups = [
        (f"{status} {HTTP_STATUS_CODES[status]}", list(group))
        for status, group in groupby(entries(), key=lambda entry: entry.status)
    ]
    return Response(render_template("errors.html", groups=groups, words=words_of("en")), mimetype="text/html")
