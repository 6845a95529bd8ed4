"""Keys: API keys are made, listed and revoked; the store keeps only their digests."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from queue_tool.model.access import NOT_LOCAL, ApiKey, Role, digest, is_loopback
from queue_tool.model.clock import Clock
from queue_tool.services.submit import make_tokens
from queue_tool.store import Store

PREFIX = "qt_"
"""By which a key that turns up in the wrong place is recognised."""

SECRET_BYTES = 32
"""Random bytes of a key: it cannot be guessed, so one SHA-256 of it is enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key that was just made, with what is never shown again."""

    secret: str
    key: ApiKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The service, with what it works on."""

    store: Store
    clock: Clock

    def create(self, role: Role, name: str = "") -> NewKey:
        """Make a key of a role; `name` is a word that tells people which one it is.

        Raises:
            StoreAway: the database is busy or away, and there is no such key.
        """
        now = self.clock.now()
        secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
        key = ApiKey(id=make_tokens(1, now)[0], name=name, role=role, created_at=now)
        self.store.keys.add(key, digest(secret))
        return NewKey(secret=secret, key=key)

    def all(self) -> Sequence[ApiKey]:
        """Return every key, revoked ones too, in the order in which they were made."""
        return self.store.keys.all()

    def revoke(self, key_id: str) -> None:
        """Make a key invalid from now on; one that is already stays as it is.

        Raises:
            KeyNotFound: there is none with this id.
            StoreAway: the database is busy or away, and nothing was changed.
        """
        self.store.keys.revoke(key_id, self.clock.now())

    def warning(self, host: str, auth: str) -> str | None:
        """Return what an operator should know who listens on this address, if there is anything.

        Args:
            host: the address.
            auth: the setting: "keys" or "off".
        """
        if is_loopback(host):
            return None
        if auth == "off":
            return "QUEUE_TOOL_AUTH is off: everyone who reaches this address may do everything"
        return None if self.store.keys.exist() else NOT_LOCAL
