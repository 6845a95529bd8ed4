"""The check of the access: who is served, at which address, with which keys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from queue_tool.host import ports
from queue_tool.model.access import EVERYONE
from queue_tool.model.visitor import is_loopback
from queue_tool.services.doctor.finding import Finding, ok, warning, wrong
from queue_tool.services.keys import Keys


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessCheck:
    """Looks at the API keys, and at the address that the web server listens on."""

    keys: Keys
    auth: str  # the setting
    host: str  # the setting
    port: int
    name: str = "access"

    def __call__(self) -> Iterator[Finding]:
        """Return who is served.

        Raises:
            BadSetting: the host is no address of this machine.
            StoreAway: the database cannot be reached.
        """
        address = ports.resolved(self.host)
        listens = "a server" if ports.is_open(address, self.port) else "nothing"
        place = f"At {address}:{self.port}, where {listens} listens,"
        served = self.keys.served_without(self.auth)
        if served is None:
            valid = sum(key.revoked_at is None for key in self.keys.all())
            unencrypted = "" if is_loopback(address) else ", which others can read unless a proxy with TLS is in front"
            yield ok(self, f"{place} each request needs an API key (valid: {valid}){unencrypted}")
        elif is_loopback(address):
            yield ok(self, f"{place} {served}")
        elif served == EVERYONE:
            yield warning(self, f"{place} {served}", "let a proxy in front check who comes, and let nobody around it")
        else:
            remedy = "run `queue-tool keys create --role admin`, and put a proxy with TLS in front"
            yield wrong(self, f"{place} other machines are refused, because there is no API key", remedy)
