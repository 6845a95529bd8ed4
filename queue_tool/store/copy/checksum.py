"""The checksum of a table. It depends only on the rows, not on their order or on the kind of database."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from queue_tool.model import json_text

BYTES = 16


@dataclass(slots=True)
class Checksum:
    """The number of rows and the sum of their digests. A digest is made from the row as JSON."""

    rows: int = 0
    total: int = 0

    def add(self, row: tuple[Any, ...]) -> None:
        """Add a row to the checksum."""
        digest = blake2b(json_text.dumps(row), digest_size=BYTES).digest()
        self.rows += 1
        self.total = (self.total + int.from_bytes(digest)) % 256**BYTES
