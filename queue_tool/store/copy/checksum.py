"""The checksum of a table: the same for the same rows, in whatever order and in whatever kind of database they are."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from queue_tool.model import json_text

BYTES = 16


@dataclass(slots=True)
class Checksum:
    """The sum of the digests of rows, each of which is written as JSON."""

    rows: int = 0
    total: int = 0

    def add(self, row: tuple[Any, ...]) -> None:
        """Count a row."""
        digest = blake2b(json_text.dumps(row), digest_size=BYTES).digest()
        self.rows += 1
        self.total = (self.total + int.from_bytes(digest)) % 256**BYTES
