"""What the server of isolated tasks imports before it forks: everything that a task of the user's needs."""

from __future__ import annotations

from queue_tool.worker.isolated import known_types

known_types()
