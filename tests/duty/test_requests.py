"""Swaps, leave and breaks: requirement 24 (Swap), SHIFT-06 to SHIFT-11, V13."""

from collections import Counter
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cti.duty import requests
from cti.duty.requests import Answer, Away, Kind, Swap, SwapState
from cti.duty.rules import Assignment
from cti.errors import Refused
from cti.house import House
from cti.people.rules import Person
from cti.presence.states import AgentState, Interval, Source
from tests.kit.roster import BO, CHEN, DAY, HOUSE, LIN, LONG_AGO, MAY, QINGMING, TAN, local, on

MARCH_1 = local("09:00", date(2025, 3, 1))


def swap_code(
    first: Assignment,
    back: Assignment,
    counted: tuple[int, int] = (0, 0),
    *,
    house: House = HOUSE,
    at: datetime = MARCH_1,
    also: tuple[Assignment, ...] = (),
) -> str:
    """Tell by which code a swap is refused; empty: it may be had."""
    try:
        requests.check_swap(first, back, at, house, counted=counted, roster=[first, back, *also])
    except Refused as refusal:
        return refusal.code
    return ""


# -- the golden example: Swap

FIRST, BACK = on(MAY, "early", date(2025, 3, 20)), on(BO, "late", date(2025, 3, 27))


@pytest.mark.parametrize("counted", [(2, 0), (0, 2), (2, 2)])
def test_the_third_swap_in_march_is_allowed(counted: tuple[int, int]) -> None:
    assert "" == swap_code(FIRST, BACK, counted)


@pytest.mark.parametrize("counted", [(3, 0), (0, 3)])
def test_the_fourth_is_refused_whichever_of_the_two_has_had_three(
    counted: tuple[int, int],
) -> None:
    assert "duty_swap_limit" == swap_code(FIRST, BACK, counted)


def test_a_swap_on_31_march_paid_back_on_3_april_counts_in_march_only() -> None:
    first, back = on(MAY, "early", date(2025, 3, 31)), on(BO, "early", date(2025, 4, 3))

    assert "" == swap_code(first, back, (2, 2))
    assert date(2025, 3, 1) == requests.swap_month(first, back) == requests.swap_month(back, first)


def test_a_swap_on_a_public_holiday_is_refused() -> None:
    holiday = on(BO, "early", QINGMING)

    assert "duty_swap_holiday" == swap_code(FIRST, holiday)
    assert "duty_swap_holiday" == swap_code(holiday, FIRST)
    lax = replace(HOUSE, shifts=replace(HOUSE.shifts, swap_on_holidays=True))
    assert "" == swap_code(FIRST, holiday, house=lax)


@pytest.mark.parametrize("source", ["swap", "pay_back"])
def test_leave_on_a_swapped_shift_or_the_one_paid_back_is_refused(source: str) -> None:
    one = on(MAY, "early", source=source)

    assert "duty_leave_swapped" == leave_code(one)
    assert "" == leave_code(one, leave_on_swapped="allowed")


def leave_code(one: Assignment, at: datetime = MARCH_1, **rules: Any) -> str:
    try:
        requests.check_leave(one, at, HOUSE.calendar, replace(HOUSE.shifts, **rules))
    except Refused as refusal:
        return refusal.code
    return ""


# -- swaps


@pytest.mark.parametrize(
    ("first", "back", "code"),
    [
        (FIRST, on(LIN, "late", date(2025, 3, 27)), "duty_swap_unlike"),
        (FIRST, on(MAY, "late", date(2025, 3, 27)), "duty_swap_unlike"),
        (FIRST, replace(BACK, removed_at=LONG_AGO), "duty_gone"),
        (replace(FIRST, excused_from=LONG_AGO), BACK, "duty_gone"),
        (replace(FIRST, published_at=None), BACK, "duty_gone"),
        (on(MAY, "early", date(2025, 2, 28)), BACK, "duty_begun"),
    ],
)
def test_what_cannot_be_swapped(first: Assignment, back: Assignment, code: str) -> None:
    assert code == swap_code(first, back)


def test_supervisors_swap_among_themselves() -> None:
    assert "" == swap_code(on(LIN, "early", DAY), on(TAN, "late", DAY))


