"""Which misses are one incident, and what is a storm."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cti.house import MissedCallRules
from cti.penalties.incidents import deciding, joins, storms, wait
from cti.presence.states import AgentState
from tests.kit.fines import AGENTS, LITERAL, MAY, at, duty, facts, judged, rang, was

RULES = MissedCallRules()


@pytest.mark.parametrize(
    ("seconds", "merge", "one"), [(140, 120, True), (140.001, 120, False), (20, 0, False)]
)
def test_the_window_runs_from_the_end_of_the_previous_miss(
    seconds: float, merge: float, one: bool
) -> None:
    first, again = (at(0), at(20)), (at(seconds), at(seconds + 20))

    assert one is joins(first, again, timedelta(seconds=merge))


def test_an_earlier_call_joins_nothing_later() -> None:
    assert not joins((at(10), at(20)), (at(0), at(30)), RULES.merge_repeat)


def test_lines_wait_for_the_longest_of_the_three_times() -> None:
    assert timedelta(minutes=10) == wait(RULES)
    assert timedelta(minutes=20) == wait(replace(RULES, merge_repeat=timedelta(minutes=20)))
    assert timedelta(minutes=10) == wait(LITERAL.penalties.missed_call)


def test_lines_come_from_the_first_miss_that_costs_somebody() -> None:
    short = judged(facts(rang(MAY, "caller_gave_up"), ended=2, by="caller"), duty(*AGENTS))
    busy = judged(facts(rang(MAY)), duty(MAY), was(MAY, AgentState.ON_CALL))
    dear = judged(facts(rang(MAY)), duty(MAY))

    assert [2, 1, 0] == [deciding([short, busy, dear]), deciding([short, busy]), deciding([short])]


@pytest.mark.parametrize(
    ("seconds", "found"),
    [
        ([60 * n for n in range(10)], []),
        ([60 * n for n in range(11)], [(0, 10)]),
        ([59 * n for n in range(11)], [(0, 10)]),
        ([61 * n for n in range(11)], []),
        ([0, *(3600 + n for n in range(14)), 9000], [(1, 14)]),
        ([60 * n for n in range(20)], [(0, 19)]),
        ([*range(11), *(5000 + n for n in range(12))], [(0, 10), (11, 22)]),
    ],
)
def test_a_storm_is_more_than_ten_in_ten_minutes(
    seconds: list[float], found: list[tuple[int, int]]
) -> None:
    assert found == storms([at(second) for second in seconds], RULES)


@given(st.lists(st.integers(0, 4000), max_size=40))
def test_a_miss_is_in_a_storm_just_if_some_window_with_it_holds_too_many(
    seconds: list[int],
) -> None:
    times = sorted(seconds)
    windows = [
        {place for place, second in enumerate(times) if start <= second <= start + 600}
        for start in times
    ]
    expected = {place for window in windows if len(window) > 10 for place in window}

    found = storms([at(second) for second in times], RULES)

    assert expected == {place for first, last in found for place in range(first, last + 1)}
    assert all(one[1] < other[0] for one, other in pairwise(found))
