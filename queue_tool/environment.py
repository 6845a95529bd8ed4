"""The environment: the only module that reads and changes `os.environ`, and that reads the file `.env`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from dotenv import dotenv_values

from queue_tool.errors import BadSetting
from queue_tool.host import doorbell, lifeline, readiness
from queue_tool.model import settings
from queue_tool.model.settings import Settings

_BETWEEN_PROCESSES = frozenset({lifeline.VARIABLE, doorbell.VARIABLE, readiness.VARIABLE})
"""Variables with which our own processes pass something to their children; they are not settings."""

FILE = Path(".env")
"""The file with settings, in the current directory."""

_SAFE_PATH, _OURS = "PYTHONSAFEPATH", "queue-tool"


def load_settings(overrides: Mapping[str, str] | None = None) -> Settings:
    """Return the settings from the environment and the file `.env`; `overrides` take precedence.

    Raises:
        BadSetting: a setting has a value that cannot be used.
    """
    chosen = settings.read(variables() | dict(overrides or {}))
    try:
        return replace(chosen, data_dir=chosen.data_dir.absolute())  # even if a task changes the directory later
    except FileNotFoundError:
        raise BadSetting("The current directory no longer exists: start in another one.") from None


def usable_settings() -> tuple[Settings, list[BadSetting]]:
    """Return the settings, with the default for each one that is not valid, and the errors. For `queue-tool doctor`."""
    errors: list[BadSetting] = []
    try:
        found = variables()
    except BadSetting as error:
        found = dict(os.environ)
        errors.append(error)
    while True:
        try:
            chosen = settings.read(found)
        except BadSetting as error:
            errors.append(error)
            del found[error.sentence.partition(" ")[0]]  # each sentence begins with the name of its setting
        else:
            return replace(chosen, data_dir=chosen.data_dir.absolute()), errors


def unknown_settings() -> list[str]:
    """Return the names in the environment and in `.env` that look like settings but are unknown."""
    return [name for name in settings.unknown(variables()) if name not in _BETWEEN_PROCESSES]


def for_child(overrides: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for a child process, with some settings overridden."""
    return dict(os.environ) | dict(overrides)


def override(overrides: Mapping[str, str]) -> None:
    """Override some settings for this process and its child processes."""
    os.environ.update(overrides)


def inherited_descriptor(variable: str) -> int | None:
    """Return the file descriptor that the parent process passed in this variable; None if it passed none."""
    descriptor = os.environ.get(variable)
    return int(descriptor) if descriptor is not None and descriptor.isdecimal() else None


def take_descriptor(variable: str) -> int | None:
    """Return the file descriptor in this variable, and remove the variable: it means nothing to other programs."""
    descriptor = inherited_descriptor(variable)
    os.environ.pop(variable, None)
    return descriptor


def has_owner() -> bool:
    """Return whether another process of this system started this one: then that process has prepared the database."""
    return inherited_descriptor(lifeline.VARIABLE) is not None


@contextmanager
def children_search_safely() -> Iterator[None]:
    """Let Pythons that are started during the block not look for modules in the current directory.

    This is for children whose command others write. Each of them must call `forget_safe_search`, because programs that
    it starts itself must not inherit this.
    """
    if sys.flags.safe_path:  # then Python tells it to its children
        yield
        return
    os.environ[_SAFE_PATH] = _OURS
    try:
        yield
    finally:
        del os.environ[_SAFE_PATH]


def forget_safe_search() -> None:
    """Undo `children_search_safely` for the children of this process."""
    if os.environ.get(_SAFE_PATH) == _OURS:
        del os.environ[_SAFE_PATH]


class Variables:
    """The variables of the environment as they are now."""

    def __init__(self) -> None:
        """Remember them."""
        self._kept = dict(os.environ)
        self._seen = dict(_stored())

    def restore(self) -> None:
        """Undo what was changed since then."""
        if _stored() == self._seen:
            return
        time_zone = os.environ.get("TZ")
        for name in os.environ.keys() - self._kept.keys():
            del os.environ[name]
        os.environ.update(self._kept)
        if os.environ.get("TZ") != time_zone:
            time.tzset()


def _stored() -> Mapping[object, object]:
    """Return the variables as `os` stores them: a comparison of `os.environ` itself decodes each one."""
    stored: Mapping[object, object] = vars(os.environ)["_data"]
    return stored


def variables() -> dict[str, str]:
    """Return the variables of the environment and of `.env` in the current directory; the environment wins.

    Raises:
        BadSetting: the file cannot be read, or is no text.
    """
    try:
        found = dotenv_values(FILE, encoding="utf-8-sig")  # an editor may have put a byte order mark in front
    except UnicodeDecodeError:
        raise BadSetting(f"The file {FILE} of the current directory must be UTF-8 text.") from None
    except OSError as error:
        raise BadSetting(f"The file {FILE} of the current directory cannot be read: {error.strerror}.") from None
    return {name: value for name, value in found.items() if value is not None} | dict(os.environ)