def test_nobody_works_two_shifts_at_once_by_a_swap() -> None:
    also = (on(BO, "middle", date(2025, 3, 20)),)

    assert "duty_overlap" == swap_code(FIRST, BACK, also=also)
    assert "" == swap_code(FIRST, on(BO, "late", date(2025, 3, 20)))  # the same day, exchanged


def test_a_swap_is_done_and_paid_back_as_its_shifts_are_worked() -> None:
    swap = Swap(
        id="s",
        asker=MAY.id,
        peer=BO.id,
        first=FIRST,
        back=BACK,
        month=date(2025, 3, 1),
        reason="dentist",
        state=SwapState.APPROVED,
        asked_at=MARCH_1,
    )
    told = [requests.had(swap, at) for at in (MARCH_1, FIRST.ends, BACK.ends)]

    assert [SwapState.APPROVED, SwapState.DONE, SwapState.PAID_BACK] == told
    refused = replace(swap, state=SwapState.REFUSED)
    assert SwapState.REFUSED == requests.had(refused, BACK.ends)


@given(
    st.lists(
        st.tuples(
            st.permutations([MAY, BO, CHEN]),
            st.integers(1, 28),
            st.integers(1, 28),
            st.sampled_from([3, 4, 5]),
        ),
        max_size=40,
    )
)
def test_nobody_has_more_swaps_in_a_month_than_the_house_allows(
    asked: list[tuple[list[Person], int, int, int]],
) -> None:
    had = Counter[tuple[str, date]]()
    for (asker, peer, _), day, other, month in asked:
        first, back = (
            on(asker, "early", date(2025, month, day)),
            on(peer, "early", date(2025, 5, other)),
        )
        counts = requests.swap_month(first, back)
        both = [(one.id, counts) for one in (asker, peer)]
        if not swap_code(first, back, (had[both[0]], had[both[1]])):
            had.update(both)
            assert QINGMING not in (first.day, back.day)

    assert max(had.values(), default=0) <= HOUSE.shifts.swaps_per_month


# -- leave


@pytest.mark.parametrize(
    ("one", "code"),
    [
        (FIRST, ""),
        (on(MAY, "early", QINGMING), "duty_leave_holiday"),
        (on(MAY, "early", date(2025, 2, 28)), "duty_past"),
        (replace(FIRST, removed_at=LONG_AGO), "duty_gone"),
        (replace(FIRST, excused_from=LONG_AGO), "duty_gone"),
    ],
)
def test_leave_is_given_where_the_house_gives_it(one: Assignment, code: str) -> None:
    assert code == leave_code(one)


# -- breaks, and being called away

AT_WORK = [on(MAY, "early", came="08:10"), on(BO, "early", came="08:10"), on(LIN, "early")]


def gone(person: Person, began: str, until: str | None = None, **facts: Any) -> Away:
    """Say that somebody is away with approval."""
    given: dict[str, Any] = {
        "id": "a",
        "person": person.id,
        "assignment": "x",
        "kind": Kind.BREAK,
        "minutes": 30,
        "reason": "",
        "state": Answer.APPROVED,
        "asked_at": local(began),
        "began_at": local(began),
        "until_at": local(until) if until else None,
    }
    return Away(**given | facts)


def break_until(
    clock: str,
    minutes: int = 30,
    *,
    who: int = 0,
    roster: list[Assignment] = AT_WORK,
    away: tuple[Away, ...] = (),
    house: House = HOUSE,
) -> datetime | str:
    """Tell until when a break lasts, or by which code it is refused."""
    try:
        return requests.check_break(
            roster[who], local(clock), minutes, house, roster=roster, away=away
        )
    except Refused as refusal:
        return refusal.code


def test_at_lunch_one_of_two_may_go_and_then_the_other_must_stay() -> None:
    assert local("12:30") == break_until("12:00")
    assert "duty_break_staff" == break_until("12:00", away=(gone(BO, "11:50", "12:20"),))
    assert local("12:50") == break_until("12:20", away=(gone(BO, "11:50", "12:20"),))


