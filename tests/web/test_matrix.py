"""The access matrix: routes from each place with each key, on real sockets, as docs/security.md says it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path

import pytest
from flask import Flask

from queue_tool.model.access import KEY_ROLES, Role
from queue_tool.model.made_once import made_once
from queue_tool.runtime import Runtime
from queue_tool.services.keys import Keys
from queue_tool.web.http.admission import SAFE, role_needed
from tests.conftest import RuntimeFactory
from tests.documents.test_tables import rows
from tests.support import LIMIT, clean_environment, eventually, free_port, http
from tests.warm import interpreter
from tests.web import proxies
from tests.web.flask_server import flask_server
from tests.web.test_access import REFUSED, is_form, path_of, routes

NOBODY = 65_534

SERVED = {"everything": True, "everything, **not seen**": True, "open routes": False}
"""What the words of the documents mean: whether a route that is not open is served."""

BY_USER = "open routes, by the user"
"""Refused because the program at the other end is another user's. Only root can start such a program."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where requests come from."""

    host: str = ""  # the Host header; default: the address of the server
    headers: dict[str, str] = field(default_factory=dict)
    proxy: str = ""  # which one they go through
    user: int | None = None  # who sends them; default: the user of the tests
    is_another_site: bool = False


PLACES: dict[str, list[Place]] = {
    "your own program on this machine": [Place(), Place(host="localhost:5000"), Place(host="[::1]:5000")],
    "a page of this service in your browser": [
        Place(host="127.0.0.1:5000", headers={"Origin": "http://127.0.0.1:5000", "Sec-Fetch-Site": "same-origin"})
    ],
    "a program of another user of this machine": [Place(user=NOBODY)] if proxies.OTHER_USERS else [],
    "nginx before 1.29.7, as Debian 12 has it": [Place(proxy="as Debian", host="queue.example")],
    "nginx from 1.29.7 on, or with `proxy_http_version 1.1`": [Place(proxy="modern", host="queue.example")],
    "nginx with `include proxy_params`": [Place(proxy="with params", host="queue.example")],
    "HAProxy that is asked for any other host": [Place(proxy="haproxy", host="queue.example")],
    "HAProxy that is asked for the host `127.0.0.1`": [Place(proxy="haproxy", host="127.0.0.1")],
    "a page of another site": [
        Place(headers={"Origin": "https://other.example", "Sec-Fetch-Site": "cross-site"}, is_another_site=True),
        Place(headers={"Sec-Fetch-Site": "same-site"}, is_another_site=True),
        Place(headers={"Origin": "null"}, is_another_site=True),
    ],
    "the same at `http://[::ffff:7f00:1]:5000`": [
        Place(host="[::ffff:7f00:1]:5000", headers={"Origin": "https://other.example"}, is_another_site=True),
        Place(host="[::ffff:7f00:1]:5000"),
    ],
    "the same at a name of its own that leads here": [
        Place(host="rebound.example:5000", headers={"Origin": "http://rebound.example:5000"})
    ],
}


class Connection(HTTPConnection):
    """A connection whose socket may belong to another user."""

    user: int | None = None

    def connect(self) -> None:
        """Connect, and give the socket away."""
        super().connect()
        if self.user is not None:
            os.fchown(self.sock.fileno(), self.user, -1)


@dataclass
class Server:
    """A service, and the proxies in front of it."""

    port: int
    app: Flask

    @made_once
    def proxies(self) -> dict[str, int]:
        """Return the port of each proxy."""
        return dict(zip(("as Debian", "modern", "with params", "haproxy"), proxies.free_ports(4), strict=True))

    def nginx(self) -> str:
        """Return the part of nginx's configuration that is for this service."""
        options = {"as Debian": proxies.AS_DEBIAN, "modern": proxies.MODERN, "with params": proxies.WITH_PARAMS}
        return "".join(proxies.nginx_server(self.proxies[name], self.port, text) for name, text in options.items())

    def haproxy(self) -> str:
        """Return the part of HAProxy's configuration that is for this service."""
        return proxies.haproxy_listener(self.proxies["haproxy"], self.port)

    def asked(self, place: Place) -> dict[tuple[str, str], Role | None]:
        """Return the routes that are asked from a place, each with the role that it needs.

        A direct request asks every route. From elsewhere one route of each kind is enough: the access of a route
        depends only on its role, on whether its method changes anything, and on whether it takes a form.
        """
        with self.app.app_context():
            found = {(method, rule): role_needed(endpoint) for method, rule, endpoint in routes(self.app)}
        kinds = {(role, route[0] in SAFE, is_form(*route)): route for route, role in found.items()}
        return found if place == Place() else {route: found[route] for route in kinds.values()}

    def refused(self, place: Place, key: str | None) -> set[tuple[str, str]]:
        """Ask the routes from a place; return those that were refused."""
        connection = Connection("127.0.0.1", self.proxies[place.proxy] if place.proxy else self.port, timeout=LIMIT)
        connection.user = place.user
        host = place.host or f"127.0.0.1:{self.port}"
        headers = {"Host": host} | place.headers | ({"Authorization": f"Bearer {key}"} if key else {})
        refused = set()
        try:
            for method, rule in self.asked(place):
                try:
                    status = _ask(connection, method, rule, headers)
                except ConnectionError:  # the server may end a connection whose last body it did not read
                    connection.close()
                    status = _ask(connection, method, rule, headers)
                assert status < 500, (method, rule, status)
                if status in REFUSED:
                    refused.add((method, rule))
        finally:
            connection.close()
        return refused

    def expected(self, place: Place, reaches: Role) -> set[tuple[str, str]]:
        """Return the routes that are refused to a role. A form checks the site of its page, whatever the key."""
        refused = {route for route, role in self.asked(place).items() if role not in range(reaches + 1)}
        return refused | {route for route in self.asked(place) if place.is_another_site and is_form(*route)}


