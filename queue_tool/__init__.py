"""Queue Tool: a self-hosted service for batches of work.

`create_app` is the Flask application; `task` declares a task type; both bring in only what they need.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flask import Flask

    from queue_tool.model.context import Context
    from queue_tool.model.retry import Abort, Backoff, Retry
    from queue_tool.model.task_types import task

__version__ = "0.1.0"
__all__ = ["Abort", "Backoff", "Context", "Retry", "create_app", "task"]

_HOMES = {
    "task": "queue_tool.model.task_types",
    "Context": "queue_tool.model.context",
    "Abort": "queue_tool.model.retry",
    "Backoff": "queue_tool.model.retry",
    "Retry": "queue_tool.model.retry",
}


def create_app() -> Flask:
    """Return the WSGI application, with the settings of the environment."""
    from queue_tool.web import create_app as create

    return create()


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
