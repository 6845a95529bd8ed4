"""The worker: takes tickets from RQ and runs their tasks.

The public name is imported on first use: the processes of the isolated lane need neither RQ nor SQLAlchemy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from queue_tool.worker.worker import Worker

__all__ = ["Worker"]


def __getattr__(name: str) -> Any:
    """Import the public name on first use."""
    if name != "Worker":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from queue_tool.worker.worker import Worker

    return Worker
