"""Sessions of the pages: a signed cookie names the API key with which somebody has logged in.

The cookie holds the id of the key and not the key itself. Each request reads the key from the store, so that a session
ends when its key is revoked.
"""

from __future__ import annotations

import hashlib

from flask import Response, request
from itsdangerous import BadData, URLSafeTimedSerializer
from werkzeug.http import parse_cookie

from queue_tool.host import secret_key
from queue_tool.model.access import ApiKey
from queue_tool.model.made_once import made_once
from queue_tool.model.settings import Settings
from queue_tool.web.http.headers import LONGEST

COOKIE = "queue_tool_session"

LASTS = 7 * 24 * 3600
"""Seconds after which a session ends."""


class Sessions:
    """Signs and reads the cookies of sessions."""

    def __init__(self, settings: Settings) -> None:
        """Use the secret of these settings. It is read at the first use."""
        self._settings = settings

    @made_once
    def _signer(self) -> URLSafeTimedSerializer:
        secret = self._settings.secret_key or secret_key.read_or_make(self._settings.data_dir)
        return URLSafeTimedSerializer(secret, salt=COOKIE, signer_kwargs={"digest_method": hashlib.sha256})

    def key_id(self, cookies: str) -> str | None:
        """Return the id of the key of a session; None if there is no session, or it has ended.

        Args:
            cookies: the header `Cookie` of a request.
        """
        if COOKIE not in cookies or len(cookies) > LONGEST["Cookie"]:
            return None
        try:
            found = self._signer.loads(parse_cookie(cookies).get(COOKIE, ""), max_age=LASTS)
        except BadData:
            return None
        return found if isinstance(found, str) else None

    def start(self, response: Response, key: ApiKey) -> None:
        """Let a response start a session with this key."""
        response.set_cookie(
            COOKIE, str(self._signer.dumps(key.id)), max_age=LASTS, secure=_has_tls(), httponly=True, samesite="Lax"
        )

    def end(self, response: Response) -> None:
        """Let a response end the session of its browser."""
        response.delete_cookie(COOKIE, secure=_has_tls(), httponly=True, samesite="Lax")


def _has_tls() -> bool:
    """Return whether the browser speaks TLS, to us or to a proxy: its `Origin` says so, or the proxy does.

    Whoever invents these headers decides only about the cookie in the own browser.
    """
    origin, forwarded = request.headers.get("Origin", ""), request.headers.get("X-Forwarded-Proto", "")
    return request.is_secure or origin.startswith("https:") or forwarded.lower() == "https"
