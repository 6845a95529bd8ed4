"""What a webhook hears: each end of a task or a batch at least once, and nothing that did not happen."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import suppress

from tests.chaos.sites import Site
from tests.receiver import Receiver
from tests.support import eventually, http

PATIENCE = 120.0
"""Seconds after the last blow in which the webhook must hear of everything. The lease of a dead process may take 30."""

End = tuple[str, str]
"""What has ended, a token or the id of a batch, and its event."""


def register(site: Site, receiver: Receiver) -> None:
    """Let the receiver hear of all ends."""
    answer = http("POST", site.system.url("/webhooks"), {"url": receiver.url("/ok"), "events": ["all"]})
    assert answer.status == 201, answer


def faults(site: Site, receiver: Receiver) -> tuple[list[str], int]:
    """Wait until the receiver has heard of all ends. Return what it misses or what was invented, and how much came."""
    happened = _happened(site)
    with suppress(AssertionError):  # what is missing is returned
        eventually(lambda: _heard(receiver) >= happened, within=PATIENCE)
    heard = _heard(receiver)
    wrong = [
        f"{subject}: {event}, {happened[subject, event]} times, and heard {heard[subject, event]}"
        for subject, event in {*happened, *heard}
        if happened[subject, event] != heard[subject, event]
    ]
    return wrong, heard.total()


def _happened(site: Site) -> Counter[End]:
    ends = site.rows("SELECT token, state, count(*) FROM ends GROUP BY token, state")
    closings = site.rows("SELECT public_id, count(*) FROM closings GROUP BY public_id")
    tasks = {(token, f"task.{state}"): count for token, state, count in ends}
    return Counter(tasks | {(batch, "batch.finished"): count for batch, count in closings})


def _heard(receiver: Receiver) -> Counter[End]:
    """Return what the receiver heard. An end that it heard several times has the same id each time."""
    by_id: dict[str, End] = {}
    for request in list(receiver.requests):
        data = json.loads(request.body)["data"]
        for end in data if isinstance(data, list) else [data]:
            by_id[end["id"]] = (end.get("token") or end["batch"], end["type"])
    return Counter(by_id.values())
