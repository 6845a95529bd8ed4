"""Gathering: a thread takes all that waits at once, and waits a moment for clients that send one after the other."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

from queue_tool.web.serving.gathering import MOST, Gathering
from queue_tool.web.serving.patience import LONGEST, MOST_LEFT_OUT, NOBODY, Expected, Patience


def test_a_client_alone_is_never_waited_for() -> None:
    patience = Patience()
    assert {patience.after(1, 1, seconds=1.0) for _ in range(5)} == {NOBODY}


def test_all_clients_that_have_their_answer_are_waited_for_but_not_long() -> None:
    patience = Patience()
    assert patience.after(5, 8, seconds=0.002) == Expected(8, 0.001)
    assert patience.after(8, 8, seconds=9.0) == Expected(8, LONGEST)


def waits(patience: Patience, times: int, handled: int) -> list[bool]:
    """Return for each group of so many requests whether three are expected after it."""
    return [patience.after(handled, 3, seconds=0.002) != NOBODY for _ in range(times)]


def test_after_each_wait_in_vain_more_waits_are_left_out() -> None:
    patience = Patience()
    assert waits(patience, 8, handled=2) == [True, True, False, True, False, False, False, True]
    waits(patience, 10 * MOST_LEFT_OUT, handled=2)
    assert sum(waits(patience, MOST_LEFT_OUT + 1, handled=2)) == 1


def test_clients_that_come_in_time_again_are_waited_for_each_time() -> None:
    patience = Patience()
    waits(patience, 10 * MOST_LEFT_OUT, handled=2)
    waits(patience, MOST_LEFT_OUT + 1, handled=3)
    assert all(waits(patience, 5, handled=3))


def test_what_came_while_the_thread_worked_is_handled_together_and_in_order() -> None:
    groups: list[list[int]] = []
    works, may_end = threading.Event(), threading.Event()

    def handle(items: Sequence[int]) -> list[int]:
        groups.append(list(items))
        works.set()
        assert may_end.wait(30)
        return [item * 2 for item in items]

    async def ask() -> list[int | None]:
        gathering = Gathering[int, int]("test", handle)
        first = gathering(0)
        await asyncio.to_thread(works.wait, 30)
        others = [gathering(number) for number in range(1, MOST + 3)]
        may_end.set()
        return list(await asyncio.gather(first, *others))

    assert asyncio.run(ask()) == [number * 2 for number in range(MOST + 3)]
    assert groups == [[0], [*range(1, MOST + 1)], [MOST + 1, MOST + 2]]


def test_clients_that_send_one_after_the_other_end_up_in_one_group() -> None:
    groups: list[int] = []
    clients, sent = 4, 0

    def handle(items: Sequence[int]) -> list[int]:
        groups.append(len(items))
        return list(items)

    class Endless(Patience):
        """Waits for whom it expects, however long that takes."""

        def after(self, handled: int, again: int, seconds: float) -> Expected:
            return Expected(again, 30.0) if again == clients else NOBODY

    async def client(gathering: Gathering[int, int], number: int) -> None:
        nonlocal sent
        while groups.count(clients) < 5:  # the fifth such group ends all clients at once
            sent += 1
            assert await gathering(number) == number

    async def ask() -> None:
        gathering = Gathering[int, int]("test", handle, Endless())
        await asyncio.gather(*(client(gathering, number) for number in range(clients)))

    asyncio.run(ask())
    assert groups[-1] == clients
    assert sum(groups) == sent


def test_items_of_a_handler_that_fails_are_left_to_others() -> None:
    def handle(_items: Sequence[int]) -> list[int]:
        raise RuntimeError

    async def ask() -> int | None:
        return await Gathering[int, int]("test", handle)(1)

    assert asyncio.run(ask()) is None
