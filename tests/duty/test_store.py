"""The roster as it is kept: planning, clock, hand-over, wishes, on every database."""

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from datetime import date, time, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from cti.db import audit
from cti.duty.plan import Lack
from cti.duty.requests import Answer, SwapState
from cti.duty.rules import Assignment, DutyState, HandoverState
from cti.duty.store import Pick, versions
from cti.errors import Refused
from cti.house import ShiftType
from cti.people.rules import Directory, Person
from cti.presence.states import AgentState
from tests.duty.conftest import MONDAY, DutyRoom, by, on_monday
from tests.kit.roster import BO, CHEN, HOUSE, LIN, MAY, QINGMING, TAN, local

TUESDAY = MONDAY + timedelta(days=1)
NEXT_WEEK = MONDAY + timedelta(days=7)


async def code_of(deed: Awaitable[Any]) -> str:
    """Tell by which code a deed is refused; empty: it was done."""
    try:
        await deed
    except Refused as refusal:
        return refusal.code
    return ""


def pick(*shifts: Assignment) -> list[Pick]:
    return [Pick(one.id, one.version) for one in shifts]


async def told(room: DutyRoom) -> list[str]:
    """Give what the audit log says was done, in order."""
    async with room.db.read() as conn:
        rows = await conn.execute(select(audit.audit.c.what).order_by(audit.audit.c.seq))
        return list(rows.scalars())


# -- planning


async def test_a_draft_binds_nobody_until_it_is_published(room: DutyRoom) -> None:
    await room.store.add(by(LIN), MAY.id, "early", [MONDAY])
    before = await room.on_duty("09:00")

    plan = await room.store.publish(by(LIN), MONDAY)

    assert ([], [MAY.id]) == (before, await room.on_duty("09:00"))
    assert (MONDAY, 1, LIN.id) == (plan.week, plan.version, plan.by)
    assert plan == await room.store.plan(MONDAY)
    assert ["duty_add", "duty_publish"] == await told(room)


async def test_a_publication_keeps_what_the_plan_lacked_as_rows(room: DutyRoom) -> None:
    await room.plans((MAY, "early"), (LIN, "early"), days=7)

    kept = await room.store.plan(MONDAY)

    assert kept is not None
    assert {Lack.STAFF, Lack.RELIEF} == {gap.lack for gap in kept.gaps}
    assert list(kept.gaps) == await room.store.lacks(MONDAY)


async def test_what_is_taken_out_or_moved_stays_in_force_until_the_week_is_published(
    room: DutyRoom,
) -> None:
    await room.plans((MAY, "early"), (BO, "early"), days=2)

    await room.store.remove(by(LIN), pick(await room.shift(MAY, TUESDAY)))
    await room.store.move(by(LIN), pick(await room.shift(BO, TUESDAY)), TUESDAY, "late")
    before = await room.on_duty("09:00", TUESDAY)
    room.at("08:00", MONDAY)
    await room.store.publish(by(LIN), MONDAY)

    assert {MAY.id, BO.id} == set(before)
    assert [] == await room.on_duty("09:00", TUESDAY)
    assert [BO.id] == await room.on_duty("21:00", TUESDAY)


async def test_what_was_to_be_taken_out_can_be_kept(room: DutyRoom) -> None:
    await room.plans((MAY, "early"))
    await room.store.remove(by(LIN), pick(await room.shift(MAY, TUESDAY)))

    await room.store.keep(by(LIN), pick(await room.shift(MAY, TUESDAY)))

    assert not (await room.shift(MAY, TUESDAY)).dropping


async def test_a_draft_is_taken_out_at_once(room: DutyRoom) -> None:
    await room.store.add(by(LIN), MAY.id, "early", [MONDAY])

    await room.store.remove(by(LIN), pick(await room.shift(MAY)))

    assert [] == await room.store.week(MONDAY)


