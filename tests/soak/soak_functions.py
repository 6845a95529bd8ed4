"""Functions of every kind, in each lane: the descriptors, threads, processes and memory of a worker do not grow.

SOAK=0.05 python -m pytest tests/soak/soak_functions.py    with a twentieth of the tasks
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis import Redis

from queue_tool.host import processes
from queue_tool.model.states import Code, State
from tests.conftest import RuntimeFactory
from tests.soak import functions
from tests.support import eventually
from tests.worker.faults.site import Site, mebibytes

SHARE = float(os.environ.get("SOAK", "1"))

LANES = ("loop", "threads", "isolated")

TASKS = 200_000
"""How many tasks each lane runs."""

ROUNDS = 10

EACH = 200
"""Of so many tasks, each kind has its share."""

MOST_MEBIBYTES = 20.0

MOST_MORE = 3
"""Descriptors and threads that may differ: connections, and what waits for a command that has just ended."""

WITHIN = 1800.0
"""Seconds for one round."""


@dataclass(frozen=True)
class Size:
    """What a worker holds."""

    descriptors: int
    threads: int
    processes: int
    mebibytes: float

    @classmethod
    def of(cls, pid: int) -> Size:
        """Return what a worker holds now."""
        alive = [int(each.name) for each in Path("/proc").iterdir() if each.name.isdecimal()]
        return cls(
            descriptors=len([*Path(f"/proc/{pid}/fd").iterdir()]),
            threads=len([*Path(f"/proc/{pid}/task").iterdir()]),
            processes=sum(processes.descends_from(each, pid) for each in alive),
            mebibytes=mebibytes(pid),
        )


@pytest.fixture
def site(tmp_path: Path, make_runtime: RuntimeFactory, redis: Redis, valkey_server: str) -> Iterator[Site]:
    """A site with this test's store and the session's Valkey; its workers are killed after the test."""
    runtime = make_runtime(REDIS_URL=valkey_server, TASKS=functions.__name__)
    made = Site(tmp_path, runtime, redis, valkey_server)
    yield made
    made.kill_all()


def send(site: Site, lane: str, count: int) -> None:
    """Send a number of tasks to a lane, of all kinds in turn."""
    kinds = [name for work, share in functions.SHARES.items() for name in [work.__name__] * share]
    kinds += ["command"] * functions.COMMANDS + ["late"] * functions.LATE
    assert len(kinds) == EACH
    sent = [kinds[number * 7 % EACH] for number in range(count)]
    soaking = [kind for kind in sent if kind != "late"]
    for first in range(0, len(soaking), 5000):
        site.send(f"soak.{lane}", soaking[first : first + 5000])
    site.send(f"late.{lane}", ["late"] * (count - len(soaking)))


def require_no_more(before: Size, pid: int) -> bool:
    """Require that a worker holds no more than before, apart from a little."""
    now = Size.of(pid)
    assert now.descriptors <= before.descriptors + MOST_MORE, (before, now)
    assert now.threads <= before.threads + MOST_MORE, (before, now)
    assert now.processes <= before.processes, (before, now)
    assert now.mebibytes <= before.mebibytes + MOST_MEBIBYTES, (before, now)
    return True


@pytest.mark.timeout(WITHIN * ROUNDS)
@pytest.mark.parametrize("lane", LANES)
def test_functions_of_every_kind_leave_nothing_in_their_worker(site: Site, lane: str) -> None:
    worker = site.start_cold(TASKS=functions.__name__)
    count = max(1, int(TASKS * SHARE) // ROUNDS // EACH) * EACH
    send(site, lane, count)
    site.await_end(WITHIN)
    before = Size.of(worker.pid)
    for _ in range(ROUNDS - 1):
        send(site, lane, count)
        site.await_end(WITHIN)
    eventually(lambda: require_no_more(before, worker.pid))
    print(lane, count * ROUNDS, before, Size.of(worker.pid))  # noqa: T201 - `pytest -s` shows it
    assert worker.poll() is None
    site.stop(worker)
    codes = dict(site.rows("SELECT coalesce(code, 'none'), count(*) FROM tasks GROUP BY code"))
    total, shares = count * ROUNDS, functions.SHARES
    expected = {
        Code.ERROR: shares[functions.raises],
        Code.ABORTED: shares[functions.aborts],
        Code.BAD_RESULT: shares[functions.returns_no_json],
        Code.TIMEOUT: functions.LATE,
    }
    expected_codes = {code.value: number * total // EACH for code, number in expected.items()}
    assert codes == expected_codes | {"none": total - sum(expected_codes.values())}
    assert site.count(State.FINISHED) == codes["none"]
    site.require_each_task_ended_once()
    site.require_clean_redis()
