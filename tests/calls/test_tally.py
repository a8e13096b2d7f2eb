"""Stored calls are counted for reports, the same on every database."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cti.calls.record import CallId, CallRecord, Outcome
from cti.calls.store import CallStore
from cti.calls.tally import MissedLine, Tally, Wanted
from cti.db.engine import Database
from tests.calls.test_store import answered, batch, keep, live, missed
from tests.kit.story import NINE

DAY = Wanted(began=NINE - timedelta(hours=1), ended=NINE + timedelta(hours=23))


def later(record: CallRecord, minutes: int) -> CallRecord:
    """The same call, some minutes later."""
    at = NINE + timedelta(minutes=minutes)
    return replace(record, id=CallId(f"{record.id}-{minutes}"), began=at, seen_at=at)


@pytest.fixture
async def calls(db: Database) -> CallStore:
    """Two calls that Bo answered within 2 rings, one late; two missed at May's phone; one lives."""
    late = later(replace(answered(), rings=6, ring_ms=16_000), 61)
    short = later(replace(missed("m2"), dialled="4009", queues=()), 62)
    await keep(
        db,
        batch(answered(), later(answered(), 3), late),
        batch(later(missed("m1"), 4), short, live("l1")),
        batch(replace(answered("gone")), merges=[("gone", "call-1")]),
    )
    return CallStore(db)


async def tally(calls: CallStore, wanted: Wanted, *parts: Any) -> Sequence[Tally]:
    return await calls.tally(wanted, parts, standard=3, late=5)


async def test_answered_calls_are_counted_by_who_answered(calls: CallStore) -> None:
    [bo] = await tally(calls, replace(DAY, outcome=Outcome.ANSWERED), "person")

    assert ("p-bo", 3, 3, 2, 1) == (bo.person, bo.calls, bo.known, bo.within, bo.late)
    assert bo.ring_ms == 16_000 + 2 * 3_000


async def test_calls_are_counted_by_five_minutes(calls: CallStore) -> None:
    found = await tally(calls, DAY, "slot")

    assert {0: 3, 60: 2} == {
        (one.at - NINE) // timedelta(minutes=1): one.calls for one in found if one.at
    }


async def test_all_that_came_is_counted_by_five_minutes(calls: CallStore) -> None:
    found = await calls.incoming(replace(DAY, ended=NINE + timedelta(minutes=61)))

    assert [Tally(at=NINE, calls=3)] == found


async def test_a_missed_call_counts_once_for_each_agent_whose_phone_rang(calls: CallStore) -> None:
    [may] = await tally(calls, replace(DAY, outcome=Outcome.MISSED), "rung")

    assert ("p-may", 2) == (may.person, may.calls)


async def test_missed_calls_are_counted_by_reason(calls: CallStore) -> None:
    found = await tally(calls, replace(DAY, outcome=Outcome.MISSED), "reason")

    assert {"abandoned_ringing": 2} == {one.reason: one.calls for one in found}


@pytest.mark.parametrize(
    ("narrowed", "n"),
    [
        ({}, 5),
        ({"person": "p-bo"}, 3),
        ({"person": "p-may"}, 0),
        ({"rung": "p-may"}, 5),
        ({"rung": "p-bo"}, 3),
        ({"reason": "rang_out"}, 0),
        ({"reason": "abandoned_ringing"}, 2),
        ({"where": "4009"}, 1),
        ({"where": "support"}, 3),
        ({"ended": NINE + timedelta(minutes=61)}, 3),
        ({"began": NINE + timedelta(minutes=61)}, 2),
    ],
)
async def test_a_report_is_narrowed(calls: CallStore, narrowed: dict[str, Any], n: int) -> None:
    assert n == sum(one.calls for one in await tally(calls, replace(DAY, **narrowed), "slot"))


async def test_missed_calls_are_listed_newest_first_page_by_page(calls: CallStore) -> None:
    [first] = await calls.missed(DAY, 1)
    [second] = await calls.missed(DAY, 9, (first.at, first.call))

    assert ["m2-62", "m1-4"] == [first.call, second.call]
    assert second == MissedLine(
        call="m1-4",
        at=NINE + timedelta(minutes=4),
        number="+8613800138000",
        caller="13800138000",
        line=second.line,
        queues=second.queues,
        reason="abandoned_ringing",
        rings=3,
        wait_ms=second.wait_ms,
        rung=["p-may"],
    )
