"""Receivers of webhooks: their URLs and headers, read once and strictly, so that everybody finds the same host in them.

No sentence quotes a path, a query or the value of a header, because receivers hide secrets there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from queue_tool.errors import BadWebhook
from queue_tool.model.addresses import Address

LONGEST_URL = 2_048
"""Characters."""

MOST_HEADERS = 20
LONGEST_HEADER = 1_024
"""Characters of the value of a header."""

_PORTS = {"http": 80, "https": 443}
_MAX_PORT = 65_535
_LONGEST_NAME = 253
"""Characters in the name of a host (RFC 1035, without the last dot)."""

_is_url_text = re.compile(r"[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=%]*").fullmatch  # RFC 3986, without `#`
_is_half_encoded = re.compile("%(?![0-9A-Fa-f]{2})").search
_parts = re.compile(r"(?P<scheme>[a-z]+)://(?P<place>[^/?]*)(?P<path>[^?]*)(?P<query>\?.*)?", re.IGNORECASE).fullmatch
_place_parts = re.compile(r"(?P<host>\[[^\]]*\]|[^:\[\]]*)(?::(?P<port>[0-9]{1,5}))?").fullmatch
_is_label = re.compile("[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?").fullmatch
_is_number = re.compile("[0-9]+|0x[0-9a-f]*").fullmatch
_is_header_name = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}").fullmatch
_is_header_value = re.compile(r"[!-~]([ \t!-~]*[!-~])?").fullmatch

_OURS = frozenset(
    [
        *("accept-encoding", "connection", "content-length", "content-type", "expect", "host", "keep-alive", "te"),
        *("trailer", "transfer-encoding", "upgrade", "user-agent"),
        *("webhook-id", "webhook-signature", "webhook-timestamp"),
    ]
)
"""Headers that the sender writes itself, or that say how the connection is used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """Where a request goes."""

    is_encrypted: bool
    host: str
    """In lower case, without the brackets of an IPv6 address and without a last dot."""
    address: Address | None
    """The address that the URL itself contains; None: the host is a name."""
    port: int
    target: str
    """The path and the query. It may contain a secret."""

    @property
    def place(self) -> str:
        """Return host and port, as the header `Host` writes them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS["https" if self.is_encrypted else "http"] else f"{host}:{self.port}"


def receiver_of(url: str) -> Receiver:
    """Return the receiver that a URL names.

    Raises:
        BadWebhook: the text is not a URL of HTTP, or one that two programs could read differently.
    """
    if len(url) > LONGEST_URL:
        raise BadWebhook(f"The URL of a webhook may have at most {LONGEST_URL} characters.")
    if "#" in url:
        raise BadWebhook("The URL of a webhook must not have a fragment (`#`).")
    if not _is_url_text(url) or _is_half_encoded(url):
        raise BadWebhook(
            "The URL of a webhook contains a character that must be percent-encoded. Write a host with other letters "
            "than ASCII in its form `xn--…`."
        )
    parts = _parts(url)
    if parts is None or parts["scheme"].lower() not in _PORTS:
        raise BadWebhook("The URL of a webhook must start with `https://` or `http://`.")
    if "@" in parts["place"]:
        raise BadWebhook("The URL of a webhook must not contain a user or a password. Use a header for it.")
    scheme, place = parts["scheme"].lower(), _place_parts(parts["place"].lower())
    port = int((place and place["port"]) or _PORTS[scheme])
    if place is None or not 0 < port <= _MAX_PORT:
        raise BadWebhook("The URL of a webhook must have a host, and a port from 1 to 65535 or none.")
    host, address = host_of(place["host"])
    target = (parts["path"] or "/") + (parts["query"] or "")
    return Receiver(is_encrypted=scheme == "https", host=host, address=address, port=port, target=target)


def host_of(text: str) -> tuple[str, Address | None]:
    """Return the host that a text names, and its address if it is one.

    Args:
        text: a name, an IPv4 address or an IPv6 address in brackets, all in lower case.

    Raises:
        BadWebhook: the text is not a host, or an address in another form, such as `0x7f.1` for 127.0.0.1.
    """
    if text.startswith("["):
        try:
            address = ip_address(text[1:-1])
        except ValueError:
            address = None
        if not isinstance(address, IPv6Address) or address.scope_id is not None:
            raise BadWebhook("The host in brackets must be an IPv6 address, such as `[2001:db8::1]`.")
        return str(address), address
    name = text.removesuffix(".")
    labels = name.split(".")
    if _is_number(labels[-1]):
        try:
            address = ip_address(name)
        except ValueError:
            raise BadWebhook("An IPv4 address must be four decimal numbers, such as `192.0.2.1`.") from None
        return str(address), address
    if len(name) > _LONGEST_NAME or not all(map(_is_label, labels)):
        raise BadWebhook("The host must be a name or an IP address.")
    return name, None


def check_headers(headers: Mapping[str, str]) -> None:
    """Check the headers that a user wants in each request to a receiver.

    Raises:
        BadWebhook: one of them cannot be sent, or the sender writes it itself.
    """
    if len(headers) > MOST_HEADERS:
        raise BadWebhook(f"A webhook may have at most {MOST_HEADERS} headers.")
    names = [name.lower() for name in headers]
    if len(names) > len(set(names)):
        raise BadWebhook("A webhook has the same header twice. The names of headers have no case.")
    for name, value in headers.items():
        if not _is_header_name(name):
            raise BadWebhook("The name of a header has 1 to 64 letters, digits or `-`.")
        if name.lower() in _OURS or name.lower().startswith("proxy-"):
            raise BadWebhook(f"The header `{name}` is written by the service itself.")
        if len(value) > LONGEST_HEADER or not _is_header_value(value):
            raise BadWebhook(
                f"The value of the header `{name}` must have 1 to {LONGEST_HEADER} visible ASCII characters."
            )