async def test_last_week_is_copied_once(room: DutyRoom) -> None:
    await room.plans((MAY, "early"), (BO, "late"))

    added = await room.store.copy_week(by(LIN), NEXT_WEEK)

    days = {(one.person, one.shift) for one in await room.store.week(NEXT_WEEK)}
    assert (10, {(MAY.id, "early"), (BO.id, "late")}) == (added, days)
    assert "duty_nothing_new" == await code_of(room.store.copy_week(by(LIN), NEXT_WEEK))


@pytest.mark.parametrize(
    ("person", "shift", "days", "code"),
    [
        ("nobody", "early", [TUESDAY], "duty_bad_input"),
        (MAY.id, "noon", [TUESDAY], "duty_bad_input"),
        (MAY.id, "early", [], "duty_bad_input"),
        (MAY.id, "early", [date(2025, 3, 9)], "duty_past"),
        (MAY.id, "late", [MONDAY], "duty_overlap"),
    ],
)
async def test_what_cannot_be_planned(
    room: DutyRoom, person: str, shift: str, days: list[date], code: str
) -> None:
    await room.store.add(by(LIN), MAY.id, "early", [MONDAY])

    assert code == await code_of(room.store.add(by(LIN), person, shift, days))
    assert 1 == len(await room.store.week(MONDAY))


async def test_a_page_that_is_too_old_changes_nothing(room: DutyRoom) -> None:
    await room.store.add(by(LIN), MAY.id, "early", [MONDAY])
    old = pick(await room.shift(MAY))
    await room.store.publish(by(LIN), MONDAY)

    assert "duty_changed" == await code_of(room.store.remove(by(LIN), old))
    room.at("09:00")
    begun = pick(await room.shift(MAY))
    assert "duty_begun" == await code_of(room.store.remove(by(LIN), begun))
    assert "duty_bad_input" == await code_of(room.store.remove(by(LIN), []))
    assert "duty_nothing_new" == await code_of(room.store.publish(by(LIN), MONDAY))


async def test_the_roster_has_a_version_of_each_instant(room: DutyRoom) -> None:
    await room.plans((MAY, "early"), (BO, "late"))
    room.at("08:10")
    await room.store.clock_in(by(MAY))

    before = await room.store.duty_at(on_monday("08:00"))
    after = await room.store.duty_at(on_monday("08:30"))

    assert ("1", "2") == (before.version, after.version)
    assert "0" == (await room.store.duty_at(on_monday("06:00"))).version


# -- the clock and the day


async def test_clocking_in_and_out_is_seen_at_its_instants(room: DutyRoom) -> None:
    await room.plans((MAY, "late"))
    room.at("13:05")
    await room.store.clock_in(by(MAY))
    room.at("22:00")
    await room.store.clock_out(by(MAY))

    late = (await room.store.duty_at(on_monday("14:00"))).agents[0]
    assert (DutyState.STARTED, on_monday("13:05")) == (late.state, late.since)
    assert ("planned", "clocked_in", "late") == late.why
    assert DutyState.ENDED is (await room.shift(MAY)).state
    assert "duty_no_shift" == await code_of(room.store.clock_out(by(MAY)))


async def test_who_never_comes_is_absent_from_the_planned_end(room: DutyRoom) -> None:
    await room.plans((MAY, "late"))
    room.at("21:59")
    before = (await room.shift(MAY)).state
    room.at("22:00")

    assert (DutyState.PLANNED, DutyState.ABSENT) == (before, (await room.shift(MAY)).state)


async def test_who_comes_back_is_there_again(room: DutyRoom) -> None:
    await room.plans((MAY, "late"))
    for clock, deed in [("13:00", room.store.clock_in), ("14:00", room.store.clock_out)]:
        room.at(clock)
        await deed(by(MAY))
    room.at("14:10")

    await room.store.clock_in(by(MAY))

    one = await room.shift(MAY)
    assert (on_monday("13:00"), None) == (one.clock_in, one.clock_out)


async def test_extra_duty_counts_from_now_to_the_end_of_the_shift(room: DutyRoom) -> None:
    await room.plans((MAY, "early"))
    room.at("14:30")

    await room.store.call_in(by(LIN), BO.id, "late")

    assert [MAY.id] == await room.on_duty("14:29")
    found = await room.store.duty_at(on_monday("14:30"))
    assert [("extra",), 1] == [found.agents[1].why, found.published]
    assert "duty_overlap" == await code_of(room.store.call_in(by(LIN), MAY.id, "late"))
    assert "duty_past" == await code_of(late_call(room))


