"""The bridge between the event loop and the WSGI application: what it reads, what it sends, what it refuses."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from queue_tool.errors import (
    BodyTooLarge,
    BodyTooSlow,
    Forbidden,
    IncompleteBody,
    QueueToolError,
    TooManyUploads,
)
from queue_tool.runtime import Runtime
from queue_tool.web.http import transport
from queue_tool.web.http.request_ids import ENVIRON_KEY
from queue_tool.web.serving.bridge.bodies import Bodies
from queue_tool.web.serving.bridge.bridge import Bridge
from queue_tool.web.serving.bridge.connections import OPEN_FILES, cut
from queue_tool.web.serving.bridge.limits import Limits
from queue_tool.web.serving.fast_check import FastCheck
from tests.conftest import application

LIMITS = Limits(threads=2, max_body=1000, big=100, least=10, least_of_big=50, window=20, piece=10, write=20)
SOON = replace(LIMITS, window=0.05, write=0.05)

END = {"type": "http.request", "body": b"", "more_body": False}
GONE = {"type": "http.disconnect"}


def part(body: bytes) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": True}


class Peer:
    """A client: what it sends, and what it is sent. It stays when it has sent everything."""

    def __init__(self, *messages: dict[str, Any], reads: int | None = None) -> None:
        """Send these messages; take so many pieces of a body, by default all."""
        self.messages = asyncio.Queue[dict[str, Any]]()
        for message in messages:
            self.messages.put_nowait(message)
        self.reads = reads
        self.received: list[dict[str, Any]] = []
        self.began = asyncio.Event()  # set when a body has begun

    async def receive(self) -> dict[str, Any]:
        return await self.messages.get()

    async def send(self, message: dict[str, Any]) -> None:
        if self.reads is not None and len(self.bodies) >= self.reads:
            await asyncio.Event().wait()
        self.received.append(message)
        if message["type"] == "http.response.body":
            self.began.set()

    @property
    def bodies(self) -> list[bytes]:
        return [message["body"] for message in self.received if message["type"] == "http.response.body"]

    @property
    def status(self) -> int:
        status: int = self.received[0]["status"]
        return status

    @property
    def headers(self) -> list[tuple[str, str]]:
        """Return the headers in lower case, sorted."""
        return sorted((name.decode().lower(), value.decode()) for name, value in self.received[0]["headers"])

    @property
    def body(self) -> bytes:
        return b"".join(self.bodies)


async def nothing() -> None:
    """Allow a big body."""


async def refuse() -> None:
    """Forbid a big body."""
    raise Forbidden


def read(
    *messages: dict[str, Any],
    limits: Limits = LIMITS,
    before_big: Callable[[], Any] = nothing,
) -> bytes | QueueToolError:
    async def run() -> bytes:
        return await Bodies(limits).read(Peer(*messages).receive, before_big)

    try:
        return asyncio.run(run())
    except QueueToolError as error:
        return error


# -- bodies ------------------------------------------------------------------------------------------------


def test_a_body_is_put_together_from_its_parts() -> None:
    assert read(END) == b""
    assert read(part(b"ab"), part(b""), part(b"c" * 500), END) == b"ab" + b"c" * 500
    assert read(part(b"x" * 1000), END) == b"x" * 1000


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        ([], BodyTooSlow),
        ([part(b"1")], BodyTooSlow),
        ([part(b"1" * 9)], BodyTooSlow),
        ([part(b"1" * 900)], BodyTooSlow),
        ([GONE], IncompleteBody),
        ([part(b"1"), GONE], IncompleteBody),
        ([part(b"1" * 1001)], BodyTooLarge),
        ([part(b"1" * 500)] * 3, BodyTooLarge),
    ],
)
def test_what_is_no_whole_body_in_time_is_refused(sent: list[dict[str, Any]], error: type[QueueToolError]) -> None:
    assert type(read(*sent, limits=SOON)) is error


def test_the_application_is_asked_before_a_body_grows_big_and_only_then() -> None:
    assert read(part(b"1" * 100), END, before_big=refuse) == b"1" * 100
    assert type(read(part(b"1" * 60), part(b"1" * 60), part(b"1"), END, before_big=refuse)) is Forbidden
    asked: list[int] = []

    async def ask() -> None:
        asked.append(1)

    assert read(*[part(b"1" * 60)] * 10, END, before_big=ask) == b"1" * 600
    assert asked == [1]


@pytest.mark.parametrize(
    ("sizes", "moves"),
    [([1] * 9, 0), ([1] * 10, 1), ([1] * 35, 3), ([10, 10], 2), ([101, 40, 9], 1), ([101, 40, 10], 2)],
)
def test_a_window_ends_only_with_its_least_number_of_bytes(sizes: list[int], moves: int) -> None:
    async def run() -> set[float]:
        bodies, peer, seen = Bodies(LIMITS), Peer(), set[float]()
        reading = asyncio.ensure_future(bodies.read(peer.receive, nothing))
        await asyncio.sleep(0)
        seen |= set(bodies.deadlines)
        for size in sizes:
            peer.messages.put_nowait(part(b"x" * size))
            while not peer.messages.empty():
                await asyncio.sleep(0)
            await asyncio.sleep(0)
            seen |= set(bodies.deadlines)
        reading.cancel()
        return seen

    assert len(asyncio.run(run())) - 1 == moves


def test_no_more_bodies_are_read_at_once_than_the_limit_and_each_gives_its_place_back() -> None:
    async def run() -> None:
        bodies = Bodies(replace(LIMITS, bodies=3))
        peers = [Peer(part(b"1")) for _ in range(3)]
        reading = [asyncio.ensure_future(bodies.read(peer.receive, nothing)) for peer in peers]
        await asyncio.sleep(0)
        with pytest.raises(TooManyUploads) as refused:
            await bodies.read(Peer(END).receive, nothing)
        assert refused.value.retry_after
        peers[0].messages.put_nowait(END)
        assert await reading[0] == b"1"
        assert await bodies.read(Peer(END).receive, nothing) == b""
        for peer in peers[1:]:
            peer.messages.put_nowait(GONE)
        assert [type(error) for error in await asyncio.gather(*reading[1:], return_exceptions=True)] == [
            IncompleteBody,
            IncompleteBody,
        ]

    asyncio.run(run())


def test_all_unfinished_bodies_together_hold_a_bounded_number_of_bytes() -> None:
    async def run() -> None:
        bodies = Bodies(LIMITS)
        held = [Peer(part(b"x" * 1000)) for _ in range(4)]
        reading = [asyncio.ensure_future(bodies.read(peer.receive, nothing)) for peer in held]
        await asyncio.sleep(0)
        assert bodies.held == LIMITS.memory == 4000
        with pytest.raises(TooManyUploads):
            await bodies.read(Peer(part(b"x")).receive, nothing)
        assert bodies.held == 4000
        for peer in held:
            peer.messages.put_nowait(END)
        assert {len(body) for body in await asyncio.gather(*reading)} == {1000}
        assert bodies.held == 0

    asyncio.run(run())


def test_an_unfinished_body_does_not_delay_the_end_of_the_process() -> None:
    async def run() -> None:
        bodies = Bodies(replace(LIMITS, window=3600))
        reading = asyncio.ensure_future(bodies.read(Peer(part(b"1")).receive, nothing))
        await asyncio.sleep(0)
        bodies.close()
        with pytest.raises(BodyTooSlow):
            await reading

    asyncio.run(run())


# -- requests and responses --------------------------------------------------------------------------------


def scope(method: str = "GET", path: bytes = b"/x", *headers: tuple[bytes, bytes]) -> dict[str, Any]:
    return {
        "type": "http",
        "method": method,
        "path": path.decode("utf-8", "replace"),
        "raw_path": path,
        "query_string": b"a=%C3%A9\xe9",
        "http_version": "1.1",
        "scheme": "http",
        "server": ("127.0.0.1", "5000"),
        "client": ("127.0.0.1", "1"),
        "headers": list(headers),
    }


def ask(bridge: Bridge, peer_of: Callable[[], Peer], wanted: dict[str, Any]) -> Peer:
    """Send a request through a bridge; return its client when the bridge has done with it."""

    async def run() -> Peer:
        peer = peer_of()
        await bridge(wanted, peer.receive, peer.send)
        return peer

    return asyncio.run(run())


def bridge_to(app: Any, limits: Limits = LIMITS) -> Bridge:
    return Bridge(app, lambda paths, _: [None] * len(paths), limits, on_start=lambda: None)


def echo(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
    """Answer with the environment and the body."""
    seen = {name: value for name, value in environ.items() if isinstance(value, str)}
    body = json.dumps(seen | {"body": environ["wsgi.input"].read().decode("latin-1")}).encode()
    start("200 OK", [("Content-Length", str(len(body)))])
    return [body]


def test_the_environment_is_what_wsgi_demands() -> None:
    headers = [
        (b"host", b"h"), (b"x-a", b"1"), (b"x-a", b"\xe9"), (b"content-type", b"t"), (b"content-length", b"0"),
        (b"x-request-id", b"r-1"),
    ]  # fmt: skip
    seen = json.loads(ask(bridge_to(echo), Peer, scope("GET", b"/a%2Fb/%C3%A9%ff", *headers)).body)
    assert seen == {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/a/b/\xc3\xa9\xff",
        "QUERY_STRING": "a=%C3%A9\xe9",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "5000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "1",
        "HTTP_HOST": "h",
        "HTTP_X_A": "1,\xe9",
        "HTTP_X_REQUEST_ID": "r-1",
        "queue_tool.request_id": "r-1",
        "CONTENT_TYPE": "t",
        "CONTENT_LENGTH": "0",
        "wsgi.url_scheme": "http",
        "body": "",
    }
    old = scope() | {"http_version": "1"}
    assert json.loads(ask(bridge_to(echo), Peer, old).body)["SERVER_PROTOCOL"] == "HTTP/1.0"


@pytest.mark.parametrize("header", [(b"content-length", b"3"), (b"transfer-encoding", b"chunked")])
def test_a_body_has_a_length_however_it_was_sent(header: tuple[bytes, bytes]) -> None:
    peer = ask(bridge_to(echo), lambda: Peer(part(b"a"), part(b"bc"), END), scope("POST", b"/x", header))
    seen = json.loads(peer.body)
    assert (seen["body"], seen["CONTENT_LENGTH"]) == ("abc", "3")
    assert "HTTP_TRANSFER_ENCODING" not in seen


class Stream:
    """A response in pieces that notes how many were made, and whether it was closed."""

    def __init__(self, pieces: int, error: Exception | None = None) -> None:
        """Make so many pieces, then raise the error if there is one."""
        self.pieces, self.error = pieces, error
        self.made = 0
        self.closed = threading.Event()

    def __call__(self, _environ: object, start: Any) -> Stream:
        start("200 OK", [("X-Kind", "stream")])
        return self

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(self.pieces):
            self.made += 1
            yield b"0123456789"
        if self.error:
            raise self.error

    def close(self) -> None:
        self.closed.set()


def test_a_stream_is_sent_piece_by_piece_and_closed() -> None:
    stream = Stream(3)
    peer = ask(bridge_to(stream), Peer, scope())
    assert peer.received[0]["headers"] == [(b"X-Kind", b"stream")]
    assert peer.bodies == [b"0123456789"] * 3 + [b""]
    assert [message["more_body"] for message in peer.received[1:]] == [True, True, True, False]
    assert stream.closed.is_set()


def test_a_large_body_is_sent_in_pieces_too() -> None:
    def large(_environ: object, start: Any) -> list[bytes]:
        start("200 OK", [("Content-Length", "25")])
        return [b"0" * 20, b"1" * 5]

    assert ask(bridge_to(large), Peer, scope()).bodies == [b"0" * 10, b"0" * 10, b"1" * 5, b""]


def test_no_more_of_a_stream_is_made_than_its_client_reads() -> None:
    stream = Stream(1000)
    peer = ask(bridge_to(stream, SOON), lambda: Peer(reads=2), scope())
    assert len(peer.bodies) == 2
    assert stream.made == 3
    assert stream.closed.is_set()


def test_a_stream_whose_client_leaves_is_closed() -> None:
    stream = Stream(10**9)
    peer = ask(bridge_to(stream), lambda: Peer(GONE), scope())
    assert stream.closed.is_set()
    assert all(message["more_body"] for message in peer.received[1:])


def test_a_stream_that_breaks_is_not_ended_as_if_it_were_whole() -> None:
    stream = Stream(1, ValueError("broken"))
    peer = ask(bridge_to(stream), Peer, scope())
    assert peer.bodies == [b"0123456789"]
    assert peer.received[-1]["more_body"]
    assert stream.closed.is_set()


def test_a_wait_learns_that_its_client_has_left() -> None:
    def waits(environ: dict[str, Any], start: Any) -> list[bytes]:
        left = threading.Event()
        environ[transport.ON_LEAVE](left.set)
        start("200 OK", [("Content-Length", "4")])
        return [str(left.wait(20)).encode()]

    assert ask(bridge_to(waits), lambda: Peer(END, GONE), scope("GET", b"/x", (b"prefer", b"wait=60"))).body == b"True"


def test_more_requests_than_threads_wait_for_their_turn() -> None:
    running: list[int] = []
    most: list[int] = []

    def slow(_environ: object, start: Any) -> list[bytes]:
        running.append(1)
        most.append(len(running))
        running.pop()
        start("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    async def run() -> list[Peer]:
        bridge, peers = bridge_to(slow), [Peer() for _ in range(20)]
        await asyncio.gather(*(bridge(scope(), peer.receive, peer.send) for peer in peers))
        return peers

    assert [peer.body for peer in asyncio.run(run())] == [b"ok"] * 20
    assert max(most) <= LIMITS.threads


# -- with the real application -----------------------------------------------------------------------------


JSON = (b"content-type", b"application/json")
HOST = (b"host", b"127.0.0.1:5000")


def post(runtime: Runtime, *messages: dict[str, Any], length: bytes | None = None, limits: Limits = SOON) -> Any:
    app = application(runtime)
    how = (b"transfer-encoding", b"chunked") if length is None else (b"content-length", length)
    wanted = scope("POST", b"/check", HOST, JSON, how) | {"query_string": b""}
    peer = ask(bridge_to(app, limits), lambda: Peer(*messages), wanted)
    found = json.loads(peer.body)
    assert "code" not in found or found["type"] == f"/docs/errors#{found['code']}"
    return peer.status, found.get("code")


def test_a_body_that_is_not_read_gets_an_answer_like_every_other(runtime: Runtime, bearer: Any) -> None:
    assert post(runtime, part(b"{")) == (401, "unauthorized")  # the access rules come first
    runtime_off = replace(runtime, settings=replace(runtime.settings, auth="off"))
    assert post(runtime_off, part(b"{")) == (408, "body_too_slow")
    assert post(runtime_off, part(b"{"), GONE) == (400, "incomplete_body")
    assert post(runtime_off, part(b"x" * 1001), END) == (413, "body_too_large")
    assert post(runtime_off, part(b'{"tokens": []'), part(b"}"), END) == (200, None)
    for more in (1, 2):
        large = str(runtime.settings.max_body + more).encode()
        assert post(runtime_off, length=large) == (413, "body_too_large")


def test_a_big_body_of_a_stranger_is_refused_before_it_is_read(runtime: Runtime) -> None:
    assert post(runtime, part(b"x" * 101), limits=LIMITS) == (401, "unauthorized")


def test_status_requests_at_once_each_get_what_flask_says(runtime: Runtime) -> None:
    app = application(runtime)
    sent: Any = app.test_client().post("/api", json=[{"item": "é", "valor": 1}] * 40).json
    tokens = [line["hash"] for line in sent["processing_items"]]
    paths = [f"/check/{token}" for token in (*tokens, tokens[0], "f" * 32, "no token")]
    asked: list[int] = []
    fast = FastCheck(app, runtime)

    def status(paths: Sequence[str], ids: Sequence[str]) -> list[bytes | None]:
        asked.append(len(paths))
        return fast.bodies(paths, ids)

    async def run() -> list[Peer]:
        bridge, peers = Bridge(app, status, LIMITS, on_start=lambda: None), [Peer() for _ in paths]
        requests = [scope("GET", path.encode(), (b"x-request-id", b"r-1")) | {"query_string": b""} for path in paths]
        await asyncio.gather(
            *(bridge(wanted, peer.receive, peer.send) for wanted, peer in zip(requests, peers, strict=True))
        )
        return peers

    for path, peer in zip(paths, asyncio.run(run()), strict=True):
        flask = app.test_client().get(path, headers={"Prefer": "nothing", "X-Request-Id": "r-1"})
        assert (peer.status, peer.body) == (flask.status_code, flask.data)
        assert peer.headers == sorted((name.lower(), value) for name, value in flask.headers)
    assert sum(asked) == len(paths) > len(asked)


def test_a_status_request_of_a_client_that_has_the_status_goes_to_flask(runtime: Runtime) -> None:
    app = application(runtime)
    sent: Any = app.test_client().post("/api", json=[{"item": "a", "valor": 1}]).json
    path = f"/check/{sent['processing_items'][0]['hash']}"
    tag = app.test_client().get(path).headers["ETag"]
    bridge = Bridge(app, FastCheck(app, runtime).bodies, LIMITS, on_start=lambda: None)
    wanted = scope("GET", path.encode(), (b"if-none-match", tag.encode()), (b"x-request-id", b"r-1"))
    peer = ask(bridge, Peer, wanted)
    assert (peer.status, peer.body) == (304, b"")
    assert {("etag", tag), ("vary", "Prefer"), ("cache-control", "no-store"), ("x-request-id", "r-1")} <= {
        *peer.headers
    }


def test_a_refusal_of_the_bridge_has_the_id_of_the_request(runtime: Runtime) -> None:
    open_to_all = replace(runtime, settings=replace(runtime.settings, auth="off"))
    refusals: list[tuple[Runtime, Limits, list[dict[str, Any]]]] = [
        (open_to_all, SOON, [part(b"{")]),  # 408
        (open_to_all, SOON, [part(b"x" * 1001)]),  # 413
        (runtime, LIMITS, [part(b"x" * 101)]),  # 401, before the rest of the big body is read
    ]
    statuses = []
    for system, limits, messages in refusals:
        for own, expected in (([(b"x-request-id", b"r-1")], "r-1"), ([(b"x-request-id", b"a b")], None), ([], None)):
            wanted = scope("POST", b"/check", HOST, JSON, (b"transfer-encoding", b"chunked"), *own)
            peer = ask(bridge_to(application(system), limits), lambda sent=messages: Peer(*sent), wanted)  # type: ignore[misc] # the default binds the messages of this turn
            (told,) = (value for name, value in peer.headers if name == "x-request-id")
            assert json.loads(peer.body)["request_id"] == told
            assert told == (expected or told) != "a b"
            statuses.append(peer.status)
    assert statuses == [408] * 3 + [413] * 3 + [401] * 3


def test_both_passes_of_a_big_body_have_the_same_id() -> None:
    ids: list[str] = []

    def asked_twice(environ: dict[str, Any], start: Any) -> list[bytes]:
        ids.append(environ[ENVIRON_KEY])
        admits = transport.ADMITS_ONLY in environ
        start(f"{transport.ADMITTED} Continue" if admits else "200 OK", [] if admits else [("Content-Length", "0")])
        return []

    body = [part(b"x" * 101), END]
    peer = ask(bridge_to(asked_twice), lambda: Peer(*body), scope("POST", b"/x", (b"transfer-encoding", b"chunked")))
    assert peer.status == 200
    assert len(ids) == 2
    assert len({*ids}) == 1


def test_options_reads_no_big_body(runtime: Runtime) -> None:
    wanted = scope("OPTIONS", b"/api", (b"transfer-encoding", b"chunked"))
    peer = ask(bridge_to(application(runtime)), lambda: Peer(part(b"x" * 101)), wanted)
    assert (peer.status, peer.body) == (204, b"")


def test_an_error_of_the_application_is_a_500_with_the_usual_body(runtime: Runtime) -> None:
    app = application(runtime)

    def breaks(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        if transport.REFUSAL in environ:
            return app(environ, start)
        raise ValueError("a bug")

    peer = ask(bridge_to(breaks), Peer, scope("GET", b"/health/live"))
    assert (peer.status, json.loads(peer.body)["code"]) == (500, "internal_error")


def test_a_connection_is_found_by_its_client_and_cut_without_an_end() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        served, address = server.accept()
        with served:
            served.sendall(b"a part")
            assert cut(address)
            assert [client.recv(100), client.recv(100)] == [b"a part", b""]
            with pytest.raises(BrokenPipeError):
                served.sendall(b"the rest")
        open_files = len(list(OPEN_FILES.iterdir()))
        assert not cut(("127.0.0.1", 1))
        assert len(list(OPEN_FILES.iterdir())) == open_files
