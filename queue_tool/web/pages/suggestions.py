"""What a field of a form offers while somebody types in it."""

from __future__ import annotations

from functools import cache
from zoneinfo import available_timezones

from flask import Response, request

from queue_tool.errors import NotFound
from queue_tool.model.access import Role
from queue_tool.services.suggest import Suggest
from queue_tool.web.http.answers import runtime
from queue_tool.web.http.operation import Group
from queue_tool.web.pages.page import page

PATH = "/dashboard/suggestions"

LONGEST = 255
"""Characters of a text. The rest of a longer one is ignored."""

pages = Group("suggestions", "What a field offers while somebody types.")


@pages.get(f"{PATH}/<name>", Role.READ, in_document=False, takes_any_query=True)
def show_suggestions(name: str) -> Response:
    """Show the values that a text may mean, as options."""
    system, text = runtime(), request.args.get("text", "").replace("\0", "")[:LONGEST]
    found = Suggest(store=system.store, types=system.types, zones=_zones)(name, text)
    if found is None:
        raise NotFound
    return page("suggestions.html", suggestions=found)


@cache
def _zones() -> frozenset[str]:
    """Return the names of the time zones that this machine knows. To find them reads hundreds of files."""
    return frozenset(available_timezones())
