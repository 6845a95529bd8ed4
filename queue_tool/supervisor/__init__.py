"""The supervisor: one process that runs the others."""

from queue_tool.supervisor.supervisor import Supervisor

__all__ = ["Supervisor"]