async def test_extra_duty_after_midnight_is_in_the_night_shift_that_runs(room: DutyRoom) -> None:
    night = replace(room.house.shifts.types["late"], start=time(23), end=time(7))
    types = {**room.house.shifts.types, "late": night}
    room.house = replace(room.house, shifts=replace(room.house.shifts, types=types))
    room.at("01:16", TUESDAY)

    await room.store.call_in(by(LIN), BO.id, "late")

    (one,) = (await room.store.duty_at(room.clock.at)).agents
    found = await room.shift(BO)
    assert (BO.id, MONDAY, local("07:00", TUESDAY)) == (one.person, found.day, found.ends)


async def late_call(room: DutyRoom) -> None:
    room.at("23:00")
    await room.store.call_in(by(LIN), CHEN.id, "late")


# -- the golden example: Handover


async def handed_early(room: DutyRoom) -> None:
    """May came early, Bo should relieve her and is not there; at 17:15 she clocks out."""
    await room.plans((MAY, "early"), (BO, "late"), (LIN, "early"))
    room.at("08:10")
    await room.store.clock_in(by(MAY))
    room.at("17:15")
    await room.store.clock_out(by(MAY))


async def test_unrelieved_she_stays_on_duty_and_an_exception_ends_it(room: DutyRoom) -> None:
    await handed_early(room)
    room.at("17:40")
    assert MAY.id in await room.on_duty("17:30")

    await room.store.let_go(by(LIN), (await room.shift(MAY)).id, "sick child")

    assert (True, False) == (
        MAY.id in await room.on_duty("17:39"),
        MAY.id in await room.on_duty("17:40"),
    )
    (handover,) = await room.store.handovers(on_monday("18:00"))
    assert (HandoverState.EXCEPTION, LIN.id, "sick child") == (
        handover.state,
        handover.decided_by,
        handover.why,
    )


async def test_the_relief_accepts_what_is_offered(room: DutyRoom) -> None:
    await handed_early(room)
    await room.store.offer(by(MAY), "all quiet", "call 王小明 back")
    (handover,) = await room.store.handovers(on_monday("17:15"))
    assert "duty_may_not_accept" == await code_of(room.store.accept(by(BO), handover.id))
    room.at("17:50")
    await room.store.clock_in(by(BO))

    await room.store.accept(by(BO), handover.id)

    assert [BO.id] == await room.on_duty("17:50")
    (accepted,) = await room.store.handovers(on_monday("18:00"))
    assert (HandoverState.ACCEPTED, BO.id, "call 王小明 back") == (
        accepted.state,
        accepted.to_person,
        accepted.open_items,
    )
    relief = await room.store.duty_at(on_monday("18:00"))
    assert "took_over" in relief.agents[0].why


async def test_a_hand_over_is_decided_once(room: DutyRoom) -> None:
    await handed_early(room)
    room.at("17:30")
    await room.store.clock_in(by(BO))
    (handover,) = await room.store.handovers(on_monday("17:30"))
    shift = (await room.shift(MAY)).id

    codes = await asyncio.gather(
        code_of(room.store.accept(by(BO), handover.id)),
        code_of(room.store.let_go(by(LIN), shift, "let her go")),
    )

    assert 1 == sum(code == "" for code in codes)
    assert {"duty_decided", "duty_no_relief"} & set(codes)


async def test_of_two_who_take_over_at_once_one_is_told(room: DutyRoom) -> None:
    await room.plans((CHEN, "late"), days=1)
    await handed_early(room)
    room.at("17:30")
    for person in (BO, CHEN):
        await room.store.clock_in(by(person))
    (handover,) = await room.store.handovers(on_monday("17:30"))

    codes = await asyncio.gather(
        *(code_of(room.store.accept(by(who), handover.id)) for who in (BO, CHEN))
    )

    assert ["", "duty_decided"] == sorted(codes)


