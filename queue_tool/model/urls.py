"""The URLs of the database and of Redis: read once, strictly, so that no part of one is lost or means something else.

A URL has the standard form, and each special character in a password or a name is percent-encoded. What is not of this
form is refused in one sentence: another reader of the same text could find another server or a part of a password in
it. No sentence quotes a URL, because it may contain a password.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlsplit

INLINE = "inline:"
"""The Redis URL that means "no Redis": tasks run inside the request that submits them."""

_ENCODED = (
    "a URL with a numeric port and a percent-encoded password (only letters, digits, `-`, `_`, `.` and `~` need no "
    "encoding)"
)
_REDIS = f"a URL that starts with `redis://`, `rediss://` or `unix://`, or `{INLINE}`"
_DATABASE = "`sqlite:///` and the path of a file, or `postgresql://` and a database"
_NO_MEMORY = "`sqlite:///` and the path of a file: all processes share the file, so it is not in memory; no options"

_LONGEST_SOCKET_PATH = 107
"""The most bytes in the path of a Unix socket (unix(7))."""

_is_number = re.compile("[0-9]{1,9}").fullmatch
_is_odd = re.compile("[\x00-\x1f\x7f\ud800-\udfff]").search
_is_half_encoded = re.compile("%(?![0-9A-Fa-f]{2})").search

POSTGRES_NUMBERS = frozenset(
    ("connect_timeout", "keepalives", "keepalives_count", "keepalives_idle", "keepalives_interval", "tcp_user_timeout")
)
"""The options of libpq that are whole numbers."""

POSTGRES_OPTIONS = POSTGRES_NUMBERS | frozenset(
    [
        "application_name",
        "channel_binding",
        "client_encoding",
        "dbname",
        "fallback_application_name",
        "gssdelegation",
        "gssencmode",
        "gsslib",
        "host",
        "hostaddr",
        "krbsrvname",
        "load_balance_hosts",
        "options",
        "passfile",
        "password",
        "port",
        "require_auth",
        "requirepeer",
        "service",
        "ssl_max_protocol_version",
        "ssl_min_protocol_version",
        "sslcert",
        "sslcertmode",
        "sslcompression",
        "sslcrl",
        "sslcrldir",
        "sslkey",
        "sslmode",
        "sslnegotiation",
        "sslpassword",
        "sslrootcert",
        "sslsni",
        "target_session_attrs",
        "user",
    ]
)
"""The options that a URL of PostgreSQL may have (libpq, "Parameter Key Words")."""

_VERIFY = {"required": "required", "optional": "optional", "none": "none"}
_WORDS = {"true": "true", "false": "false", "1": "true", "0": "false", "yes": "true", "no": "false"}
_TLS_OPTIONS: Mapping[str, Mapping[str, str] | None] = {
    "ssl_cert_reqs": _VERIFY | {f"cert_{word}": word for word in _VERIFY},  # Celery writes CERT_NONE
    "ssl_check_hostname": _WORDS,
    **dict.fromkeys(("ssl_ca_certs", "ssl_ca_path", "ssl_ca_data", "ssl_certfile", "ssl_keyfile", "ssl_password")),
}
_REDIS_OPTIONS: Mapping[str, Mapping[str, str] | None] = {
    "client_name": None,
    "protocol": {"2": "2", "3": "3"},
    "username": None,
    "password": None,
}
"""The options that a URL of Redis may have, with their values; None: any text. `db` is a number in addition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a URL says, decoded, without its user and its port."""

    host: str | None
    path: str
    options: Mapping[str, str]


def database_url(text: str) -> str:
    """Return the URL of a database in the form that the store uses.

    Raises:
        ValueError: the text is not such a URL. The error describes a valid URL and never quotes the text.
    """
    url = text.strip()
    if url.startswith("sqlite:///"):
        return _sqlite_url(url)
    if url.startswith(("postgresql://", "postgres://")) and url.partition("://")[2]:
        url = url.replace("postgres://", "postgresql://", 1)
        _require_postgres(parts_of(url))
        return url
    raise ValueError(_DATABASE)


def _sqlite_url(url: str) -> str:
    path = url.removeprefix("sqlite:///")
    decoded = unquote(path)
    if not Path(decoded.strip()).name:
        raise ValueError(_DATABASE)
    if "?" in path or decoded.startswith((":memory:", "file:")) or not is_plain(decoded):
        raise ValueError(_NO_MEMORY)
    return url


def _require_postgres(parts: Parts) -> None:
    unknown = parts.options.keys() - POSTGRES_OPTIONS
    if unknown:
        raise ValueError("a URL whose options after `?` are parameters of libpq, such as `sslmode=require`")
    wrong = sorted(name for name in parts.options.keys() & POSTGRES_NUMBERS if not _is_number(parts.options[name]))
    if wrong:
        raise ValueError(f"a URL whose option `{wrong[0]}` is a whole number")


def redis_url(text: str) -> str:
    """Return the URL of Redis in the form that its client uses.

    Raises:
        ValueError: the text is not such a URL. The error describes a valid URL and never quotes the text.
    """
    url = text.strip()
    if url == INLINE:
        return INLINE
    if not url.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError(_REDIS)
    parts = parts_of(url)
    scheme, _, rest = url.partition("://")
    options = _redis_options(parts.options, is_encrypted=scheme == "rediss")
    if scheme == "unix":
        if not parts.path or parts.host or len(parts.path.encode()) > _LONGEST_SOCKET_PATH:
            raise ValueError(f"`unix://` and the path of a socket, at most {_LONGEST_SOCKET_PATH} bytes long")
    elif parts.path.strip("/") and not (_is_number(parts.path[1:]) and "db" not in options):
        raise ValueError("a URL with the number of a database after the host, such as `redis://localhost:6379/0`")
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in options.items())
    return f"{scheme}://{rest.partition('?')[0]}{'?' if query else ''}{query}"


def _redis_options(options: Mapping[str, str], *, is_encrypted: bool) -> dict[str, str]:
    """Return the options in the spelling of the client."""
    known = {**_REDIS_OPTIONS, **(_TLS_OPTIONS if is_encrypted else {})}
    if options.keys() - known.keys() - {"db"}:
        tls = ", `ssl_…`" if is_encrypted else "; the options `ssl_…` need `rediss://`"
        raise ValueError(f"a URL that has only these options after `?`: `db`, `{'`, `'.join(_REDIS_OPTIONS)}`{tls}")
    found: dict[str, str] = {}
    for name, value in options.items():
        words = known.get(name)
        if name == "db" and not _is_number(value):
            raise ValueError("a URL whose option `db` is the number of a database")
        if words is not None and value.lower() not in words:
            raise ValueError(f"a URL whose option `{name}` is one of these: {', '.join(words)}")
        found[name] = value if words is None else words[value.lower()]
    return found


def parts_of(url: str) -> Parts:
    """Return the parts of a URL.

    Raises:
        ValueError: another reader of the URL could find other parts in it.
    """
    if not is_plain(url) or " " in url or "#" in url or _is_half_encoded(url):
        raise ValueError(_ENCODED)
    try:
        parts = urlsplit(url)
        port = parts.port
        host = unquote(parts.hostname or "")
        host.encode("idna")  # as the system does before it looks the name up
        query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:  # a UnicodeError is one too
        raise ValueError(_ENCODED) from None
    names, path = [name for name, _ in query if name != "host"], unquote(parts.path)  # libpq takes several hosts
    if url.count("@") > min(1, parts.netloc.count("@")) or parts.netloc.endswith(":") or len(names) > len(set(names)):
        raise ValueError(_ENCODED)
    if port == 0 or not all(map(is_plain, (host, path, *names))) or " " in host or "/" in host:
        raise ValueError(_ENCODED)
    return Parts(host=host or None, path=path, options=dict(query))


def is_plain(text: str) -> bool:
    """Return whether a text has no control characters and can be written as UTF-8."""
    return _is_odd(text) is None


def without_secrets(url: str) -> str:
    """Return a URL that is safe to show: without user, password and query."""
    scheme, separator, rest = url.partition("://")
    rest = rest.partition("?")[0]
    if "@" in rest and scheme != "sqlite":
        rest = f"***@{rest.rpartition('@')[2]}"
    return f"{scheme}{separator}{rest}"
