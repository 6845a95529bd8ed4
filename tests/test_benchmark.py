"""The pure parts of the benchmark: ratios, goals, and the texts and the chart that it makes from figures."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from bench.chart import chart
from bench.figures import Better, Goal, Row, Table, number
from bench.machine import Machine
from bench.page import page
from bench.report import terminal, verdict

OURS = Row(name="ours", values=(900.0, 1000.0, 1100.0), extra=("0.1",), ours=True)
SLOW = Row(name="slow `peer`", values=(10.0, 9.0, 11.0), extra=("7",))
FAST = Row(name="fast & <peer>", values=(2000.0,), extra=("3",))
TABLE = Table(
    part="P2",
    title="Drain",
    unit="tasks/s",
    better=Better.HIGHER,
    rows=(OURS, SLOW, FAST),
    columns=("commands",),
    charted=True,
)
MACHINE = Machine(
    processors=2, model="made up", memory=4.0, kernel="Linux 0", python="3.11.0", load=0.5, packages={"rq": "3.0.0"}
)


def test_a_row_has_the_median_and_the_spread_from_lowest_to_highest() -> None:
    assert OURS.median == 1000
    assert OURS.spread == "900 to 1,100"
    assert FAST.spread == ""


def test_a_ratio_is_how_many_times_better_we_are() -> None:
    assert TABLE.ratio(SLOW) == 100
    assert TABLE.ratio(FAST) == 0.5
    assert TABLE.ratio(OURS) is None


def test_if_lower_is_better_the_ratio_is_inverted() -> None:
    times = replace(TABLE, better=Better.LOWER)
    assert times.ratio(SLOW) == 0.01
    assert times.ratio(FAST) == 2


def test_the_ratio_uses_our_best_row() -> None:
    better = replace(OURS, name="ours, twice", values=(4000.0,))
    assert replace(TABLE, rows=(OURS, better, FAST)).ratio(FAST) == 2


def test_without_a_row_of_ours_there_is_no_ratio() -> None:
    assert replace(TABLE, rows=(FAST,)).ratio(FAST) is None


@pytest.mark.parametrize(
    ("found", "at_most", "met"),
    [
        (4.0, False, False),
        (5.0, False, True),
        (6.0, False, True),
        (4.0, True, True),
        (5.0, True, True),
        (6, True, False),
    ],
)
def test_a_goal_is_met_on_the_right_side_of_its_limit_and_exactly_at_it(found: float, at_most: bool, met: bool) -> None:
    goal = Goal(figure="figure", found=found, limit=5, at_most=at_most)
    assert goal.met is met
    assert goal.sentence.endswith("met" if met else "MISSED")


def test_there_is_no_goal_against_a_peer_that_did_not_run() -> None:
    assert TABLE.against("nobody", 3) == ()
    assert [goal.met for goal in TABLE.against("slow `peer`", 60)] == [True]


@pytest.mark.parametrize(
    ("value", "text"),
    [(12345.6, "12,346"), (123.4, "123"), (12.34, "12.3"), (1.234, "1.23"), (0.00123, "0.00123"), (7.0, "7"), (0, "0")],
)
def test_a_number_has_three_significant_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_the_terminal_shows_figures_ratios_and_goals() -> None:
    text = terminal([replace(TABLE, goals=TABLE.against("slow `peer`", 250))])
    assert "100 x" in text
    assert "0.5 x" in text
    assert "goal at least 250 x, measured 100 x, MISSED" in text


def test_empty_columns_are_left_out() -> None:
    alone = replace(TABLE, rows=(replace(OURS, values=(1.0,), extra=("",)),))
    assert terminal([alone]).splitlines()[1].split() == ["tasks/s", "(median)"]


def test_the_verdict_counts_the_goals_and_names_the_missed_ones() -> None:
    goals = (Goal(figure="one", found=1, limit=1), Goal(figure="other", found=0, limit=1))
    assert verdict([replace(TABLE, goals=goals)]) == "1 of 2 goals met; missed: P2 (other)."
    assert verdict([replace(TABLE, goals=goals[:1])]) == "1 of 1 goals met."


def test_the_page_shows_figures_versions_and_configuration() -> None:
    text = page([TABLE], MACHINE, {"huey": "1.2.3"}, {"slow": "`slow --quick`"}, "2000-01-01")
    assert "| slow `peer` | 10 | 9 to 11 | 100 x | 7 |" in text
    assert "huey 1.2.3" in text
    assert "`slow --quick`" in text
    assert "made up" in text
    assert "on 2000-01-01" in text


def test_the_chart_has_a_bar_for_each_row_and_no_scripts_or_links() -> None:
    text = chart([TABLE, replace(TABLE, better=Better.LOWER)])
    tree = ElementTree.fromstring(text)  # noqa: S314 - made by the line above
    bars = tree.findall("{http://www.w3.org/2000/svg}rect")
    assert len(bars) == 2 * len(TABLE.rows)
    assert all(float(bar.attrib["width"]) > 0 for bar in bars)
    assert "script" not in text
    assert "href" not in text


def test_a_faster_contender_has_a_longer_bar() -> None:
    tree = ElementTree.fromstring(chart([TABLE]))  # noqa: S314 - made by the line above
    ours, slow, fast = (float(bar.attrib["width"]) for bar in tree.findall("{http://www.w3.org/2000/svg}rect"))
    assert slow < ours < fast
