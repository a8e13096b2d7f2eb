"""Tests and faults are kept once, with what people decided; on every database."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select

from cti.db.audit import audit
from cti.db.engine import Database
from cti.errors import Refused
from cti.lines.rules import FaultState, LineTest, LineTestState, Step, Verdict, slots
from cti.lines.store import LineStore
from tests.lines.test_rules import HOUSE, MONDAY, at

PASSES, FAILS = Verdict(passed=True), Verdict(passed=False, cause="busy")
PLACE = "trunk/02161110000"


async def planned(store: LineStore) -> LineTest:
    """Plan Monday; give the early shift's test, due to May."""
    await store.plan(MONDAY, slots(HOUSE, MONDAY), at(8))
    test = (await store.of_day(MONDAY))[0]
    await store.become_due(test, "p-may")
    return await store.test(test.id)


async def test_a_day_is_planned_once_however_often(db: Database) -> None:
    store = LineStore(db)
    for _ in range(2):
        await store.plan(MONDAY, slots(HOUSE, MONDAY), at(8))

    found = await store.of_day(MONDAY)
    assert [("early", at(10)), ("middle", at(15))] == [(one.shift, one.due_at) for one in found]
    assert [one.state for one in found] == [LineTestState.PLANNED] * 2


async def test_what_was_over_before_it_was_planned_was_watched_by_nobody(db: Database) -> None:
    store = LineStore(db)
    await store.plan(MONDAY, slots(HOUSE, MONDAY), at(12))

    early, middle = await store.of_day(MONDAY)
    assert (early.state, early.cause) == (LineTestState.SKIPPED, "unobserved")
    assert middle.state is LineTestState.PLANNED


async def test_a_test_has_one_result(db: Database) -> None:
    store = LineStore(db)
    test = await planned(store)

    both = await asyncio.gather(
        store.finish(test, PASSES, "cti", at(9), call="call-1"),
        store.finish(test, FAILS, "p-may", at(9), quality="bad"),
    )

    assert sorted(both) == [False, True]
    async with db.read() as conn:
        assert len((await conn.execute(select(audit))).all()) >= 1


async def test_a_skipped_test_takes_no_result_any_more(db: Database) -> None:
    store = LineStore(db)
    test = await planned(store)
    await store.skip(test, "not_done")

    assert not await store.finish(test, FAILS, "cti", at(11))

    assert await store.open_faults() == []
    assert await store.skipped(PLACE, at(9), at(11)) == [await store.test(test.id)]
    assert await store.skipped("other/1", at(9), at(11)) == []


async def test_a_place_has_one_fault_at_a_time(db: Database) -> None:
    store = LineStore(db)
    first = await store.suspect(PLACE, "silence", at(8), "", at(9))
    assert first is not None
    assert await store.suspect(PLACE, "trunk", at(8), "", at(9)) is None
    await store.step(first.id, Step.DISMISS, "p-tam", "holiday", at(9.5))

    assert await store.suspect(PLACE, "trunk", at(10), "", at(10)) is not None

    (past,) = await store.past_faults()
    assert (past.state, past.ended_at) == (FaultState.DISMISSED, at(9.5))


async def test_every_step_is_kept_and_audited(db: Database) -> None:
    store = LineStore(db)
    fault = await store.report(PLACE, at(8), "dead", "p-may", at(9), "10.0.0.1")
    await store.step(fault.id, Step.REPORT, "p-tam", "called Mr. Li", at(9.1))

    steps = (await store.steps_of([fault.id]))[fault.id]
    assert [("raised", "p-may", "dead"), ("report", "p-tam", "called Mr. Li")] == [
        (one.step, one.who, one.note) for one in steps
    ]
    async with db.read() as conn:
        rows = (await conn.execute(select(audit.c.what, audit.c.about, audit.c.reason))).all()
    about = f"fault:{fault.id}"
    assert [tuple(row) for row in rows] == [
        ("line_fault", about, "dead"),
        ("fault_report", about, "called Mr. Li"),
    ]


async def test_a_trunk_is_faulty_while_its_fault_is_open_and_not_repaired(db: Database) -> None:
    store = LineStore(db)
    fault = await store.suspect(PLACE, "trunk", at(8), "", at(8.1))
    assert fault is not None
    trunk = ("main", "PJSIP/trunk")
    assert "" == await store.fault_at(*trunk, at(8.5), at(8.6))
    await store.step(fault.id, Step.ACCEPT, "p-tam", "", at(9))
    await store.step(fault.id, Step.REPORT, "p-tam", "", at(10))
    await store.step(fault.id, Step.FIX, "p-tam", "", at(11))

    seen = [await store.fault_at(*trunk, at(h), at(h + 0.1)) for h in (8.95, 9.5, 10.95, 11.5)]

    assert [fault.id, fault.id, fault.id, ""] == seen
    assert "" == await store.fault_at("main", "PJSIP/trun_", at(9.5), at(9.6))


async def test_history_comes_in_pages_newest_first(db: Database) -> None:
    store = LineStore(db)
    line = slots(HOUSE, MONDAY)[0]
    for n in range(5):
        test = await store.ask(line, "p-tam", at(8) + timedelta(minutes=n))
        await store.finish(test, PASSES, "cti", at(9))

    first = await store.history(limit=3)
    rest = await store.history(first[-1].id, limit=3)

    assert [3, 2] == [len(first), len(rest)]
    ids = [one.id for one in (*first, *rest)]
    assert ids == sorted(ids, reverse=True)
    assert await store.history(person="p-may") == []


async def test_tests_are_counted_by_person_since_a_day(db: Database) -> None:
    store = LineStore(db)
    await planned(store)

    assert {"p-may": 1} == await store.loads(MONDAY)
    assert {} == await store.loads(MONDAY + timedelta(days=1))


async def test_a_fault_is_asked_about_once(db: Database) -> None:
    store = LineStore(db)
    await store.suspect("phones", "phones", at(8), "", at(8))
    fault = await store.report(PLACE, at(8), "dead", "p-may", at(9))
    assert await store.to_judge() == [fault]

    await store.judged(fault, at(9))

    assert await store.to_judge() == []


async def test_a_bill_is_ticked_off_once(db: Database) -> None:
    store = LineStore(db)
    for _ in range(2):
        await store.pay("2026-03", "p-tam", at(9))

    assert {"2026-03"} == await store.paid()
    async with db.read() as conn:
        assert 1 == len((await conn.execute(select(audit))).all())


async def test_until_when_it_was_watched_is_kept(db: Database) -> None:
    store = LineStore(db)
    assert await store.watched() is None
    for hour in (8, 9):
        await store.watching(at(hour))

    assert at(9) == await store.watched()


@pytest.mark.parametrize("what", ["test", "fault"])
async def test_what_is_not_there_is_refused(db: Database, what: str) -> None:
    with pytest.raises(Refused, match="there is no such"):
        await getattr(LineStore(db), what)("nothing")
