"""Where the service is, and the API key for it: from arguments, else from variables of the environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from queue_tool.errors import BadSetting
from queue_tool.model.settings import CLIENT_KEY as KEY
from queue_tool.model.settings import CLIENT_URL as URL
from queue_tool.model.settings import KEPT_KEY

_HOST, _PORT = "QUEUE_TOOL_HOST", "QUEUE_TOOL_PORT"
_STANDARD_HOST, _STANDARD_PORT = "127.0.0.1", "5000"

_DATA_DIR, _STANDARD_DATA_DIR = "QUEUE_TOOL_DATA_DIR", "instance"

_LOCAL = f"http://{_STANDARD_HOST}:{_STANDARD_PORT}"

_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - a server listens there, and no client goes there
"""Where a client finds a server that listens on all addresses of this machine."""

_IS_KEY = re.compile(r"[!-~]+").fullmatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where requests go."""

    url: str  # without a slash at its end
    key: str | None

    @property
    def headers(self) -> Mapping[str, str]:
        """Return the header with the key."""
        return {} if self.key is None else {"Authorization": f"Bearer {self.key}"}

    def __repr__(self) -> str:
        """Return the URL. The key is a secret."""
        return f"<{self.url}>"


def address_of(variables: Mapping[str, str], url: str | None = None, key: str | None = None) -> Address:
    """Return where the service is.

    Args:
        variables: those of the environment. The default is the URL at which `queue-tool up` serves with them.
        url: overrides QUEUE_TOOL_URL.
        key: overrides QUEUE_TOOL_KEY. Without both, the system of this machine gets the key that is kept in its data
            directory; no other one does.

    Raises:
        BadSetting: the URL or the key cannot be used. The sentence quotes neither, because both may be secret.
    """
    named = (url or variables.get(URL) or "").strip()
    chosen = named or _of_this_machine(variables)
    secret = (key or variables.get(KEY) or ("" if named else _kept(variables))).strip()
    if not named and _parts(chosen) is None:
        raise BadSetting(f"{_HOST} and {_PORT} are not where a service can be: correct them, or set {URL}.")
    _require_plain(chosen)
    if secret and not _IS_KEY(secret):
        raise BadSetting(f"{KEY} must be an API key: visible characters of ASCII, without spaces.")
    return Address(url=chosen.rstrip("/"), key=secret or None)


def _of_this_machine(variables: Mapping[str, str]) -> str:
    host = variables.get(_HOST) or _STANDARD_HOST
    host = _ANY_ADDRESS.get(host, host)
    return f"http://{f'[{host}]' if ':' in host else host}:{variables.get(_PORT) or _STANDARD_PORT}"


def _kept(variables: Mapping[str, str]) -> str:
    """Return the key in the data directory; empty if there is none, or this user must not read it."""
    folder = Path(variables.get(_DATA_DIR) or _STANDARD_DATA_DIR)
    try:
        return (folder / KEPT_KEY).read_text("ascii")
    except (OSError, UnicodeDecodeError):
        return ""


def _require_plain(url: str) -> None:
    parts = _parts(url)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname or not url.isascii():
        raise BadSetting(f"{URL} must be the address of the service, such as https://queue.example or {_LOCAL}.")
    if "@" in parts.netloc:
        raise BadSetting(f"{URL} must not contain a user or a password: the API key belongs in {KEY}.")
    if parts.query or parts.fragment or re.search(r"[\x00-\x20\x7f]", url):
        raise BadSetting(f"{URL} must end with the host, its port, or a path, without `?`, `#` and spaces.")


def _parts(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - it raises for a port that is no number
    except ValueError:
        return None
    return parts
