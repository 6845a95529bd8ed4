"""The methods that both clients have: those of all operations, and lists over all of their pages."""

from __future__ import annotations

from queue_tool.client import following, reading
from queue_tool.client.endpoints import Listing
from queue_tool.client.following import Event
from queue_tool.client.operations import Operations
from queue_tool.client.reading import all_of
from queue_tool.model.payloads.batches import BatchResult


class Methods(Operations):
    """The methods of a client."""

    stream_results: Listing[[str], BatchResult] = Listing(
        reading.stream_results, "Iterate over the results of a batch: `GET /batches/{batch}/results`."
    )

    events: Listing[..., Event] = Listing(
        following.follow,
        "Iterate over what ends from now on, with `batch=` until this batch has ended: `GET /events`.",
    )
    stream_events = events

    tasks = all_of(Operations.list_tasks)
    ended_tasks = all_of(Operations.list_results)
    dead_letters = all_of(Operations.list_dead_letters)
    waiting_tasks = all_of(Operations.list_queue)
    schedules = all_of(Operations.list_schedules)
    batches = all_of(Operations.list_batches)
    ticks = all_of(Operations.list_ticks)
    webhooks = all_of(Operations.list_webhooks)
    deliveries = all_of(Operations.list_deliveries)
