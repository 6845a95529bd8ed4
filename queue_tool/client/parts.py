"""Bounded pieces of something that may have any length."""

from __future__ import annotations

from collections.abc import Sequence

from queue_tool.client.values import json_of
from queue_tool.errors import NotSent

MOST_ELEMENTS = 10_000
"""Elements of one request: more of them make it hardly faster, and its memory larger."""

MOST_BYTES = 3 * 2**20
"""Bytes after which a request is full. The service takes only two bodies of more than 4 MiB at the same time."""


class Part:
    """Elements for one request, as lines of JSON, in the order of the batch."""

    def __init__(self, start: int, most: int = MOST_ELEMENTS, lines: Sequence[bytes] = ()) -> None:
        """Begin a part.

        Args:
            start: the index of its first element in the batch.
            most: how many elements it may have.
            lines: elements that it has already.
        """
        self.start = start
        self.is_last = False
        self._most = most
        self._lines = list(lines)
        self._size = sum(map(len, self._lines))

    @property
    def count(self) -> int:
        """Return how many elements it has."""
        return len(self._lines)

    @property
    def end(self) -> int:
        """Return the index of the element that follows it."""
        return self.start + self.count

    @property
    def body(self) -> bytes:
        """Return the elements, one on each line."""
        return b"\n".join(self._lines)

    def add(self, element: object) -> bool:
        """Add an element; return whether there is room for another one.

        Raises:
            NotSent: the element cannot be written as JSON.
        """
        try:
            line = json_of(element)
        except NotSent as error:
            raise NotSent(f"Element {self.end} cannot be sent. {error.sentence}") from None
        self._lines.append(line)
        self._size += len(line)
        return self.count < self._most and self._size < MOST_BYTES

    def halves(self) -> tuple[Part, Part]:
        """Return its first and its second half."""
        middle = self.count // 2
        return self._slice(0, middle), self._slice(middle, self.count)

    def beyond(self, index: int) -> Part:
        """Return the part of it that begins at this index of the batch."""
        return self._slice(min(max(0, index - self.start), self.count), self.count)

    def _slice(self, first: int, end: int) -> Part:
        return Part(self.start + first, lines=self._lines[first:end])


class Tokens:
    """Tokens for one request."""

    def __init__(self) -> None:
        """Begin without tokens."""
        self.is_last = False
        self.tokens: list[str] = []

    def add(self, element: str) -> bool:
        """Add a token; return whether there is room for another one."""
        self.tokens.append(element)
        return len(self.tokens) < MOST_ELEMENTS
