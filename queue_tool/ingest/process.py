"""A consumer process: it reads its settings from the environment, and ends with its owner."""

from __future__ import annotations

import asyncio
import os
import signal
from functools import partial

from queue_tool import runtime
from queue_tool.amqp.library import require_library
from queue_tool.environment import inherited_descriptor, load_settings, take_descriptor
from queue_tool.errors import BadSetting
from queue_tool.host import collector, lifeline, processes, readiness, signals
from queue_tool.host.in_hand import InHand
from queue_tool.host.signals import OF_SUPERVISOR
from queue_tool.model import events
from queue_tool.model.amqp_address import address_of
from queue_tool.model.settings import INLINE
from queue_tool.runtime import Runtime
from queue_tool.services.receive import Receive


def consume() -> None:
    """Consume until this process is told to stop.

    Raises:
        QueueToolError: something that the consumer needs cannot be used. The message says what.
    """
    settings = load_settings()
    if settings.amqp_url is None:
        raise BadSetting("Set QUEUE_TOOL_AMQP_URL to the URL of RabbitMQ, such as `amqp://user:password@host`.")
    require_library()
    telemetry = runtime.start_logging("consume", settings)
    with runtime.open_runtime(settings, telemetry, "consumer") as system:
        in_hand = InHand(settings.data_dir)
        collector.freeze_existing()
        telemetry.emit(events.Started())
        asyncio.run(_run(system, settings.amqp_url, in_hand))
        telemetry.emit(events.Stopped())


def _stop(loop: asyncio.AbstractEventLoop, stopping: asyncio.Event) -> None:
    """Stop from another thread."""
    loop.call_soon_threadsafe(stopping.set)


def _hear(loop: asyncio.AbstractEventLoop, stopping: asyncio.Event) -> None:
    """Stop at a signal, and when the owner of this process is gone."""
    for name in (signal.SIGTERM, signal.SIGINT, OF_SUPERVISOR):
        if signal.getsignal(name) is not signal.SIG_IGN:
            loop.add_signal_handler(name, stopping.set)
    signals.keep_from_children()
    if (owner := inherited_descriptor(lifeline.VARIABLE)) is not None:
        lifeline.watch(owner, partial(_stop, loop, stopping))


async def _run(system: Runtime, url: str, in_hand: InHand) -> None:
    from queue_tool.ingest.consumer import Consumer  # it needs pika

    settings, stopping = system.settings, asyncio.Event()
    _hear(asyncio.get_running_loop(), stopping)
    if (parent := take_descriptor(readiness.VARIABLE)) is not None:
        readiness.report(parent)
    consumer = Consumer(
        address=address_of(url),
        queues=settings.amqp_queue,
        receive=Receive(
            submit=system.submit,
            ask=system.ask,
            types=system.types,
            max_body=settings.max_body,
            max_waiting=settings.max_waiting,
            runs_inline=settings.redis_url == INLINE,
        ),
        in_hand=in_hand,
        telemetry=system.telemetry,
        name=f"queue-tool consume {processes.host()} {os.getpid()}",
    )
    await consumer.run(stopping, settings.drain)
