"""Messages: a pop that waits, and the orders of many threads in one transaction."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta

from queue_tool.errors import StoreAway
from queue_tool.runtime import Runtime
from queue_tool.services.messages import Messages
from queue_tool.services.together import Together
from queue_tool.services.wait import Wait
from tests.conftest import RuntimeFactory
from tests.support import eventually

LONG = 60.0
"""Seconds that no test here lasts: a wait this long ends early or the test fails."""


def is_watched() -> bool:
    return any(thread.name == "watcher" for thread in threading.enumerate())


# -- a pop that waits --------------------------------------------------------------------------------------


def test_a_pop_that_waits_gets_a_message_that_another_process_pushes(
    make_runtime: RuntimeFactory, threads: ThreadPoolExecutor
) -> None:
    here, elsewhere = make_runtime(), make_runtime()
    waiting = threads.submit(here.messages.pop_in_time, "a", None, LONG, None)
    eventually(is_watched)
    elsewhere.messages.push("b", 1)
    elsewhere.messages.push("a", {"n": 2})
    popped = waiting.result(LONG / 2)
    assert popped.has_waited
    assert popped.message is not None
    assert popped.message.body == '{"n":2}'
    assert here.messages.count("b").waiting == 1


def test_of_many_that_wait_each_gets_one_message_and_the_others_go_on_waiting(
    inline: Runtime, threads: ThreadPoolExecutor
) -> None:
    waiting = [threads.submit(inline.messages.pop_in_time, "a", None, LONG, None) for _ in range(20)]
    eventually(is_watched)
    for number in range(19):
        inline.messages.push("a", number)
    eventually(lambda: sum(one.done() for one in waiting) == 19)
    inline.messages.push("a", 19)
    found = [one.result(LONG / 2).message for one in waiting]
    assert sorted(int(message.body) for message in found if message) == list(range(20))


def test_a_pop_that_waits_gets_the_message_whose_lease_runs_out(inline: Runtime, threads: ThreadPoolExecutor) -> None:
    inline.messages.push("a", 1)
    assert inline.messages.pop("a", lease=1)
    popped = inline.messages.pop_in_time("a", None, LONG, None)
    assert popped.message is not None
    assert popped.message.deliveries == 2


def test_a_client_that_has_left_gets_no_message(inline: Runtime, threads: ThreadPoolExecutor) -> None:
    leaving: list[Callable[[], None]] = []
    waiting = threads.submit(inline.messages.pop_in_time, "a", None, LONG, leaving.append)
    eventually(is_watched)
    eventually(lambda: len(leaving) == 2)
    for leave in leaving:
        leave()
    assert waiting.result(LONG / 2).message is None
    inline.messages.push("a", 1)
    assert inline.messages.count("a").waiting == 1


def test_a_pop_does_not_wait_if_the_time_is_zero_or_too_many_wait(inline: Runtime) -> None:
    full = Messages(inline.store, Wait(inline.store, 0), inline.telemetry, inline.clock, 10)
    assert not full.pop_in_time("a", None, LONG, None).has_waited
    assert inline.messages.pop_in_time("a", None, 0, None).has_waited
    full.push("a", 1)
    assert full.pop_in_time("a", None, LONG, None).message is not None


def test_a_lease_ends_after_its_seconds(inline: Runtime) -> None:
    inline.messages.push("a", 1)
    before = inline.clock.now()
    popped = inline.messages.pop("a", lease=30)
    assert popped is not None
    assert popped.leased_until is not None
    assert timedelta(seconds=30) <= popped.leased_until - before
    assert popped.leased_until - inline.clock.now() <= timedelta(seconds=30)


# -- the orders of many threads ----------------------------------------------------------------------------


@dataclass
class Doubling:
    """Doubles numbers, and waits before its first group until the test lets it go on."""

    groups: list[list[int]] = field(default_factory=list)
    may_begin: threading.Event = field(default_factory=threading.Event)
    error: Exception | None = None

    def __call__(self, numbers: Sequence[int]) -> Sequence[int]:
        self.may_begin.wait(20)
        self.groups.append(list(numbers))
        if self.error is not None and 13 in numbers:
            raise self.error
        return [2 * number for number in numbers]


def gathered(threads: ThreadPoolExecutor, doubling: Doubling, count: int) -> list[object]:
    """Give numbers to many threads while the first group is busy; return the answers, or the error of each."""
    together = Together[int, int](doubling)
    futures = [threads.submit(together, 0)]
    eventually(lambda: together.is_busy)
    for number in range(1, count):
        futures.append(threads.submit(together, number))
        eventually(lambda: together.waiting == number)
    doubling.may_begin.set()
    found: list[object] = [future.exception(20) or future.result() for future in futures]
    assert (together.is_busy, together.waiting) == (False, 0)
    return found


def test_what_gathers_while_a_group_is_carried_out_is_the_next_group(threads: ThreadPoolExecutor) -> None:
    doubling = Doubling()
    assert gathered(threads, doubling, 30) == [2 * number for number in range(30)]
    assert doubling.groups == [[0], list(range(1, 30))]


def test_only_the_order_that_is_at_fault_fails(threads: ThreadPoolExecutor) -> None:
    doubling = Doubling(error=ValueError("13"))
    found = gathered(threads, doubling, 20)
    assert [answer for answer in found if isinstance(answer, ValueError)] == [doubling.error]
    assert found[13] is doubling.error
    assert doubling.groups == [[0], list(range(1, 20)), *[[number] for number in range(1, 20)]]


def test_all_orders_of_a_group_fail_while_the_database_is_away(threads: ThreadPoolExecutor) -> None:
    doubling = Doubling(error=StoreAway())
    found = gathered(threads, doubling, 20)
    assert found == [0, *[doubling.error] * 19]
    assert len(doubling.groups) == 2
