"""The write lock of SQLite. Each lock object has its own open file, as if it belonged to a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from queue_tool.store.engine.write_lock import WriteLock
from tests.support import LIMIT, eventually

OTHERS = 6
TURNS = 50


@pytest.fixture
def locks(tmp_path: Path) -> Iterator[list[WriteLock]]:
    with ExitStack() as stack:
        yield [stack.enter_context(closing(WriteLock(tmp_path / "lock", LIMIT))) for _ in range(OTHERS)]


def test_one_process_at_a_time_has_the_lock(locks: list[WriteLock], threads: ThreadPoolExecutor) -> None:
    inside, most, turns = 0, 0, 0

    def work(lock: WriteLock) -> None:
        nonlocal inside, most, turns
        for _ in range(TURNS):
            with lock.hold():
                inside += 1
                most = max(most, inside)
                turns += 1
                inside -= 1

    for future in [threads.submit(work, lock) for lock in locks for _ in range(3)]:
        future.result(LIMIT)
    assert (most, turns) == (1, OTHERS * 3 * TURNS)


def test_who_stops_waiting_leaves_no_lock_behind(tmp_path: Path, locks: list[WriteLock]) -> None:
    with closing(WriteLock(tmp_path / "lock", 0.05)) as impatient:
        with locks[0].hold():
            for _ in range(3):
                with pytest.raises(TimeoutError, match="another process is writing"), impatient.hold():
                    pass
        with locks[1].hold():
            pass
        with impatient.hold():
            pass


def test_a_closed_lock_leaves_no_thread_and_no_open_file(tmp_path: Path, locks: list[WriteLock]) -> None:
    def opened() -> int:
        files = [link.resolve() for link in Path("/proc/self/fd").iterdir()]
        return files.count((tmp_path / "lock").resolve())

    with locks[0].hold():
        impatient = WriteLock(tmp_path / "lock", 0.05)
        with pytest.raises(TimeoutError), impatient.hold():
            pass
        impatient.close()
    eventually(lambda: opened() == 1)
    with impatient.hold(), pytest.raises(TimeoutError), WriteLock(tmp_path / "lock", 0.05).hold():
        pass
    impatient.close()
