"""The bridge: an ASGI application that answers with a WSGI application."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from queue_tool.errors import QueueToolError
from queue_tool.host.current_request import handling
from queue_tool.web.http import request_ids, transport
from queue_tool.web.serving.bridge import checks, responses
from queue_tool.web.serving.bridge.bodies import Bodies
from queue_tool.web.serving.bridge.checks import Read
from queue_tool.web.serving.bridge.client import Client, Receive
from queue_tool.web.serving.bridge.environ import environ_of, put_body
from queue_tool.web.serving.bridge.limits import Limits
from queue_tool.web.serving.bridge.responses import Ready
from queue_tool.web.serving.bridge.sending import Send, Sender
from queue_tool.web.serving.bridge.threads import Threads

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

Scope = dict[str, Any]

Grouped = Callable[["WSGIEnvironment"], "asyncio.Future[Ready | QueueToolError | None] | None"]
"""Answers a request together with others: a response, the error that the application answers, or None if the
application must handle it. Instead of a future, None means the same at once."""

_log = logging.getLogger("queue_tool.web")


def _nothing(_environ: WSGIEnvironment) -> None:
    """Leave every request to the application."""


class Bridge:
    """Reads bodies and sends responses in the event loop, and runs the WSGI application in threads."""

    def __init__(
        self,
        application: WSGIApplication,
        status: Read | None,
        limits: Limits,
        on_start: Callable[[], None],
        grouped: Grouped = _nothing,
    ) -> None:
        """Prepare to serve.

        Args:
            application: answers every request that `status` and `grouped` leave.
            status: returns the bodies of the responses to `/check/<token>`, called in one thread; None: the application
                answers these, too.
            limits: what clients may demand.
            on_start: called in the event loop before the first request.
            grouped: answers requests that are handled together.
        """
        self._application = application
        self._limits = limits
        self._on_start = on_start
        self._threads = Threads(limits.threads)
        self._bodies = Bodies(limits)
        self._checks = None if status is None else checks.gathering(status)
        self._grouped = grouped
        self._send = Sender(limits, self._threads)
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3)."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        request_id = request_ids.choose(_sent_id(scope))
        if self._checks is not None and checks.takes(scope):
            body = await self._checks((scope["path"], request_id))
            if body is not None:
                headers = checks.headers_of(body, request_id)
                await send({"type": "http.response.start", "status": 200, "headers": headers})
                await send({"type": "http.response.body", "body": body, "more_body": False})
                return
        environ = environ_of(scope)
        environ[request_ids.ENVIRON_KEY] = request_id
        await self._serve(environ, receive, send)

    def close(self) -> None:
        """Stop waiting for slow bodies: this process is about to end. Any thread may call this."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._bodies.close)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self._loop = asyncio.get_running_loop()
        self._on_start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, environ: WSGIEnvironment, receive: Receive, send: Send) -> None:
        client = Client((environ["REMOTE_ADDR"], int(environ["REMOTE_PORT"])), receive)
        environ[transport.ON_LEAVE] = client.on_leave
        try:
            ready = await self._refusal(environ, receive)
            if ready is None:
                if "HTTP_PREFER" in environ:
                    client.watch()
                ready = await self._answer(environ)
                if ready.body is None:
                    client.watch()
            await self._send(ready, send, client, request_ids.of(environ))
        finally:
            client.stop_watching()

    async def _refusal(self, environ: WSGIEnvironment, receive: Receive) -> Ready | None:
        """Read the body into the environment; return a response if it cannot be read, or need not be."""
        length = environ.get("CONTENT_LENGTH", "0")
        if length == "0" and "HTTP_TRANSFER_ENCODING" not in environ:
            return None
        if int(length) > self._limits.max_body:
            return await self._run(environ)  # the application refuses it by its length alone
        try:
            put_body(environ, await self._bodies.read(receive, partial(self._require_admission, environ)))
        except _NotAdmitted as refusal:
            return refusal.ready
        except QueueToolError as error:
            return await self._run(environ | {transport.REFUSAL: error})
        return None

    async def _require_admission(self, environ: WSGIEnvironment) -> None:
        """Ask the application whether the client may send a big body.

        Raises:
            _NotAdmitted: it may not.
        """
        ready = await self._run(environ | {transport.ADMITS_ONLY: True})
        if ready.status != transport.ADMITTED:
            raise _NotAdmitted(ready)

    async def _answer(self, environ: WSGIEnvironment) -> Ready:
        """Return the response to a request whose body has been read."""
        future = self._grouped(environ)
        if future is None:
            return await self._run(environ)
        answer = await future
        if isinstance(answer, Ready):
            return answer
        return await self._run(environ if answer is None else environ | {transport.REFUSAL: answer})

    async def _run(self, environ: WSGIEnvironment) -> Ready:
        """Run the application in a thread; if it raises an error, return its usual response to a bug."""
        try:
            return await self._threads.run(partial(responses.run, self._application, environ))
        except Exception as error:
            if transport.REFUSAL in environ:
                raise
            with handling(request_ids.of(environ)):
                _log.error("unexpected error in %s %s", environ["REQUEST_METHOD"], environ["PATH_INFO"], exc_info=error)
            return await self._run(environ | {transport.REFUSAL: QueueToolError()})


def _sent_id(scope: Scope) -> str | None:
    """Return the client's own id of its request; None if it sent none. Two are as good as one that is not valid."""
    sent = [value for name, value in scope["headers"] if name == request_ids.HEADER_BYTES]
    return b",".join(sent).decode("latin-1") if sent else None


class _NotAdmitted(Exception):
    """The application refuses this client."""

    def __init__(self, ready: Ready) -> None:
        super().__init__()
        self.ready = ready
