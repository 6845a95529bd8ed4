"""The sender: a POST to the receiver of a webhook, whatever that receiver does."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping, Sequence
from threading import Lock

import h11

from queue_tool.delivery.answer import Answer
from queue_tool.delivery.connection import Connection, connect, encrypt
from queue_tool.delivery.deadline import Deadline
from queue_tool.delivery.exchange import Heard, exchange
from queue_tool.delivery.lookup import Lookup, NotFound, Resolver, of_system
from queue_tool.errors import BadWebhook
from queue_tool.model.addresses import Address, target_of
from queue_tool.model.allowed import Allowed
from queue_tool.model.made_once import made_once
from queue_tool.model.receivers import Receiver, receiver_of

SECONDS = 20.0
"""The time of a whole exchange, from the look-up of the name to the end of the answer."""

SECONDS_OF_A_CHECK = 3.0
"""The time of a look-up when somebody registers a webhook and waits for the answer."""


class Sender:
    """Sends requests to receivers. Any number of threads may use it at the same time.

    It follows no redirect, keeps no connection, and uses no proxy.
    """

    def __init__(
        self,
        allow: Sequence[str] = (),
        *,
        seconds: float = SECONDS,
        resolver: Resolver = of_system,
        tls: Callable[[], ssl.SSLContext] = ssl.create_default_context,
    ) -> None:
        """Open nothing yet.

        Args:
            allow: networks, addresses and hosts that may be reached although they are not public; `read_allow`
                returns them.
            seconds: the time of a whole exchange.
            resolver: returns the addresses of a name.
            tls: makes what decides which certificates are trusted.

        Raises:
            ValueError: an entry of `allow` is wrong.
        """
        self._allowed = Allowed(allow)
        self._seconds = seconds
        self._lookup = Lookup(resolver)
        self._make_context = tls
        self._lock = Lock()

    def check_url(self, url: str) -> None:
        """Check the URL of a webhook without looking up its host.

        Raises:
            BadWebhook: it is not a URL, or its address is not public and not allowed.
        """
        receiver = receiver_of(url)
        if receiver.address is not None:
            self._require_allowed(receiver, [receiver.address])

    def check_receiver(self, url: str) -> None:
        """Check the URL of a webhook and, if the name of its host is found within seconds, its addresses.

        Raises:
            BadWebhook: it is not a URL, or one of its addresses is not public and not allowed.
        """
        receiver = receiver_of(url)
        try:
            self._addresses(receiver, Deadline(SECONDS_OF_A_CHECK))
        except (NotFound, TimeoutError):
            return  # it may be known when the first request is sent, and `send` checks again

    def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send a POST and return what came of it.

        Args:
            url: the URL of the receiver.
            headers: headers of the request; `Host`, `Connection` and `Content-Length` are added.
            body: the body.
        """
        deadline, heard, problem = Deadline(self._seconds), Heard(), None
        try:
            receiver = receiver_of(url)
            self._send(receiver, headers, body, deadline, heard)
        except BadWebhook as error:
            problem = error.sentence
        except (h11.LocalProtocolError, UnicodeError):
            problem = "A header of this webhook cannot be sent."
        except (NotFound, OSError, h11.RemoteProtocolError) as error:
            problem = self._problem(receiver, error, heard)
        return Answer(
            status=heard.status,
            text=heard.text,
            problem=problem,
            seconds=deadline.passed,
            retry_after=heard.retry_after,
        )

    def _send(
        self, receiver: Receiver, headers: Mapping[str, str], body: bytes, deadline: Deadline, heard: Heard
    ) -> None:
        """Look up, connect, send and read. What was heard is true whatever this raises."""
        connection = self._open(receiver, self._addresses(receiver, deadline), deadline)
        try:
            exchange(connection, receiver, headers, body, heard)
        finally:
            connection.close()

    def _problem(self, receiver: Receiver, error: Exception, heard: Heard) -> str:
        """Return a sentence about what went wrong. It quotes neither headers nor answers."""
        place = receiver.place
        match error:
            case NotFound():
                return f"The name {receiver.host} has no address."
            case TimeoutError():
                return f"{place} did not answer completely within {self._seconds:g} seconds."
            case ssl.SSLCertVerificationError():
                return f"The certificate of {place} is refused: {error.verify_message}."
            case ssl.SSLError():
                return f"{place} does not speak TLS as required ({error.reason})."
            case OSError():
                return f"The connection to {place} failed: {error.strerror}."
            case _ if heard.is_over:
                return f"{place} closed the connection before its answer was complete."
            case _:
                return f"The answer of {place} is not HTTP/1.1."

    def _addresses(self, receiver: Receiver, deadline: Deadline) -> list[Address]:
        """Return the addresses of a receiver; all of them may be reached.

        Raises:
            BadWebhook: one of them may not be reached.
            NotFound: there is none.
            TimeoutError: the deadline has passed.
        """
        known = receiver.address
        addresses = [known] if known is not None else self._lookup.addresses(receiver.host, deadline)
        self._require_allowed(receiver, addresses)
        return [target_of(address) for address in addresses]

    def _require_allowed(self, receiver: Receiver, addresses: Sequence[Address]) -> None:
        refused = self._allowed.refused(receiver, addresses)
        if refused is not None:
            raise BadWebhook(
                f"{receiver.host} leads to {refused}, which is not an address of the public internet. The operator "
                "can allow it with QUEUE_TOOL_WEBHOOK_ALLOW."
                if str(refused) != receiver.host
                else f"{refused} is not an address of the public internet. The operator can allow it with "
                "QUEUE_TOOL_WEBHOOK_ALLOW."
            )

    def _open(self, receiver: Receiver, addresses: Sequence[Address], deadline: Deadline) -> Connection:
        opened = connect(addresses, receiver.port, deadline)
        if receiver.is_encrypted:
            opened = encrypt(opened, self._context, receiver.host, deadline)
        return Connection(opened, deadline)

    @property
    def _context(self) -> ssl.SSLContext:
        with self._lock:  # reading the certificates takes milliseconds: once
            return self._trusted

    @made_once
    def _trusted(self) -> ssl.SSLContext:
        context = self._make_context()
        context.set_alpn_protocols(["http/1.1"])
        return context
