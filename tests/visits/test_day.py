"""What was promised for a day and what was kept, and which records are owed (QM-03)."""

from datetime import timedelta

from sqlalchemy import update

from cti.db.engine import Database
from cti.visits.lists import VisitLists
from cti.visits.record import PROMISE_RULE, Kind, State
from cti.visits.store import visits
from tests.visits.conftest import MAY, TEN, Debts

SINCE, UNTIL = TEN - timedelta(hours=10), TEN + timedelta(hours=14)
HOUR = timedelta(hours=1)


async def promise(debts: Debts, state: State, due: timedelta, *, breached: bool = False) -> None:
    """Owe what was promised for an instant, and let it stand so."""
    period = f"{TEN:%Y-%m}"
    made = await debts.owe(
        kind=Kind.PROMISE,
        rule=PROMISE_RULE,
        period=period,
        due_at=TEN + due,
        from_at=TEN - 9 * HOUR,
    )
    kept = {"state": "open" if state is State.DUE else state.value, "breached": breached}
    kept |= {"ended_at": None if state in (State.DUE, State.WRAP_UP) else TEN + due}
    kept |= {"held_by": MAY.id if state is State.WRAP_UP else None}
    async with debts.db.write() as conn:
        await conn.execute(update(visits).where(visits.c.id == made.id).values(**kept))


async def counted(db: Database) -> tuple[int, int]:
    return await VisitLists(db).promised(SINCE, UNTIL, TEN)


async def test_what_is_due_by_now_or_done_already_counts(debts: Debts) -> None:
    await promise(debts, State.DONE, -HOUR)
    await promise(debts, State.UNREACHABLE, -HOUR)
    await promise(debts, State.DONE, 2 * HOUR)
    await promise(debts, State.DUE, -HOUR, breached=True)
    await promise(debts, State.DUE, HOUR)

    assert (4, 3) == await counted(debts.db)


async def test_what_was_kept_too_late_or_cancelled_is_not_kept(debts: Debts) -> None:
    await promise(debts, State.DONE, -HOUR, breached=True)
    await promise(debts, State.CANCELLED, -HOUR)
    await promise(debts, State.MERGED, -HOUR)

    assert (1, 0) == await counted(debts.db)


async def test_other_days_and_other_visits_count_nothing(debts: Debts) -> None:
    await promise(debts, State.DONE, SINCE - TEN - timedelta(seconds=1))
    await promise(debts, State.DONE, UNTIL - TEN)
    await debts.owe(due_at=TEN - HOUR)

    assert (0, 0) == await counted(debts.db)


async def test_a_visit_that_was_made_owes_its_record(debts: Debts) -> None:
    lists = VisitLists(debts.db)
    before = await lists.unrecorded()

    await promise(debts, State.WRAP_UP, HOUR)

    assert (0, 1) == (before, await lists.unrecorded())
