"""The standard output for programs: JSON and CSV, byte for byte. At a terminal, no text of a task can control it."""

from __future__ import annotations

import sys
from typing import Self

from queue_tool.cli.client.screen import escaped


class Output:
    """The standard output. Use it in a `with` statement, which writes out what is buffered."""

    def __init__(self) -> None:
        """Find out whether a person reads it."""
        self._stream = sys.stdout.buffer
        self._is_terminal = sys.stdout.isatty()

    def __enter__(self) -> Self:
        """Return the output."""
        return self

    def __exit__(self, *_: object) -> None:
        """Write out what is buffered."""
        self._stream.flush()

    def write(self, text: bytes | str) -> None:
        """Write a text. At a terminal, characters that could control it become escapes, as JSON has them."""
        if self._is_terminal:
            text = escaped(text if isinstance(text, str) else text.decode())
        self._stream.write(text.encode() if isinstance(text, str) else text)
