"""The audit of a peer: what Flask answers, what Redis holds, and what the file of runs knows."""

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
"""Seconds after the last blow in which everything may end: more than ours has, for what the peers wait for."""

OVER = ("end", "gave-up")
"""Words of the file of runs that say that nothing is left to do."""


@dataclass(slots=True)
class Runs:
    """What really ran."""

    ends: dict[str, list[float]]  # when each job came to its end, by its id
    begun: set[Mark]
    jobs: dict[tuple[str, int], set[str]]  # what did an element, by the request without its repetition, and the place

    @property
    def more_than_once(self) -> list[str]:
        """Return the jobs that ran to their end more than once."""
        return [job for job, moments in self.ends.items() if len(moments) > 1]

    @property
    def doubled(self) -> int:
        """Return how many jobs too many did the same element, because its request had to be sent again."""
        return sum(len(jobs) - 1 for jobs in self.jobs.values())

    def recovery(self, ledger: Ledger) -> float:
        """Return the longest time from the answer to the last end, beyond what the kind takes at most."""
        waits = [
            self.ends[token][-1] - at - KINDS[ledger.expected[token]][1]
            for token, at in ledger.answered_at.items()
            if token in self.ends
        ]
        return max(waits, default=0.0)


@dataclass(slots=True, kw_only=True)
class Column:
    """One system's column of the table."""

    name: str
    tasks: int
    batches: int
    blows: Counter[str]
    lost: list[str] = field(default_factory=list)  # answered, known to nobody, and never done
    wiped: list[str] = field(default_factory=list)  # of these, Redis held them when it was wiped
    forgotten: list[str] = field(default_factory=list)  # done, and nobody knows how
    forgotten_by_wipe: int = 0  # of these, done before Redis was wiped
    stuck: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    again: list[str] = field(default_factory=list)  # ran to its end more than once
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
    """Wait until everything has ended, and look at all of it."""
    began, tokens = time.monotonic(), list(ledger.expected)
    eventually(lambda: site.states(tokens), within=60)

    def all_ended() -> bool:
        return {*_states(site, tokens).values()} <= {*ENDED, "unknown"}

    with suppress(AssertionError):  # what is stuck is found below
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
        just_then = abs(ledger.answered_at[token] - havoc.wiped_at) < 1  # between the look and the wipe
        wiped = token in havoc.wiped or just_then
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
    """Return each job's state; `open` at Celery is anything, so Redis says whether there is something to wait for."""
    waiting = site.waiting()
    found = site.states(tokens)
    return {token: "unknown" if found[token] == "open" and token not in waiting else found[token] for token in tokens}


def _halves(site: PeerSite, ledger: Ledger, havoc: PeerHavoc, runs: Runs) -> list[str]:
    """Return the requests without an answer of which a part was kept: begun, or in Redis now or when it was wiped."""
    kept = runs.begun | {*havoc.wiped.values()} | {*site.waiting().values()}
    counts = Counter(request for request, _ in kept)
    return [
        f"{name}: {counts[name]} of {request.size}"
        for name, request in ledger.requests.items()
        if not request.answered and 0 < counts[name] < request.size
    ]


def story(site: PeerSite, ledger: Ledger, havoc: PeerHavoc, token: str) -> str:
    """Return all that is known of a job: when it was answered, its runs, the blows around them, lines of the logs."""
    runs = site.runs.read_text("utf-8").splitlines()
    lines = [(float(line.split()[0]), line) for line in runs if token in line]
    if token in ledger.answered_at:
        lines.append((ledger.answered_at[token], f"answered, {ledger.expected[token]}"))
    if lines:
        first, last = min(lines)[0] - 2, max(lines)[0] + 4
        lines += [(at, f"* {name}") for at, name in havoc.diary if first < at < last]
    told = [f"  {at:.3f} {line}" for at, line in sorted(lines)]
    told += [f"  log: {line[:300]}" for line in site.log.splitlines() if token in line][:12]
    told.append(f"  Redis holds it: {token in site.waiting()}; at the wipe: {token in havoc.wiped}")
    return "\n".join([f"-- {token}", *told])
