"""The check of the disk: how much room the data directory has."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from queue_tool.services.doctor.finding import Finding, ok, warning, wrong

LITTLE, TOO_LITTLE = 1024, 100
"""MiB of room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskCheck:
    """Looks at the file system of the data directory."""

    path: Path
    little: int = LITTLE  # MiB: less is a warning
    too_little: int = TOO_LITTLE  # MiB: less is wrong
    name: str = "disk"

    def __call__(self) -> Iterator[Finding]:
        """Return how much room is left."""
        place = self.path
        while not place.exists():
            place = place.parent
        usage = shutil.disk_usage(place)
        free = usage.free // 2**20
        found = f"{free:,} MiB of {usage.total // 2**20:,} MiB are free at {place}"
        remedy = "make room, or lower QUEUE_TOOL_RETENTION_DAYS"
        if free < self.too_little:
            yield wrong(self, found, remedy)
        elif free < self.little:
            yield warning(self, found, remedy)
        else:
            yield ok(self, found)
