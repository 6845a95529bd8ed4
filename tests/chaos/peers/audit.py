"""The audit of a peer: it compares Flask's answers, the content of Redis, and the file of runs."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.audit import ENDED, ENDS
from tests.chaos.peers.havoc import PeerHavoc
from tests.chaos.peers.load import KINDS, Ledger
from tests.chaos.peers.site import Mark, PeerSite
from tests.support import eventually

QUIET = 120.0
"""Seconds after the last blow within which all jobs may end: more than ours has, because of the peers' timeouts."""

OVER = ("end", "gave-up")
"""Words in the file of runs which mean that the job has ended."""


@dataclass(slots=True)
class Runs:
    """The content of the file of runs: what really ran."""

    ends: dict[str, list[float]]  # the times at which each job ended, by its id
    begun: set[Mark]
    jobs: dict[tuple[str, int], set[str]]  # the jobs that ran an element, by its request (without repetition) and place

    @property
    def more_than_once(self) -> list[str]:
        """Return the jobs that ran to their end more than once."""
        return [job for job, moments in self.ends.items() if len(moments) > 1]

    @property
    def doubled(self) -> int:
        """Return how many extra jobs ran an element that another job ran too, because its request was repeated."""
        return sum(len(jobs) - 1 for jobs in self.jobs.values())

    def recovery(self, ledger: Ledger) -> float:
        """Return the longest time in seconds from the answer to the job's last end, less its type's longest run."""
        waits = [
            self.ends[token][-1] - at - KINDS[ledger.expected[token]][1]
            for token, at in ledger.answered_at.items()
            if token in self.ends
        ]
        return max(waits, default=0.0)


@dataclass(slots=True, kw_only=True)
class Column:
    """The results of one system: a column of the table."""

    name: str
    tasks: int
    batches: int
    blows: Counter[str]
    lost: list[str] = field(default_factory=list)  # answered, unknown to the system, and never done
    wiped: list[str] = field(default_factory=list)  # those of `lost` that Redis held when it was wiped
    forgotten: list[str] = field(default_factory=list)  # done, but the system does not know their result
    forgotten_by_wipe: int = 0  # how many of `forgotten` were done before Redis was wiped
    stuck: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    again: list[str] = field(default_factory=list)  # ended more than once
    halves: list[str] = field(default_factory=list)
    unanswered: int = 0
    doubled: int = 0
    leftovers: list[str] = field(default_factory=list)
    recovery: float = 0.0
    quiet_after: float = 0.0
    ends: Counter[str] = field(default_factory=Counter)


def runs_of(path: Path) -> Runs:
    """Read the file of runs."""
    runs = Runs(defaultdict(list), set(), defaultdict(set))
    for line in path.read_text("utf-8").splitlines() if path.exists() else ():
        at, word, job, request, place = line.split()
        runs.begun.add((request, int(place)))
        runs.jobs[request.partition(".")[0], int(place)].add(job)
        if word in OVER:
            runs.ends[job].append(float(at))
    return runs


def audit(site: PeerSite, ledger: Ledger, havoc: PeerHavoc) -> Column:
    """Wait until all jobs have ended, then compare the peer's answers with the file of runs."""
    began, tokens = time.monotonic(), list(ledger.expected)
    eventually(lambda: site.states(tokens), within=60)

    def all_ended() -> bool:
        return {*_states(site, tokens).values()} <= {*ENDED, "unknown"}

    with suppress(AssertionError):  # stuck jobs are collected below
        eventually(all_ended, within=QUIET, every=1)
    quiet_after = time.monotonic() - began
    states, runs = _states(site, tokens), runs_of(site.runs)
    column = Column(
        name=site.name,
        tasks=len(tokens),
        batches=ledger.posts,
        blows=havoc.blows,
        again=runs.more_than_once,
        doubled=runs.doubled,
        recovery=runs.recovery(ledger),
        quiet_after=quiet_after,
        ends=Counter(states.values()),
        leftovers=site.leftovers(),
        unanswered=sum(not request.answered for request in ledger.requests.values()),
        halves=_halves(site, ledger, havoc, runs),
    )
    for token in tokens:
        unsure = abs(ledger.answered_at[token] - havoc.wiped_at) < 1  # Redis was read just before it was wiped
        wiped = token in havoc.wiped or unsure
        _judge(column, token, states[token], ledger, done=token in runs.ends, wiped=wiped)
    column.forgotten_by_wipe = sum(runs.ends[token][-1] < havoc.wiped_at for token in column.forgotten)
    return column


def _judge(column: Column, token: str, state: str, ledger: Ledger, *, done: bool, wiped: bool) -> None:
    if state == "unknown" and done:
        column.forgotten.append(token)
    elif token in ledger.canceled and state in (*ENDED, "unknown"):
        return
    elif state == "unknown":
        column.lost.append(token)
        if wiped:
            column.wiped.append(token)
    elif state not in ENDED:
        column.stuck.append(token)
    elif state != ENDS[ledger.expected[token]]:
        column.wrong.append(token)


def _states(site: PeerSite, tokens: list[str]) -> dict[str, str]:
    """Return each job's state.

    Celery reports `open` for a queued job and for an unknown one. So a job that Redis does not hold is `unknown`.
    """
    waiting = site.waiting()
    found = site.states(tokens)
    return {token: "unknown" if found[token] == "open" and token not in waiting else found[token] for token in tokens}


def _halves(site: PeerSite, ledger: Ledger, havoc: PeerHavoc, runs: Runs) -> list[str]:
    """Return the requests without an answer that were only partly stored.

    An element counts as stored if it has begun, or if Redis holds it now or held it when it was wiped.
    """
    kept = runs.begun | {*havoc.wiped.values()} | {*site.waiting().values()}
    counts = Counter(request for request, _ in kept)
    return [
        f"{name}: {counts[name]} of {request.size}"
        for name, request in ledger.requests.items()
        if not request.answered and 0 < counts[name] < request.size
    ]


def history(site: PeerSite, ledger: Ledger, havoc: PeerHavoc, token: str) -> str:
    """Return everything about a job: the time of its answer, its runs, the blows around them, and its log lines."""
    runs = site.runs.read_text("utf-8").splitlines()
    lines = [(float(line.split()[0]), line) for line in runs if token in line]
    if token in ledger.answered_at:
        lines.append((ledger.answered_at[token], f"answered, {ledger.expected[token]}"))
    if lines:
        first, last = min(lines)[0] - 2, max(lines)[0] + 4
        lines += [(at, f"* {name}") for at, name in havoc.log if first < at < last]
    shown = [f"  {at:.3f} {line}" for at, line in sorted(lines)]
    shown += [f"  log: {line[:300]}" for line in site.log.splitlines() if token in line][:12]
    shown.append(f"  Redis holds it: {token in site.waiting()}; at the wipe: {token in havoc.wiped}")
    return "\n".join([f"-- {token}", *shown])
