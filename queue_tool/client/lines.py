"""The lines of a stream."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Lines:
    """The lines of a stream, whose pieces end anywhere."""

    rest: bytes = b""

    def of(self, piece: bytes) -> list[bytes]:
        """Return the lines that this piece completes."""
        *lines, self.rest = (self.rest + piece).split(b"\n")
        return lines
