"""One agent has a callback; who takes, gives back, ends, means and reopens it, and who may not."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from cti.callbacks.rules import Callback, State
from cti.callbacks.store import CallbackStore, Count, Wanted
from cti.db.audit import audit
from cti.db.engine import Database
from cti.errors import Refused
from cti.people.rules import Person
from tests.callbacks.conftest import (
    BO,
    CHEN,
    LIN,
    MAY,
    OU,
    TAM,
    TEN,
    WANG,
    WU,
    Story,
    code,
    minutes,
)


async def taken(it: Story, by: Person = MAY) -> Callback:
    """A callback that somebody has taken."""
    owed = await it.owes()
    await it.desk.take(by, owed.id, "")
    return await it.now(owed)


async def audited(it: Story) -> list[dict[str, Any]]:
    """The audit."""
    async with it.db.read() as conn:
        found = await conn.execute(select(audit).order_by(audit.c.seq))
        return [dict(row._mapping) for row in found]


async def test_whoever_takes_it_has_it_for_half_an_hour(it: Story) -> None:
    found = await taken(it)

    assert (State.CLAIMED, MAY.id, TEN + minutes(30), 1) == (
        found.state, found.owner, found.lease_until, found.epoch,
    )  # fmt: skip


async def test_of_two_who_ask_at_once_one_gets_it(it: Story) -> None:
    owed = await it.owes()
    agents = [MAY, BO, LIN] * 3

    told = await asyncio.gather(
        *(it.desk.take(who, owed.id, "") for who in agents), return_exceptions=True
    )

    assert 1 == told.count(None)
    assert {"callback_taken"} == {why.code for why in told if isinstance(why, Refused)}
    assert 1 == (await it.now(owed)).epoch


async def test_of_two_daemons_on_one_database_one_gets_it(db_url: str) -> None:
    one, other = await Database.open(db_url), await Database.open(db_url)
    it, away = Story(one), Story(other)
    await it.begins()
    owed = [await it.owes(f"m{n}", f"+86138001380{n:02}") for n in range(10)]

    told = await asyncio.gather(
        *(
            desk.take(who, o.id, "")
            for o in owed
            for desk, who in [(it.desk, MAY), (away.desk, BO)]
        ),
        return_exceptions=True,
    )

    assert 10 == told.count(None)
    assert {1} == {(await it.now(o)).epoch for o in owed}
    await one.close()
    await other.close()


async def test_in_rest_nobody_may_take_it(it: Story) -> None:
    owed = await it.owes()
    await it.after(125)

    for who in (MAY, LIN):
        with pytest.raises(Refused) as caught:
            await it.desk.take(who, owed.id, "")

        assert ("callback_rest", TEN + minutes(240)) == (code(caught), caught.value.facts["until"])


async def test_what_is_meant_for_a_colleague_is_free_when_it_is_due(it: Story) -> None:
    it.on_duty(MAY, BO)
    owed = await it.owes(rung=[MAY])

    with pytest.raises(Refused) as caught:
        await it.desk.take(BO, owed.id, "")
    assert ("callback_owned", MAY.id) == (code(caught), caught.value.facts["by"])
    await it.after(30)
    await it.desk.take(BO, owed.id, "")

    assert BO.id == (await it.now(owed)).owner


async def test_a_supervisor_may_take_what_is_meant_for_somebody(it: Story) -> None:
    it.on_duty(MAY)
    owed = await it.owes(rung=[MAY])

    await it.desk.take(LIN, owed.id, "")

    assert LIN.id == (await it.now(owed)).owner


async def test_only_who_is_on_duty_may_take_it(it: Story) -> None:
    it.on_duty(MAY)
    owed = await it.owes()

    with pytest.raises(Refused) as caught:
        await it.desk.take(BO, owed.id, "")

    assert "callback_off_duty" == code(caught)


async def test_who_does_not_want_to_be_called_is_not_called(it: Story) -> None:
    await it.knows("王小明", do_not_call=True)
    owed = await it.owes()

    with pytest.raises(Refused) as caught:
        await it.desk.take(MAY, owed.id, "")

    assert "callback_do_not_call" == code(caught)


@pytest.mark.parametrize("who", [CHEN, TAM, replace(MAY, active=False)])
async def test_a_stranger_is_told_that_there_is_none(it: Story, who: Person) -> None:
    it.rules = replace(it.rules, inbound=replace(it.rules.inbound, departments={"4000": "Repair"}))
    owed = await it.owes()

    for act in (it.desk.file(who, owed.id), it.desk.take(who, owed.id, "")):
        with pytest.raises(Refused) as caught:
            await act

        assert "no_callback" == code(caught)


async def test_an_auditor_sees_every_one(it: Story) -> None:
    owed = await it.owes()

    assert owed == (await it.desk.file(OU, owed.id)).case.callback


async def test_given_back_it_is_free_for_all(it: Story) -> None:
    held = await taken(it)

    await it.desk.give_back(MAY, held.id, held.epoch, " no answer\n at noon ", "")
    await it.desk.take(BO, held.id, "")

    found = await it.now(held)
    assert (BO.id, 3, "no answer at noon") == (found.owner, found.epoch, found.note)


@pytest.mark.parametrize(
    ("result", "state"),
    [
        ("settled", State.DONE),
        ("unreachable", State.UNREACHABLE),
        ("refused", State.REFUSED),
        ("wrong_number", State.WRONG_NUMBER),
    ],
)
async def test_whoever_holds_it_ends_it_with_a_result(it: Story, result: str, state: State) -> None:
    held = await taken(it)
    it.clock.go(minutes(5))

    await it.desk.close(MAY, held.id, held.epoch, result, "he asked for a table", "")

    found = await it.now(held)
    assert (state, result, "he asked for a table", MAY.id, TEN + minutes(5), False) == (
        found.state, found.result, found.note, found.ended_by, found.ended_at, found.breached,
    )  # fmt: skip


async def test_what_is_ended_after_its_time_was_late(it: Story) -> None:
    held = await taken(it)
    it.clock.go(minutes(30.1))

    await it.desk.close(MAY, held.id, held.epoch, "settled", "", "")

    assert (await it.now(held)).breached


@pytest.mark.parametrize("by", ["other", "earlier", "nobody"])
async def test_who_does_not_hold_it_changes_nothing(it: Story, by: str) -> None:
    held = await taken(it)
    if by == "nobody":
        await it.desk.give_back(MAY, held.id, held.epoch, "", "")
    who, epoch = (BO, held.epoch) if by == "other" else (MAY, held.epoch - (by == "earlier"))
    before = await it.now(held)

    for act in (
        it.desk.close(who, held.id, epoch, "settled", "", ""),
        it.desk.give_back(who, held.id, epoch, "", ""),
        it.desk.hand_over(who, held.id, epoch, BO.id, "", ""),
    ):
        with pytest.raises(Refused) as caught:
            await act

        assert "callback_not_held" == code(caught)
    assert before == await it.now(held)


@pytest.mark.parametrize(
    ("result", "note", "refused"),
    [
        ("done", "", "callback_result"),
        ("", "", "callback_result"),
        ("not_needed", "by me", "callback_result"),
        ("answered_call", "", "callback_result"),
        ("refused", " \n", "callback_note_missing"),
        ("settled", "x" * 501, "callback_note_long"),
    ],
)
async def test_a_result_must_make_sense(it: Story, result: str, note: str, refused: str) -> None:
    held = await taken(it)

    with pytest.raises(Refused) as caught:
        await it.desk.close(MAY, held.id, held.epoch, result, note, "")

    assert refused == code(caught)


async def test_handed_over_it_waits_for_the_colleague(it: Story) -> None:
    held = await taken(it)

    await it.desk.hand_over(MAY, held.id, held.epoch, BO.id, "she knows him", "")

    found = await it.now(held)
    assert (State.WAITING, BO.id) == (found.state, found.owner)
    with pytest.raises(Refused) as caught:
        await it.desk.take(MAY, held.id, "")
    assert "callback_owned" == code(caught)


async def test_a_supervisor_means_it_for_somebody_else(it: Story) -> None:
    held = await taken(it)

    await it.desk.assign(LIN, held.id, BO.id, "May is ill", "")

    assert BO.id == (await it.now(held)).owner
    with pytest.raises(Refused) as caught:
        await it.desk.close(MAY, held.id, held.epoch, "settled", "", "")
    assert "callback_not_held" == code(caught)


@pytest.mark.parametrize("to", ["", BO.id])
async def test_a_supervisor_says_why(it: Story, to: str) -> None:
    owed = await it.owes()

    for act in (
        it.desk.assign(LIN, owed.id, to, " ", ""),
        it.desk.cancel(LIN, owed.id, "", ""),
        it.desk.reopen(LIN, owed.id, "", ""),
    ):
        with pytest.raises(Refused) as caught:
            await act

        assert "callback_note_missing" == code(caught)


@pytest.mark.parametrize("to", [TAM.id, OU.id, "nobody", CHEN.id])
async def test_it_is_meant_for_somebody_who_makes_such_calls(it: Story, to: str) -> None:
    it.rules = replace(it.rules, inbound=replace(it.rules.inbound, departments={"4000": "Repair"}))
    owed = await it.owes()

    with pytest.raises(Refused) as caught:
        await it.desk.assign(LIN, owed.id, to, "why not", "")

    assert "callback_nobody" == code(caught)


async def test_what_need_not_be_called_is_cancelled(it: Story) -> None:
    owed = await it.owes()

    await it.desk.cancel(LIN, owed.id, "a fax machine", "")

    found = await it.now(owed)
    assert (State.CANCELLED, "not_needed", "a fax machine") == (
        found.state, found.result, found.note,
    )  # fmt: skip


async def test_what_has_ended_is_over_for_all(it: Story) -> None:
    owed = await it.owes()
    await it.desk.cancel(LIN, owed.id, "a fax machine", "")

    for act in (
        it.desk.take(MAY, owed.id, ""),
        it.desk.cancel(LIN, owed.id, "again", ""),
        it.desk.assign(LIN, owed.id, MAY.id, "again", ""),
        it.desk.close(MAY, owed.id, 0, "settled", "", ""),
    ):
        with pytest.raises(Refused) as caught:
            await act

        assert "callback_over" == code(caught)


async def test_a_wrong_end_is_taken_back_and_the_same_call_does_not_end_it_again(
    it: Story,
) -> None:
    owed = await it.owes()
    it.clock.go(minutes(5))
    it.reaches("c1")
    await it.desk.look()
    it.clock.go(minutes(5))

    await it.desk.reopen(LIN, owed.id, "his son answered", "")
    await it.desk.look()

    found = await it.now(owed)
    assert (State.WAITING, None, None, None, None) == (
        found.state, found.result, found.fulfilled_by, found.ended_by, found.ended_at,
    )  # fmt: skip
    it.reaches("c2")
    await it.desk.look()
    assert "c2" == (await it.now(owed)).fulfilled_by


async def test_one_is_open_for_a_number_also_when_an_end_is_taken_back(it: Story) -> None:
    owed = await it.owes("m1")
    await it.desk.cancel(LIN, owed.id, "a fax machine", "")
    await it.owes("m2")

    with pytest.raises(Refused) as caught:
        await it.desk.reopen(LIN, owed.id, "it was Wang", "")

    assert "callback_open_again" == code(caught)


async def test_what_is_open_cannot_be_reopened(it: Story) -> None:
    owed = await it.owes()

    with pytest.raises(Refused) as caught:
        await it.desk.reopen(LIN, owed.id, "why not", "")

    assert "callback_not_over" == code(caught)


async def test_after_an_end_the_next_missed_call_opens_another(it: Story) -> None:
    held = await taken(it)
    await it.desk.close(MAY, held.id, held.epoch, "settled", "", "")
    it.clock.go(minutes(1))

    second = await it.owes("m2")

    assert (1, TEN + minutes(1)) == (second.times, second.owed_since)
    assert held.id != second.id


async def test_whatever_people_do_is_in_the_audit(it: Story) -> None:
    owed = await it.owes()
    await it.desk.take(MAY, owed.id, "10.0.0.7")
    await it.desk.give_back(MAY, owed.id, 1, "busy", "10.0.0.7")
    await it.desk.assign(LIN, owed.id, BO.id, "he knows him", "10.0.0.8")
    await it.desk.take(BO, owed.id, "")
    await it.desk.hand_over(BO, owed.id, 4, MAY.id, "", "")
    await it.desk.cancel(LIN, owed.id, "a fax machine", "")
    await it.desk.reopen(LIN, owed.id, "no fax machine", "")

    rows = await audited(it)

    assert [
        (MAY.id, "callback_taken", ""),
        (MAY.id, "callback_given_back", "busy"),
        (LIN.id, "callback_assigned", "he knows him"),
        (BO.id, "callback_taken", ""),
        (BO.id, "callback_handed_over", ""),
        (LIN.id, "callback_closed", "a fax machine"),
        (LIN.id, "callback_reopened", "no fax machine"),
    ] == [(row["who"], row["what"], row["reason"]) for row in rows]
    assert {f"callback:{owed.id}"} == {row["about"] for row in rows}
    assert ("10.0.0.7", "v1") == (rows[0]["address"], rows[0]["policy"])
    assert ({"owner": None, "state": "waiting"}, {"owner": BO.id, "state": "waiting"}) == (
        json.loads(rows[2]["before"]), json.loads(rows[2]["after"]),
    )  # fmt: skip
    assert [deed.what for deed in await it.store.deeds(owed.id)] == [row["what"] for row in rows]


async def test_a_refusal_leaves_no_trace(it: Story) -> None:
    held = await taken(it)
    before = await audited(it)

    with pytest.raises(Refused):
        await it.desk.take(BO, held.id, "")

    assert before == await audited(it)


# -- lists


async def many(it: Story, n: int) -> list[Callback]:
    """So many that are owed, a minute apart, the first due first."""
    for k in range(n):
        it.misses(f"m{k}", f"+8613800{k:06}")
        it.clock.go(minutes(1))
    await it.desk.look()
    return sorted(await it.store.find(Wanted(), 1000), key=lambda one: one.due_at)


async def test_an_agent_sees_his_own_first_and_what_he_may_take(it: Story) -> None:
    first, second, third, fourth = await many(it, 4)
    await it.desk.assign(LIN, first.id, BO.id, "for Bo", "")
    await it.desk.assign(LIN, third.id, MAY.id, "for May", "")
    await it.desk.take(MAY, fourth.id, "")
    await it.knows("王小明", second.number)

    due = await it.desk.due_list(MAY)

    assert [fourth.id, third.id] == [case.callback.id for case in due.own]
    assert [(second.id, ["王小明"])] == [
        (case.callback.id, [one.name for one in case.customers]) for case in due.free
    ]
    it.clock.go(minutes(60))
    assert [first.id, second.id] == [
        case.callback.id for case in (await it.desk.due_list(MAY)).free
    ]


async def test_an_agent_sees_those_of_his_department_and_of_none(it: Story) -> None:
    served = {"4001": "sales", "4002": "Repair"}
    it.rules = replace(it.rules, inbound=replace(it.rules.inbound, departments=served))
    for n, line in enumerate(["4000", "4001", "4002"]):
        it.misses(f"m{n}", f"+861380013800{n}", dialled=line)
    await it.desk.look()

    chen, may = await it.desk.due_list(CHEN), await it.desk.due_list(MAY)

    assert {"4000", "4001"} == {case.callback.line for case in chen.free}
    assert {"4000", "4001", "4002"} == {case.callback.line for case in may.free}


async def test_a_list_goes_on_where_the_page_before_ended(
    it: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cti.callbacks.desk.PAGE", 3)
    owed = [one.id for one in await many(it, 8)]

    pages, after = list[list[str]](), ""
    while True:
        due = await it.desk.due_list(MAY, after)
        pages.append([case.callback.id for case in due.free])
        after = pages[-1][-1]
        if not due.more:
            break

    assert [owed[:3], owed[3:6], owed[6:]] == pages


async def test_a_supervisor_finds_them_by_state_owner_and_delay(it: Story) -> None:
    first, second, third, fourth = await many(it, 4)
    await it.desk.take(MAY, second.id, "")
    await it.desk.cancel(LIN, third.id, "a fax machine", "")
    await it.desk.assign(LIN, fourth.id, BO.id, "for Bo", "")
    it.clock.at = first.due_at
    await it.desk.look()

    async def found(**wanted: Any) -> list[str]:
        return [case.callback.id for case in (await it.desk.find(Wanted(**wanted)))[0]]

    assert [first.id, second.id, fourth.id] == await found()
    assert [fourth.id, third.id, second.id, first.id] == await found(state="")
    assert [third.id] == await found(state="cancelled")
    assert [second.id] == await found(state="claimed")
    assert [fourth.id] == await found(owner=BO.id)
    assert [first.id] == await found(owner="nobody")
    assert [first.id] == await found(overdue=True)
    assert [second.id, first.id] == await found(state="", after=third.id)
    assert Count(open=3, claimed=1, overdue=1) == await it.desk.count()


async def test_a_chasing_caller_is_known(it: Story) -> None:
    owed = await it.owes()

    assert owed == await CallbackStore(it.db).owed_to(WANG)
    assert await it.store.owed_to(WU) is None


async def test_a_claim_holds_for_half_an_hour(it: Story) -> None:
    held = await taken(it)
    it.clock.go(timedelta(minutes=29))

    await it.desk.look()

    assert held == await it.now(held)


async def test_a_callback_that_is_over_forgets_whom_it_called_and_an_open_one_refuses(
    it: Story,
) -> None:
    owed = await it.owes("m1")

    with pytest.raises(Refused) as refused:
        async with it.db.write() as conn:
            await it.store.forget_numbers(conn, ["m1"], [])
    await it.desk.cancel(LIN, owed.id, "he asked", "")
    async with it.db.write() as conn:
        await it.store.forget_numbers(conn, [], [WANG])

    assert "customer_owed" == refused.value.code
    assert ("", "") == ((await it.now(owed)).number, (await it.now(owed)).note)
