"""How often the phone rang: the golden examples of requirement section 24."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cti.calls.rings import CYCLES, RingRules

TW = RingRules()
CN = RingRules(cycle=timedelta(milliseconds=5000))


def ms(count: int) -> timedelta:
    return timedelta(milliseconds=count)


@pytest.mark.parametrize(
    ("rang", "rings", "within", "apology"),
    [
        (0, 1, True, False),
        (2999, 1, True, False),
        (3000, 2, True, False),
        (8999, 3, True, False),
        (9000, 4, False, False),
        (11999, 4, False, False),
        (12000, 5, False, True),
    ],
)
def test_rings_of_three_seconds(rang: int, rings: int, within: bool, apology: bool) -> None:
    counted = TW.rings(ms(rang))

    assert counted == rings
    assert (counted <= TW.standard, counted >= TW.apologise_from) == (within, apology)


@pytest.mark.parametrize(("rang", "rings"), [(14999, 3), (15000, 4), (20000, 5)])
def test_rings_of_five_seconds(rang: int, rings: int) -> None:
    assert CN.rings(ms(rang)) == rings


def test_the_cadences_of_three_countries() -> None:
    assert {name: cycle // ms(1) for name, cycle in CYCLES.items()} == {
        "tw": 3000, "cn": 5000, "us": 6000,
    }  # fmt: skip


def test_less_than_no_time_is_one_ring() -> None:
    assert TW.rings(ms(-5)) == 1


@given(st.integers(0, 10_000_000), st.integers(1, 10_000))
def test_a_ring_has_begun_for_each_cycle_that_has_begun(rang: int, cycle: int) -> None:
    rings = RingRules(cycle=ms(cycle)).rings(ms(rang))

    assert (rings - 1) * cycle <= rang < rings * cycle
