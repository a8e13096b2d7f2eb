"""Intervals are kept in their order, once, and read back; on every database."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from cti.db.engine import Database
from cti.presence.phones import Change, Diary, Standing
from cti.presence.states import AgentState, Interval, Source
from cti.presence.store import PresenceStore, states

NINE = datetime(2026, 3, 2, 1, tzinfo=UTC)
ALWAYS = (NINE - timedelta(days=1), NINE + timedelta(days=1))
STATES = ("available", "ringing", "busy_elsewhere", "unknown")


def second(n: float) -> datetime:
    return NINE + timedelta(seconds=n)


def day_of(person: str, *states: str, every: float = 10) -> list[Change]:
    """Somebody changes state every so many seconds; `gone` ends it."""
    names = count(1)
    diary = Diary(lambda: f"{person}-{next(names)}")
    told = [
        diary.note(
            person,
            None
            if state == "gone"
            else Standing(state=AgentState(state), source=Source.DEVICE, cause="PJSIP/6001"),
            second(n * every),
        )
        for n, state in enumerate(states)
    ]
    return [change for change in told if change]


async def keep(db: Database, changes: Sequence[Change]) -> None:
    await PresenceStore(db).keep(changes)


def told(intervals: Sequence[Interval]) -> list[tuple[str, float, float | None]]:
    return [
        (
            one.state.value,
            (one.began_at - NINE).total_seconds(),
            (one.ended_at - NINE).total_seconds() if one.ended_at else None,
        )
        for one in intervals
    ]


async def test_an_interval_ends_when_the_next_begins(db: Database) -> None:
    await keep(db, day_of("may", "available", "ringing", "busy_elsewhere"))

    assert [("available", 0, 10), ("ringing", 10, 20), ("busy_elsewhere", 20, None)] == told(
        await PresenceStore(db).intervals(["may"], *ALWAYS)
    )


async def test_it_is_read_back_as_it_was_told(db: Database) -> None:
    changes = day_of("may", "available")
    await keep(db, changes)

    [entry] = await PresenceStore(db).open()

    assert entry == changes[0].entry


async def test_keeping_the_same_again_changes_nothing(db: Database) -> None:
    changes = day_of("may", "available", "ringing", "gone", "available", "unknown")
    await keep(db, changes)
    before = told(await PresenceStore(db).intervals(["may"], *ALWAYS))

    await keep(db, changes)
    await keep(db, changes[2:])

    assert before == told(await PresenceStore(db).intervals(["may"], *ALWAYS))
    assert 1 == len(await PresenceStore(db).open())


async def test_who_leaves_has_no_open_interval(db: Database) -> None:
    await keep(db, [*day_of("may", "available", "gone"), *day_of("bo", "available")])

    assert ["bo"] == [entry.interval.person for entry in await PresenceStore(db).open()]


async def test_only_what_holds_in_the_time_asked_for_is_given(db: Database) -> None:
    await keep(db, [*day_of("may", *STATES, *STATES), *day_of("bo", "available", "ringing")])
    store = PresenceStore(db)

    assert [("ringing", 10, 20), ("busy_elsewhere", 20, 30)] == told(
        await store.intervals(["may"], second(15), second(25))
    )
    assert [("ringing", 10, 20)] == told(await store.intervals(["may"], second(10), second(20)))
    assert [("unknown", 70, None)] == told(await store.intervals(["may"], second(500), second(600)))
    assert [] == await store.intervals(["may"], second(-20), second(0))
    assert {"may", "bo"} == {
        one.person for one in await store.intervals(["may", "bo", "chen"], second(5), second(6))
    }


async def test_a_cause_that_no_table_bears_is_cleaned(db: Database) -> None:
    diary = Diary(lambda: "i1")
    cause = "lunch\x00\x1b[31m" + "x" * 500
    standing = Standing(state=AgentState.PAUSE_UNAPPROVED, source=Source.QUEUE, cause=cause)
    change = diary.note("may", standing, NINE)
    assert change is not None

    await keep(db, [change])

    [entry] = await PresenceStore(db).open()
    assert entry.interval.cause.startswith("lunch")
    assert len(entry.interval.cause) <= 201
    assert "\x1b" not in entry.interval.cause


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.sampled_from([*STATES, "gone"]), max_size=8), st.data())
async def test_however_often_a_batch_is_tried_it_is_kept_once(
    sqlite_db: Database, days: list[str], data: st.DataObject
) -> None:
    changes = day_of("may", *days)
    async with sqlite_db.write() as conn:
        await conn.execute(delete(states))
    while changes:
        size = data.draw(st.integers(1, len(changes)))
        for _ in range(data.draw(st.integers(1, 2))):
            await keep(sqlite_db, changes[:size])
        changes = changes[size:]

    kept = await PresenceStore(sqlite_db).intervals(["may"], *ALWAYS)
    after = [(one.ended_at, later.began_at) for one, later in pairwise(kept)]
    assert all(ended is not None and ended <= began for ended, began in after)
    assert len(kept) == len(
        [n for n, state in enumerate(days) if state != "gone" and days[n - 1 : n] != [state]]
    )
