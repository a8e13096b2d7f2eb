"""Visits are shared among who is on duty."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cti.visits.allocation import Hand, Sharing, allocate
from cti.visits.record import Visit
from tests.kit.owed import visit

MAY, BO, LIN = Hand(person="may"), Hand(person="bo"), Hand(person="lin", supervisor=True)


def owe(n: int, customer: str = "", **more: Any) -> Visit:
    """Owe a customer of its own a visit."""
    known = visit(id=f"v{n:03}", customer=customer or f"c{n}")
    return replace(known, due_at=known.due_at + timedelta(minutes=n), **more)


def share(
    some: list[Visit],
    *hands: Hand,
    how: str = "balanced",
    wait: tuple[str, ...] = (),
    back: tuple[str, ...] = (),
    **owners: str,
) -> dict[str, str]:
    """Share visits; those who are `back` gave the first one back today."""
    given_back = {"v001": frozenset(back)}
    may_wait = frozenset(wait)
    sharing = Sharing(how=how, owners=owners, may_wait=may_wait, given_back=given_back)
    return allocate(some, hands, sharing)


def test_slips_are_split_evenly_between_those_on_duty() -> None:
    found = share([owe(n) for n in range(10)], MAY, BO)

    assert Counter(found.values()) == {"may": 5, "bo": 5}


def test_who_carries_more_already_gets_less() -> None:
    found = share([owe(n) for n in range(4)], replace(MAY, load=4), BO)

    assert Counter(found.values()) == {"bo": 4}


def test_one_agent_carries_all_calls_of_one_customer() -> None:
    found = share([owe(1, "wang"), owe(2), owe(3, "wang"), owe(4)], MAY, BO)

    assert found["v001"] == found["v003"]


def test_an_owner_on_duty_comes_first_and_one_who_is_off_is_replaced() -> None:
    found = share([owe(1), owe(2)], MAY, BO, c1="may", c2="chen")

    assert found == {"v001": "may", "v002": "bo"}


def test_one_to_one_waits_for_the_owner_while_the_deadline_lets_it() -> None:
    some = [owe(1), owe(2)]

    assert share(some, BO, how="owner", wait=("v001",), c1="may", c2="may") == {"v002": "bo"}


def test_who_gave_it_back_today_does_not_get_it_again_though_he_carries_least() -> None:
    found = share([owe(1), owe(2)], MAY, replace(BO, load=9), back=("may",))

    assert {"v001": "bo", "v002": "may"} == found


def test_not_even_its_owner_gets_back_what_he_gave_back_nor_is_he_waited_for() -> None:
    for how, wait in [("balanced", ()), ("owner", ("v001",))]:
        assert {"v001": "bo"} == share(
            [owe(1)], MAY, BO, how=how, wait=wait, back=("may",), c1="may"
        )


def test_where_nobody_else_is_on_duty_he_gets_it_again() -> None:
    assert {"v001": "may"} == share([owe(1)], MAY, LIN, back=("may",))
    assert {"v001": "may"} == share([owe(1)], MAY, replace(BO, load=1), back=("may", "bo"))


def test_the_ablest_carries_twice_what_a_beginner_carries() -> None:
    able = replace(MAY, ability={"after_service": Fraction(1)})

    found = share([owe(n) for n in range(9)], able, BO, how="by_ability")

    assert Counter(found.values()) == {"may": 6, "bo": 3}


def test_supervisors_visits_go_to_supervisors_and_agents_to_agents() -> None:
    some = [owe(1, by="supervisor"), owe(2)]

    assert share(some, MAY, LIN) == {"v001": "lin", "v002": "may"}
    assert share(some, MAY) == {"v002": "may"}


def test_nobody_gets_a_visit_of_another_department_or_one_that_he_must_not_make() -> None:
    sales = replace(BO, department="sales")

    found = share(
        [owe(1, department="sales"), owe(2, department="spa"), owe(3, avoid_agent="may")],
        replace(MAY, department="spa"),
        sales,
    )

    assert found == {"v001": "bo", "v002": "may", "v003": "bo"}


@given(st.lists(st.integers(0, 20), max_size=30), st.permutations(["may", "bo", "chen"]))
def test_the_same_facts_always_give_the_same_answer(whose: list[int], order: list[str]) -> None:
    some = [owe(n, f"c{customer}") for n, customer in enumerate(whose)]
    hands = [Hand(person=person) for person in order]

    found = share(some, *hands)

    assert found == share(list(reversed(some)), *sorted(hands, key=lambda one: one.person))
    assert len(found) == len(some)
    loads = Counter({one.customer: found[one.id] for one in some}.values())
    assert not loads or max(loads.values()) - min(loads.get(one, 0) for one in order) <= 1
