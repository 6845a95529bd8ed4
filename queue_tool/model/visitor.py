"""Visitors: which requests come from this machine, as far as their own properties show. Pure.

These rules stop other machines, pages of other sites in a browser, and proxies that show themselves. They cannot see a
proxy of this machine that adds no header and sends a local Host. Only an API key stops that one.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

LOCAL_HOSTS = ("127.0.0.1", "localhost", "[::1]")
"""Hosts that a request without an API key may name, with any port. Other names and spellings may only lead here.

A browser treats `[::ffff:7f00:1]` as another site's address, and sends no Sec-Fetch-Site to it.
"""

PROXY_HEADERS = frozenset(
    {
        "cdn-loop", "client-ip", "forwarded", "proxy-client-ip", "true-client-ip", "via", "x-client-ip",
        "x-cluster-client-ip", "x-original-forwarded-for", "x-original-host", "x-proxyuser-ip", "x-real-ip",
        "x-varnish",
    }
)  # fmt: skip
"""Headers that a proxy or a content delivery network adds, in lower case."""

PROXY_PREFIXES = (
    "cf-",
    "fastly-",
    "fly-",
    "x-amz-cf-",
    "x-amzn-",
    "x-appengine-",
    "x-azure-",
    "x-envoy-",
    "x-forwarded",
)
"""Beginnings of such headers, in lower case."""

MODERN = ("HTTP/1.1", "HTTP/2", "HTTP/2.0", "HTTP/3", "HTTP/3.0")
"""Versions of HTTP that require a Host header, as WSGI servers write them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """The properties of a request that show where it comes from."""

    peer: str  # address at the other end of the connection
    host: str  # the Host header, with or without a port
    protocol: str  # as in WSGI: "HTTP/1.1"
    headers: frozenset[str]  # names of the request's headers, in lower case
    origin: str | None  # the Origin header: the site whose page sent the request, if a browser says so
    sec_fetch_site: str | None  # the Sec-Fetch-Site header: how that site relates to this one
    is_ours: Callable[[], bool] = lambda: True  # whether the peer's socket belongs to our own user or root

    def sign_of_elsewhere(self) -> str | None:
        """Return the first sign that the request is not from this machine, as a clause; None if there is none."""
        if not is_loopback(self.peer):
            return "this connection does not come from a loopback address"
        if (name := _header_of_a_proxy(self.headers)) is not None:
            return f"the header {name:.40} shows that a proxy passed this request on"
        if self.protocol not in MODERN:
            return "this request uses a version of HTTP before 1.1, as proxies do"
        sign = self.sign_of_another_site()
        if sign is None and not self.is_ours():
            return "the program that sent this request belongs to another user, or its user is unknown"
        return sign

    def sign_of_another_site(self) -> str | None:
        """Return the first sign that a browser sent the request for a page of another site; None if there is none."""
        if re.sub(r":[0-9]{1,5}\Z", "", self.host).lower() not in LOCAL_HOSTS:
            return f"the Host header of this request is none of {', '.join(LOCAL_HOSTS)}"
        return self.sign_of_a_foreign_page()

    def sign_of_a_foreign_page(self) -> str | None:
        """Return the same, but whatever the Host header is."""
        if self.origin is not None and self.origin.lower() not in _origins(self.host.lower()):
            return "the Origin header of this request is not the address in its Host header"
        if self.sec_fetch_site not in (None, "same-origin", "none"):
            return "the header Sec-Fetch-Site shows that a page of another site sent this request"
        return None


@lru_cache(maxsize=64)
def _header_of_a_proxy(headers: frozenset[str]) -> str | None:
    """Return the first header that a proxy adds, or None. Most clients send the same headers with each request."""
    return next((name for name in sorted(headers) if name in PROXY_HEADERS or name.startswith(PROXY_PREFIXES)), None)


@lru_cache(maxsize=64)
def is_loopback(address: str) -> bool:
    """Return whether an address, which may be IPv4 in an IPv6 address, belongs to this machine alone."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return (getattr(found, "ipv4_mapped", None) or found).is_loopback


def _origins(host: str) -> tuple[str, str]:
    return f"http://{host}", f"https://{host}"
