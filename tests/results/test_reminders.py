"""A reminder moves and ends with its event, unless somebody has ticked it off (V15)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from cti.db.engine import Database
from cti.results.record import WorkItem, WorkKind
from cti.results.store import PROGRAM, By, ResultStore
from tests.visits.conftest import MAY, TEN
from tests.visits.conftest import db as db  # one database of each kind

BY = By(person=MAY.id, at=TEN)
DAY = timedelta(days=1)


@pytest.fixture
def store(db: Database) -> ResultStore:
    return ResultStore(db)


def gown(event: str = "e1", **changed: object) -> WorkItem:
    plain = WorkItem(
        id=f"w-{event}",
        kind=WorkKind.REMINDER,
        origin=f"reminder:gown:{event}",
        visit=None,
        customer="bride",
        department="",
        owner=None,
        channel="",
        text="gown · shop",
        due_at=TEN + 4 * DAY,
        opened_at=TEN,
        done_by=None,
        done_at=None,
        note="",
    )
    return replace(plain, **changed)  # type: ignore[arg-type]


async def remind(store: ResultStore, *wanted: WorkItem, event: str = "e1") -> int:
    async with store.db.write() as conn:
        return await store.remind(conn, {event: "bride"}, wanted, TEN)


async def kept(store: ResultStore, item: str = "w-e1") -> WorkItem:
    found = await store.item(item)
    assert found is not None
    return found


async def test_a_reminder_is_kept_once(store: ResultStore) -> None:
    counts = [await remind(store, gown()), await remind(store, gown(id="w-again"))]

    assert ([1, 0], gown()) == (counts, await kept(store))


async def test_it_moves_with_its_event_and_stays_with_whom_it_is(store: ResultStore) -> None:
    await remind(store, gown())
    await store.assign("w-e1", BY, MAY.id, any_ones=True)

    changed = await remind(store, gown(id="w-2", due_at=TEN + 8 * DAY))

    assert (1, gown(owner=MAY.id, due_at=TEN + 8 * DAY)) == (changed, await kept(store))


async def test_it_is_cancelled_with_its_event_and_that_of_another_one_is_not(
    store: ResultStore,
) -> None:
    await remind(store, gown())
    await remind(store, gown("e2"), event="e2")

    changed = [await remind(store), await remind(store)]

    assert ([1, 0], gown(done_by=PROGRAM, done_at=TEN)) == (changed, await kept(store))
    assert gown("e2") == await kept(store, "w-e2")


async def test_it_is_open_again_when_its_event_is_to_happen_after_all(store: ResultStore) -> None:
    await remind(store, gown())
    await remind(store)

    changed = await remind(store, gown(id="w-2", due_at=TEN + 5 * DAY))

    assert (1, gown(due_at=TEN + 5 * DAY)) == (changed, await kept(store))


@pytest.mark.parametrize("wanted", [(), (gown(due_at=TEN + 8 * DAY),)])
async def test_what_somebody_ticked_off_stays(
    store: ResultStore, wanted: tuple[WorkItem, ...]
) -> None:
    await remind(store, gown())
    await store.tick("w-e1", BY, "chosen")
    ticked = await kept(store)

    assert (0, ticked) == (await remind(store, *wanted), await kept(store))


async def test_what_is_open_of_a_rule_that_is_no_more_is_cancelled(store: ResultStore) -> None:
    await remind(store, gown())
    await remind(store, gown("e2", origin="reminder:gown_b:e2"), event="e2")

    async with store.db.write() as conn:
        ended = [
            await store.remind_no_more(conn, some, TEN) for some in (["gown", "gown_b"], ["gown"])
        ]

    assert [0, 1] == ended
    assert gown() == await kept(store)
    assert (await kept(store, "w-e2")).done_by == PROGRAM
    async with store.db.write() as conn:
        assert 1 == await store.remind_no_more(conn, [], TEN)


async def test_one_whose_day_is_over_is_not_begun(store: ResultStore) -> None:
    assert 0 == await remind(store, gown(due_at=TEN))
    assert await store.item("w-e1") is None
