"""Signatures and secrets of webhooks, as Standard Webhooks describes them (https://www.standardwebhooks.com)."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import UTC, datetime
from secrets import token_bytes

PREFIX = "whsec_"
SECRET_SIZE = 32
"""Bytes; the standard asks for 24 to 64."""


def new_secret() -> str:
    """Return a new secret, with which a receiver verifies what it gets."""
    return PREFIX + base64.b64encode(token_bytes(SECRET_SIZE)).decode("ascii")


def signature(secrets: Sequence[str], id: str, at: datetime, body: bytes) -> dict[str, str]:  # noqa: A002 - the standard's word
    """Return the headers that identify and sign a message.

    Args:
        secrets: at least one; a receiver accepts the message if it knows one of them.
        id: the id of the message; the same in each attempt to deliver it.
        at: when this attempt begins; aware.
        body: the body, in UTF-8.

    Returns:
        `webhook-id`, `webhook-timestamp` and `webhook-signature`.
    """
    from standardwebhooks import Webhook  # imported here: only a process that delivers webhooks needs it

    moment = at.astimezone(UTC)  # the library replaces the zone of a time without converting it
    text = body.decode("utf-8")
    return {
        "webhook-id": id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(id, moment, text) for secret in secrets),
    }
