"""The supervisor: one process that starts and watches the others."""

from queue_tool.supervisor.supervisor import Supervisor

__all__ = ["Supervisor"]
