"""Messages to webhooks, in the form of Standard Webhooks: `type`, `timestamp` and `data`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from queue_tool.model import json_text
from queue_tool.model.times import rfc3339
from queue_tool.model.webhook import LONGEST_BODY, LONGEST_RESULT, SEVERAL, TEST, End, Event


def type_of(ends: Sequence[End]) -> str:
    """Return the type of a message with these ends."""
    return ends[0].event if len(ends) == 1 else SEVERAL


def body_of(ends: Sequence[End], at: Sequence[datetime], facts: Mapping[str, Mapping[str, Any]]) -> bytes:
    """Return the body of a message. With one end, `data` is the end; with more, it is a list of them.

    Args:
        ends: the ends, in their order.
        at: when each of them ended.
        facts: by the id of an end, what is still known about the task or batch. The value of `result` is JSON text.
    """
    data = list(_data(ends, at, facts))
    whole = {"type": type_of(ends), "timestamp": rfc3339(at[-1]), "data": data[0] if len(data) == 1 else data}
    return json_text.dumps(whole)


def test_body(webhook: str, now: datetime) -> bytes:
    """Return the body of a test."""
    return json_text.dumps({"type": TEST, "timestamp": rfc3339(now), "data": {"webhook": webhook}})


def _data(
    ends: Sequence[End], at: Sequence[datetime], facts: Mapping[str, Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    room = LONGEST_BODY
    for end, time in zip(ends, at, strict=True):
        known = dict(facts.get(end.id, {}))
        result = known.pop("result", None)
        found: dict[str, Any] = {"id": end.id, "type": end.event, "timestamp": rfc3339(time)}
        if end.event == Event.BATCH_FINISHED:
            yield found | {"batch": end.subject} | known
            continue
        found |= {"token": end.subject, "task_type": end.task_type, "code": end.code} | known
        if result is not None and len(result) <= min(LONGEST_RESULT, room):
            room -= len(result)
            found["result"] = json_text.embed(result)
        yield found
