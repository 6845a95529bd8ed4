"""For users' own tests: their task types run in the test's process, without any server, at a time that the test sets.

`plugin.py` offers it to pytest as the fixture `inline_system`. A test that does not use the fixture imports none of it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from queue_tool.testing.sent import SentBatch, SentTask
    from queue_tool.testing.system import InlineSystem

__all__ = ["InlineSystem", "SentBatch", "SentTask"]

_HOMES = {
    "InlineSystem": "queue_tool.testing.system",
    "SentBatch": "queue_tool.testing.sent",
    "SentTask": "queue_tool.testing.sent",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
