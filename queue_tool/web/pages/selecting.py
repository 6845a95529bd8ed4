"""The filter of the page of tasks: what its form contains, and the tasks that it selects."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from queue_tool.errors import BadCursor, BadParameter, QueueToolError
from queue_tool.model.payloads.filters import Filters
from queue_tool.web.http.query import parsed

WITHOUT_ZONE = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d)(:\d\d(?:\.\d+)?)?", re.ASCII)
"""A time as a browser's field sends it. The pages say that it is in UTC."""

TIMES = ("created_after", "created_before")

PLACE = ("cursor", "limit")
"""What says which page of the list is shown, and not which tasks are in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A filter as a user has filled it in."""

    texts: Mapping[str, str]  # the fields that are not empty, by name
    filters: Filters  # no filter if there is a problem
    problem: str | None = None  # why it selects nothing

    @property
    def query(self) -> str:
        """Return the filter as the query of an address, without the place in the list."""
        return urlencode({name: text for name, text in self.texts.items() if name not in PLACE})

    @property
    def is_empty(self) -> bool:
        """Return whether it selects all tasks."""
        return self.filters.filter.is_empty


def chosen(fields: Mapping[str, str]) -> Chosen:
    """Return the filter of a form. A mistake in it loses none of its fields."""
    texts = {name: text.strip() for name, text in fields.items() if text.strip()}
    try:
        return Chosen(texts=texts, filters=parsed(Filters, {name: _read(name, text) for name, text in texts.items()}))
    except QueueToolError as error:
        return Chosen(texts=texts, filters=Filters(), problem=error.sentence)


def chosen_in(query: str) -> Chosen:
    """Return the filter in the query of an address.

    Raises:
        BadParameter: it is not a filter.
    """
    found = chosen(dict(parse_qsl(query)))
    if found.problem:
        raise BadParameter(found.problem)
    return found


def _read(name: str, text: str) -> str:
    """Return the text of a field as the API takes it."""
    if "\0" in name or "\0" in text:
        raise BadParameter(f"The filter {name!r:.80} contains a null character.")
    if name == "cursor" and not text.isascii():
        raise BadCursor
    return in_utc(text) if name in TIMES else text


def in_utc(text: str) -> str:
    """Return a time as the API takes it. One without a time zone is in UTC, as the pages say."""
    without_zone = WITHOUT_ZONE.fullmatch(text)
    return f"{without_zone[1]}{without_zone[2] or ':00'}Z" if without_zone else text