@pytest.mark.parametrize(
    ("clock", "code"), [("17:00", "duty_too_early"), ("17:05", ""), ("22:30", "")]
)
async def test_when_a_hand_over_can_be_offered(room: DutyRoom, clock: str, code: str) -> None:
    await room.plans((MAY, "early"), (BO, "late"))
    room.at("08:10")
    await room.store.clock_in(by(MAY))
    room.at(clock)

    assert code == await code_of(room.store.offer(by(MAY), "", ""))


async def test_nobody_lets_oneself_go_nor_somebody_who_waits_for_nobody(room: DutyRoom) -> None:
    await handed_early(room)
    mine, bos = await room.shift(LIN), await room.shift(BO)

    assert "duty_own_request" == await code_of(room.store.let_go(by(LIN), mine.id, "x"))
    assert "duty_no_relief" == await code_of(room.store.let_go(by(LIN), bos.id, "x"))
    assert "duty_gone" == await code_of(room.store.let_go(by(LIN), "nothing", "x"))
    assert "duty_no_relief" == await code_of(room.store.offer(by(BO), "", ""))


# -- the golden example: Swap


async def swapped(room: DutyRoom, first: Assignment, back: Assignment) -> str:
    """Let a swap be asked, accepted and approved; tell by which code it is refused."""
    people = {one.id: one for one in (MAY, BO, CHEN)}
    try:
        swap = await room.store.ask_swap(by(people[first.person]), first.id, back.id, "dentist")
        await room.store.answer_swap(by(people[back.person]), swap, yes=True)
        await room.store.decide_swap(by(LIN), swap, yes=True)
    except Refused as refusal:
        return refusal.code
    return ""


async def test_the_third_swap_in_march_is_allowed_the_fourth_is_not(room: DutyRoom) -> None:
    await room.plans((MAY, "early"), (BO, "late"), (CHEN, "middle"))
    days = [MONDAY + timedelta(days=n) for n in range(5)]

    codes = [
        await swapped(room, await room.shift(MAY, day), await room.shift(BO, day))
        for day in days[1:]
    ]

    assert ["", "", "", "duty_swap_limit"] == codes
    fourth = await swapped(room, await room.shift(CHEN, days[4]), await room.shift(BO, days[4]))
    assert "duty_swap_limit" == fourth
    assert [MAY.id] == await room.on_duty("20:30", days[1])


async def test_a_swap_over_the_end_of_march_counts_in_march_only(room: DutyRoom) -> None:
    last = date(2025, 3, 31)
    await room.plans((MAY, "early"), (BO, "early"), week=last, days=5)
    third = date(2025, 4, 3)
    await room.store.remove(by(LIN), pick(await room.shift(BO, last), await room.shift(MAY, third)))
    await room.store.publish(by(LIN), last)

    assert "" == await swapped(room, await room.shift(MAY, last), await room.shift(BO, third))

    (swap,) = await room.store.swaps(MAY.id)
    assert (date(2025, 3, 1), SwapState.APPROVED) == (swap.month, swap.state)
    assert [swap] == await room.store.swaps(BO.id)
    assert ("swap", "pay_back") == (
        (await room.shift(BO, last)).source,
        (await room.shift(MAY, third)).source,
    )


async def test_a_swap_on_a_holiday_is_refused(room: DutyRoom) -> None:
    week = date(2025, 3, 31)
    await room.plans((MAY, "early"), (BO, "late"), week=week)

    code = await swapped(room, await room.shift(MAY, QINGMING), await room.shift(BO, QINGMING))

    assert "duty_swap_holiday" == code


async def test_leave_on_a_swapped_shift_is_refused_and_staying_away_is_absence(
    room: DutyRoom,
) -> None:
    await room.plans((MAY, "early"), (BO, "late"))
    await swapped(room, await room.shift(MAY, TUESDAY), await room.shift(BO, TUESDAY))
    mine = await room.shift(MAY, TUESDAY)

    code = await code_of(room.store.ask_leave(by(MAY), mine.id, "tired"))
    room.at("23:00", TUESDAY)

    assert "duty_leave_swapped" == code
    (leave,) = await room.store.leaves(MAY.id)
    assert (Answer.REFUSED, "duty_leave_swapped") == (leave.state, leave.why)
    assert DutyState.ABSENT is (await room.shift(MAY, TUESDAY)).state
    assert "duty_past" == await code_of(room.store.excuse(by(LIN), mine.id, "after all"))


