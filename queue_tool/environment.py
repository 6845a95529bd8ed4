"""The environment: the only place that reads and changes `os.environ`, and that reads the file `.env`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values

from queue_tool.host import doorbell, lifeline
from queue_tool.model import settings
from queue_tool.model.settings import Settings

_BETWEEN_PROCESSES = frozenset({lifeline.VARIABLE, doorbell.VARIABLE})
"""Variables by which our own processes pass something on to their children; they are no settings."""


def load_settings(overrides: Mapping[str, str] | None = None) -> Settings:
    """Return the settings of the environment and the file `.env`, some of them overridden.

    Raises:
        BadSetting: one of them cannot be read.
    """
    return settings.read(_variables() | dict(overrides or {}))


def unknown_settings() -> list[str]:
    """Return the names in the environment and in `.env` that look like settings and are none."""
    return [name for name in settings.unknown(_variables()) if name not in _BETWEEN_PROCESSES]


def for_child(overrides: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for a child process, with some settings overridden."""
    return dict(os.environ) | dict(overrides)


def override(overrides: Mapping[str, str]) -> None:
    """Override some settings for this process and those that it forks."""
    os.environ.update(overrides)


def inherited_descriptor(variable: str) -> int | None:
    """Return the file descriptor that the parent process passed on under this name; None if it passed on none."""
    descriptor = os.environ.get(variable)
    return int(descriptor) if descriptor else None


def has_owner() -> bool:
    """Return whether another process of this system started this one: then that process has prepared the database."""
    return inherited_descriptor(lifeline.VARIABLE) is not None


def _variables() -> dict[str, str]:
    """Return the environment, which goes before what the file `.env` in the current directory says."""
    file = {name: value for name, value in dotenv_values(Path(".env")).items() if value is not None}
    return file | dict(os.environ)
