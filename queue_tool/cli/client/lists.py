"""Lists: the items of all pages, as a table or as JSON Lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import click
from msgspec import Struct

from queue_tool.cli.client.ending import tell
from queue_tool.cli.client.output import Output
from queue_tool.cli.client.screen import Columns, Screen, visible
from queue_tool.model import json_text

PAGE = 500
"""Items of one request."""


def page_size(limit: int, everything: bool) -> int:
    """Return how many items a request should ask for: one more than are printed, which shows whether there are more."""
    return PAGE if everything else min(PAGE, limit + 1)


def show(items: Iterable[Any], columns: Columns, *, limit: int, everything: bool, as_json: bool) -> None:
    """Print the items of a list, and say if there are more of them."""
    left = iter(items)
    shown = left if everything else islice(left, limit)
    count = lines_of_json(shown) if as_json else Screen().table(list(columns), _rows(shown, columns))
    if not everything and count == limit and next(left, None) is not None:
        tell("There are more of them: choose another --limit, or --all.")


def _rows(items: Iterable[Any], columns: Columns) -> Iterator[list[object]]:
    return ([value(item) for value in columns.values()] for item in items)


def lines_of_json(items: Iterable[Struct]) -> int:
    """Print items as JSON Lines, and return how many there are."""
    count = 0
    with Output() as output:
        for item in items:
            output.write(json_text.encode(item) + b"\n")
            count += 1
    return count


def answer(value: Struct, sentence: str, *, as_json: bool) -> None:
    """Print the answer to a request: for people a sentence, for programs all of it."""
    if as_json:
        document(value)
    else:
        click.echo(visible(sentence))


def document(value: Struct | Mapping[str, object]) -> None:
    """Print a value as one line of JSON."""
    text = json_text.encode(value) if isinstance(value, Struct) else json_text.dumps(value)
    with Output() as output:
        output.write(text + b"\n")
