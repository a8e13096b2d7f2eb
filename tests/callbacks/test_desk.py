"""Each missed call with a number opens one callback, once; whoever is reached is owed nothing."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from cti.callbacks.desk import SETTLE
from cti.callbacks.rules import Callback, State, WhyNone
from cti.callbacks.store import callbacks, misses
from cti.db.audit import audit
from cti.db.engine import Database
from cti.errors import StoreUnavailable
from cti.house import CallTimes, House, InboundRules
from tests.callbacks.conftest import (
    BO,
    CHEN,
    LIN,
    MAY,
    TEN,
    WANG,
    WU,
    Story,
    minutes,
)
from tests.kit.until import until


async def test_a_missed_call_opens_a_callback_that_is_due_in_half_an_hour(it: Story) -> None:
    found = await it.owes("m1", reason="abandoned_ringing")

    assert (State.WAITING, "abandoned_ringing", "4000", 1) == (
        found.state, found.reason, found.line, found.times,
    )  # fmt: skip
    assert (TEN, TEN, TEN + minutes(30)) == (found.owed_since, found.from_at, found.due_at)
    assert ("Asia/Shanghai", "v1", None, False) == (
        found.zone, found.policy, found.owner, found.breached,
    )  # fmt: skip


async def test_while_customers_rest_it_is_planned(it: Story) -> None:
    await it.after(150)  # half past twelve

    found = await it.owes()

    assert (State.PLANNED, TEN + minutes(240), TEN + minutes(270)) == (
        found.state, found.from_at, found.due_at,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("pass_by", "state", "breached"),
    [
        (89, State.PLANNED, False),
        (90, State.WAITING, False),
        (119.9, State.WAITING, False),
        (120, State.DUE, True),
        (5000, State.DUE, True),
    ],
)
async def test_time_brings_it_from_planned_to_due_and_breached(
    it: Story, pass_by: float, state: State, breached: bool
) -> None:
    await it.after(150)
    owed = await it.owes()

    await it.after(pass_by)

    found = await it.now(owed)
    assert (state, breached) == (found.state, found.breached)


async def test_further_missed_calls_are_counted_and_the_first_due_stands(it: Story) -> None:
    first = await it.owes("m1")
    await it.after(10)
    it.misses("m2", reason="rejected", dialled="4001")
    it.misses("m3", WU)

    await it.desk.look()

    wang, wu = await it.all()
    assert ("rejected", "4001") == (wang.reason, wang.line)
    assert (first.id, 2, first.due_at) == (wang.id, wang.times, wang.due_at)
    assert (TEN, TEN + minutes(10)) == (wang.owed_since, wang.last_at)
    assert (WU, 1) == (wu.number, wu.times)
    assert ["m1", "m2"] == [miss.call for miss in await it.store.misses_of(wang.id)]


async def test_a_withheld_number_opens_none_and_that_is_told(it: Story) -> None:
    it.misses("m1", None)

    await it.desk.look()

    told = await it.store.of_calls(["m1", "other"])
    assert [] == await it.all()
    assert {"m1": (None, WhyNone.WITHHELD)} == {
        call: (miss.callback, miss.none) for call, miss in told.items()
    }


async def test_an_incident_is_told_what_became_of_its_callback(it: Story) -> None:
    owed = await it.owes("m1")
    it.reaches("c1")
    await it.desk.look()

    told = (await it.store.of_calls(["m1"]))["m1"]

    assert (owed.id, State.DONE, None) == (told.callback, told.state, told.none)


@pytest.mark.parametrize("reason", ["out_of_hours", "ivr_abandon", "short_abandon"])
async def test_every_reason_opens_one(it: Story, reason: str) -> None:
    assert reason == (await it.owes(reason=reason)).reason


async def test_a_house_may_except_reasons(it: Story) -> None:
    inbound = InboundRules(missed_call_callback_except=("out_of_hours",))
    it.rules = House(version="v2", inbound=inbound)
    it.misses("m1", reason="out_of_hours")
    it.misses("m2", WU)

    await it.desk.look()

    assert [WU] == [one.number for one in await it.all()]
    assert WhyNone.EXCEPTED == (await it.store.of_calls(["m1"]))["m1"].none


async def test_a_line_test_opens_none(it: Story) -> None:
    it.misses("m1")
    it.tests.calls = {"m1"}

    await it.desk.look()

    assert [] == await it.all()
    assert WhyNone.TEST_CALL == (await it.store.of_calls(["m1"]))["m1"].none


async def test_a_call_is_left_alone_until_it_is_known_whether_it_was_a_test(it: Story) -> None:
    desk = it.new_desk(settle=SETTLE)
    it.misses("m1")
    await desk.look()
    it.tests.calls = {"m1"}  # the call by which we dialled ourselves is stored a moment later
    it.clock.go(SETTLE)

    await desk.look()

    assert [] == await it.all()


async def test_a_house_that_never_calls_says_so(it: Story) -> None:
    it.rules = House(version="v2", call_times=CallTimes(windows=()))
    it.misses("m1")

    await it.desk.look()

    assert WhyNone.NO_CALL_TIMES == (await it.store.of_calls(["m1"]))["m1"].none


async def test_it_is_meant_for_the_first_agent_rung_who_is_still_on_duty(it: Story) -> None:
    it.on_duty(BO, CHEN)

    found = await it.owes(rung=[MAY, BO, CHEN])

    assert BO.id == found.owner


async def test_nobody_rung_is_on_duty_any_more(it: Story) -> None:
    it.on_duty(CHEN)

    assert (await it.owes(rung=[MAY, BO])).owner is None


async def test_who_has_gone_home_by_then_is_not_asked(it: Story) -> None:
    await it.after(11.5 * 60)  # half past nine in the evening
    it.on_duty(MAY, until=60)
    it.on_duty(BO, until=60 * 24)

    found = await it.owes(rung=[MAY, BO])

    assert BO.id == found.owner
    assert (TEN + timedelta(hours=23), "") == it.roster.asked[-1]


@pytest.mark.parametrize(
    ("queues", "dialled", "department"),
    [(["sales"], "4000", "Sales"), ([], "4001", "Repair"), (["other"], "4002", "")],
)
async def test_it_belongs_to_the_department_that_serves_the_call(
    it: Story, queues: list[str], dialled: str, department: str
) -> None:
    served = {"sales": "Sales", "4001": "Repair"}
    it.rules = House(version="v2", inbound=InboundRules(departments=served))

    found = await it.owes(queues=queues, dialled=dialled)

    assert department == found.department
    assert department == it.roster.asked[-1][1]


async def test_any_answered_call_with_the_number_fulfils_it(it: Story) -> None:
    owed = await it.owes()
    it.clock.go(minutes(5))
    it.reaches("c1", WU)
    it.reaches("c2", WANG, by=BO)

    await it.desk.look()

    found = await it.now(owed)
    assert (State.DONE, "answered_call", "c2", BO.id) == (
        found.state, found.result, found.fulfilled_by, found.ended_by,
    )  # fmt: skip
    assert (TEN + minutes(5), False) == (found.ended_at, found.breached)


async def test_who_was_reached_after_it_was_due_waited_too_long(it: Story) -> None:
    owed = await it.owes()
    await it.after(31)
    it.reaches("c1")

    await it.desk.look()

    found = await it.now(owed)
    assert (State.DONE, True) == (found.state, found.breached)


async def test_who_was_reached_in_time_is_no_breach_though_we_heard_late(it: Story) -> None:
    owed = await it.owes()
    await it.after(40)
    it.reaches("c1", ago=20)

    await it.desk.look()

    assert not (await it.now(owed)).breached


async def test_an_answer_before_the_last_missed_call_does_not_count(it: Story) -> None:
    it.clock.go(minutes(10))
    it.misses("m1", ago=10)
    it.reaches("c1", ago=5)
    it.misses("m2")

    await it.desk.look()

    first, second = await it.all()
    assert ("c1", State.DONE) == (first.fulfilled_by, first.state)
    assert (None, State.WAITING, 1) == (second.fulfilled_by, second.state, second.times)


async def test_an_answer_closes_nothing_that_was_missed_after_it(it: Story) -> None:
    owed = await it.owes()
    it.clock.go(minutes(5))
    early, late = it.reaches("c1", ago=6), it.reaches("c2")

    told = [await it.store.fulfil(owed.id, one) for one in (early, late, late)]

    assert [False, True, False] == told
    assert "c2" == (await it.now(owed)).fulfilled_by


async def test_a_claim_ends_when_somebody_else_reaches_the_customer(it: Story) -> None:
    owed = await it.owes()
    await it.desk.take(MAY, owed.id, "")
    it.reaches("c1", by=BO)

    await it.desk.look()

    found = await it.now(owed)
    assert (State.DONE, None, BO.id) == (found.state, found.lease_until, found.ended_by)


async def test_a_claim_that_is_forgotten_is_free_again(it: Story) -> None:
    owed = await it.owes()
    await it.desk.take(MAY, owed.id, "")

    await it.after(30)

    found = await it.now(owed)
    assert (State.DUE, None, None) == (found.state, found.owner, found.lease_until)
    assert [("p-may", "callback_taken"), ("cti", "callback_lapsed")] == [
        (deed.who, deed.what) for deed in await it.store.deeds(owed.id)
    ]


async def test_what_somebody_holds_is_breached_when_its_time_is_over(it: Story) -> None:
    owed = await it.owes()
    await it.after(20)
    await it.desk.take(MAY, owed.id, "")

    await it.after(15)

    found = await it.now(owed)
    assert (State.CLAIMED, True) == (found.state, found.breached)


async def test_new_rules_plan_what_is_open_again(it: Story) -> None:
    owed = await it.owes()
    done = await it.owes("m2", WU)
    await it.desk.take(LIN, done.id, "")
    await it.desk.close(LIN, done.id, 1, "settled", "", "")
    slow = InboundRules(missed_call_callback=minutes(60))
    it.rules = House(version="v2", inbound=slow)

    await it.after(31)

    found, ended = await it.now(owed), await it.now(done)
    assert (TEN + minutes(60), State.WAITING, "v2") == (found.due_at, found.state, found.policy)
    assert (TEN + minutes(30), "v1") == (ended.due_at, ended.policy)
    assert ["callback_planned_again"] == [deed.what for deed in await it.store.deeds(owed.id)]


async def test_calls_before_this_room_was_there_are_left_alone(db: Database) -> None:
    it = Story(db)
    it.misses("old", ago=1)

    await it.desk.look()
    await it.after(1)

    assert [] == await it.all()


async def test_a_call_that_is_told_hours_later_is_found(it: Story) -> None:
    await it.after(5 * 60)
    it.misses("late", ago=4 * 60)

    await it.after(1)

    assert [TEN + minutes(60)] == [one.owed_since for one in await it.all()]


async def test_what_happened_while_nobody_looked_is_found_at_the_next_start(it: Story) -> None:
    it.misses("m1")
    it.clock.go(timedelta(days=5))

    await it.new_desk().look()

    assert [State.DUE] == [one.state for one in await it.all()]


async def test_a_quiet_desk_writes_nothing(it: Story) -> None:
    await it.owes()
    before = await everything(it.db)

    await it.after(0.1)
    await it.after(0.1)

    assert before == await everything(it.db)


async def test_two_desks_at_once_open_one(it: Story) -> None:
    it.misses("m1")
    it.misses("m2")

    await asyncio.gather(*(it.new_desk().look() for _ in range(4)))

    assert [2] == [one.times for one in await it.all()]


@pytest.mark.parametrize("fault", [StoreUnavailable("away", code="db_busy"), ValueError("ours")])
async def test_what_failed_is_tried_again(
    it: Story, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    it.misses("m1")
    missed_since, tries = it.calls.missed_since, [1]

    async def away(since: Any) -> Any:
        if tries:
            tries.pop()
            raise fault
        return await missed_since(since)

    monkeypatch.setattr(it.calls, "missed_since", away)
    monkeypatch.setattr("cti.callbacks.desk.EVERY", 0.01)
    running = asyncio.get_running_loop().create_task(it.desk.run())
    async with asyncio.timeout(10):
        while not await it.all():  # noqa: ASYNC110  the database tells nobody
            await asyncio.sleep(0.01)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    await until(lambda: it.db.checked_out() == 0)

    assert not tries


# -- from any cut


async def everything(db: Database) -> list[dict[str, Any]]:
    """Every row of this room, and of the audit."""
    async with db.read() as conn:
        return [
            dict(row._mapping)
            for table in (callbacks, misses, audit)
            for row in await conn.execute(select(table).order_by(*table.primary_key))
        ]


def told(one: Callback) -> tuple[object, ...]:
    """What must be the same however often, and whenever, the desk looked."""
    return (
        one.number, one.owed_since, one.last_at, one.times, one.due_at, one.state, one.breached,
        one.fulfilled_by, one.ended_at, one.contact_after, one.line,
    )  # fmt: skip


Happening = tuple[str, str, int]
happenings = st.lists(
    st.tuples(st.sampled_from(["miss", "answer"]), st.sampled_from([WANG, WU]), st.integers(0, 9)),
    max_size=10,
)


async def empty(db: Database) -> None:
    async with db.write() as conn:
        for table in (misses, callbacks):
            await conn.execute(table.delete())


async def lives_through(it: Story, happened: list[Happening], looks: set[int]) -> None:
    """Let it happen, the desk looking only after some of it, each time a new one; then twice."""
    it.calls.missed, it.calls.answered = [], []
    it.clock.at = TEN
    for n, (what, number, wait) in enumerate(happened):
        it.clock.go(minutes(wait) + timedelta(seconds=1))
        if what == "miss":
            it.misses(f"call-{n}", number, dialled=str(n))
        else:
            it.reaches(f"call-{n}", number)
        if n in looks:
            await it.new_desk().look()
    await it.new_desk().look()
    await it.new_desk().look()


@given(happenings, st.sets(st.integers(0, 9)))
@example([("miss", WANG, 1), ("answer", WANG, 1), ("miss", WANG, 1)], {0})
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_the_same_is_owed_from_any_cut(
    sqlite_db: Database, happened: list[Happening], looks: set[int]
) -> None:
    it = Story(sqlite_db)
    await it.begins()
    await lives_through(it, happened, set())
    at_once = [told(one) for one in await it.all()]
    await empty(sqlite_db)

    await lives_through(it, happened, looks)

    assert at_once == [told(one) for one in await it.all()]
    await empty(sqlite_db)


class Killed(BaseException):
    """The process is no more."""


async def test_killed_before_any_commit_it_loses_and_doubles_nothing(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = Story(db)
    await it.begins()
    it.clock.go(minutes(20))
    it.misses("m1", ago=20)
    it.misses("m2", WU, ago=15)
    it.misses("m3", None, ago=12)
    it.misses("m4", ago=10)
    it.reaches("c1", WU, ago=5)
    left = [0]
    commit = db._commit

    async def dies(connection: Any) -> None:
        if left[0] == 0:
            await connection.close()
            raise Killed
        left[0] -= 1
        await commit(connection)

    monkeypatch.setattr(db, "_commit", dies)
    kills = 0
    for lives in range(20):
        left[0] = lives % 3
        try:
            await it.new_desk().look()
        except Killed:
            kills += 1

    wang, wu = sorted(await it.all(), key=lambda one: one.number)
    assert kills > 5
    assert (2, State.WAITING) == (wang.times, wang.state)
    assert (1, State.DONE, "c1") == (wu.times, wu.state, wu.fulfilled_by)
    assert {"m1", "m2", "m3", "m4"} == set(await it.store.of_calls(["m1", "m2", "m3", "m4"]))


async def test_whoever_holds_a_callback_is_told_by_its_missed_call(it: Story) -> None:
    owed = await it.owes("m1")
    assert {} == await it.store.holders(["m1"])

    await it.desk.take(MAY, owed.id, "")

    assert {"m1": {MAY.id}} == await it.store.holders(["m1", "other"])
