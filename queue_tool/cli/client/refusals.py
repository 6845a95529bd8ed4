"""Refused elements, with the lines where they are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import click

from queue_tool.cli.client.screen import visible
from queue_tool.cli.client.source import Source
from queue_tool.cli.client.wrapping import Wrapping
from queue_tool.model.payloads.batches import FieldProblem
from queue_tool.model.schema import FieldError

MOST_SHOWN = 100
"""Refused elements that are shown: the first ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A refused element, or a line that is no element."""

    place: str  # in words
    index: int | None  # of the element
    line: int | None  # in the source; None: it has no lines
    reasons: list[tuple[str, str]]  # each with its path in the element, and a message

    @property
    def in_words(self) -> list[str]:
        """Return a line for each reason."""
        return [f"{self.place}: {path}: {text}" if path else f"{self.place}: {text}" for path, text in self.reasons]

    @property
    def in_json(self) -> dict[str, object]:
        """Return it for programs."""
        places = {"index": self.index, "line": self.line}
        errors = [{"path": path, "message": text} for path, text in self.reasons]
        return {name: number for name, number in places.items() if number is not None} | {"errors": errors}


@dataclass(slots=True, kw_only=True)
class Refusals:
    """The first refused elements of a source, and the number of all."""

    source: Source
    wrapping: Wrapping
    count: int = 0
    unread: int = 0  # those that are lines without an element
    first: list[Refused] = field(default_factory=list)

    def add(self, index: int, reasons: Iterable[FieldError | FieldProblem]) -> None:
        """Add a refused element."""
        self._add(
            Refused(
                place=self.source.place_of(index),
                index=index,
                line=self.source.line_of(index),
                reasons=[(self.wrapping.path_in_element(reason.path), reason.message) for reason in reasons],
            )
        )

    def add_line(self, number: int, sentence: str) -> None:
        """Add a line that is no element."""
        self.unread += 1
        self._add(Refused(place=f"line {number}", index=None, line=number, reasons=[("", sentence)]))

    def _add(self, refused: Refused) -> None:
        self.count += 1
        if self.count <= MOST_SHOWN:
            self.first.append(refused)

    def show(self) -> None:
        """Print the first ones for people."""
        for refused in self.first:
            for line in refused.in_words:
                click.echo(f"  {visible(line)}", err=True)
        if self.count > MOST_SHOWN:
            click.echo(f"  and {self.count - MOST_SHOWN:,} more", err=True)

    @property
    def in_json(self) -> list[dict[str, object]]:
        """Return the first ones for programs."""
        return [refused.in_json for refused in self.first]
