"""A task type for each step at which the web process is killed, so that a proxy can tell the step's tickets."""

from __future__ import annotations

from queue_tool import task

STEPS = ("before", "within", "kept", "pushed", "answered")

for step in STEPS:
    task(f"kept.{step}", schema={"type": "string"})(lambda data: data)