def _ask(connection: HTTPConnection, method: str, rule: str, headers: dict[str, str]) -> int:
    body, media = (
        (b"items=[]", "application/x-www-form-urlencoded") if is_form(method, rule) else (b"[]", "application/json")
    )
    has_body = method == "POST" and not rule.endswith("/pause")
    connection.putrequest(method, path_of(rule), skip_host=True, skip_accept_encoding=True)
    for name, text in (headers | ({"Content-Type": media} if has_body else {})).items():
        connection.putheader(name, text)
    if has_body or method == "POST":
        connection.putheader("Content-Length", str(len(body) if has_body else 0))
    connection.endheaders(body if has_body else None)
    with connection.getresponse() as response:
        response.read()
        return response.status


@contextmanager
def granian(app: Flask, directory: Path, data: Path) -> Iterator[Server]:
    """Run `queue-tool web`."""
    port = free_port()
    environment = clean_environment(DATA_DIR=str(data), REDIS_URL="inline:", PORT=str(port), LOG_LEVEL="error")
    with (directory / "web.log").open("wb") as log:
        process = interpreter().start(
            ["-m", "queue_tool", "web"], cwd=directory, env=environment, stdout=log, stderr=log
        )
    try:
        eventually(lambda: http("GET", f"http://127.0.0.1:{port}/health/live").status == 200)
        yield Server(port, app)
    finally:
        process.terminate()
        process.wait(LIMIT)


@pytest.fixture
def servers(make_runtime: RuntimeFactory, tmp_path: Path) -> Iterator[dict[str, Server]]:
    """The servers of the table in the documents, by its columns, on one database, with proxies in front."""
    with ExitStack() as opened:
        runtime = make_runtime()
        flask_run = Server(*opened.enter_context(flask_server(runtime)))
        off = Server(*opened.enter_context(flask_server(make_runtime(AUTH="off"))))
        up = opened.enter_context(granian(flask_run.app, tmp_path, runtime.settings.data_dir))
        made = {"up": up, "flask run": flask_run, "off": off}
        ports = [port for server in made.values() for port in server.proxies.values()]
        (tmp_path / "nginx").mkdir()
        (tmp_path / "haproxy").mkdir()
        everything = "".join(server.nginx() for server in made.values())
        opened.enter_context(proxies.nginx(tmp_path / "nginx", everything, *ports[0::4], *ports[1::4], *ports[2::4]))
        everything = "".join(server.haproxy() for server in made.values())
        opened.enter_context(proxies.haproxy(tmp_path / "haproxy", everything, *ports[3::4]))
        yield made


# The file of a static answer is closed late where a proxy hangs up as soon as it has all of it: werkzeug forgets it.
@pytest.mark.filterwarnings("ignore:Exception ignored in.*style.css:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.sqlite
def test_every_route_serves_whom_the_documents_say(servers: dict[str, Server]) -> None:
    table = rows("docs/security.md", "a request of | `queue-tool up` and `web` | `flask run` | `QUEUE_TOOL_AUTH=off`")
    assert [row[0] for row in table] == list(PLACES)
    for name, *cells in table:
        for (column, server), cell in zip(servers.items(), cells, strict=True):
            served = not proxies.OTHER_USERS if cell == BY_USER else SERVED[cell]
            for place in PLACES[name][: 1 if column == "off" else None]:
                expected = server.expected(place, Role.ADMIN if served else Role.OPEN)
                assert server.refused(place, None) == expected, (name, place, column)
    up, flask_run, _ = servers.values()
    keys = with_keys(flask_run)
    assert flask_run.refused(Place(), None) == flask_run.expected(Place(), Role.OPEN)
    for place in (some[0] for some in PLACES.values() if some):
        for role, key in keys.items():
            expected = up.expected(place, role)
            assert up.refused(place, key) == expected, (place, role)
        assert up.refused(place, None) == up.expected(place, Role.OPEN), place


def with_keys(server: Server) -> dict[Role, str]:
    """Show that a wrong key is refused while there is none; then make one of each role. Return them and a wrong one."""
    assert server.refused(Place(), "qt_wrong") == server.expected(Place(), Role.OPEN)
    runtime: Runtime = server.app.extensions["queue_tool"]
    service = Keys(store=runtime.store, clock=runtime.clock)
    return {Role.OPEN: "qt_wrong"} | {role: service.create(role).secret for role in KEY_ROLES.values()}
