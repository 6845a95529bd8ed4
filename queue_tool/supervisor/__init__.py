"""The supervisor: one process that starts and watches the others."""

from queue_tool.supervisor.prepared import prepared
from queue_tool.supervisor.supervisor import Supervisor, commands

__all__ = ["Supervisor", "commands", "prepared"]