def test_a_break_that_runs_into_a_meal_window_counts_as_one_in_it() -> None:
    away = (gone(BO, "11:00", "12:00"),)

    assert local("11:30") == break_until("11:00", 30, away=away)
    assert "duty_break_staff" == break_until("11:00", 31, away=away)


def test_outside_meal_windows_the_last_one_may_go_if_the_supervisor_says_so() -> None:
    assert local("15:30") == break_until("15:00", roster=AT_WORK[:1])


def test_who_goes_home_meanwhile_or_has_not_come_does_not_count_as_staying() -> None:
    going = [on(MAY, "late", came="13:00"), on(BO, "early", came="08:10", relieved_by="")]
    house = replace(
        HOUSE,
        shifts=replace(HOUSE.shifts, meal_windows=((local_time("17:00"), local_time("18:00")),)),
    )

    assert local("17:10") == break_until("17:00", 10, roster=going, house=house)
    assert "duty_break_staff" == break_until("17:00", 20, roster=going, house=house)
    assert "duty_break_staff" == break_until("12:00", roster=[AT_WORK[0], on(BO, "early")])
    left = [AT_WORK[0], replace(AT_WORK[1], clock_out=local("11:00"))]
    assert "duty_break_staff" == break_until("12:00", roster=left)


def local_time(clock: str) -> Any:
    return local(clock).astimezone(HOUSE.zone).time()


def test_who_is_called_away_does_not_count_as_staying() -> None:
    called = gone(BO, "11:00", kind=Kind.CALLED_AWAY, minutes=0)

    assert "duty_break_staff" == break_until("12:00", away=(called,))


def test_min_staff_is_the_houses() -> None:
    two = replace(HOUSE, shifts=replace(HOUSE.shifts, min_staff=2))

    assert "duty_break_staff" == break_until("12:00", house=two)


def test_a_supervisor_s_break_leaves_the_agents_where_they_are() -> None:
    assert local("12:30") == break_until(
        "12:00", who=2, roster=[AT_WORK[0], AT_WORK[1], AT_WORK[2]]
    )


@pytest.mark.parametrize("minutes", [0, -5, 121])
def test_a_break_has_a_sensible_length(minutes: int) -> None:
    assert "duty_bad_input" == break_until("15:00", minutes)


def test_who_is_away_already_asks_for_no_other_break() -> None:
    assert "duty_break_running" == break_until("15:00", away=(gone(MAY, "14:50", "15:20"),))


def test_an_approved_break_is_a_state_that_lasts_no_longer_than_was_granted() -> None:
    one = gone(MAY, "12:00", "12:30", ended_at=local("12:45"), reason="lunch")

    assert (
        Interval(
            person=MAY.id,
            state=AgentState.BREAK_APPROVED,
            began_at=local("12:00"),
            ended_at=local("12:30"),
            source=Source.PERSON,
            cause="lunch",
        )
        == one.interval()
    )
    assert (True, False) == (one.holds(local("12:29")), one.holds(local("12:30")))


def test_what_was_never_had_is_no_state() -> None:
    asked = gone(MAY, "12:00", began_at=None, state=Answer.REQUESTED)

    assert (None, False) == (asked.interval(), asked.holds(local("12:00")))
    at_once = gone(MAY, "12:00", "12:30", ended_at=local("12:00"))
    assert at_once.interval() is None


def test_being_called_away_lasts_until_it_is_ended() -> None:
    called = gone(MAY, "12:00", kind=Kind.CALLED_AWAY, minutes=0)

    assert called.holds(local("12:00") + timedelta(hours=5))
    assert not replace(called, ended_at=local("12:10")).holds(local("12:10"))


@pytest.mark.parametrize(
    ("text", "code"), [(" ", "duty_reason_missing"), ("x" * 501, "duty_too_long")]
)
def test_a_reason_is_needed_and_bounded(text: str, code: str) -> None:
    with pytest.raises(Refused) as refused:
        requests.checked_reason(text)

    assert code == refused.value.code
    assert "dentist" == requests.checked_reason(" dentist ")


def test_a_text_keeps_its_lines_and_loses_what_nobody_can_see() -> None:
    assert "一\n two" == requests.cleaned("一\u202e\0\r\n two\t\x1b ")
