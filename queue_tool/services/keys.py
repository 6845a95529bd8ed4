"""Keys: creates, lists and revokes API keys. The store keeps only their digests."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from queue_tool.model.access import EVERYONE, EVERYONE_HERE, ApiKey, Role, digest
from queue_tool.model.clock import Clock
from queue_tool.services.submit import make_tokens
from queue_tool.store import Store

PREFIX = "qt_"
"""The beginning of every key, so that a leaked key can be recognized."""

SECRET_BYTES = 32
"""Random bytes in a key. A key cannot be guessed, so a single SHA-256 is a safe digest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A new key with its secret. The secret is never shown again."""

    secret: str
    key: ApiKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Creates, lists and revokes API keys."""

    store: Store
    clock: Clock

    def create(self, role: Role, name: str = "") -> NewKey:
        """Create a key with a role. The name helps people to tell keys apart.

        Raises:
            StoreAway: the database is busy or away, and no key was created.
        """
        now = self.clock.now()
        secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
        key = ApiKey(id=make_tokens(1, now)[0], name=name, role=role, created_at=now)
        self.store.keys.add(key, digest(secret))
        return NewKey(secret=secret, key=key)

    def all(self) -> Sequence[ApiKey]:
        """Return every key, including revoked ones, in the order of creation."""
        return self.store.keys.all()

    def revoke(self, key_id: str) -> None:
        """Make a key invalid from now on; a key that is already revoked stays as it is.

        Raises:
            KeyNotFound: no key has this id.
            StoreAway: the database is busy or away, and nothing was changed.
        """
        self.store.keys.revoke(key_id, self.clock.now())

    def served_without(self, auth: str) -> str | None:
        """Return who is served without an API key, as a clause for the operator; None if every request needs a key.

        Args:
            auth: the setting: "keys" or "off".

        Raises:
            StoreAway: the database is busy or away.
        """
        if auth == "off":
            return EVERYONE
        return None if self.store.keys.exist() else EVERYONE_HERE
