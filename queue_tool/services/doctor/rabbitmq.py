"""The check of RabbitMQ: whether it can be reached, whether its queues are there, and whether anybody consumes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from queue_tool.amqp.library import require_library
from queue_tool.host import processes
from queue_tool.model.amqp_address import address_of
from queue_tool.services.doctor.finding import Finding, Level, ok, warning

if TYPE_CHECKING:
    from queue_tool.amqp.report import AmqpReport, QueueReport

START = "start a consumer, with `queue-tool up` or `queue-tool consume`"


@dataclass(frozen=True, slots=True, kw_only=True)
class RabbitCheck:
    """Asks RabbitMQ for what a consumer needs. It declares nothing."""

    url: str
    queues: Sequence[str]
    name: str = "RabbitMQ"

    def __call__(self) -> Iterator[Finding]:
        """Return which server it is, a finding for each queue, and what became of refused messages.

        Raises:
            AmqpLibraryMissing: the library for it is not installed.
            AmqpAway: it does not answer, or refuses something.
        """
        require_library()
        from queue_tool.amqp.report import report  # it needs pika

        address = address_of(self.url)
        found = report(address, f"queue-tool doctor {processes.host()}", self.queues)
        yield ok(self, f"{found.server or 'A server of unknown version'}: {address.shown}")
        for queue in found.queues:
            yield from self._of(queue)
        yield self._of_refused(found)

    def _of(self, queue: QueueReport) -> Iterator[Finding]:
        if queue.depth is None:
            yield warning(self, f"The queue {queue.name} does not exist", f"{START}, which declares it")
            return
        messages = f"messages that wait: {queue.depth.messages:,}"
        if queue.depth.consumers:
            yield ok(self, f"The queue {queue.name} has consumers ({queue.depth.consumers}), and {messages}")
        else:
            yield warning(self, f"The queue {queue.name} has no consumer, and {messages}", START)
        for weakness in queue.weaknesses:
            yield Finding(check=self.name, level=Level.WARNING, found=weakness.rstrip("."))

    def _of_refused(self, found: AmqpReport) -> Finding:
        if not found.keeps_refused:
            return warning(self, "The exchange for refused messages does not exist", f"{START}, which declares it")
        if not found.refused:
            return ok(self, "No refused message is kept")
        return ok(self, f"Refused messages that are kept: {found.refused:,}")
