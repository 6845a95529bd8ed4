"""The check of the embedded Valkey while it does not answer: whether it can be started."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from queue_tool.host import valkey
from queue_tool.services.doctor.finding import Finding, ok


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedCheck:
    """Looks for the server's program. It does not start it."""

    data_dir: Path
    name: str = "Redis"

    def __call__(self) -> Iterator[Finding]:
        """Return what the embedded Valkey does.

        Raises:
            NoEmbeddedServer: there is no program for this platform.
        """
        valkey.binary()
        if valkey.is_loading(self.data_dir):
            yield ok(self, "The embedded Valkey reads its file, and then answers")
        else:
            yield ok(self, "The embedded Valkey does not run; it starts with the system")
