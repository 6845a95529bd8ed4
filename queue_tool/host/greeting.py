"""The greeting: what somebody at a terminal is told when the system is ready, and where to go from there."""

from __future__ import annotations

import sys

from queue_tool.model import events
from queue_tool.model.telemetry import Event

_TEXT = """
  Queue Tool is ready.

    Open    {open}
    Send    curl {open}/api -H 'Content-Type: application/json' -d '[{{"item": "first", "valor": 2}}]'
    Ask     curl {open}/check/HASH (the "hash" that you got)
    Data    {data}
    Stop    {stop}

"""


def listen(event: Event) -> None:
    """Write the greeting to stderr when the system is ready."""
    if isinstance(event, events.Ready):
        sys.stderr.write(_TEXT.format(open=event.open, data=event.data, stop=event.stop))
        sys.stderr.flush()
