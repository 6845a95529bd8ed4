"""The audit of every token that a client received, every request without an answer, every batch, and all of Redis."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from redis import Redis

from queue_tool.model.queues import LISTS
from tests.chaos.havoc import Havoc
from tests.chaos.load import Sent
from tests.chaos.sites import Site
from tests.chaos.waits import Wait, longest_wait
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
"""Tokens in one request to `/check`."""

QUIET = 90.0
"""Seconds after the last blow within which every task must end."""


@dataclass(slots=True, kw_only=True)
class Findings:
    """The result of the audit; all of the lists should be empty."""

    tokens: int
    ends: Counter[str]
    worker_lost: int  # tasks that failed because four workers died while they ran them
    lost: list[str] = field(default_factory=list)  # a client has the token, and the service does not know it
    stuck: list[str] = field(default_factory=list)  # known, and not ended
    wrong: list[str] = field(default_factory=list)  # ended in another state than its task type should
    twice: list[str] = field(default_factory=list)  # one of its runs ended twice
    counts: list[str] = field(default_factory=list)  # batches whose counts differ from their tasks
    halves: list[str] = field(default_factory=list)  # batches of which only a part was stored
    leftovers: list[str] = field(default_factory=list)  # keys and tickets of ended tasks in Redis
    followed: list[str] = field(default_factory=list)  # batches that were not followed once for each of their ends
    messages: list[str] = field(default_factory=list)  # messages that were lost, or given twice
    untold: list[str] = field(default_factory=list)  # ends of which the webhook did not hear, or that never were
    told: int = 0  # ends of which the webhook heard
    unanswered: int = 0  # requests without an answer; each must be stored completely or not at all
    recovery: float = 0.0  # seconds: the longest time under load in which no task ended
    wait: Wait = field(default_factory=Wait)  # the longest delay of one task
    quiet_after: float = 0.0  # seconds from the last blow until everything had ended

    @property
    def faults(self) -> dict[str, list[str]]:
        """Return the lists that are not empty, by their names."""
        names = ("lost", "stuck", "wrong", "twice", "counts", "halves", "followed", "leftovers", "messages", "untold")
        return {name: found for name in names if (found := getattr(self, name))}


def audit(site: Site, sent: Sent, havoc: Havoc) -> Findings:
    """Wait until all tasks have ended, then compare the service, the database and Redis with what the clients sent."""
    began = time.monotonic()
    unanswered = _repeat_lost_requests(site, sent)
    with suppress(AssertionError):  # stuck tasks are collected below
        eventually(lambda: {*_states(site, sent).values()} <= {*ENDED, "unknown"}, within=QUIET)
        eventually(lambda: not site.rows(_UNENDED), within=QUIET)
    quiet_after = time.monotonic() - began
    states = _states(site, sent)
    codes = dict(site.rows("SELECT token, code FROM tasks WHERE code IS NOT NULL"))
    lost_with_workers = {token for token, code in codes.items() if code == "worker_lost"}
    findings = Findings(
        tokens=len(sent.expected),
        ends=Counter(states.values()),
        worker_lost=len(lost_with_workers),
        unanswered=unanswered,
        quiet_after=quiet_after,
        recovery=_longest_standstill(site, until=havoc.log[-1][0]),
        wait=longest_wait(site),
    )
    for token, kind in sent.expected.items():
        state = states[token]
        if state == "unknown":
            findings.lost.append(token)
        elif state not in ENDED:
            findings.stuck.append(token)
        elif (
            state != ENDS[kind]
            and not (state == "canceled" and token in sent.canceled)
            and token not in lost_with_workers
        ):
            findings.wrong.append(token)
    findings.twice += [row[0] for row in site.rows(_TWICE)]
    findings.halves += [row[0] for row in site.rows(_HALVES)]
    findings.counts += [row[0] for row in site.rows(_COUNTS)]
    findings.followed += [row[0] for row in site.rows(_FOLLOWED)]
    findings.stuck += [row[0] for row in site.rows(_UNENDED)]
    findings.leftovers += _leftovers(site)
    return findings


def history(site: Site, token: str) -> str:
    """Return everything about a token or a batch: its rows, its tickets, and the log lines that contain it."""
    lines = [f"-- {token}"]
    for table, key in (("tasks", "token"), ("attempts", "token"), ("ends", "token"), ("batches", "public_id")):
        query = f"SELECT * FROM {table} WHERE {key} = '{token}'"
        lines += [f"{table}: {row}" for row in site.rows(query)]
    lines += site.ask_redis(lambda redis: [f"redis: {key!r}" for key in redis.scan_iter(f"*{token}*")])
    lines += [line for line in site.system.log.splitlines() if token in line]
    return "\n".join(lines)


_TWICE = "SELECT token FROM ends GROUP BY token, run HAVING count(*) > 1"

_HALVES = """SELECT public_id FROM batches WHERE accepted <> (SELECT count(*) FROM tasks WHERE batch_id = batches.id)
    OR rejected <> (SELECT count(*) FROM refusals WHERE batch_id = batches.id)"""

_FOLLOWED = " UNION ".join(
    f"""SELECT public_id FROM batches WHERE continues IS NOT NULL AND
    (SELECT count(*) FROM tasks WHERE parent = 'batch ' || batches.public_id AND position = {position}) <>
    (SELECT count(*) FROM closings WHERE closings.public_id = batches.public_id AND {condition})"""
    for position, condition in enumerate(("1 = 1", "failed + canceled = 0", "failed + canceled > 0"))
)
"""By position of `FOLLOWERS`: as many tasks as ends of the kind that they follow."""

_UNENDED = "SELECT token FROM tasks WHERE parent IS NOT NULL AND state NOT IN ('finished', 'failed', 'canceled')"

_COUNTS = """SELECT public_id FROM batches WHERE open <> (SELECT count(*) FROM tasks WHERE batch_id = batches.id
    AND state NOT IN ('finished', 'failed', 'canceled')) OR (open = 0) <> (finished_at IS NOT NULL)
    OR scheduled <> (SELECT count(*) FROM tasks WHERE batch_id = batches.id AND state = 'scheduled')
    OR failed <> (SELECT count(*) FROM tasks WHERE batch_id = batches.id AND state = 'failed')
    OR canceled <> (SELECT count(*) FROM tasks WHERE batch_id = batches.id AND state = 'canceled')"""


def _repeat_lost_requests(site: Site, sent: Sent) -> int:
    """Repeat each request without an answer, and add its tokens; return how many there were.

    If the service stored the first request, it must give the same answer, because the key is the same.
    """

    def again(headers: dict[str, str], body: Any) -> Any:
        answer = http("POST", site.system.url("/tasks"), body, headers)
        assert answer.status == 202, answer
        return answer.json

    for headers, body in sent.lost:
        answer = eventually(lambda: again(headers, body), within=QUIET)
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


def _longest_standstill(site: Site, until: float) -> float:
    """Return the longest time without an end, until the last blow: afterwards the clients rest."""
    query = f"SELECT finished_at FROM tasks WHERE finished_at < {round(until * 1e6)} ORDER BY finished_at"
    ends = [row[0] for row in site.rows(query)]
    return max(((after - before) / 1e6 for before, after in pairwise(ends)), default=0.0)


def _leftovers(site: Site) -> list[str]:
    """Return what Redis still holds of tasks 30 s later, when workers have had the time to drop old tickets."""

    def found(redis: Redis) -> list[str]:
        jobs = [key.decode() for key in redis.scan_iter("rq:job:*")]
        lists = [
            f"{name}: {redis.llen(f'rq:queue:{name}')} tickets" for name in LISTS if redis.llen(f"rq:queue:{name}")
        ]
        started = [f"{name}: started" for name in LISTS if redis.zcard(f"rq:wip:{name}")]
        executions = [key.decode() for key in redis.scan_iter("rq:execution*")]
        return jobs + lists + started + executions

    try:
        eventually(lambda: not site.ask_redis(found), within=30)
    except AssertionError:
        return list(site.ask_redis(found))
    return []
