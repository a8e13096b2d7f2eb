"""Who is on duty: requirement 24 (Handover), 21.4 point 4, V12."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cti.duty import rules
from cti.duty.rules import Assignment, Attendance, DutyState, on_duty
from cti.errors import Refused
from cti.people.rules import Role
from tests.kit.roster import BO, CHEN, DAY, HOUSE, LIN, MAY, STAFF, TAN, local, on


def agents(roster: Sequence[Assignment], clock: str, **how: Any) -> list[str]:
    return [one.person for one in on_duty(roster, local(clock), **how).agents]


def why(roster: Sequence[Assignment], clock: str, person: str = MAY.id) -> tuple[str, ...]:
    found = on_duty(roster, local(clock))
    return next(one.why for one in found.agents if one.person == person)


# -- the golden example: Handover


def early_and_late(**facts: Any) -> list[Assignment]:
    """May came for the early shift; Bo, who should relieve her, is not there."""
    return [on(MAY, "early", came="08:10", **facts), on(BO, "late")]


def test_early_clocks_out_unrelieved_and_a_miss_at_1730_counts_her() -> None:
    roster = early_and_late(clock_out=local("17:15"))

    assert [MAY.id, BO.id] == agents(roster, "17:30")
    assert why(roster, "17:30") == ("planned", "clocked_in", "clocked_out", "not_relieved")


def test_a_supervisors_exception_ends_it() -> None:
    at = rules.excepted_at(on(MAY, "early"), local("17:20"))

    roster = early_and_late(clock_out=local("17:15"), handed_over_at=at)

    assert [MAY.id, BO.id] == agents(roster, "17:19")
    assert [BO.id] == agents(roster, "17:30")


def test_an_exception_beforehand_lets_nobody_leave_early() -> None:
    assert local("17:15") == rules.excepted_at(on(MAY, "early"), local("16:00"))


def test_the_late_shift_ends_at_2200() -> None:
    roster = [on(BO, "late", came="13:00")]

    assert [BO.id] == agents(roster, "21:59")
    assert [] == agents(roster, "22:00")


# -- SHIFT-04


def test_the_accepted_hand_over_ends_it() -> None:
    roster = [
        on(MAY, "early", came="08:10", handed_over_at=local("17:12")),
        on(BO, "late", came="12:55"),
    ]

    assert [MAY.id, BO.id] == agents(roster, "17:11")
    assert [BO.id] == agents(roster, "17:12")


def test_nobody_waits_longer_than_the_relieving_shift_lasts() -> None:
    roster = early_and_late()

    assert [MAY.id, BO.id] == agents(roster, "21:59")
    assert [] == agents(roster, "22:00")


@pytest.mark.parametrize(
    "late",
    [
        [],
        [on(BO, "late", excused_from=local("09:00"))],
        [on(BO, "late", removed_at=local("09:00"))],
        [on(BO, "late", published_at=None)],
        [on(LIN, "late")],
        [on(BO, "late", date(2025, 3, 15))],
    ],
    ids=["nobody", "on leave", "taken out", "a draft", "a supervisor", "tomorrow"],
)
def test_nobody_waits_for_a_shift_with_nobody_in_it(late: list[Assignment]) -> None:
    assert MAY.id not in agents([on(MAY, "early", came="08:10"), *late], "17:15")


def test_where_the_house_lets_people_go_the_planned_end_is_the_end() -> None:
    assert [BO.id] == agents(early_and_late(), "17:15", stay_until_relieved=False)


def test_who_never_came_is_on_duty_until_the_planned_end_and_then_absent() -> None:
    one = on(MAY, "early")
    roster = [one, on(BO, "late")]

    assert [MAY.id, BO.id] == agents(roster, "17:14")
    assert [BO.id] == agents(roster, "17:15")
    assert (DutyState.PLANNED, DutyState.ABSENT) == (
        rules.seen(one, roster, local("17:14")),
        rules.seen(one, roster, local("17:15")),
    )


def test_who_takes_over_before_the_own_shift_is_on_duty_from_then() -> None:
    early = on(BO, "late", came="12:50", took_over_at=local("12:55"))

    assert [] == agents([early], "12:54")
    assert [BO.id] == agents([early], "12:55")
    assert why([early], "13:30", BO.id) == ("planned", "clocked_in", "took_over")


def test_a_night_shift_waits_for_the_morning() -> None:
    night = on(MAY, "late", starts=local("22:00"), ends=local("08:15", date(2025, 3, 15)))
    night = replace(night, relieved_by="early", clock_in=local("21:55"))
    morning = on(BO, "early", date(2025, 3, 15))
    at = local("09:00", date(2025, 3, 15))

    found = on_duty([night, morning], at)

    assert {MAY.id, BO.id} == {one.person for one in found.agents}


# -- reasons, and as it was then


@pytest.mark.parametrize(
    ("one", "clock", "reasons"),
    [
        (on(MAY, "early"), "08:15", ("planned",)),
        (on(MAY, "early"), "08:16", ("planned", "late")),
        (on(MAY, "early", came="08:10"), "08:16", ("planned", "clocked_in")),
        (on(MAY, "early", came="09:00"), "10:00", ("planned", "clocked_in", "late")),
        (on(MAY, "early", came="09:00"), "08:30", ("planned", "late")),
        (on(MAY, "early", source="swap"), "08:15", ("swap",)),
        (on(MAY, "early", source="pay_back"), "08:15", ("pay_back",)),
        (on(MAY, "early", source="extra", came="08:00"), "08:15", ("extra", "clocked_in")),
    ],
)
def test_the_answer_says_why(one: Assignment, clock: str, reasons: tuple[str, ...]) -> None:
    assert reasons == why([one], clock)


@pytest.mark.parametrize(
    "fact", ["excused_from", "removed_at", "handed_over_at"], ids=lambda fact: str(fact)
)
def test_what_happens_later_changes_no_earlier_answer(fact: str) -> None:
    roster = [on(MAY, "early", came="08:10", **{fact: local("10:00")}), on(BO, "late")]

    assert [MAY.id] == agents(roster, "09:59")
    assert [] == agents(roster, "10:00")


def test_what_is_published_later_was_not_in_force_before() -> None:
    roster = [on(MAY, "early", published_at=local("10:00"))]

    assert ([], [MAY.id]) == (agents(roster, "09:59"), agents(roster, "10:00"))


def test_leaving_before_the_end_ends_no_duty() -> None:
    roster = [on(BO, "late", came="13:00", clock_out=local("18:00"))]

    assert [BO.id] == agents(roster, "21:00")


def test_the_published_plan_counts_whom_it_had_whether_they_came_or_not() -> None:
    roster = [
        on(MAY, "early", excused_from=local("07:00")),
        on(BO, "early"),
        on(CHEN, "early", source="extra"),
        on(LIN, "early"),
    ]

    found = on_duty(roster, local("09:00"))

    assert (2, [BO.id, CHEN.id]) == (found.published, [one.person for one in found.agents])


def test_a_department_is_served_by_its_own_people_and_by_those_without_one() -> None:
    roster = [
        on(MAY, "early", department="sales"),
        on(BO, "early", department="service"),
        on(CHEN, "early"),
    ]

    assert {MAY.id, CHEN.id} == set(agents(roster, "09:00", department="sales"))
    assert {MAY.id, BO.id, CHEN.id} == set(agents(roster, "09:00"))


def test_who_has_two_duties_at_once_is_on_duty_once() -> None:
    roster = [on(MAY, "early", came="08:10"), on(MAY, "late", source="extra")]

    assert [MAY.id] == agents(roster, "14:00")


# -- the one duty supervisor


def supervisor(roster: Sequence[Assignment], clock: str, **how: Any) -> str | None:
    found = on_duty(roster, local(clock), **how).supervisor
    return found.person if found else None


def test_the_supervisor_is_the_one_who_started_earlier_until_hand_over() -> None:
    first = on(LIN, "early", came="08:10")
    second = on(TAN, "late", came="12:50")

    assert LIN.id == supervisor([second, first], "14:00")
    assert LIN.id == supervisor([second, first], "17:30")
    handed = replace(first, handed_over_at=local("16:00"))
    assert TAN.id == supervisor([second, handed], "16:00")


def test_a_supervisor_who_has_not_come_stands_behind_one_who_has() -> None:
    roster = [on(LIN, "early"), on(TAN, "late", came="12:50")]

    assert (LIN.id, TAN.id) == (supervisor(roster, "12:59"), supervisor(roster, "13:00"))


def test_without_a_supervisor_on_duty_there_is_none() -> None:
    assert supervisor([on(MAY, "early")], "09:00") is None


def test_a_single_agent_is_the_own_supervisor() -> None:
    alone = [MAY, replace(LIN, active=False), replace(TAN, role=Role.OWNER)]
    own = rules.own_supervisor(alone)

    assert MAY.id == supervisor([on(MAY, "early")], "09:00", own_supervisor=own)
    assert "" == rules.own_supervisor(STAFF) == rules.own_supervisor([MAY, BO])


# -- the clock


@pytest.mark.parametrize(
    ("one", "clock", "said"),
    [
        (on(MAY, "early"), "08:15", Attendance()),
        (on(MAY, "early"), "09:15", Attendance(late=timedelta(hours=1))),
        (on(MAY, "early"), "17:15", Attendance(absent=True)),
        (on(MAY, "early", came="08:15"), "09:00", Attendance()),
        (on(MAY, "early", came="08:22"), "09:00", Attendance(late=timedelta(minutes=7))),
        (
            on(MAY, "early", came="08:15", clock_out=local("17:00")),
            "18:00",
            Attendance(early=timedelta(minutes=15)),
        ),
        (on(MAY, "early", excused_from=local("07:00")), "18:00", Attendance()),
        (on(MAY, "early", published_at=None), "18:00", Attendance()),
    ],
)
def test_late_early_and_absent_are_said_by_roster_and_clock(
    one: Assignment, clock: str, said: Attendance
) -> None:
    assert said == rules.attendance(one, local(clock))


def test_clocking_in_finds_the_shift_that_is_on_or_begins_within_the_hour() -> None:
    early, late = on(MAY, "early"), on(MAY, "late")

    assert early == rules.to_clock_in([late, early], local("07:15"))
    assert late == rules.to_clock_in([replace(early, clock_in=local("8:00")), late], local("12:30"))
    came_back = replace(early, clock_in=local("08:00"), clock_out=local("09:00"))
    assert came_back == rules.to_clock_in([came_back], local("09:30"))


@pytest.mark.parametrize(
    ("one", "clock", "code"),
    [
        (on(MAY, "early"), "07:14", "duty_no_shift"),
        (on(MAY, "early"), "17:15", "duty_no_shift"),
        (on(MAY, "early", came="08:00"), "09:00", "duty_clocked"),
        (on(MAY, "early", published_at=None), "09:00", "duty_no_shift"),
        (on(MAY, "early", excused_from=local("07:00")), "09:00", "duty_no_shift"),
    ],
)
def test_who_cannot_clock_in_is_told_why(one: Assignment, clock: str, code: str) -> None:
    with pytest.raises(Refused) as refused:
        rules.to_clock_in([one], local(clock))

    assert code == refused.value.code


# -- hand-over


def test_a_hand_over_is_offered_from_ten_minutes_before_the_end() -> None:
    arrive = HOUSE.shifts.arrive_before

    rules.check_offer(on(MAY, "early"), local("17:05"), arrive)

    for one, clock, code in [
        (on(MAY, "early"), "17:04", "duty_too_early"),
        (on(MAY, "late"), "21:55", "duty_no_relief"),
        (on(MAY, "early", handed_over_at=local("17:06")), "17:10", "duty_no_relief"),
    ]:
        with pytest.raises(Refused) as refused:
            rules.check_offer(one, local(clock), arrive)
        assert code == refused.value.code


@pytest.mark.parametrize(
    ("incoming", "may"),
    [
        (on(BO, "late", came="12:55"), True),
        (on(BO, "late"), False),
        (on(BO, "middle", came="10:55"), False),
        (on(LIN, "late", came="12:55"), False),
        (on(MAY, "late", came="12:55"), False),
        (on(BO, "late", came="12:55", clock_out=local("15:00")), False),
    ],
    ids=["late", "not there", "middle", "supervisor", "oneself", "gone again"],
)
def test_only_who_is_there_for_the_relieving_shift_accepts(incoming: Assignment, may: bool) -> None:
    outgoing = on(MAY, "early", came="08:10")

    if may:
        assert incoming == rules.to_accept([incoming], outgoing, local("17:10"))
    else:
        with pytest.raises(Refused, match="clocked in for the relieving shift"):
            rules.to_accept([incoming], outgoing, local("17:10"))


def test_turns_go_round_among_those_who_are_there() -> None:
    week = [DAY + timedelta(days=n) for n in range(3)]

    assert {"a", "b", "c"} == {rules.turn(day, ["c", "a", "b"]) for day in week}
    assert rules.turn(DAY, []) is None


def test_the_late_shift_cleans_without_supervisors_and_who_is_on_leave() -> None:
    roster = [
        on(MAY, "late"),
        on(BO, "late", excused_from=local("08:00")),
        on(LIN, "late"),
        on(CHEN, "early"),
    ]

    assert MAY.id == rules.cleaner(roster, DAY, "late", local("14:00"))
    assert rules.cleaner(roster, DAY, "", local("14:00")) is None


# -- V12


MOMENTS = st.integers(0, 3 * 24 * 12).map(
    lambda n: local("00:00", date(2025, 3, 13)) + timedelta(minutes=5 * n)
)
MAYBE = st.none() | MOMENTS


@st.composite
def assignment(draw: st.DrawFn) -> Assignment:
    """Make any assignment that clicks in any order could leave behind."""
    person = draw(st.sampled_from(STAFF))
    day = draw(st.sampled_from([date(2025, 3, 13), DAY, date(2025, 3, 15)]))
    facts: dict[str, Any] = {
        name: draw(MAYBE)
        for name in (
            "clock_in",
            "clock_out",
            "offered_at",
            "handed_over_at",
            "took_over_at",
            "excused_from",
            "published_at",
            "removed_at",
        )
    }
    source = draw(st.sampled_from(["plan", "swap", "pay_back", "extra"]))
    shift = draw(st.sampled_from(sorted(HOUSE.shifts.types)))
    return on(person, shift, day, **facts, source=source, id=str(draw(st.integers(0, 10**9))))


@given(
    st.lists(assignment(), max_size=8, unique_by=lambda one: one.id),
    MOMENTS,
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_at_each_instant_the_duty_set_is_determined(
    roster: list[Assignment], at: datetime, stay: bool, chance: Any
) -> None:
    found = on_duty(roster, at, stay_until_relieved=stay)
    chance.shuffle(roster)

    assert found == on_duty(roster, at, stay_until_relieved=stay)
    there = {one.person for one in found.agents}
    assert len(there) == len(found.agents)
    supervising = [
        one
        for one in roster
        if one.counts(at) and one.supervises
        if rules.seen(one, roster, at, stay=stay)
        in (DutyState.PLANNED, DutyState.STARTED, DutyState.HANDING_OVER)
    ]
    assert (found.supervisor is not None) == bool(supervising)


@given(st.lists(assignment(), max_size=8, unique_by=lambda one: one.id), MOMENTS)
def test_a_duty_outlives_its_planned_end_only_while_its_relief_is_awaited(
    roster: list[Assignment], at: datetime
) -> None:
    for one in on_duty(roster, at).agents:
        mine = next(each for each in roster if each.id == one.assignment)
        if at >= mine.ends and "not_relieved" in one.why:
            waits = mine.handed_over_at is None or mine.handed_over_at > at
            assert (True, True) == (bool(mine.relieved_by), waits)
