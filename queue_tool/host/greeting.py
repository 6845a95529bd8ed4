"""The greeting: shown at a terminal when the system is ready, with the address and the next steps."""

from __future__ import annotations

import sys

from queue_tool.model import events
from queue_tool.model.telemetry import Event

_TEXT = """
  Queue Tool is ready.

    Open    {open}
    Send    curl {open}/api -H 'Content-Type: application/json' -d '[{{"item": "first", "valor": 2}}]'
    Check   curl {open}/check/HASH (the "hash" in the answer)
    Data    {data}
    Stop    {stop}
{access}
"""


def listen(event: Event) -> None:
    """Write the greeting to stderr when the system is ready."""
    if isinstance(event, events.Ready):
        access = f"    Access  {event.access}\n" if event.access else ""
        sys.stderr.write(_TEXT.format(open=event.open, data=event.data, stop=event.stop, access=access))
        sys.stderr.flush()
