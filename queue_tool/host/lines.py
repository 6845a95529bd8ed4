"""Output cut into lines, as it arrives in pieces."""

from __future__ import annotations

import re
from collections.abc import Callable

LONGEST_LINE = 65_536
"""Characters of output that are kept for one line. A longer line becomes several."""

_ENDS = re.compile(r"\r\n|\r|\n")


class Lines:
    """Collects pieces of output and passes on each line that is complete. Empty lines are left out."""

    def __init__(self, emit: Callable[[str], object]) -> None:
        """Start empty. `emit` gets each line without its end."""
        self._emit = emit
        self._rest = ""

    def feed(self, text: str) -> None:
        """Add a piece of output, and pass on the lines that it completes."""
        *lines, rest = _ENDS.split(self._rest + text)
        if len(rest) >= LONGEST_LINE:
            lines, rest = [*lines, rest], ""
        self._rest = rest
        for line in lines:
            for start in range(0, len(line), LONGEST_LINE):
                self._emit(line[start : start + LONGEST_LINE])

    def flush(self) -> None:
        """Pass on the last line, even though its end has not arrived."""
        rest, self._rest = self._rest, ""
        if rest:
            self._emit(rest)