async def asked_swap(room: DutyRoom) -> str:
    await room.plans((MAY, "early"), (BO, "late"), (LIN, "early"), (TAN, "late"))
    first, back = await room.shift(MAY, TUESDAY), await room.shift(BO, TUESDAY)
    return await room.store.ask_swap(by(MAY), first.id, back.id, "dentist")


async def test_each_step_of_a_swap_is_its_own_person_s(room: DutyRoom) -> None:
    swap = await asked_swap(room)

    assert "duty_decided" == await code_of(room.store.decide_swap(by(LIN), swap, yes=True))
    assert "duty_not_yours" == await code_of(room.store.answer_swap(by(MAY), swap, yes=True))
    assert "duty_not_yours" == await code_of(room.store.withdraw_swap(by(BO), swap))
    await room.store.answer_swap(by(BO), swap, yes=True)
    assert "duty_decided" == await code_of(room.store.answer_swap(by(BO), swap, yes=False))
    refuse = room.store.decide_swap(by(LIN), swap, yes=False)
    assert "duty_reason_missing" == await code_of(refuse)
    assert [swap] == [one.id for one in await room.store.swaps(open_only=True)]
    await room.store.withdraw_swap(by(MAY), swap)
    assert "duty_decided" == await code_of(room.store.withdraw_swap(by(MAY), swap))
    assert [] == await room.store.swaps(open_only=True)


async def test_of_two_supervisors_who_decide_at_once_one_is_told(room: DutyRoom) -> None:
    swap = await asked_swap(room)
    await room.store.answer_swap(by(BO), swap, yes=True)

    codes = await asyncio.gather(
        code_of(room.store.decide_swap(by(LIN), swap, yes=True)),
        code_of(room.store.decide_swap(by(TAN), swap, yes=False, why="too few")),
    )

    assert 1 == sum(code == "" for code in codes)
    assert {"duty_decided", "duty_gone"} & set(codes)


async def test_supervisors_do_not_approve_their_own_wishes(room: DutyRoom) -> None:
    await asked_swap(room)
    first, back = await room.shift(LIN, TUESDAY), await room.shift(TAN, TUESDAY)
    swap = await room.store.ask_swap(by(LIN), first.id, back.id, "errand")
    await room.store.answer_swap(by(TAN), swap, yes=True)
    third = await room.shift(LIN, MONDAY)
    await room.store.ask_leave(by(LIN), third.id, "fever")
    (leave,) = await room.store.leaves(LIN.id, open_only=True)

    assert ["duty_own_request"] * 4 == [
        await code_of(room.store.decide_swap(by(LIN), swap, yes=True)),
        await code_of(room.store.decide_swap(by(TAN), swap, yes=True)),
        await code_of(room.store.decide_leave(by(LIN), leave.id, yes=True)),
        await code_of(room.store.excuse(by(LIN), third.id, "x")),
    ]


# -- leave


async def test_leave_frees_from_duty_from_its_approval_on(room: DutyRoom) -> None:
    await room.plans((MAY, "early"), (BO, "early"))
    await room.store.ask_leave(by(MAY), (await room.shift(MAY)).id, "fever")
    (leave,) = await room.store.leaves(open_only=True)
    again = room.store.ask_leave(by(MAY), (await room.shift(MAY)).id, "fever")
    assert "duty_asked" == await code_of(again)
    room.at("10:00")

    await room.store.decide_leave(by(LIN), leave.id, yes=True)

    assert {MAY.id, BO.id} == set(await room.on_duty("09:59"))
    found = await room.store.duty_at(on_monday("10:00"))
    assert ([BO.id], 2) == ([one.person for one in found.agents], found.published)
    late = room.store.decide_leave(by(TAN), leave.id, yes=False, why="no")
    assert "duty_decided" == await code_of(late)


