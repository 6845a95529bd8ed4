"""`make chaos`: load, random faults and an audit on each kind of system; the exit code is 1 if anything is wrong."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from pika import URLParameters

from tests import rabbitmq
from tests.chaos import amqp, webhooks
from tests.chaos.amqp import AmqpClient
from tests.chaos.audit import Findings, audit, history
from tests.chaos.havoc import Havoc
from tests.chaos.load import Client, Sent, SmallClient
from tests.chaos.messages import Audit, Messenger, Traffic
from tests.chaos.messages import audit as audit_messages
from tests.chaos.sites import Site, has_servers, postgres_and_redis, sqlite_and_valkey
from tests.chaos.waits import reasons
from tests.ingest.proxy import proxy
from tests.receiver import receiver

CLIENTS = 4
SMALL_CLIENTS = 8
PUBLISHERS = 3
MESSENGERS = 2
RABBIT = "CHAOS_RABBITMQ"
"""The variable with the URL of the RabbitMQ for the runs at the same time."""

QUICK = 22.0
LONG = 570.0
"""Seconds of faults on each system: LONG by default, QUICK with QUICK=1, then on all of them at the same time."""

RATE = 40.0
"""Tasks that all clients together send per second, about."""

AMQP_RATE = 60.0
"""The same for the clients that send over RabbitMQ, where it is installed."""

SMALL_RATE = 20.0
"""The same for all small clients, one task in a request."""

LONG_WAIT = 10.0
"""Seconds. What happened during a longer wait of one task is printed."""

LAST_LINES = 400
"""Lines of the log that are printed if the system does not come back, before the log goes with its directory."""

SHOWN = 3
"""How many tokens of each finding are printed with their history."""


def main() -> int:
    """Run chaos on the chosen systems; return the exit code."""
    seed = int(os.environ.get("SEED") or secrets.randbelow(10**6))
    if os.environ.get("PEERS"):
        from tests.chaos.peers.compare import compare

        return compare(seed)
    quick = bool(os.environ.get("QUICK"))
    seconds = QUICK if quick else float(os.environ.get("SECONDS") or LONG)
    sites = {"sqlite": sqlite_and_valkey, "postgres": postgres_and_redis}
    chosen = [os.environ["SITE"]] if os.environ.get("SITE") else list(sites)
    if not has_servers() and not os.environ.get("NO_SKIPS"):
        print("PostgreSQL or redis-server is not installed on this machine, so chaos runs only on SQLite and Valkey.")
        chosen = ["sqlite"]
    if quick and len(chosen) > 1:
        return _run_at_once(chosen, seed)
    print(f"Chaos with SEED={seed}: {seconds:g} s on {' and '.join(chosen)}.", flush=True)
    return max(_run_on(sites[name], seed, seconds) for name in chosen)


def _run_at_once(chosen: list[str], seed: int) -> int:
    """Run chaos on each system in a process of its own; return the highest exit code.

    Much of the time goes into waits, so this takes half as long. The figures of a long run come from one system at a
    time.
    """
    with rabbitmq_url() as rabbit:
        shared = os.environ | {"SEED": str(seed), RABBIT: rabbit}
        runs = [subprocess.Popen([sys.executable, "-m", "tests.chaos"], env=shared | {"SITE": name}) for name in chosen]
        return max(run.wait() % 256 for run in runs)


@contextmanager
def rabbitmq_url() -> Iterator[str]:
    """Yield the URL of a RabbitMQ that is starting, which the runs share; an empty text if it is not installed."""
    if RABBIT in os.environ or not rabbitmq.installed():
        yield os.environ.get(RABBIT, "")
        return
    with TemporaryDirectory(prefix="chaos") as folder:
        yield rabbitmq.begin(Path(folder)).url


def _run_on(make: Callable[[], AbstractContextManager[Site]], seed: int, seconds: float) -> int:
    with make() as site, receiver() as listens, rabbitmq_url() as rabbit, ExitStack() as ends:
        queue = f"chaos.{secrets.token_hex(4)}"
        if rabbit:
            site.rabbit = ends.enter_context(proxy(URLParameters(rabbit).port))
            site.system.settings |= {"AMQP_URL": site.rabbit.url, "AMQP_QUEUE": queue}
        site.system.start()
        site.record_ends()
        webhooks.register(site, listens)
        sent, stopping = Sent(), threading.Event()
        clients = [
            Client(site.system.url(""), sent, seed + number, rate=RATE / CLIENTS, stopping=stopping)
            for number in range(CLIENTS)
        ]
        clients += [
            SmallClient(site.system.url(""), sent, -seed - number, rate=SMALL_RATE / SMALL_CLIENTS, stopping=stopping)
            for number in range(1, SMALL_CLIENTS + 1)
        ]
        publishers = [
            AmqpClient(
                rabbit,
                queue,
                site.system.url(""),
                sent,
                seed + 100 + number,
                rate=AMQP_RATE / PUBLISHERS,
                stopping=stopping,
            )
            for number in range(PUBLISHERS if rabbit else 0)
        ]
        clients += publishers
        traffic = Traffic()
        messengers = [
            Messenger(site.system.url(""), traffic, number, seed + number, stopping) for number in range(MESSENGERS)
        ]
        for client in (*clients, *messengers):
            client.start()
        havoc, began = Havoc(site, seed), time.monotonic()
        try:
            havoc.run_for(seconds)
        except BaseException:
            print("\n".join(site.system.log.splitlines()[-LAST_LINES:]), flush=True)
            raise
        finally:
            stopping.set()
        for client in (*clients, *messengers):
            client.join(120)
        messages = audit_messages(site.system.url(""), traffic)
        findings = audit(site, sent, havoc)
        findings.messages += [*messages.missing, *messages.doubled, *amqp.faults(site, publishers)]
        findings.untold, findings.told = webhooks.faults(site, listens)
        _report(site, sent, havoc, findings, time.monotonic() - began)
        _report_messages(messages)
        if findings.wait.seconds > LONG_WAIT:
            print("\n".join(("  while it waited:", *(f"    {line}" for line in reasons(site, havoc, findings.wait)))))
        if os.environ.get("VERBOSE"):
            print(history(site, findings.wait.token))
        if findings.faults:
            _print_faults(site, findings, havoc, seed)
            return 1
        return 0 if site.system.stop() == 0 else 1


def _report(site: Site, sent: Sent, havoc: Havoc, found: Findings, seconds: float) -> None:
    kills = sum(count for name, count in havoc.blows.items() if name.startswith("kill"))
    print(
        f"\n{site.name}, {seconds:.0f} s: {found.tokens} tasks in {sent.posts} batches, {kills} kills, "
        f"{havoc.blows.total()} blows ({', '.join(f'{name} {count}' for name, count in sorted(havoc.blows.items()))})\n"
        f"  lost {len(found.lost)}, stuck {len(found.stuck)}, ended twice {len(found.twice)}, wrong end "
        f"{len(found.wrong)}, wrong counts {len(found.counts)}, half-kept batches {len(found.halves)}, wrongly "
        f"followed {len(found.followed)}, leftovers in Redis {len(found.leftovers)}\n"
        f"  a webhook heard of {found.told} ends, wrong {len(found.untold)}\n"
        f"  longest recovery {found.recovery:.1f} s, all ended {found.quiet_after:.1f} s after the last blow\n"
        f"  one task waited {found.wait}\n"
        f"  ends: {dict(sorted(found.ends.items()))}, of these worker_lost {found.worker_lost}\n"
        f"  requests without an answer {found.unanswered}, sent again until answered {sent.repeated}",
        flush=True,
    )


def _report_messages(found: Audit) -> None:
    print(
        f"  messages: {found.pushed} pushed, {found.delivered} deliveries, lost {len(found.missing)}, given twice "
        f"{len(found.doubled)}; removed by pops without a lease whose answers were lost: {found.excused}",
        flush=True,
    )


def _print_faults(site: Site, found: Findings, havoc: Havoc, seed: int) -> None:
    print(f"\nThe audit failed. Repeat the run with: SEED={seed} make chaos\n", flush=True)
    for at, name in havoc.log:
        moment = time.strftime("%H:%M:%S", time.gmtime(at))
        print(f"  {moment}.{int(at % 1 * 1000):03d} {name}")
    for name, tokens in found.faults.items():
        print(f"\n== {name}: {tokens[:20]}")
        for token in tokens[:SHOWN]:
            print(history(site, token.split(":")[-1].split("-")[0].strip()))


if __name__ == "__main__":
    sys.exit(main())
