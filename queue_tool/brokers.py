"""The broker of a system: which one the settings choose, whether its Redis is its own, and RabbitMQ."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from functools import cache
from typing import TYPE_CHECKING

from queue_tool.broker import Broker, InlineBroker, RqBroker
from queue_tool.errors import BrokerAway, BrokerOfAnother
from queue_tool.host import processes, valkey
from queue_tool.model.clock import Clock
from queue_tool.model.settings import INLINE, Settings
from queue_tool.services.owner import Owner
from queue_tool.services.run import Runner
from queue_tool.store import Store

if TYPE_CHECKING:
    from queue_tool.services.consumers import Consumers
    from queue_tool.services.webhooks import Sender


def open_broker(settings: Settings, store: Store, runner: Runner, owner: Owner) -> Broker:
    """Return the broker that the settings choose: RQ's lists in Redis, or the process itself."""
    if settings.redis_url == INLINE:
        return InlineBroker(lambda tickets: runner(tickets, owner.id()))
    return RqBroker(redis_url(settings), store.identity())


def require_own_redis(settings: Settings, store: Store) -> None:
    """Raise an error if Redis carries the tickets of another database. If Redis is away, a later push checks this.

    An embedded Valkey is not checked: it belongs to the data directory, and may not have been started yet.

    Raises:
        BrokerOfAnother: Redis carries the tickets of another database.
    """
    if settings.embedded or settings.redis_url == INLINE:
        return
    try:
        with closing(RqBroker(redis_url(settings), store.identity())) as broker:
            broker.require_ours()
    except BrokerOfAnother:
        raise
    except BrokerAway:
        return


def event_sender(settings: Settings) -> Callable[[], Sender]:
    """Return a function that returns what publishes events to RabbitMQ. At its first call it imports the library."""

    @cache
    def make() -> Sender:
        from queue_tool.amqp.event_sender import EventSender
        from queue_tool.model.amqp_address import address_of
        from queue_tool.model.webhook import EXCHANGE

        address = address_of(settings.amqp_url or "amqp://localhost")
        return EventSender(address, f"queue-tool events {processes.host()}", EXCHANGE.partition(":")[2])

    return make


def consumers(settings: Settings, clock: Clock) -> Consumers | None:
    """Return what says whether work is taken from RabbitMQ; None if no work comes from there."""
    url, queues = settings.amqp_url, settings.amqp_queue
    if url is None:
        return None
    from queue_tool.services.consumers import Consumers

    def without() -> list[str]:
        from queue_tool.amqp.library import require_library

        require_library()
        from queue_tool.amqp.report import queues_of  # it needs the library
        from queue_tool.model.amqp_address import address_of

        found = queues_of(address_of(url), f"queue-tool health {processes.host()}", queues)
        return [queue.name for queue in found if queue.depth is None or not queue.depth.consumers]

    return Consumers(without, clock)


def redis_url(settings: Settings) -> str:
    """Return the URL of Redis: the setting, or the URL of the embedded Valkey, even if that does not run."""
    return settings.redis_url or valkey.url(settings.data_dir)
