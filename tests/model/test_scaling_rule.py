"""The scale of a supervisor, and the automatic rule: always within its bounds, and steady under a constant load."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from queue_tool.errors import OutOfBounds
from queue_tool.model.scale import Scale, first_scale
from queue_tool.model.scaling_rule import EFFECT, OLD, QUIET_FOR, Load, Trend, decide

EVERY = 5.0
"""Seconds between two looks."""

HOUR = int(3600 / EVERY)
"""Looks."""

few = settings(max_examples=40, deadline=None)


def scale(minimum: int, maximum: int, wanted: int) -> Scale:
    return Scale(minimum=minimum, maximum=maximum, wanted=wanted, automatic=True)


bounds = some.tuples(some.integers(0, 5), some.integers(1, 5)).map(lambda pair: (pair[0], pair[0] + pair[1]))
loads = some.builds(Load, oldest=some.floats(0, 100), busy=some.floats(0, 1))


def sizes(first: Scale, seen: Iterable[Load]) -> Iterator[int]:
    """Return how many workers there are after each look."""
    trend, now = Trend(), first
    for look, load in enumerate(seen):
        wanted, trend = decide(trend, load, now, look * EVERY)
        now = now.near(wanted)
        assert now.wanted == wanted, "outside of its bounds"
        yield wanted


def constant(demand: float, first: Scale, looks: int) -> list[int]:
    """Return the sizes under a demand for so many workers. What they do not do waits, and they do it later."""
    trend, now, waiting, found = Trend(), first, 0.0, []
    for look in range(looks):
        done = min(float(now.wanted), demand + waiting / EVERY)
        waiting = max(0.0, waiting + (demand - done) * EVERY)
        busy = done / now.wanted if now.wanted else 1.0
        oldest = waiting / demand if demand else 0.0
        wanted, trend = decide(trend, Load(oldest=oldest, busy=busy), now, look * EVERY)
        now = now.near(wanted)
        found.append(wanted)
    return found


@given(bounds, some.integers(0, 12), some.lists(loads, max_size=60))
def test_the_number_stays_within_its_bounds_and_changes_by_one(
    limits: tuple[int, int], wanted: int, seen: list[Load]
) -> None:
    first = scale(*limits, 0).near(wanted)
    found = [first.wanted, *sizes(first, seen)]
    assert all(limits[0] <= each <= limits[1] for each in found)
    assert all(abs(after - before) <= 1 for before, after in pairwise(found))


@few
@given(bounds, some.integers(0, 12), some.floats(0, 12))
def test_under_a_constant_load_the_number_settles(limits: tuple[int, int], wanted: int, demand: float) -> None:
    found = constant(demand, scale(*limits, 0).near(wanted), HOUR)
    assert len({*found[-HOUR // 6 :]}) == 1
    changes = [after - before for before, after in pairwise(found) if after != before]
    turns = sum(one != other for one, other in pairwise(changes))
    assert turns <= 1  # it may grow to do what waits, and shrink when that is done


@few
@given(some.integers(1, 4), some.integers(0, 15))
def test_what_more_workers_can_do_is_done(minimum: int, quarters: int) -> None:
    demand = minimum + quarters / 2 + 0.25  # one that is a little too much lets tasks wait long only after hours
    found = constant(demand, scale(minimum, 12, minimum), HOUR // 4)
    assert found[-1] >= min(demand, 12)


def test_it_grows_while_tasks_wait_and_shrinks_after_each_quiet_minute() -> None:
    pressed, idle = Load(oldest=OLD, busy=1.0), Load(oldest=0.0, busy=0.0)
    seen = [*[pressed] * int(EFFECT / EVERY + 1) * 2, *[idle] * int(QUIET_FOR / EVERY + 1) * 3]
    found = [*sizes(scale(1, 3, 1), seen)]
    assert [size for size, before in zip(found, [1, *found], strict=False) if size != before] == [2, 3, 2, 1]
    assert found[-1] == 1


@pytest.mark.parametrize(
    "load",
    [Load(oldest=1000.0, busy=0.6), Load(oldest=0.0, busy=1.0), Load(oldest=OLD - 0.1, busy=1.0)],
    ids=["they wait for something else than workers", "busy, but nobody waits", "nobody waits long"],
)
def test_it_does_not_grow_without_a_need(load: Load) -> None:
    assert {*sizes(scale(1, 3, 2), [load] * HOUR)} == {2}


def test_the_last_worker_goes_only_if_it_does_nothing_and_comes_back_for_the_first_task() -> None:
    looks = int(QUIET_FOR / EVERY) + 2
    assert {*sizes(scale(0, 3, 1), [Load(oldest=0.0, busy=0.01)] * looks)} == {1}
    found = [*sizes(scale(0, 3, 1), [*[Load(oldest=0.0, busy=0.0)] * looks, *[Load(oldest=OLD, busy=1.0)] * 3])]
    assert (found[looks - 1], found[-1]) == (0, 1)


def test_a_number_that_a_request_has_set_is_the_new_beginning() -> None:
    idle = Load(oldest=0.0, busy=0.0)
    trend = Trend()
    for look in range(int(QUIET_FOR / EVERY)):
        _, trend = decide(trend, idle, scale(1, 3, 2), look * EVERY)
    wanted, _ = decide(trend, idle, scale(1, 3, 3), QUIET_FOR)
    assert wanted == 3


# -- the scale ---------------------------------------------------------------------------------------------


def test_a_scale_is_changed_within_its_bounds() -> None:
    here = scale(1, 4, 2)
    assert (here.more(2).wanted, here.fewer(1).wanted) == (4, 1)
    assert here.changed(minimum=3) == scale(3, 4, 3)
    assert here.changed(maximum=1) == scale(1, 1, 1)
    assert here.changed(minimum=5, maximum=9, wanted=6, automatic=False) == Scale(
        minimum=5, maximum=9, wanted=6, automatic=False
    )


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda here: here.more(3), "5 workers would be more than the maximum of 4."),
        (lambda here: here.fewer(2), "0 workers would be fewer than the minimum of 1."),
        (lambda here: here.fewer(9), "0 workers would be fewer than the minimum of 1."),
        (lambda here: here.changed(wanted=5), "5 workers would be more than the maximum of 4."),
        (lambda here: here.changed(minimum=5), "The minimum 5 would be above the maximum 4."),
    ],
)
def test_what_is_out_of_bounds_is_refused(change: object, sentence: str) -> None:
    assert callable(change)
    with pytest.raises(OutOfBounds) as caught:
        change(scale(1, 4, 2))
    assert caught.value.sentence == sentence


@pytest.mark.parametrize(
    ("workers", "most", "expected"),
    [
        (1, None, (1, 8, 1, False)),
        (0, None, (0, 8, 0, False)),
        (20, None, (1, 20, 20, False)),
        (2, 6, (2, 6, 2, True)),
    ],
)
def test_the_settings_say_the_first_scale(workers: int, most: int | None, expected: tuple[int, int, int, bool]) -> None:
    found = first_scale(workers, most, processors=2)
    assert (found.minimum, found.maximum, found.wanted, found.automatic) == expected
