"""Live events: clients get the ends of tasks and batches, and the progress of batches, as they are committed.

One thread of a process reads for all its clients. Clients that are at the same place share what it reads. One that is
slow, or that comes back, reads on from its own place in the database, so nothing is kept for it in memory.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import Protocol

from queue_tool.errors import StoreAway, TooManyFollowers
from queue_tool.model.batch import Batch
from queue_tool.model.clock import Clock
from queue_tool.model.feed import LISTENED_FOR, FeedRow, Place, Position
from queue_tool.services.follower import Follower
from queue_tool.store import Store

POLL_EVERY = 0.1
"""Seconds between two checks whether the database has changed."""

RENEW_EVERY = LISTENED_FOR / 4

PROGRESS_EVERY = 1.0
"""Seconds between two events about the progress of the same batch."""

START_WITHIN = 5.0
"""Seconds for which the stream of a client lasts longer if nothing was read for it before its end."""

MOST_ROWS = 20
"""Rows of a feed that are read at once."""

MOST_BATCHES = 100
"""Batches whose progress the clients without a filter get at once. Others get only their ends."""

RETRY_AFTER = 5

_log = logging.getLogger("queue_tool.services.live_events")


class Writer(Protocol):
    """Writes what happens as it is sent to clients."""

    pulse: bytes

    def start(self, place: Place) -> bytes:
        """Write where a client starts."""

    def ends(self, feed: int, row: FeedRow, got: int) -> bytes:
        """Write the ends of a row, without the first ones, which the client has got."""

    def progress(self, batch: Batch) -> bytes:
        """Write the progress of a batch."""

    def reset(self) -> bytes:
        """Write that the client has missed something."""


class LiveEvents:
    """Lets clients follow what ends. The watcher thread runs only while there are clients."""

    def __init__(self, store: Store, clock: Clock, limit: int, writer: Writer) -> None:
        """Prepare; at most `limit` clients may follow at once, and one API key may have half of them."""
        self._store = store
        self._clock = clock
        self._limit = limit
        self._writer = writer
        self._followers: set[Follower] = set()
        self._lock = threading.Lock()
        self._look_now = threading.Event()
        self._has_watcher = False
        self._released = False
        self._ended_in: dict[str, None] = {}  # batches of which clients without a filter get the progress
        self._renew_next = 0.0
        self._progress_next = 0.0
        self._progress_is_old = False

    def __call__(self, batch: str | None, last: str | None, key: str, seconds: float) -> Follower:
        """Return a new client, which gets all that is committed from now on, or after the place where it was.

        Args:
            batch: only ends in this batch; None: all ends.
            last: the `id` of the last event that the client has got, if it was here before.
            key: the id of its API key; empty if it needs none.
            seconds: how long the stream lasts. Then the client may connect again, and its key is checked again.

        Raises:
            TooManyFollowers: too many clients are there, or too many with this key, or the process ends.
            StoreAway: the database is busy or away.
        """
        until = time.monotonic() + seconds

        def leave() -> None:
            with self._lock:
                self._followers.discard(follower)

        follower = Follower(batch=batch, key=key, until=until, pulse=self._writer.pulse, leave=leave)
        self._enter(follower)
        try:
            self._put(follower, last)
            self._watch_from_now_on()
        except BaseException:
            follower.close()
            raise
        return follower

    def release(self) -> None:
        """End all streams, and refuse new clients: this process is about to end."""
        with self._lock:
            self._released = True
            followers = list(self._followers)
        for follower in followers:
            follower.end()
        self._look_now.set()

    def _enter(self, follower: Follower) -> None:
        with self._lock:
            same = sum(other.key == follower.key for other in self._followers) if follower.key else 0
            if self._released or len(self._followers) >= self._limit or same >= max(1, self._limit // 2):
                raise TooManyFollowers(retry_after=RETRY_AFTER)
            self._followers.add(follower)

    def _put(self, follower: Follower, last: str | None) -> None:
        """Put a client where it was, or let it start anew."""
        feed = self._store.feeds.open(follower.batch, self._clock.now())
        place = Place.read(last) if last else None
        if place is not None and place.feed == feed and self._store.feeds.keeps(place):
            follower.partly = None if place.ends is None else place
            follower.position = place.after
        else:
            if last:
                follower.give(self._writer.reset())
            follower.number = self._store.feeds.next_number()
        follower.feed = feed  # from now on it belongs to the watcher

    # -- the watcher -------------------------------------------------------------------------------------------

    def _watch_from_now_on(self) -> None:
        with self._lock:
            self._look_now.set()
            if not self._has_watcher:
                try:
                    threading.Thread(target=self._watch, name="follow", daemon=True).start()
                except (RuntimeError, MemoryError) as error:  # the process has no room for another thread
                    _log.warning("a client cannot follow the events: %s", error)
                    raise TooManyFollowers(retry_after=RETRY_AFTER) from None
                self._has_watcher = True

    def _watch(self) -> None:
        changes = self._store.changes()
        seen = None
        try:
            while self._is_needed():
                if self._look_now.wait(POLL_EVERY):
                    self._look_now.clear()
                    seen = None
                with contextlib.suppress(StoreAway):  # the next poll tries again
                    version = changes.version()
                    if version != seen:
                        self._progress_is_old = True
                    if version != seen or self._any_is_behind():
                        seen = None
                        self._read_all()
                    self._tell_progress()
                    self._renew()
                    seen = version  # read before the rest: a change meanwhile leads to another look
                self._end_overdue()
        except Exception:  # noqa: BLE001 - the clients must not wait for ever, and the log has the traceback
            _log.exception("the events ended, and the clients must connect again")
        finally:
            self._lose_watcher()
            changes.close()

    def _is_needed(self) -> bool:
        with self._lock:
            self._has_watcher = bool(self._followers) and not self._released
            return self._has_watcher

    def _lose_watcher(self) -> None:
        """End what nobody watches any more: nothing, if it was not needed. The next client starts another watcher."""
        with self._lock:
            if not self._has_watcher:
                return
            self._has_watcher = False
            followers = list(self._followers)
        for follower in followers:
            follower.end()

    def _end_overdue(self) -> None:
        now = time.monotonic()
        for follower in self._all():
            if now >= follower.until + (START_WITHIN if follower.is_new else 0.0):
                follower.end()
                follower.close()

    def _all(self, condition: Callable[[Follower], bool] = lambda _: True) -> list[Follower]:
        """Return the clients that are ready for the watcher and that satisfy the condition."""
        with self._lock:
            return [each for each in self._followers if each.feed is not None and condition(each)]

    def _any_is_behind(self) -> bool:
        return bool(self._all(lambda each: each.position is None or each.is_behind))

    def _read_all(self) -> None:
        """Let new clients start, and send to all clients what follows their places."""
        for follower in self._all(lambda each: each.position is None):
            self._start(follower)
        together: dict[tuple[int, Position, Place | None], list[Follower]] = {}
        for follower in self._all(lambda each: each.position is not None):
            assert follower.feed is not None and follower.position is not None  # noqa: PT018 - see above
            follower.is_behind = not follower.has_room
            if follower.is_behind:
                continue
            together.setdefault((follower.feed, follower.position, follower.partly), []).append(follower)
        for (feed, position, partly), followers in together.items():
            self._read(feed, position, partly, followers)
            for follower in followers:
                follower.is_new = False

    def _start(self, follower: Follower) -> None:
        """Let a client start, if all transactions have ended that may not write for it."""
        assert follower.feed is not None  # the watcher has it
        follower.position = self._store.feeds.begin(follower.feed, follower.number)
        if follower.position is not None:
            follower.give(self._writer.start(Place(feed=follower.feed, position=follower.position)))
            self._progress_next = 0.0

    def _read(self, feed: int, position: Position, partly: Place | None, followers: Iterable[Follower]) -> None:
        """Send to clients at the same place what follows it."""
        rows = self._store.feeds.read(feed, position, MOST_ROWS)
        if rows is None:
            for follower in followers:
                self._reset(follower)
            return
        if not rows:
            return
        self._look_now.set()  # more may follow at once
        self._progress_is_old = True
        got = {partly.position: partly.ends or 0} if partly else {}
        piece = b"".join(self._writer.ends(feed, row, got.get(row.position, 0)) for row in rows)
        for follower in followers:
            follower.partly, follower.position = None, rows[-1].position
            follower.give(piece)
            if follower.batch is None:
                self._ended_in |= {row.batch: None for row in rows if row.batch}

    def _reset(self, follower: Follower) -> None:
        """Let a client start anew that has missed something."""
        feed = self._store.feeds.open(follower.batch, self._clock.now())
        follower.number = self._store.feeds.next_number()
        follower.feed, follower.position, follower.partly = feed, None, None
        follower.give(self._writer.reset())

    def _renew(self) -> None:
        """Keep the feeds of the clients, and make those again that somebody has removed."""
        if time.monotonic() < self._renew_next:
            return
        followers = self._all()
        kept = self._store.feeds.renew(list({each.feed for each in followers if each.feed}), self._clock.now())
        for follower in followers:
            if follower.feed not in kept:
                self._reset(follower)
        self._renew_next = time.monotonic() + RENEW_EVERY

    def _tell_progress(self) -> None:
        """Send the progress of the batches that clients asked for, and of those in which tasks ended."""
        if not self._progress_is_old or time.monotonic() < self._progress_next:
            return
        self._progress_next = time.monotonic() + PROGRESS_EVERY
        started = self._all(lambda each: each.position is not None)
        followers = [each for each in started if each.has_room]
        self._progress_is_old = len(followers) < len(started)
        of_all, self._ended_in = list(self._ended_in)[:MOST_BATCHES], {}
        wanted = dict.fromkeys([each.batch for each in followers if each.batch] + of_all)
        found = self._store.batches.get_all(list(wanted)) if wanted else []
        pieces = {batch.id: self._writer.progress(batch) for batch in found if batch is not None}
        for follower in followers:
            for batch in [follower.batch] if follower.batch else of_all:
                if pieces.get(batch, follower.progress) != follower.progress:
                    follower.give(pieces[batch])
                    follower.progress = pieces[batch] if follower.batch else b""