async def test_leave_of_others_cannot_be_asked(room: DutyRoom) -> None:
    await room.plans((MAY, "early"))
    shift = (await room.shift(MAY)).id

    assert "duty_not_yours" == await code_of(room.store.ask_leave(by(BO), shift, "x"))


# -- breaks, and being called away


async def at_lunch(room: DutyRoom) -> None:
    await room.plans((MAY, "early"), (BO, "early"), (LIN, "early"))
    room.at("08:10")
    for person in (MAY, BO, LIN):
        await room.store.clock_in(by(person))
    room.at("12:00")


async def test_a_break_begins_when_the_supervisor_grants_it(room: DutyRoom) -> None:
    await at_lunch(room)
    assert not await room.store.ask_break(by(MAY), 30, "lunch")
    (asked,) = await room.store.away_at(on_monday("12:00"))
    room.at("12:05")

    await room.store.decide_break(by(LIN), asked.id, yes=True)
    room.at("12:20")
    await room.store.end_away(by(MAY), asked.id)

    (state,) = await room.store.away(MAY.id, on_monday("12:00"), on_monday("13:00"))
    assert (AgentState.BREAK_APPROVED, on_monday("12:05"), on_monday("12:20"), "lunch") == (
        state.state,
        state.began_at,
        state.ended_at,
        state.cause,
    )
    assert [] == await room.store.away(MAY.id, on_monday("12:20"), on_monday("13:00"))
    assert "duty_decided" == await code_of(room.store.end_away(by(MAY), asked.id))


async def test_the_last_one_at_lunch_is_refused_when_asking_and_when_granted(
    room: DutyRoom,
) -> None:
    await at_lunch(room)
    await room.store.ask_break(by(MAY), 30)
    await room.store.ask_break(by(BO), 30)
    may, bo = await room.store.away_at(on_monday("12:00"))

    await room.store.decide_break(by(LIN), may.id, yes=True)

    assert "duty_break_staff" == await code_of(room.store.decide_break(by(LIN), bo.id, yes=True))
    await room.store.decide_break(by(LIN), bo.id, yes=False, why="after May")
    assert "duty_break_staff" == await code_of(room.store.ask_break(by(BO), 30))


async def test_where_no_approval_is_needed_a_break_begins_at_once(room: DutyRoom) -> None:
    await at_lunch(room)
    room.house = replace(
        room.house, shifts=replace(room.house.shifts, leave_post_needs_approval=False)
    )

    assert await room.store.ask_break(by(MAY), 30)

    assert [MAY.id] == [one.person for one in await room.store.away_at(on_monday("12:29"))]
    assert [] == await room.store.away_at(on_monday("12:30"))
    assert "duty_break_running" == await code_of(room.store.ask_break(by(MAY), 5))


@pytest.mark.parametrize("alone", [True, False])
async def test_who_may_approve_asks_nobody(room: DutyRoom, alone: bool) -> None:
    await at_lunch(room)
    room.at("15:00")
    who: Person = LIN
    if alone:
        room.people, who = Directory([MAY]), MAY

    assert await room.store.ask_break(by(who), 10)


async def test_two_who_grant_the_same_break_grant_it_once(room: DutyRoom) -> None:
    await at_lunch(room)
    await room.store.ask_break(by(MAY), 30)
    (asked,) = await room.store.away_at(on_monday("12:00"))
    assert "duty_asked" == await code_of(room.store.ask_break(by(MAY), 10))

    codes = await asyncio.gather(
        *(code_of(room.store.decide_break(by(who), asked.id, yes=True)) for who in (LIN, TAN))
    )

    assert 1 == sum(code == "" for code in codes)


