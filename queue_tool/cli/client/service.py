"""The service that a command asks: QUEUE_TOOL_URL, or else what `queue-tool up` serves in this directory."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from queue_tool.client.blocking import Client


def connect() -> Client:
    """Return a client of the service. The variables may also be lines of the file `.env`.

    Raises:
        BadSetting: the URL or the key cannot be used.
    """
    from queue_tool import environment
    from queue_tool.client.address import address_of
    from queue_tool.client.blocking import Client

    address = address_of(environment.variables())
    return Client(address.url, key=address.key)
