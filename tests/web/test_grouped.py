"""Requests that are handled together: each one gets the response that its route alone would give."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

import pytest
from redis import Redis

from queue_tool.model.message import LONGEST_MESSAGE
from queue_tool.runtime import Runtime
from queue_tool.web.grouped.grouped import Grouped
from queue_tool.web.grouped.requests import LARGEST
from queue_tool.web.serving.bridge.bridge import Bridge
from queue_tool.web.serving.bridge.limits import Limits
from tests.conftest import RuntimeFactory, application
from tests.web.conftest import KeyMaker
from tests.web.site import ON_BOTH

LIMITS = Limits(threads=8, max_body=2**21)

PUSH, POP, API, TASKS = "/api/queue/push", "/api/queue/pop", "/api", "/tasks"

ONE = {"task_type": "echo", "unique_key": "one"}  # the test has sent it before

GOOD, BAD = {"item": "a", "valor": 1}, {"item": "b", "valor": "x"}


class Server:
    """A bridge to the application, which counts the requests that the application handled alone."""

    def __init__(self, runtime: Runtime, connection: tuple[socket.socket, socket.socket]) -> None:
        """Serve this runtime."""
        app = application(runtime)
        theirs, ours = connection
        self._ends = {"client": theirs.getsockname(), "server": ours.getsockname()}
        self.alone = Counter[str]()

        def counted(environ: dict[str, Any], start: Any) -> Any:
            self.alone[environ["PATH_INFO"]] += 1
            return app(environ, start)

        self._bridges = {
            True: Bridge(counted, None, LIMITS, on_start=lambda: None, grouped=Grouped(runtime)),
            False: Bridge(counted, None, LIMITS, on_start=lambda: None),
        }

    def send(self, *requests: Request, together: bool = True) -> list[Response]:
        """Send requests at the same time; return the responses in their order."""
        bridge = self._bridges[together]

        async def run() -> list[Response]:
            return await asyncio.gather(*(request.send(bridge, self._ends) for request in requests))

        return asyncio.run(run())


class Response:
    """A response."""

    def __init__(self, messages: Sequence[dict[str, Any]]) -> None:
        """Take the messages that an application sent."""
        self.status: int = messages[0]["status"]
        self.headers = {name.decode().lower(): value.decode() for name, value in messages[0]["headers"]}
        self.body = b"".join(message["body"] for message in messages[1:])

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def shape(self) -> tuple[int, dict[str, str], str]:
        """Return the response with a word in place of each token and time."""
        headers = {name: _without_ids(value) for name, value in self.headers.items()}
        return self.status, headers, _without_ids(self.body.decode())


class Request:
    """A POST request."""

    def __init__(self, target: str, body: object = b"", **headers: str) -> None:
        """Send JSON, or bytes as they are."""
        self.path, _, self.query = target.partition("?")
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        kind = {"content_type": "application/json"} if self.body else {}
        self.headers = {"host": "127.0.0.1:5000", "content_length": str(len(self.body)), **kind, **headers}

    async def send(self, bridge: Bridge, ends: dict[str, Any]) -> Response:
        sent: list[dict[str, Any]] = []
        messages = [{"type": "http.request", "body": self.body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            if not messages:
                await asyncio.Event().wait()  # the client stays
            return messages.pop()

        async def keep(message: dict[str, Any]) -> None:
            sent.append(message)

        headers = [(name.replace("_", "-").encode(), value.encode()) for name, value in self.headers.items()]
        scope = {"type": "http", "method": "POST", "path": self.path, "raw_path": self.path.encode()}
        scope |= {"query_string": self.query.encode(), "http_version": "1.1", "scheme": "http", "headers": headers}
        await bridge(scope | ends, receive, keep)
        return Response(sent)


def _without_ids(text: str) -> str:
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "<time>", re.sub(r"\b[0-9a-f]{32}\b", "<id>", text))


@pytest.fixture
def connection() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a connection of this machine: without a key, only its own programs are served."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        theirs = socket.create_connection(listening.getsockname())
        ours, _ = listening.accept()
        with closing(theirs), closing(ours):
            yield theirs, ours


@pytest.fixture
def server(runtime: Runtime, connection: tuple[socket.socket, socket.socket]) -> Server:
    return Server(runtime, connection)


USUAL = [
    Request(API, [GOOD]),
    Request(API, [GOOD, BAD, 3, GOOD | {"extra": "\u00e9"}], x_request_id="r-1"),
    Request(API, [BAD]),
    Request(API, [GOOD], authorization="Bearer qt_secret_of_submit"),
    Request(TASKS, {"task_type": "sleep", "data": GOOD, "tags": ["a"], "custom_id": "c"}),
    Request(TASKS, {"data": 1}),
    Request(TASKS, {"task_type": "echo", "data": 1, "delay": 60}),
    Request(TASKS, ONE),
    Request(TASKS, [{"task_type": "sleep", "data": GOOD}, {"task_type": "sleep", "data": BAD}, 7]),
    Request(PUSH, {"message": {"n": [1, None, "\u00e9"]}}),
    Request(PUSH + "?queue=a", {"message": 0}, accept="text/html"),
    Request(POP + "?queue=a"),
    Request(POP + "?queue=b&lease=30"),
    Request(POP),
]

UNUSUAL = [
    Request(API, []),
    Request(API, GOOD),
    Request(API, b"[1"),
    Request(API, [GOOD], content_type="text/plain"),
    Request(API, [GOOD], content_type="application/json; charset=utf-8"),
    Request(API, [GOOD], idempotency_key="k"),
    Request(API, [GOOD | {"item": "x" * LARGEST}]),
    Request(API + "?name=n", [GOOD]),
    Request(API + "?nme=n", [GOOD]),
    Request(API, [GOOD], authorization="Bearer nobody"),
    Request(API, [GOOD], authorization="Bearer qt_secret_of_read"),
    Request(API, [GOOD], x_forwarded_for="10.0.0.1"),
    Request(API, [GOOD], origin="http://elsewhere.example"),
    Request(API, [GOOD], host="elsewhere.example"),
    Request(TASKS, {"task_type": "sleep", "data": BAD}),
    Request(TASKS, {"task_type": "none"}),
    Request(TASKS, [{"task_type": "none"}]),
    Request(TASKS, []),
    Request(TASKS, 7),
    Request(TASKS + "?task_type=sleep", [GOOD]),
    Request(PUSH, {"message": None}),
    Request(PUSH, {"message": ""}),
    Request(PUSH, {}),
    Request(PUSH, {"message": 1, "queue": "a"}),
    Request(PUSH, [1]),
    Request(PUSH, {"message": "x" * LONGEST_MESSAGE}),
    Request(PUSH + "?queue=", {"message": 1}),
    Request(PUSH + "?queue=%61", {"message": 1}),
    Request(PUSH + "?queue=a&queue=b", {"message": 1}),
    Request(PUSH + "?lease=1", {"message": 1}),
    Request(POP, {}),
    Request(POP + "?lease=0"),
    Request(POP, prefer="wait=0"),
]


def _name(request: Request) -> str:
    headers = {name: value for name, value in request.headers.items() if name not in ("host", "content_length")}
    return f"{request.path}?{request.query} {request.body[:40]!r} {headers}"


@pytest.mark.parametrize("keyed", [False, True], ids=["without keys", "with keys"])
def test_together_and_alone_a_request_gets_the_same_response(server: Server, bearer: KeyMaker, *, keyed: bool) -> None:
    if keyed:
        bearer("submit")
        bearer("read")
    server.send(Request(TASKS, ONE, authorization="Bearer qt_secret_of_submit") if keyed else Request(TASKS, ONE))
    for request in [*USUAL, *UNUSUAL]:
        alone, together = (server.send(request, together=mode)[0] for mode in (False, True))
        if "x-request-id" in alone.headers and "x_request_id" not in request.headers:
            assert alone.headers.pop("x-request-id") != together.headers.pop("x-request-id")
            alone.body, together.body = (_without_request_id(each.body) for each in (alone, together))
        assert together.shape == alone.shape, _name(request)


def _without_request_id(body: bytes) -> bytes:
    return re.sub(rb"\b[0-9a-f]{16}\b", b"", body)


@ON_BOTH
def test_usual_requests_are_handled_together_and_each_gets_its_own_answer(server: Server, runtime: Runtime) -> None:
    pushes = [Request(PUSH, {"message": n}, x_request_id=f"push-{n}") for n in range(30)]
    batches = [Request(API, [GOOD] * (n % 3 + 1), x_request_id=f"batch-{n}") for n in range(30)]
    tasks = [Request(TASKS, {"task_type": "echo", "data": n}, x_request_id=f"task-{n}") for n in range(30)]
    answers = server.send(*pushes, *batches, *tasks, Request(API, [BAD]), Request(API, b"no"))
    assert [answer.headers["x-request-id"] for answer in answers[:90]] == [
        request.headers["x_request_id"] for request in (*pushes, *batches, *tasks)
    ]
    assert [answer.json["message"] for answer in answers[:30]] == list(range(30))
    hashes = [[each["hash"] for each in answer.json["processing_items"]] for answer in answers[30:60]]
    assert [len(each) for each in hashes] == [n % 3 + 1 for n in range(30)]
    tokens = [token for each in hashes for token in each] + [answer.json["token"] for answer in answers[60:90]]
    assert len({*tokens}) == len(tokens) == len(runtime.broker.queued())
    assert runtime.ask.tasks(tokens).count(None) == 0
    assert [runtime.ask.task(answer.json["token"]).data for answer in answers[60:90]] == [*map(str, range(30))]
    assert [answer.status for answer in answers[90:]] == [200, 400]
    popped = server.send(*[Request(POP)] * 31)
    assert sorted(answer.json["message"] for answer in popped if answer.json["success"]) == list(range(30))
    assert server.alone == {API: 1}  # the one that is not JSON


def test_a_request_for_which_there_is_no_room_is_refused_alone(
    make_runtime: RuntimeFactory, redis: Redis, valkey_server: str, connection: tuple[socket.socket, socket.socket]
) -> None:
    runtime = make_runtime(REDIS_URL=valkey_server, MAX_MESSAGES="2", MAX_WAITING="3")
    server = Server(runtime, connection)
    pushes = server.send(*(Request(PUSH, {"message": n}) for n in range(3)))
    assert sorted(answer.status for answer in pushes) == [200, 200, 429]
    batches = server.send(*(Request(API, [GOOD] * 2) for n in range(3)))
    refused = [answer for answer in batches if answer.status != 200]
    assert [answer.json["code"] for answer in refused] == ["too_many_waiting"] * 2
    assert len(runtime.broker.queued()) == 2


def test_while_the_database_is_locked_each_request_is_refused_and_nothing_is_stored(
    hasty: Runtime, connection: tuple[socket.socket, socket.socket]
) -> None:
    server = Server(hasty, connection)
    with hasty.store.database.write():
        answers = server.send(*(Request(API, [GOOD]) for _ in range(5)))
    assert [(answer.status, answer.json["code"]) for answer in answers] == [(503, "store_away")] * 5
    assert server.alone == {API: 5}
    assert not hasty.broker.queued()
    assert server.send(Request(API, [GOOD]))[0].status == 200
