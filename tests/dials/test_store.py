"""An attempt is written down before it is sent, once; on every database."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from cti.db.audit import audit
from cti.db.engine import Database
from cti.dials.rules import Attempt, AttemptState, Tally, Wanted, line_test
from cti.dials.store import DialStore
from cti.errors import Bug, Refused

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)
MIDNIGHT = NOON - timedelta(hours=12)
NUMBER = "02161110000"


def wanted(subject: str = "line_test:1", number: str = NUMBER, **more: Any) -> Wanted:
    return Wanted(
        purpose="line_test",
        subject=subject,
        pbx="main",
        trunk="trunk",
        number=number,
        route=line_test(number),
        **more,
    )


def allow(_tally: Tally) -> str | None:
    return None


async def commit(
    store: DialStore, attempt: Attempt, at: datetime = NOON, refuse: Any = allow
) -> Attempt:
    return await store.commit(attempt, 1000, at, MIDNIGHT, refuse, "v1")


async def ended(
    store: DialStore, n: int, state: AttemptState, cause: str = "", at: datetime = NOON
) -> None:
    planned = await store.plan(wanted(f"old:{n}"), f"cti-old-{n}", at)
    await store.move(await commit(store, planned, at), state, at, cause=cause)


async def refused(work: Any) -> str:
    with pytest.raises(Refused) as caught:
        await work
    return caught.value.code


async def test_an_attempt_goes_its_way_and_every_commit_is_in_the_audit(db: Database) -> None:
    store = DialStore(db)
    planned = await store.plan(wanted(who="p-tam"), "cti-1", NOON)
    committed = await commit(store, planned)
    assert await store.open() == [committed]

    assert await store.move(committed, AttemptState.SENT, NOON)
    sent = await store.attempt("cti-1")
    assert await store.move(sent, AttemptState.ANSWERED, NOON, call="call-1")

    done = await store.attempt("cti-1")
    assert (done.over, done.call, done.deadline, done.sent_at) == (True, "call-1", 1000, NOON)
    assert await store.open() == []
    assert await store.of("line_test:1") == done
    async with db.read() as conn:
        rows = (await conn.execute(select(audit.c.who, audit.c.what, audit.c.about))).all()
    assert [tuple(row) for row in rows] == [("p-tam", "dial", "attempt:cti-1")]


async def test_there_is_one_open_attempt_for_a_subject_and_one_for_a_number(db: Database) -> None:
    store = DialStore(db)
    await commit(store, await store.plan(wanted(), "cti-1", NOON))

    assert "dial_open" == await refused(store.plan(wanted(number="13800138000"), "cti-2", NOON))
    assert "dial_open" == await refused(store.plan(wanted("callback:2"), "cti-3", NOON))


async def test_what_was_only_planned_gives_way_and_can_be_sent_no_more(db: Database) -> None:
    store = DialStore(db)
    left = await store.plan(wanted(), "cti-1", NOON)

    again = await store.plan(wanted(), "cti-2", NOON)

    assert again.id == "cti-2"
    assert "dial_open" == await refused(commit(store, left))


async def test_only_one_of_two_may_send(db: Database) -> None:
    store = DialStore(db)
    planned = await store.plan(wanted(), "cti-1", NOON)
    await commit(store, planned)

    assert "dial_open" == await refused(commit(store, planned))


async def test_who_is_refused_has_committed_nothing(db: Database) -> None:
    store = DialStore(db)
    planned = await store.plan(wanted(), "cti-1", NOON)

    assert "dial_minute" == await refused(commit(store, planned, refuse=lambda _: "dial_minute"))

    assert (await store.attempt("cti-1")).state is AttemptState.PLANNED
    assert await store.open() == []
    async with db.read() as conn:
        assert (await conn.execute(select(audit))).all() == []


async def test_the_tally_counts_minute_number_agent_and_failures(db: Database) -> None:
    store, seen = DialStore(db), list[Tally]()
    for n, minutes in enumerate((90, 50, 0)):
        await ended(store, n, AttemptState.FAILED, at=NOON - timedelta(minutes=minutes))
    await store.turn(off=True, who="p-lin", reason="fraud?", now=NOON)
    planned = await store.plan(wanted(agent="p-may"), "cti-9", NOON)

    def look(tally: Tally) -> str:
        seen.append(tally)
        return "dialing_off"

    await refused(commit(store, planned, refuse=look))

    expected = Tally(
        off=True, minute=1, number_day=3, agent_hour=0, failed_in_a_row=3, last_failed_at=NOON
    )
    assert [expected] == seen


async def test_a_step_that_the_diagram_lacks_is_our_own_fault(db: Database) -> None:
    store = DialStore(db)
    planned = await store.plan(wanted(), "cti-1", NOON)

    with pytest.raises(Bug):
        await store.move(planned, AttemptState.SENT, NOON)


async def test_of_two_who_settle_an_attempt_one_is_told_that_he_was_late(db: Database) -> None:
    store = DialStore(db)
    attempt = await commit(store, await store.plan(wanted(), "cti-1", NOON))

    assert await store.move(attempt, AttemptState.BUSY, NOON)
    assert not await store.move(attempt, AttemptState.FAILED, NOON)

    assert (await store.attempt("cti-1")).state is AttemptState.BUSY


async def test_the_switch_keeps_who_turned_it_and_why(db: Database) -> None:
    store = DialStore(db)
    assert await store.switched() is None

    await store.turn(off=True, who="p-lin", reason="calls abroad at night", now=NOON)
    await store.turn(off=False, who="p-tam", reason="found", now=NOON)

    found = await store.switched()
    assert found is not None
    assert (found.off, found.who, found.reason) == (False, "p-tam", "found")
    async with db.read() as conn:
        rows = (await conn.execute(select(audit.c.what, audit.c.reason))).all()
    assert [tuple(row) for row in rows] == [
        ("dialing_off", "calls abroad at night"),
        ("dialing_on", "found"),
    ]
