"""The commands that ask the service, over the Python client: `submit`, `watch`, `tasks` and others.

Each is imported when it is used, and none imports what only the service needs.
"""

from __future__ import annotations

COMMANDS = {
    "submit": "submitting",
    "check": "checking",
    "watch": "watching",
    "results": "results",
    "tasks": "tasks",
    "task": "task",
    "cancel": "changing",
    "retry": "changing",
    "batches": "batches",
    "deadletters": "dead_letters",
    "schedules": "schedules",
    "webhooks": "webhooks",
    "workers": "workers",
    "queues": "queues",
}
"""The module of this package for each command, in the order of the help. The command is its attribute of that name."""
