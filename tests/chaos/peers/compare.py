"""`make chaos PEERS=1`: this project, Flask + RQ and Flask + Celery under the same load and blows, in one table."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager

from bench.environments import CELERY, RQ
from tests.chaos.audit import audit as audit_ours
from tests.chaos.havoc import Havoc
from tests.chaos.peers.audit import Column, audit, history, runs_of
from tests.chaos.peers.havoc import PeerHavoc
from tests.chaos.peers.site import PeerSite, flask_and_celery, flask_and_rq
from tests.chaos.peers.strike import Plan, Target, strike
from tests.chaos.sites import sqlite_and_valkey

LONG = 120.0
"""Seconds of blows on each system."""

RATE = 4.0
"""Tasks that all clients together send per second, about: half of what two RQ workers can do during the blows."""

SHOWN = 2
"""How many jobs of each finding are printed with their history."""


PEERS: dict[str, Callable[[], AbstractContextManager[PeerSite]]] = {"rq": flask_and_rq, "celery": flask_and_celery}


def compare(seed: int) -> int:
    """Run all systems, or those that `PEERS` names, and print the table.

    Returns:
        The exit code 0, also if a peer loses something.
    """
    plan = Plan(seed, float(os.environ.get("SECONDS") or LONG), float(os.environ.get("RATE") or RATE))
    names = os.environ["PEERS"].split(",")
    chosen = ["ours", *PEERS] if names == ["1"] else names
    for environment in (RQ, CELERY):
        environment.install()
    print(f"Chaos beside peers, SEED={seed}: {plan.seconds:g} s of blows on each, {plan.rate:g} tasks/s.", flush=True)
    columns = []
    for name in chosen:
        columns.append(ours(plan) if name == "ours" else peer(PEERS[name], plan))
        print(f"\n{columns[-1].name}: {columns[-1].ends} after {dict(columns[-1].blows)}", flush=True)
    print("\n" + table(columns), flush=True)
    return 0


def ours(plan: Plan) -> Column:
    """Run this project on SQLite; return its column."""
    with sqlite_and_valkey(tasks="tests.chaos.peers.our_tasks") as site:
        site.system.start()
        site.record_ends()
        havoc, path = Havoc(site, plan.seed), site.system.directory / "runs"

        def kill_web() -> None:
            web = site.system.child("web")
            for pid in [web, *site.system.children(web)]:
                os.kill(pid, signal.SIGKILL)

        target = Target(url=site.system.url(""), runs=path, once=True, kill_web=kill_web)
        ledger = strike(target, havoc, plan)
        try:
            found = audit_ours(site, ledger, havoc)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{site.system.log[-5000:]}") from error
        runs = runs_of(path)
        site.system.stop()
        return Column(
            name="ours",
            tasks=found.tokens,
            batches=ledger.posts,
            blows=havoc.blows,
            lost=[token for token in found.lost if token not in runs.ends],
            forgotten=[token for token in found.lost if token in runs.ends],
            stuck=found.stuck,
            wrong=found.wrong,
            again=runs.more_than_once,
            halves=found.halves,
            unanswered=sum(not request.answered for request in ledger.requests.values()),
            doubled=runs.doubled,
            leftovers=found.leftovers,
            recovery=runs.recovery(ledger),
            quiet_after=found.quiet_after,
            ends=found.ends,
        )


def peer(make: Callable[[], AbstractContextManager[PeerSite]], plan: Plan) -> Column:
    """Run a peer, and print the histories of its faults; return its column."""
    with make() as site:
        havoc = PeerHavoc(site, plan.seed)
        target = Target(url=site.url(""), runs=site.runs, once=False, kill_web=havoc.kill_web)
        ledger = strike(target, havoc, plan)
        column = audit(site, ledger, havoc)
        not_wiped = [token for token in column.lost if token not in column.wiped]
        faults = {"lost": not_wiped, "lost, wiped": column.wiped, "forgotten": column.forgotten}
        faults |= {"stuck": column.stuck, "wrong end": column.wrong, "ended again": column.again}
        for fault, tokens in faults.items():
            if tokens:
                print(f"\n== {site.name}, {fault}: {len(tokens)}")
                print("\n".join(history(site, ledger, havoc, token) for token in tokens[:SHOWN]), flush=True)
        for fault, found in (("half-kept", column.halves), ("leftovers", column.leftovers)):
            print(f"== {site.name}, {fault}: {found[:20]}", flush=True)
        return column


def table(columns: list[Column]) -> str:
    """Return the table, as Markdown."""
    rows: dict[str, list[str]] = {
        "tasks answered, in batches": [f"{column.tasks} in {column.batches}" for column in columns],
        "blows, of these kills": [
            f"{column.blows.total()}, {sum(count for name, count in column.blows.items() if 'kill' in name)}"
            for column in columns
        ],
        "lost: answered, never done, known to nobody": [str(len(column.lost)) for column in columns],
        "of these by the wipe of Redis": [str(len(column.wiped)) for column in columns],
        "forgotten: done, but nobody knows": [str(len(column.forgotten)) for column in columns],
        "of these by the wipe, too": [str(column.forgotten_by_wipe) for column in columns],
        "stuck: without an end when it was quiet": [str(len(column.stuck)) for column in columns],
        "wrong end": [str(len(column.wrong)) for column in columns],
        "ran to its end more than once": [str(len(column.again)) for column in columns],
        "requests without an answer, of these half-kept": [
            f"{column.unanswered}, {len(column.halves)}" for column in columns
        ],
        "elements done twice because the client asked again": [str(column.doubled) for column in columns],
        "leftovers in Redis": [str(len(column.leftovers)) for column in columns],
        "longest recovery, s": [f"{column.recovery:.0f}" for column in columns],
        "quiet after the last blow, s": [f"{column.quiet_after:.0f}" for column in columns],
    }
    head = ["", *(column.name for column in columns)]
    lines = [head, ["---"] * len(head), *([name, *cells] for name, cells in rows.items())]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
