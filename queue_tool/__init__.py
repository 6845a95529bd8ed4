"""Queue Tool: a self-hosted service for batches of work.

Each public name is imported on first use. So a module that only declares task types imports no Flask, RQ or SQLAlchemy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from queue_tool.model.version import VERSION

if TYPE_CHECKING:
    from flask import Flask

    from queue_tool.client.asynchronous import AsyncBatch, AsyncClient
    from queue_tool.client.blocking import Batch, Client
    from queue_tool.model.context import Context
    from queue_tool.model.filter import Filter
    from queue_tool.model.queues import Priority
    from queue_tool.model.retry import Abort, Backoff, Retry
    from queue_tool.model.states import State
    from queue_tool.model.task_types import task
    from queue_tool.runtime import open  # noqa: A004 - users call it as `queue_tool.open()`

__version__ = VERSION
__all__ = [
    "Abort",
    "AsyncBatch",
    "AsyncClient",
    "Backoff",
    "Batch",
    "Client",
    "Context",
    "Filter",
    "Priority",
    "Retry",
    "State",
    "create_app",
    "open",
    "task",
]

_HOMES = {
    "Abort": "queue_tool.model.retry",
    "AsyncBatch": "queue_tool.client.asynchronous",
    "AsyncClient": "queue_tool.client.asynchronous",
    "Backoff": "queue_tool.model.retry",
    "Batch": "queue_tool.client.blocking",
    "Client": "queue_tool.client.blocking",
    "Context": "queue_tool.model.context",
    "Filter": "queue_tool.model.filter",
    "Priority": "queue_tool.model.queues",
    "Retry": "queue_tool.model.retry",
    "State": "queue_tool.model.states",
    "open": "queue_tool.runtime",
    "task": "queue_tool.model.task_types",
}


def create_app() -> Flask:
    """Return the WSGI application, with the settings from the environment."""
    from queue_tool.web import create_app as create

    return create()


def __getattr__(name: str) -> Any:
    """Import a public name on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
