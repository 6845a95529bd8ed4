"""The text of a JSON array that comes in pieces: the texts of its elements, in the memory of one of them. Pure.

The regular expression only finds where an element ends. Whether it is valid JSON, the reader of the element says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from queue_tool.errors import MalformedJson, NotAnArray

_SIGN = re.compile(rb'"(?:[^"\\]++|\\.)*+("?)|[\[\]{},]', re.DOTALL)
"""A string, perhaps without its end because that has not been read yet, or a byte that has a meaning outside of one."""

SPACE = b" \t\r\n"


class ArrayText:
    """The texts of the elements of an array. They can be read once."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        """Read these pieces, which end anywhere."""
        self._pieces = iter(pieces)
        self._buffer = b""
        self._begin = 0  # of the element in the buffer
        self._end = 0  # of what is known to belong to it

    def __iter__(self) -> Iterator[bytes]:
        """Iterate over the texts.

        Raises:
            NotAnArray: the text is no array.
            MalformedJson: the text is empty or not UTF-8, the array has no end, or there is more behind it.
        """
        signs = self._signs()
        first = next(signs, b"")
        before = self._cut().strip(SPACE)
        if first != b"[" or before:
            raise _not_an_array(before or first or self._buffer.strip(SPACE))
        is_first, sign = True, b","
        while sign == b",":
            sign = _end_of_element(signs)
            text = self._cut().strip(SPACE)
            if text or sign == b"," or not is_first:  # only an array without elements has an empty one
                yield text
            is_first = False
        if self._buffer[self._end :].strip(SPACE) or any(piece.strip(SPACE) for piece in self._pieces):
            raise MalformedJson("The body has more text behind its array.")

    def _cut(self) -> bytes:
        """Return the text before the last sign. The next element begins behind it."""
        text = self._buffer[self._begin : self._end - 1]
        self._begin = self._end
        return text

    def _signs(self) -> Iterator[bytes]:
        """Iterate over the bytes that have a meaning outside of strings."""
        while more := self._more():
            self._buffer, self._end, self._begin = self._buffer[self._begin :] + more, self._end - self._begin, 0
            for found in _SIGN.finditer(self._buffer, self._end):
                if found[1] == b"":
                    break
                self._end = found.end()
                if found[1] is None:
                    yield found[0]
            else:
                self._end = len(self._buffer)

    def _more(self) -> bytes:
        """Read at least as much as is kept, so that a long element is not searched again and again."""
        kept, read = len(self._buffer) - self._begin, list[bytes]()
        for piece in self._pieces:
            read.append(piece)
            kept -= len(piece)
            if kept < 0:
                break
        return b"".join(read)


def _not_an_array(begins: bytes) -> NotAnArray | MalformedJson:
    """Return the error about a text that begins like this."""
    if not begins:
        return MalformedJson("The body is not valid JSON: it is empty.")
    try:
        begins.decode()
    except UnicodeDecodeError:
        return MalformedJson("The body is not valid JSON: it is not UTF-8.")
    return NotAnArray()


def _end_of_element(signs: Iterator[bytes]) -> bytes:
    """Return the sign that ends an element: a comma, or the end of the array."""
    depth = 0
    for sign in signs:
        if not depth and sign in b",]":
            return sign
        if sign in b"[{":
            depth += 1
        elif sign in b"]}" and depth:
            depth -= 1
    raise MalformedJson("The body is not valid JSON: its array has no end.")
