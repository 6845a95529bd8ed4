"""The audit: every token that was ever answered, every request whose answer was lost, every batch, all of Redis."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from queue_tool.model.queues import LISTS
from tests.chaos.havoc import Havoc
from tests.chaos.load import KINDS, Sent
from tests.chaos.sites import Site
from tests.support import eventually, http

ENDS = {
    "chaos.sleep": "finished",
    "chaos.thread": "finished",
    "chaos.isolated": "finished",
    "chaos.flaky": "finished",
    "chaos.failing": "failed",
}

ENDED = ("finished", "failed", "canceled")

AT_ONCE = 10_000
"""Tokens that one request asks for."""

QUIET = 90.0
"""Seconds after the last blow in which everything must end."""


@dataclass(slots=True, kw_only=True)
class Findings:
    """What the audit has found; all of the lists should be empty."""

    tokens: int
    ends: Counter[str]
    worker_lost: int  # tasks under which three workers died: an end, though not a good one
    lost: list[str] = field(default_factory=list)  # answered, and not known
    stuck: list[str] = field(default_factory=list)  # known, and without an end
    wrong: list[str] = field(default_factory=list)  # ended in another way than such tasks do
    twice: list[str] = field(default_factory=list)  # a run of it has ended twice
    counts: list[str] = field(default_factory=list)  # batches whose counts are not those of their tasks
    halves: list[str] = field(default_factory=list)  # batches of which only a part was kept
    leftovers: list[str] = field(default_factory=list)  # in Redis
    unanswered: int = 0  # requests whose answer was lost; each was kept whole, or not at all
    recovery: float = 0.0  # the longest time in which no task ended anywhere, in seconds
    wait: float = 0.0  # the longest time that one task had to wait because of it all
    slowest: str = ""  # that task
    quiet_after: float = 0.0  # seconds from the last blow until everything had ended

    @property
    def faults(self) -> dict[str, list[str]]:
        """Return what should not be."""
        names = ("lost", "stuck", "wrong", "twice", "counts", "halves", "leftovers")
        return {name: found for name in names if (found := getattr(self, name))}


def audit(site: Site, sent: Sent, havoc: Havoc) -> Findings:
    """Wait until everything has ended, and look at all of it."""
    began = time.monotonic()
    unanswered = _answered_at_last(site, sent)
    with suppress(AssertionError):  # what is stuck is found below
        eventually(lambda: {*_states(site, sent).values()} <= {*ENDED, "unknown"}, within=QUIET)
    quiet_after = time.monotonic() - began
    states = _states(site, sent)
    codes = dict(site.rows("SELECT token, code FROM tasks WHERE code IS NOT NULL"))
    given_up = {token for token, code in codes.items() if code == "worker_lost"}
    wait, slowest = _longest_wait(site)
    findings = Findings(
        tokens=len(sent.expected),
        ends=Counter(states.values()),
        worker_lost=len(given_up),
        unanswered=unanswered,
        quiet_after=quiet_after,
        recovery=_longest_standstill(site),
        wait=wait,
        slowest=slowest,
    )
    for token, kind in sent.expected.items():
        state = states[token]
        if state == "unknown":
            findings.lost.append(token)
        elif state not in ENDED:
            findings.stuck.append(token)
        elif state != ENDS[kind] and not (state == "canceled" and token in sent.canceled) and token not in given_up:
            findings.wrong.append(token)
    findings.twice += [row[0] for row in site.rows(_TWICE)]
    findings.halves += [row[0] for row in site.rows(_HALVES)]
    findings.counts += [row[0] for row in site.rows(_COUNTS)]
    findings.leftovers += _leftovers(site)
    return findings


def story(site: Site, token: str) -> str:
    """Return all that is known of a token, or of a batch: rows, tickets and lines of the log."""
    lines = [f"-- {token}"]
    for table, key in (("tasks", "token"), ("attempts", "token"), ("diary", "token"), ("batches", "public_id")):
        query = f"SELECT * FROM {table} WHERE {key} = '{token}'"  # noqa: S608 - all of it is ours
        lines += [f"{table}: {row}" for row in site.rows(query)]
    redis = site.redis
    lines += [f"redis: {key!r} {redis.type(key)!r}" for key in redis.scan_iter(f"*{token}*")]
    lines += [line for line in site.system.log.splitlines() if token in line]
    return "\n".join(lines)


_TWICE = "SELECT token FROM diary GROUP BY token, run HAVING count(*) > 1"

_HALVES = """SELECT public_id FROM batches WHERE accepted <> (SELECT count(*) FROM tasks WHERE batch_id = batches.id)
    OR rejected <> (SELECT count(*) FROM refusals WHERE batch_id = batches.id)"""

_COUNTS = """SELECT public_id FROM batches WHERE open <> (SELECT count(*) FROM tasks WHERE batch_id = batches.id
    AND state NOT IN ('finished', 'failed', 'canceled')) OR (open = 0) <> (finished_at IS NOT NULL)"""


def _answered_at_last(site: Site, sent: Sent) -> int:
    """Send again what nobody has answered: it is answered now, as the first time if it was kept then."""

    def again(key: str, body: Any) -> Any:
        answer = http("POST", site.system.url("/tasks"), body, {"Idempotency-Key": key})
        assert answer.status == 202, answer
        return answer.json

    for key, body in sent.lost:
        answer = eventually(lambda key=key, body=body: again(key, body), within=QUIET)  # type: ignore[misc] # mypy infers no default
        tokens = [line["hash"] for line in answer["processing_items"]]
        sent.expected |= {token: task["task_type"] for token, task in zip(tokens, body, strict=True)}
    return len(sent.lost)


def _states(site: Site, sent: Sent) -> dict[str, str]:
    tokens = list(sent.expected)
    found: dict[str, str] = {}
    for start in range(0, len(tokens), AT_ONCE):
        answer = http("POST", site.system.url("/check"), {"tokens": tokens[start : start + AT_ONCE]})
        assert answer.status == 200, answer
        found |= {line["hash"]: line["status"] for line in answer.json["results"]}
    return found


def _longest_standstill(site: Site) -> float:
    ends = [row[0] for row in site.rows("SELECT finished_at FROM tasks WHERE finished_at > 0 ORDER BY finished_at")]
    return max(((after - before) / 1e6 for before, after in pairwise(ends)), default=0.0)


def _longest_wait(site: Site) -> tuple[float, str]:
    """Return the longest time between sending a task and its end, beyond what its kind takes at most, and which."""
    query = "SELECT task_type, (finished_at - created_at) / 1e6, token FROM tasks WHERE finished_at IS NOT NULL"
    waits = [(float(seconds) - KINDS[kind][1], str(token)) for kind, seconds, token in site.rows(query)]
    return max(waits, default=(0.0, ""))


def _leftovers(site: Site) -> list[str]:
    """Return what Redis still holds of tasks, once workers have had the time to drop what is over."""
    redis = site.redis

    def found() -> list[str]:
        jobs = [key.decode() for key in redis.scan_iter("rq:job:*")]
        lists = [
            f"{name}: {redis.llen(f'rq:queue:{name}')} tickets" for name in LISTS if redis.llen(f"rq:queue:{name}")
        ]
        started = [f"{name}: started" for name in LISTS if redis.zcard(f"rq:wip:{name}")]
        executions = [key.decode() for key in redis.scan_iter("rq:execution*")]
        return jobs + lists + started + executions

    try:
        eventually(lambda: not found(), within=30)
    except AssertionError:
        return found()
    return []
