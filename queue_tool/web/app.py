"""The Flask application: routes, the access check before each request, error responses, one log line per request."""

from __future__ import annotations

import atexit
import time
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, g, request
from jinja2 import StrictUndefined

from queue_tool.environment import has_owner, load_settings
from queue_tool.host import collector
from queue_tool.model import events
from queue_tool.model.settings import INLINE
from queue_tool.runtime import Runtime, open_runtime, start_logging
from queue_tool.services.live_events import LiveEvents
from queue_tool.web.grouped.grouped import Grouped
from queue_tool.web.groups import groups
from queue_tool.web.http import (
    admission,
    bodies,
    caching,
    following,
    frame,
    known_keys,
    options,
    problems,
    request_ids,
    streams,
    transport,
)
from queue_tool.web.http.answers import EXTENSION, runtime
from queue_tool.web.http.headers import BoundedHeaders
from queue_tool.web.http.operation import GROUPS, operation_name
from queue_tool.web.operations import earlier_systems, openapi
from queue_tool.web.serving import flask_commands, flask_run, serve
from queue_tool.web.serving.bridge.bridge import Bridge
from queue_tool.web.serving.bridge.limits import Limits
from queue_tool.web.serving.fast_check import FastCheck

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)


def create_app(system: Runtime | None = None) -> Flask:
    """Return the WSGI application.

    Args:
        system: the runtime of the application; default: a new one, configured from the environment.

    Raises:
        QueueToolError: a part that the application needs cannot be used, for example the database.
    """
    app = _Flask(
        "queue_tool.web", template_folder="pages/templates", static_folder="pages/static", static_url_path="/static"
    )
    flask_commands.register(app)
    if system is None and flask_commands.are_all_that_is_needed():
        return app
    connect(app, system or _from_the_environment())
    app.url_map.merge_slashes = False  # a token that contains a slash is an unknown token, not another path
    app.before_request(_admit)
    app.extensions[GROUPS] = groups()
    for group in app.extensions[GROUPS]:
        group.register(app)
    problems.register(app, earlier_systems.replacement)
    app.context_processor(frame.shown)
    app.after_request(_complete)
    return app


def connect(app: Flask, system: Runtime) -> None:
    """Connect an application to this runtime and replace everything from an earlier runtime."""
    app.extensions[EXTENSION] = system
    app.extensions[bodies.EXTENSION] = bodies.Uploads()
    app.extensions[known_keys.EXTENSION] = known_keys.KnownKeys(system.store, system.settings)
    app.extensions[openapi.EXTENSION] = {}
    app.extensions[streams.EXTENSION] = streams.Streams()
    app.extensions[following.EXTENSION] = LiveEvents(
        system.store, system.clock, system.settings.max_waits, following.Writer()
    )
    app.config["MAX_CONTENT_LENGTH"] = system.settings.max_body + bodies.ONE_BYTE_MORE
    app.wsgi_app = FastCheck(_without_fast_path(app), system)  # type: ignore[method-assign] # as Flask documents it


def application() -> Bridge:
    """Return the application as an event loop serves it. granian calls this in each process that serves it."""
    serve.follow_server()
    app = create_app()
    system: Runtime = app.extensions[EXTENSION]
    follow: LiveEvents = app.extensions[following.EXTENSION]
    limits = Limits(threads=serve.THREADS + system.settings.max_waits, max_body=system.settings.max_body)

    def release() -> None:
        follow.release()
        system.wait.release()  # otherwise waiting requests would delay the shutdown
        bridge.close()

    atexit.register(system.measures.stop)

    flask = _without_fast_path(app)
    fast = FastCheck(flask, system)
    # A database server may not answer one read, and then the reads of other requests must not wait for it.
    one_reader = system.store.database.is_file
    bridge = Bridge(
        flask if one_reader else fast,
        fast.bodies if one_reader else None,
        limits,
        on_start=lambda: serve.on_signal(release),
        grouped=Grouped(system),
    )
    collector.freeze_existing()
    serve.report_ready()
    return bridge


def _without_fast_path(app: Flask) -> WSGIApplication:
    return request_ids.RequestIds(BoundedHeaders(partial(Flask.wsgi_app, app)))


def _from_the_environment() -> Runtime:
    with flask_run.short_errors():
        settings = load_settings()
        telemetry = start_logging("web", settings)
        alone = settings.embedded or settings.redis_url == INLINE
        system = open_runtime(settings, telemetry, "web", migrate=alone and not has_owner())
        flask_run.start_the_rest(system)
        return system


class _Flask(Flask):
    """Flask without support for `async def` views: looking for them takes time with each request, and none exists.

    In a template, a name that has no value is an error, so that no page lacks a word.
    """

    jinja_options = {  # noqa: RUF012 - as Flask declares it
        "undefined": StrictUndefined,
        "trim_blocks": True,
        "lstrip_blocks": True,
    }

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function as it is."""
        return func


def _admit() -> Response | None:
    """Decide whether the view of a request is called; return the response if it is not needed."""
    g.began = time.perf_counter()
    response = options.answer_options()
    if response is None:
        admission.admit()
        response = transport.settle_transport()
    return response


def _complete(response: Response) -> Response:
    """Add the headers that all responses have, and report the request."""
    response = caching.forbid_storing(_protect(caching.revalidate(response)))
    if response.status_code != transport.ADMITTED or transport.ADMITS_ONLY not in request.environ:
        _report(response)  # else the request itself follows
    return response


def _protect(response: Response) -> Response:
    """Add headers: browsers load nothing from other sites, tell them nothing, and do not guess content types.

    With the stricter `no-referrer`, Chromium would send `Origin: null` with the page's own form.
    """
    response.headers["X-Content-Type-Options"] = "nosniff"
    if response.mimetype == "text/html":
        response.headers.setdefault("Content-Security-Policy", _PAGE_POLICY)
        response.headers["Referrer-Policy"] = "same-origin"
    return response


def _report(response: Response) -> None:
    """Report a request to the log and to the metrics."""
    seconds, status, telemetry = time.perf_counter() - g.began, response.status_code, runtime().telemetry
    successful_read = request.method in admission.SAFE and status < HTTPStatus.BAD_REQUEST
    kind = events.Asked if successful_read else events.Requested
    if telemetry.hears(kind):
        request_id = request_ids.of(request.environ)
        telemetry.emit(
            kind(method=request.method, path=request.path, status=status, ms=seconds * 1000, request_id=request_id)
        )
    if telemetry.hears(events.RequestsAnswered):
        operation = operation_name(request.endpoint)
        telemetry.emit(events.RequestsAnswered(operation=operation, status=status, seconds=[seconds]))
