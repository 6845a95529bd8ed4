"""The clock of this machine."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from queue_tool.model.clock import Clock


def _now() -> datetime:
    return datetime.now(UTC)


CLOCK = Clock(now=_now, monotonic=time.monotonic)
