"""The URL of RabbitMQ, read once and strictly, like the other URLs of the settings (see `urls`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from queue_tool.model.urls import parts_of

WANTED = "a URL that starts with `amqp://` or `amqps://`"
_VIRTUAL_HOST = "a URL with one virtual host after the server, percent-encoded, such as `amqp://localhost/prod`"
_FILES = ("cacertfile", "certfile", "keyfile")
_VERIFY = ("verify_peer", "verify_none")

PORTS = {"amqp": 5672, "amqps": 5671}
"""The port of each scheme, if the URL has none."""

LONGEST_HEARTBEAT = 3600
"""Seconds."""

LONGEST_NAME = 255
"""Bytes in the name of a queue, as AMQP allows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AmqpAddress:
    """Where RabbitMQ is, and how to log in. The names of the options are those of RabbitMQ's own clients."""

    host: str
    port: int
    virtual_host: str
    user: str
    password: str = field(repr=False)
    is_encrypted: bool = False
    heartbeat: int | None = None  # seconds; None: the default of this program
    verifies: bool = True  # whether the server's certificate is checked
    cacertfile: str | None = None
    certfile: str | None = None
    keyfile: str | None = None

    @property
    def shown(self) -> str:
        """Return what may be shown: the server and the virtual host."""
        return f"{self.host}:{self.port}{'' if self.virtual_host == '/' else f' ({self.virtual_host})'}"


def amqp_url(text: str) -> str:
    """Return the URL of RabbitMQ, if it is one that `address_of` can read.

    Raises:
        ValueError: it is not. The error describes a valid URL and never quotes the text.
    """
    address_of(text.strip())
    return text.strip()


def queue_names(text: str) -> tuple[str, ...]:
    """Return the names of queues that a text lists, separated by commas.

    Raises:
        ValueError: a name cannot be that of a queue. The error describes a valid text.
    """
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names or any(len(name.encode()) > LONGEST_NAME or name.startswith("amq.") for name in names):
        raise ValueError(f"names of queues, separated by commas, each of at most {LONGEST_NAME} bytes")
    return names


def address_of(url: str) -> AmqpAddress:
    """Return what a URL of RabbitMQ says.

    Without a user it means RabbitMQ's own user `guest`, and without a virtual host the virtual host `/`.

    Raises:
        ValueError: it is not such a URL. The error describes a valid URL and never quotes the text.
    """
    scheme = url.partition("://")[0]
    if scheme not in PORTS or not url.partition("://")[2]:
        raise ValueError(WANTED)
    parts = parts_of(url)
    options = parts.options
    if options.keys() - {"heartbeat", *(("verify", *_FILES) if scheme == "amqps" else ())}:
        tls = ", `verify`, `cacertfile`, `certfile`, `keyfile`" if scheme == "amqps" else ""
        raise ValueError(f"a URL that has only these options after `?`: `heartbeat`{tls}")
    if "keyfile" in options and "certfile" not in options:
        raise ValueError("a URL whose option `keyfile` comes with `certfile`")
    split = urlsplit(url)
    return AmqpAddress(
        host=parts.host or "localhost",
        port=split.port or PORTS[scheme],
        virtual_host=_virtual_host(parts.path, split.path),
        user="guest" if split.username is None else unquote(split.username),
        password="guest" if split.username is None else unquote(split.password or ""),
        is_encrypted=scheme == "amqps",
        heartbeat=_heartbeat(options),
        verifies=_verify(options) == "verify_peer",
        **{name: options.get(name) for name in _FILES},
    )


def _virtual_host(path: str, encoded: str) -> str:
    if "/" in encoded[1:] or len(path[1:].encode()) > LONGEST_NAME:
        raise ValueError(_VIRTUAL_HOST)
    return path[1:] or "/"


def _heartbeat(options: Mapping[str, str]) -> int | None:
    text = options.get("heartbeat")
    if text is None:
        return None
    if not (
        text.isascii()
        and text.isdecimal()
        and len(text) <= len(str(LONGEST_HEARTBEAT))
        and int(text) <= LONGEST_HEARTBEAT
    ):
        raise ValueError(f"a URL whose option `heartbeat` is a number of seconds, at most {LONGEST_HEARTBEAT}")
    return int(text)


def _verify(options: Mapping[str, str]) -> str:
    found = options.get("verify", _VERIFY[0])
    if found not in _VERIFY:
        raise ValueError(f"a URL whose option `verify` is one of these: {', '.join(_VERIFY)}")
    return found
