"""`GET /events`: what a client gets, where it goes on, how many there may be, and that a stream needs no thread."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from http.client import HTTPConnection
from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from queue_tool.model.feed import Place, Position
from queue_tool.model.webhook import End
from queue_tool.runtime import Runtime
from queue_tool.services.live_events import LiveEvents
from queue_tool.store.feeds import all_feeds, write_feeds
from queue_tool.web.http.following import EXTENSION, Writer
from queue_tool.web.serving.bridge.client import Client
from queue_tool.web.serving.bridge.limits import Limits
from queue_tool.web.serving.bridge.live import parts_of
from tests.conftest import RuntimeFactory, application
from tests.support import LIMIT, eventually
from tests.web.conftest import KeyMaker
from tests.web.flask_server import flask_server
from tests.web.site import ON_BOTH, Site, problem
from tests.web.test_bridge import GONE, Peer, bridge_to, scope

Event = tuple[str, Any, str | None]
"""The name of an event, its data, and its id."""


class Reader(Iterator[Event]):
    """Reads server-sent events as the HTML standard says."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        """Read from these pieces, which need not be whole lines."""
        self._pieces = iter(pieces)
        self._blocks = deque[bytes]()
        self._rest = b""
        self.last: str | None = None  # the id that a browser would send

    def __next__(self) -> Event:
        while True:
            while not self._blocks:
                *blocks, self._rest = (self._rest + next(self._pieces)).split(b"\n\n")
                self._blocks += blocks
            lines = [line.partition(b": ") for line in self._blocks.popleft().splitlines()]
            fields = {name.decode(): value.decode() for name, _, value in lines if name}
            self.last = fields.get("id", self.last)
            if "data" in fields:
                return fields["event"], json.loads(fields["data"]), fields.get("id")

    def until(self, name: str) -> list[Event]:
        """Return the events up to the first one with this name."""
        found = [next(self)]
        while found[-1][0] != name:
            found.append(next(self))
        return found


def ends(events: Iterable[Event]) -> list[tuple[str, str]]:
    """Return the names of the ends, and what ended."""
    return [(name, data.get("token") or data["batch"]) for name, data, place in events if place is not None]


def follow(site: Site, query: str = "", last: str | None = None, headers: dict[str, str] | None = None) -> Any:
    """Send the request; return the answer, whose body has not been read."""
    return site.client.get(f"/events{query}", headers=(headers or {}) | ({"Last-Event-ID": last} if last else {}))


def reader(answer: Any) -> Reader:
    assert answer.status_code == 200, answer.data
    assert answer.mimetype == "text/event-stream"
    return Reader(answer.response)


@pytest.fixture
def streams(site: Site) -> Iterator[LiveEvents]:
    found: LiveEvents = site.app.extensions[EXTENSION]
    yield found
    found.release()


# -- what a client gets ------------------------------------------------------------------------------------


@ON_BOTH
def test_a_client_gets_ends_and_progress_and_goes_on_where_it_was(site: Site, streams: LiveEvents) -> None:
    batch, tokens = site.batch({}, {"task_type": "fails"}, {})
    other = site.send()
    with follow(site) as whole, follow(site, f"?batch={batch}") as part:
        everything, mine = reader(whole), reader(part)
        name, data, _ = next(mine)
        assert (name, data["id"], data["progress"], data["counts"]["queued"]) == ("batch.progress", batch, 0, 3)
        place = mine.last
        everything_from = next_id(site, everything)
        site.work(*tokens[:2])
        site.work(other)
        site.work(tokens[2])
        seen = mine.until("batch.finished")
    expected = [
        ("task.finished", tokens[0]),
        ("task.failed", tokens[1]),
        ("task.finished", tokens[2]),
        ("batch.finished", batch),
    ]
    assert sorted(ends(seen)[:2]) == sorted(expected[:2])
    assert ends(seen)[2:] == expected[2:]
    failed = next(data for name, data, _ in seen if name == "task.failed")
    assert failed == {
        "token": tokens[1],
        "batch": batch,
        "task_type": "fails",
        "status": "failed",
        "code": "error",
    }
    assert seen[-1][1]["finished_at"] == site.get_json(f"/batches/{batch}")["finished_at"]
    for index, last in enumerate([place, *[last for _, _, last in seen if last]][:-1]):
        with follow(site, f"?batch={batch}", last) as answer:
            assert ends(reader(answer).until("batch.finished")) == ends(seen)[index:]
    with follow(site, "", everything_from) as answer:
        assert ("task.finished", other) in ends(reader(answer).until("batch.finished"))


def next_id(site: Site, everything: Reader) -> str | None:
    """Return where a client is that has got nothing."""
    site.work(site.send())
    next(everything)
    return everything.last


def test_whoever_was_away_for_too_long_or_says_nonsense_starts_anew(site: Site, streams: LiveEvents) -> None:
    batch, tokens = site.batch({}, {})
    with follow(site, f"?batch={batch}") as answer:
        first = reader(answer)
        next(first)
        place = first.last
    site.work(tokens[0])
    with site.runtime.store.database.write() as connection:
        connection.exec_driver_sql("UPDATE feeds SET until = 0")
    site.runtime.store.feeds.forget(site.runtime.clock.now())
    for last in (place, "nonsense", "0-0-0-0", "9" * 79, "٣-٣-٣"):
        with follow(site, f"?batch={batch}", last and last.encode().decode("latin-1")) as answer:
            name, data, given = next(reader(answer))
            assert (name, given) == ("reset", None)
            assert data["message"]
    with follow(site, f"?batch={batch}", place) as answer:
        again = reader(answer)
        assert [name for name, _, _ in again.until("batch.progress")] == ["reset", "batch.progress"]
        site.work(tokens[1])
        assert ends(again.until("batch.finished")) == [("task.finished", tokens[1]), ("batch.finished", batch)]


def test_a_client_whose_feed_is_removed_while_it_follows_is_told(site: Site, streams: LiveEvents) -> None:
    batch, tokens = site.batch({}, {})
    with follow(site, f"?batch={batch}") as answer:
        mine = reader(answer)
        next(mine)
        site.work(tokens[0])
        mine.until("task.finished")
        with site.runtime.store.database.write() as connection:
            connection.exec_driver_sql("UPDATE feeds SET gone_row = 1000000")
        site.work(tokens[1])
        mine.until("reset")
        (found,) = [event for event in mine.until("batch.progress") if event[0] == "batch.progress"]
        assert found[1]["progress"] == 1


def test_a_slow_client_gets_no_more_than_fits_and_the_rest_when_it_reads_on(site: Site, streams: LiveEvents) -> None:
    tokens = [f"{number:032x}" for number in range(8000)]
    with closing(streams(None, None, "", LIMIT)) as follower:
        with site.runtime.store.database.write() as connection:
            written = [(None, End("task.finished", token, 1, "mirror")) for token in tokens]
            write_feeds(connection, all_feeds(connection), written, 0)
        eventually(lambda: not follower.has_room)
        first = list(Reader([follower.take() or b""]))
        assert 0 < len(first) < len(tokens) / 2
        assert [subject for _, subject in ends([*first, *islice(Reader(follower), len(tokens) - len(first))])] == tokens


def test_without_an_end_the_stream_ends_with_its_time_and_a_head_starts_none(site: Site, streams: LiveEvents) -> None:
    batch, _ = site.batch({})
    with follow(site, "?seconds=0") as answer:
        assert list(reader(answer)) == []
    with follow(site, f"?seconds=0&batch={batch}") as answer:
        assert [name for name, _, _ in reader(answer)] == ["batch.progress"]
    assert site.client.head("/events").status_code == 200
    assert problem(site.get("/events?batch=" + "0" * 32)) == (404, "batch_not_found")
    assert problem(site.get("/events?seconds=3601")) == (400, "bad_parameter")
    assert problem(site.get("/events?tag=a")) == (400, "bad_parameter")


# -- how many ----------------------------------------------------------------------------------------------


def test_a_process_takes_a_bounded_number_of_clients_and_one_key_half_of_them(
    make_runtime: RuntimeFactory, bearer: KeyMaker
) -> None:
    site = Site(make_runtime(MAX_WAITS="4"))
    read, submit, admin = (bearer(role) for role in ("read", "submit", "admin"))
    streams: LiveEvents = site.app.extensions[EXTENSION]
    with closing(follow(site, headers=read)) as first, closing(follow(site, headers=read)):
        refused = follow(site, headers=read)
        assert problem(refused) == (503, "too_many_followers")
        assert int(refused.headers["Retry-After"]) > 0
        with closing(follow(site, headers=submit)), closing(follow(site, headers=submit)):
            assert problem(follow(site, headers=admin)) == (503, "too_many_followers")
            first.close()
            with closing(follow(site, headers=admin)) as again:
                assert again.status_code == 200
                streams.release()
                assert list(reader(again)) == []
    assert problem(follow(site, headers=read)) == (503, "too_many_followers")


# -- how it is served --------------------------------------------------------------------------------------


def test_a_stream_needs_no_thread_and_gives_its_place_back_when_its_client_leaves(runtime: Runtime) -> None:
    app = application(replace(runtime, settings=replace(runtime.settings, max_waits=3, auth="off")))
    bridge = bridge_to(app, Limits(threads=1, max_body=1000))
    follow: LiveEvents = app.extensions[EXTENSION]
    plain = {"query_string": b"", "headers": [(b"host", b"127.0.0.1")]}

    async def run() -> None:
        peers = [Peer() for _ in range(3)]
        wanted = scope(path=b"/events") | plain
        serving = [asyncio.ensure_future(bridge(wanted, peer.receive, peer.send)) for peer in peers]
        for peer in peers:
            await peer.began.wait()
        checked, refused = Peer(), Peer()
        await bridge(scope(path=b"/health/live") | plain, checked.receive, checked.send)
        await bridge(wanted, refused.receive, refused.send)
        assert (checked.status, refused.status) == (200, 503)
        peers[0].messages.put_nowait(GONE)
        await serving[0]
        another = Peer()
        serving.append(asyncio.ensure_future(bridge(wanted, another.receive, another.send)))
        await another.began.wait()
        follow.release()
        await asyncio.gather(*serving)
        assert {peer.status for peer in (*peers, another)} == {200}
        assert another.received[-1] == {"type": "http.response.body", "body": b"", "more_body": False}

    asyncio.run(asyncio.wait_for(run(), LIMIT))


def test_a_silent_stream_has_a_pulse_until_its_client_leaves() -> None:
    class Silent:
        pulse, pulse_every = Writer.pulse, 0.01

        def take(self) -> bytes | None:
            return b""

        def on_news(self, call: Callable[[], None]) -> None:
            call()

    async def run() -> list[bytes]:
        peer = Peer()
        client = Client(("127.0.0.1", 1), peer.receive)
        client.watch()
        seen = []
        async for part in parts_of(Silent(), client):
            seen.append(part)
            if len(seen) == 2:
                peer.messages.put_nowait(GONE)
        return seen

    seen = asyncio.run(asyncio.wait_for(run(), LIMIT))
    assert len(seen) >= 2
    assert set(seen) == {b": nothing new\n\n"}


def test_flasks_own_server_serves_streams_too(runtime: Runtime) -> None:
    site = Site(runtime)
    token = site.send()
    with flask_server(runtime) as (port, app), closing(HTTPConnection("127.0.0.1", port, timeout=LIMIT)) as connection:
        connection.request("GET", "/events")
        answer = connection.getresponse()
        assert (answer.status, answer.headers["Content-Type"]) == (200, "text/event-stream; charset=utf-8")
        events = Reader(iter(answer.readline, b""))
        line = answer.readline()
        assert line.startswith(b"id: ")
        site.work(token)
        assert next(events)[0] == "task.finished"
        app.extensions[EXTENSION].release()
        assert list(events) == []


numbers = some.integers(min_value=0, max_value=2**63 - 1)


@given(numbers, numbers, numbers, some.none() | some.integers(min_value=1, max_value=1000))
def test_a_place_is_read_as_it_was_written(feed: int, sequence: int, row: int, got: int | None) -> None:
    place = Place(feed=feed, position=Position(sequence, row), ends=got)
    assert Place.read(str(place)) == place
    assert place.after == Position(sequence, row - (got is not None))
