"""Is nobody rung first once too many have met nobody, and somebody again when they are fewer?"""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cti.house_visits import AbandonRules
from cti.visits.abandoned import Abandons, is_stopped, may_ring_first

RULES = AbandonRules()


@pytest.mark.parametrize(
    ("answered", "abandoned", "under_way", "may"),
    [
        (0, 0, 0, False),
        (32, 0, 0, False),
        (33, 0, 0, True),
        (33, 0, 1, False),
        (65, 1, 0, False),
        (66, 1, 0, True),
        (65, 0, 1, True),
        (65, 0, 2, False),
        (100, 3, 0, False),
        (100, 50, 0, False),
    ],
)
def test_the_worst_that_may_come_keeps_within_the_cap(
    answered: int, abandoned: int, under_way: int, may: bool
) -> None:
    found = Abandons(answered=answered, abandoned=abandoned, under_way=under_way)

    assert may is may_ring_first(found, RULES)


def test_what_is_under_way_holds_back_the_next_but_does_not_stop_the_mode() -> None:
    found = Abandons(answered=40, abandoned=0, under_way=1)

    assert (False, False) == (may_ring_first(found, RULES), is_stopped(found, RULES))
    assert is_stopped(replace(found, abandoned=1), RULES)


def test_a_house_may_forbid_every_abandoned_call_or_none() -> None:
    found = Abandons(answered=10_000)

    assert not may_ring_first(found, AbandonRules(cap=Decimal(0)))
    assert may_ring_first(Abandons(), AbandonRules(cap=Decimal(1)))


def test_the_rate_is_that_of_those_who_answered() -> None:
    assert Abandons().rate is None
    assert Decimal("0.02") == Abandons(answered=50, abandoned=1).rate


DEEDS = st.lists(st.sampled_from(["dial", "joined", "abandoned", "nobody", "preview"]), max_size=80)


@given(
    DEEDS,
    st.integers(0, 200),
    st.decimals(0, 1, places=2, allow_nan=False),
)
def test_whatever_becomes_of_calls_under_way_no_more_than_the_cap_were_ever_abandoned(
    deeds: list[str], answered: int, cap: Decimal
) -> None:
    rules, now = AbandonRules(cap=cap), Abandons(answered=answered)
    for deed in deeds:
        now = after(now, deed, rules)

        assert now.abandoned <= cap * now.answered


def after(now: Abandons, deed: str, rules: AbandonRules) -> Abandons:
    """Let one thing happen: a call begins if it may, one under way ends, or one in preview."""
    if deed == "dial":
        return replace(now, under_way=now.under_way + may_ring_first(now, rules))
    if deed == "preview":
        return replace(now, answered=now.answered + 1)
    if not now.under_way:
        return now
    return replace(
        now,
        under_way=now.under_way - 1,
        answered=now.answered + (deed != "nobody"),
        abandoned=now.abandoned + (deed == "abandoned"),
    )