async def test_being_called_away_ends_with_a_click_or_with_the_duty(room: DutyRoom) -> None:
    await at_lunch(room)
    await room.store.call_away(by(LIN), (await room.shift(MAY)).id, "help in the shop")
    again = room.store.call_away(by(LIN), (await room.shift(MAY)).id, "x")
    assert "duty_break_running" == await code_of(again)

    (state,) = await room.store.away(MAY.id, on_monday("12:00"), on_monday("12:30"))
    assert (AgentState.CALLED_AWAY, "help in the shop") == (state.state, state.cause)
    (running,) = await room.store.away_at(on_monday("12:00"))
    assert "duty_not_yours" == await code_of(room.store.end_away(by(BO), running.id))
    room.at("17:15")
    await room.store.clock_out(by(MAY))
    assert [] == await room.store.away(MAY.id, on_monday("17:15"), on_monday("18:00"))


async def test_nobody_is_away_who_has_not_come(room: DutyRoom) -> None:
    await room.plans((MAY, "early"))

    assert "duty_no_shift" == await code_of(room.store.ask_break(by(MAY), 10))
    shift = (await room.shift(MAY)).id
    assert "duty_no_shift" == await code_of(room.store.call_away(by(LIN), shift, "x"))


# -- notices, checklists, chat seat


async def test_who_has_read_a_notice_is_kept_once(room: DutyRoom) -> None:
    await room.store.post(by(LIN), "春茶上市", "九折至三月底。")
    (notice,) = await room.store.notices()
    for minutes in range(2):
        room.clock.go(timedelta(minutes=minutes + 1))
        await room.store.read(by(MAY), notice.id)

    (read,) = await room.store.notices()

    assert {MAY.id: on_monday("07:01")} == read.reads
    assert "duty_gone" == await code_of(room.store.read(by(MAY), "nothing"))
    assert "duty_reason_missing" == await code_of(room.store.post(by(LIN), " ", "x"))
    assert "duty_too_long" == await code_of(room.store.post(by(LIN), "x" * 121, "x"))


async def test_a_checklist_is_kept_as_it_was_last_ticked(room: DutyRoom) -> None:
    await room.plans((MAY, "early"))
    shift = (await room.shift(MAY)).id
    await room.store.check_off(by(MAY), shift, "start", ["phone"])

    await room.store.check_off(by(MAY), shift, "start", ["tidy", "arrived"])

    assert {"start": ["arrived", "tidy"]} == await room.store.checked(shift)
    wrong = room.store.check_off(by(MAY), shift, "start", ["nonsense"])
    assert "duty_bad_input" == await code_of(wrong)
    assert "duty_not_yours" == await code_of(room.store.check_off(by(BO), shift, "end", []))


async def test_a_shift_has_as_many_chat_seats_as_the_house_says(room: DutyRoom) -> None:
    await room.plans((MAY, "early"), (BO, "early"))
    mays, bos = (await room.shift(MAY)).id, (await room.shift(BO)).id
    await room.store.seat(by(LIN), mays, give=True)

    assert "duty_seat_full" == await code_of(room.store.seat(by(LIN), bos, give=True))
    await room.store.seat(by(LIN), mays, give=False)
    await room.store.seat(by(LIN), bos, give=True)
    assert {bos} == await room.store.seats(MONDAY, MONDAY)


async def test_each_change_of_the_roster_is_in_the_audit_and_has_a_version(room: DutyRoom) -> None:
    await handed_early(room)
    async with room.db.read() as conn:
        count = await conn.scalar(select(func.count()).select_from(versions))

    assert ["duty_add"] * 3 + ["duty_publish", "duty_clock_in", "duty_clock_out"] == await told(
        room
    )
    assert 3 == count


async def test_a_night_that_ends_in_the_next_week_is_relieved_by_its_first_shift(
    room: DutyRoom,
) -> None:
    night = ShiftType(id="night", start=time(22), end=time(8, 15), relieved_by="early")
    types = {**HOUSE.shifts.types, "night": night}
    room.house = replace(HOUSE, shifts=replace(HOUSE.shifts, types=types))
    await room.store.add(by(LIN), MAY.id, "night", [MONDAY + timedelta(days=6)])
    await room.store.add(by(LIN), BO.id, "early", [MONDAY + timedelta(days=7)])

    lacks = {gap.lack for gap in await room.store.lacks(MONDAY)}

    assert Lack.RELIEF not in lacks
