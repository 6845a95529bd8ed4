"""Handling: groups of AMQP messages are stored, answered, and then acknowledged, over one channel."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Any

from queue_tool.amqp.channel import Channel, Delivered
from queue_tool.host.in_hand import InHand
from queue_tool.ingest.outgoing import Outgoing
from queue_tool.ingest.waiting import Waiting, name_of
from queue_tool.model import events
from queue_tool.model.incoming import MOST_DEATHS, Incoming
from queue_tool.model.telemetry import Telemetry
from queue_tool.services.receive import Handled, Later, Outcome, Refusal, refuse

_log = logging.getLogger("queue_tool.ingest")

PAUSE = 0.5
"""Seconds before work that could not be stored is tried again."""

KILLS = Refusal(
    code="kills_consumer",
    sentence=f"At least {MOST_DEATHS} processes died while they handled this message, in the end alone.",
)


class Handling:
    """Handles the messages of one channel."""

    def __init__(
        self,
        channel: Channel,
        *,
        outgoing: Outgoing,
        receive: Callable[[Sequence[Incoming]], list[Outcome]],
        in_hand: InHand,
        thread: Executor,
        telemetry: Telemetry,
        most_bytes: int,
    ) -> None:
        """Start to handle what is added.

        Args:
            channel: where they come from, and where they are acknowledged.
            outgoing: publishes replies and refused messages.
            receive: stores the work of messages.
            in_hand: notes what may kill this process.
            thread: where `receive` is called: one call at a time, also if the last one was for another channel.
            telemetry: receives the events.
            most_bytes: of the bodies of all messages that are delivered and not acknowledged, if they are several.
        """
        self._channel, self._outgoing, self._receive = channel, outgoing, receive
        self._in_hand, self._thread, self._telemetry = in_hand, thread, telemetry
        self._waiting = Waiting(in_hand)
        self._open: dict[int, int] = {}  # the bytes of the messages that are not acknowledged, by tag
        self._bytes, self._most_bytes = 0, most_bytes
        self._is_full = asyncio.Event()
        self.room = 0
        """How many messages were not acknowledged when the first one had to be given back."""
        self._idle = asyncio.Event()
        self._idle.set()
        self._finishing: set[asyncio.Task[None]] = set()
        self._working = asyncio.create_task(self._work())

    def add(self, delivered: Delivered) -> None:
        """Handle a message, when those before it were handled. Give it back if there is no room for it."""
        size = len(delivered.body)
        if self._open and self._bytes + size > self._most_bytes:
            self.room = self.room if self._is_full.is_set() else len(self._open)
            self._is_full.set()
        if self._is_full.is_set():
            self._channel.give_back(delivered.tag)
            return
        self._open[delivered.tag] = size
        self._bytes += size
        self._idle.clear()
        self._waiting.add(delivered)

    async def until_full(
        self, lost: asyncio.Future[BaseException], stopping: asyncio.Event, seconds: float | None
    ) -> bool:
        """Wait until the channel ends, the event is set, or a message had to be given back; at most this long.

        Return whether one was given back. None waits for ever.
        """
        await self._until(self._is_full, lost, stopping, seconds)
        return self._is_full.is_set()

    async def until_empty(self, lost: asyncio.Future[BaseException], stopping: asyncio.Event) -> None:
        """Wait until the channel ends, the event is set, or everything is acknowledged. Then there is room again."""
        await self._until(self._idle, lost, stopping)
        self._is_full.clear()

    async def _until(
        self,
        this: asyncio.Event,
        lost: asyncio.Future[BaseException],
        stopping: asyncio.Event,
        seconds: float | None = None,
    ) -> None:
        """Wait for one of them. It raises the error of a bug in the handling."""
        waits = [asyncio.create_task(event.wait()) for event in (this, stopping)]
        ends: set[asyncio.Future[Any]] = {lost, self._working, *waits}
        await asyncio.wait(ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for each in waits:
            each.cancel()
        if self._working.done():
            self._working.result()

    async def finish(self, seconds: float) -> None:
        """Wait until everything is acknowledged, at most this long."""
        try:
            await asyncio.wait_for(self._idle.wait(), seconds)
        except TimeoutError:
            return

    async def abandon(self) -> None:
        """Stop. What was not acknowledged comes again, to whoever consumes then."""
        tasks = [self._working, *self._finishing]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self) -> None:
        while True:
            group = await self._waiting.group()
            tries = 0
            while group:
                group = await self._handle(group, tries)
                tries += 1
            if tries > 1:
                self._telemetry.emit(events.AmqpWorkContinues())

    async def _handle(self, group: list[Delivered], tries: int) -> list[Delivered]:
        """Handle a group; return what must be tried again, after a pause."""
        outcomes = await asyncio.get_running_loop().run_in_executor(self._thread, self._carry_out, group)
        done = [(each, outcome) for each, outcome in zip(group, outcomes, strict=True) if isinstance(outcome, Handled)]
        self._finish_all(done)
        later = [(each, outcome) for each, outcome in zip(group, outcomes, strict=True) if isinstance(outcome, Later)]
        if later:
            if not tries:
                reason = later[0][1].error.sentence
                self._telemetry.emit(events.AmqpWorkWaits(messages=len(later), reason=reason))
            await asyncio.sleep(PAUSE)
        return [each for each, _ in later]

    def _carry_out(self, group: Sequence[Delivered]) -> list[Outcome]:
        """Store the work of a group, in another thread."""
        suspects = {name_of(each) for each in group if each.redelivered}
        if len(group) == 1 and any(self._in_hand.deaths(name) >= MOST_DEATHS for name in suspects):
            return [refuse(KILLS)]
        self._in_hand.begin(suspects)
        outcomes = self._receive([_incoming(each) for each in group])
        self._in_hand.end(suspects)
        return outcomes

    def _finish_all(self, done: Sequence[tuple[Delivered, Handled]]) -> None:
        """Acknowledge what needs no more; publish what must be published first, in the background."""
        quiet: list[int] = []
        for delivered, handled in done:
            if handled.refusal is None and not delivered.properties.reply_to:
                quiet.append(delivered.tag)
                continue
            task = asyncio.create_task(self._finish(delivered, handled))
            self._finishing.add(task)
            task.add_done_callback(self._finished)
        self._ack(quiet)

    async def _finish(self, delivered: Delivered, handled: Handled) -> None:
        if handled.refusal is not None:
            await self._outgoing.bury(delivered, handled.refusal)
            self._in_hand.end([name_of(delivered)])
        await self._outgoing.reply(delivered, handled.answer)
        self._ack([delivered.tag])

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._finishing.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:  # a bug: the message stays unacknowledged, and comes again after the next connect
            _log.error("an AMQP message could not be finished", exc_info=error)

    def _ack(self, tags: Sequence[int]) -> None:
        """Acknowledge messages, with one frame those before which nothing is open."""
        self._bytes -= sum(self._open.pop(tag, 0) for tag in tags)
        first = min(self._open, default=None)
        before = [tag for tag in tags if first is None or tag < first]
        if before:
            self._channel.ack(max(before), multiple=True)
        for tag in tags[len(before) :]:
            self._channel.ack(tag)
        if not self._open:
            self._idle.set()


def _incoming(delivered: Delivered) -> Incoming:
    its = delivered.properties
    return Incoming(
        queue=delivered.queue,
        body=delivered.body,
        content_type=its.content_type,
        content_encoding=its.content_encoding,
        type=its.type,
        message_id=its.message_id,
        headers=its.headers,
        has_unreadable_headers=its.has_unreadable_headers,
        redelivered=delivered.redelivered,
    )
