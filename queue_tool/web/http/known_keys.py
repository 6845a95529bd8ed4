"""Known keys: the API keys as the access check needs them, thousands of times a second."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from queue_tool.host.clock import CLOCK
from queue_tool.model.access import ApiKey, digest
from queue_tool.model.settings import Settings
from queue_tool.store import Store
from queue_tool.web.http.sessions import Sessions

EXTENSION = "queue_tool.known_keys"

KEPT = 0.05
"""Seconds for which an answer of the store is used again. A key that is made or revoked has its effect by then."""

MOST = 1000
"""Keys that are kept."""

Value = TypeVar("Value")


class _Brief(Generic[Value]):
    """A value that is used again for a moment."""

    __slots__ = ("_changes", "_until", "value")

    def __init__(self, value: Value, changes: int) -> None:
        self.value = value
        self._changes = changes
        self._until = CLOCK.monotonic() + KEPT

    def holds(self, changes: int) -> bool:
        return changes == self._changes and CLOCK.monotonic() < self._until


class KnownKeys:
    """Reads API keys and keeps each answer for a moment. What this process itself changes has its effect at once."""

    def __init__(self, store: Store, settings: Settings) -> None:
        """Read from this store, and read sessions with the secret of these settings."""
        self.sessions = Sessions(settings)
        self._keys = store.keys
        self._found: dict[str, _Brief[ApiKey]] = {}  # by digest or id; unknown keys are never kept
        self._exist: _Brief[bool] | None = None

    def find(self, secret: str) -> ApiKey | None:
        """Return the valid key with this secret, or None.

        Raises:
            StoreAway: the database cannot be reached.
        """
        return self._known(digest(secret), self._keys.find)

    def of_session(self, cookies: str) -> ApiKey | None:
        """Return the valid key of the session in the header `Cookie`, or None.

        Raises:
            StoreAway: the database cannot be reached.
        """
        key_id = self.sessions.key_id(cookies)
        return None if key_id is None else self._known(key_id, self._keys.with_id)

    def _known(self, place: str, read: Callable[[str], ApiKey | None]) -> ApiKey | None:
        changes = self._keys.changes
        known = self._found.get(place)
        if known is not None and known.holds(changes):
            return known.value
        found = read(place)
        if found is None:
            self._found.pop(place, None)
            return None
        if len(self._found) >= MOST:
            self._found.clear()
        self._found[place] = _Brief(found, changes)
        return found

    def exist(self) -> bool:
        """Return whether any key was ever added.

        Raises:
            StoreAway: the database cannot be reached.
        """
        known, changes = self._exist, self._keys.changes
        if known is None or not known.holds(changes):
            known = self._exist = _Brief(self._keys.exist(), changes)
        return known.value
