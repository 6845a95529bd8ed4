"""The application: the routes, the rule of access before each, one answer for every error, one log line after each."""

from __future__ import annotations

import time
from functools import partial
from http import HTTPStatus

from flask import Flask, Response, g, request

from queue_tool.environment import has_owner, load_settings
from queue_tool.host import collector
from queue_tool.model import events
from queue_tool.model.settings import INLINE
from queue_tool.runtime import Runtime, open_runtime, start_logging
from queue_tool.web.http import admission, bodies, problems
from queue_tool.web.http.answers import EXTENSION, runtime
from queue_tool.web.operations import api, batches, check, dead_letters, health, queue, results, task_types, tasks
from queue_tool.web.pages import home
from queue_tool.web.serving import flask_run, serve
from queue_tool.web.serving.fast_check import FastCheck

_PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def create_app(system: Runtime | None = None) -> Flask:
    """Return the WSGI application.

    Args:
        system: what it works with; without it, all is put together as the environment says.

    Raises:
        QueueToolError: something that it stands on cannot be used.
    """
    app = Flask(
        "queue_tool.web", template_folder="pages/templates", static_folder="pages/static", static_url_path="/static"
    )
    connect(app, system or _from_the_environment())
    app.url_map.merge_slashes = False  # a token with a slash in it is an unknown token, not another address
    app.before_request(_start_the_clock)
    app.before_request(admission.admit)
    for part in (api, check, tasks, batches, results, queue, dead_letters, task_types, health):
        app.register_blueprint(part.routes)
    app.register_blueprint(home.pages)
    problems.register(app)
    app.after_request(_protect)
    app.after_request(_log)
    return app


def connect(app: Flask, system: Runtime) -> None:
    """Let an application work with this system, and with nothing that it worked with before."""
    app.extensions[EXTENSION] = system
    app.extensions[bodies.EXTENSION] = bodies.Uploads()
    app.extensions[results.EXTENSION] = results.Streams()
    app.config["MAX_CONTENT_LENGTH"] = system.settings.max_body + bodies.ONE_BYTE_MORE
    behind = partial(Flask.wsgi_app, app)
    app.wsgi_app = FastCheck(behind, system)  # type: ignore[method-assign] # so Flask wants it


def application() -> Flask:
    """Return the application, in a process that granian has started to serve it."""
    serve.follow_server()
    app = create_app()
    serve.on_a_signal(app.extensions[EXTENSION].wait.release)  # or else those who wait would hold up the stop
    collector.freeze_existing()
    return app


def _from_the_environment() -> Runtime:
    with flask_run.one_sentence():
        settings = load_settings()
        telemetry = start_logging("web", settings)
        alone = settings.embedded or settings.redis_url == INLINE
        system = open_runtime(settings, telemetry, "web", migrate=alone and not has_owner())
        flask_run.start_the_rest(settings, telemetry)
        return system


def _start_the_clock() -> None:
    g.began = time.perf_counter()


def _protect(response: Response) -> Response:
    """Tell browsers to load nothing from elsewhere and to guess nothing."""
    response.headers["X-Content-Type-Options"] = "nosniff"
    if response.mimetype == "text/html":
        response.headers["Content-Security-Policy"] = _PAGE_POLICY
        response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _log(response: Response) -> Response:
    asked_well = request.method in ("GET", "HEAD") and response.status_code < HTTPStatus.BAD_REQUEST
    kind = events.Asked if asked_well else events.Requested
    telemetry = runtime().telemetry
    if telemetry.hears(kind):
        took = (time.perf_counter() - g.began) * 1000
        telemetry.emit(kind(method=request.method, path=request.path, status=response.status_code, ms=took))
    return response
