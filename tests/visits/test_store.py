"""Who makes which visit? Each claim goes to one person; a customer is worked with by one."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from cti.errors import Refused
from cti.visits.record import CALLED_US, OPEN, Outcome, Owed, State, Try, Visit
from cti.visits.store import tries
from tests.visits.conftest import BO, MAY, TEN, Debts

LEASE = timedelta(minutes=15)


async def code_of(work: Any) -> str:
    with pytest.raises(Refused) as caught:
        await work
    return caught.value.code


async def next_for(debts: Debts, person: str, at: Any = TEN) -> Visit | None:
    return await debts.store.claim_next(person, at, LEASE, supervisor=False)


def attempt(visit: Visit, n: int = 1, agent: str = MAY.id) -> Try:
    return Try(
        id=f"cti-{n}",
        visit=visit.id,
        customer=visit.customer,
        number="13800000001",
        agent=agent,
        purpose=visit.purpose,
        daypart="weekday:morning",
        allowed="window",
        began_at=TEN,
        ended_at=None,
        outcome=None,
        counts=True,
        call=None,
    )


async def test_what_is_owed_twice_is_kept_once(debts: Debts) -> None:
    visit = await debts.owe()
    owed = Owed(
        kind=visit.kind,
        origin=visit.origin,
        customer=visit.customer,
        rule="other",
        purpose="care",
        period="",
        from_at=TEN,
        due_at=TEN,
        give_up_at=TEN,
        zone="UTC",
    )

    async with debts.db.write() as conn:
        kept = await debts.store.owe(conn, [owed, owed], TEN, "v2")

    assert (0, visit) == (kept, await debts.store.get(visit.id))


async def test_an_appointment_comes_first_then_ones_own_then_what_is_nobodys(debts: Debts) -> None:
    late = await debts.owe(due_at=TEN + timedelta(hours=1))
    own = await debts.owe(owner=MAY.id)
    named = await debts.owe(appointment_at=TEN, due_at=TEN + timedelta(days=3))
    await debts.owe(owner=BO.id, due_at=TEN)
    await debts.owe(from_at=TEN + timedelta(minutes=1))

    order = []
    while (found := await next_for(debts, MAY.id)) is not None:
        order.append(found.id)
        await debts.store.let_go(found, {"next_at": TEN + timedelta(hours=1)})

    assert [named.id, own.id, late.id] == order


async def test_of_many_who_ask_at_once_each_gets_another_one(debts: Debts) -> None:
    owed = {(await debts.owe()).id for _ in range(6)}

    found = await asyncio.gather(*(next_for(debts, f"p-{n}") for n in range(6)))

    assert owed == {one.id for one in found if one is not None}


async def test_a_customer_with_whom_somebody_works_waits(debts: Debts) -> None:
    customer = await debts.customer()
    await debts.owe(customer, due_at=TEN)
    second = await debts.owe(customer)
    assert await next_for(debts, MAY.id) is not None

    assert await next_for(debts, BO.id) is None
    assert "visit_customer_busy" == await code_of(debts.store.claim(second.id, BO.id, TEN, LEASE))


async def test_who_works_on_one_takes_no_other(debts: Debts) -> None:
    await debts.owe()
    other = await debts.owe()
    await next_for(debts, MAY.id)

    assert "visit_busy" == await code_of(next_for(debts, MAY.id))
    assert "visit_busy" == await code_of(debts.store.claim(other.id, MAY.id, TEN, LEASE))


async def test_who_refused_the_solution_to_one_agent_is_called_by_another(debts: Debts) -> None:
    visit = await debts.owe()
    held = await next_for(debts, MAY.id)
    assert held is not None
    await debts.store.let_go(held, {"avoid_agent": MAY.id})

    assert await next_for(debts, MAY.id) is None
    found = await next_for(debts, BO.id)
    assert found is not None
    assert visit.id == found.id


async def test_what_is_for_supervisors_is_given_to_no_agent(debts: Debts) -> None:
    visit = await debts.owe(by="supervisor")

    assert await next_for(debts, MAY.id) is None
    found = await debts.store.claim_next("p-lin", TEN, LEASE, supervisor=True)
    assert found is not None
    assert visit.id == found.id


async def test_what_is_not_to_be_claimed_is_passed_over_for_what_comes_after_it(
    debts: Debts,
) -> None:
    first = await debts.owe(due_at=TEN + timedelta(hours=1))
    second = await debts.owe(due_at=TEN + timedelta(hours=2))

    found = await debts.store.claim_next(MAY.id, TEN, LEASE, supervisor=False, but={first.id})

    assert found
    assert second.id == found.id


async def test_when_somebody_was_dialled_for_is_told_save_where_the_customer_called(
    debts: Debts,
) -> None:
    await debts.owe()
    held = await next_for(debts, MAY.id)
    assert held is not None
    await debts.store.begin(held, attempt(held), TEN.date())
    minute = timedelta(minutes=1)

    told = [
        await debts.store.dialling(people, TEN - minute + late, TEN + late)
        for people, late in (({MAY.id}, minute), ({BO.id}, minute), ({MAY.id}, -minute))
    ]
    async with debts.db.write() as conn:
        await conn.execute(tries.update().values(allowed=CALLED_US))

    assert [[(MAY.id, "system_dialled_visit", TEN)], [], []] == [
        [(one.person, one.state, one.began_at) for one in some] for some in told
    ]
    assert [] == await debts.store.dialling({MAY.id}, TEN, TEN + minute)


async def test_a_claim_whose_lease_is_over_is_free_again(debts: Debts) -> None:
    await debts.owe()
    held = await next_for(debts, MAY.id)
    assert held is not None

    assert 0 == await debts.store.lapse(TEN + LEASE - timedelta(seconds=1))
    assert 1 == await debts.store.lapse(TEN + LEASE)

    free = await debts.store.get(held.id)
    assert free is not None
    assert (OPEN, None, held.epoch + 1) == (free.state, free.held_by, free.epoch)
    assert not await debts.store.let_go(held, {"note": "too late"})


async def test_an_attempt_begins_only_for_who_holds_the_visit(debts: Debts) -> None:
    await debts.owe()
    held = await next_for(debts, MAY.id)
    assert held is not None
    await debts.store.lapse(TEN + LEASE)

    assert "visit_not_held" == await code_of(debts.store.begin(held, attempt(held), TEN.date()))
    assert [] == await debts.store.open_tries()


async def test_one_attempt_lives_per_customer(debts: Debts) -> None:
    customer = await debts.customer()
    first = await debts.owe(customer)
    held = await next_for(debts, MAY.id)
    assert held is not None
    await debts.store.begin(held, attempt(held), TEN.date())
    # as if the first had been let go while its call still lives
    async with debts.db.write() as conn:
        now = await debts.store.get(first.id)
        assert now is not None
        await debts.store.move(conn, now, {"state": OPEN, "held_by": None})
    await debts.owe(customer)
    again = await next_for(debts, BO.id)
    assert again is not None

    code = await code_of(debts.store.begin(again, attempt(again, 2, BO.id), TEN.date()))

    assert "visit_customer_busy" == code


async def test_an_attempt_ends_once_and_may_be_sent_no_more(debts: Debts) -> None:
    await debts.owe()
    held = await next_for(debts, MAY.id)
    assert held is not None
    made = attempt(held)
    await debts.store.begin(held, made, TEN.date())
    async with debts.db.write() as conn:
        assert await debts.store.lives(conn, made.id)
        ended = [
            await debts.store.end_try(conn, made, outcome, TEN, call="c1")
            for outcome in (Outcome.FAILED, Outcome.BUSY)
        ]
        lives = await debts.store.lives(conn, made.id)

    assert ([True, False], False) == (ended, lives)
    (kept,) = await debts.store.tries_at(held.id)
    assert (Outcome.FAILED, False, "c1") == (kept.outcome, kept.counts, kept.call)
    assert State.IN_ATTEMPT == (await debts.store.get(held.id) or held).state
