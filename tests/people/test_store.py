"""People, phones, sessions and links, on both databases."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from cti.clock import SetClock
from cti.db.engine import Database
from cti.errors import Refused
from cti.people.rules import Device, Person, Role
from cti.people.store import PeopleStore
from tests.kit import scratch

NOON = datetime(2025, 3, 7, 4, 0, tzinfo=UTC)
DAY = timedelta(hours=12)
DESK = Device("main", "PJSIP/6001")


@pytest.fixture
def clock() -> SetClock:
    """The house's clock."""
    return SetClock(NOON)


@pytest.fixture
def store(db: Database, clock: SetClock) -> PeopleStore:
    """The people of a house."""
    return PeopleStore(db, clock)


@pytest.fixture
async def may(store: PeopleStore) -> Person:
    """An agent."""
    return await store.add(number="6001", name="小美", devices=[DESK])


async def test_who_was_added_is_found_by_id_number_and_phone(store: PeopleStore) -> None:
    added = await store.add(
        number=" 7001 ",
        name="林",
        role="supervisor",
        department="前台",
        devices=[DESK, Device("branch", "PJSIP/1"), DESK],
        locale="zh-Hant",
    )

    assert await store.get(added.id) == added
    assert await store.by_number("7001") == added
    assert (await store.directory()).by_device("branch", "PJSIP/1") == added
    assert added == Person(
        id=added.id,
        number="7001",
        name="林",
        role=Role.SUPERVISOR,
        department="前台",
        devices=(DESK, Device("branch", "PJSIP/1")),
        locale="zh-Hant",
    )


async def test_nobody_is_found_where_nobody_is(store: PeopleStore) -> None:
    assert await store.get("none") is None
    assert await store.by_number("none") is None
    assert await store.list() == []


async def test_people_are_listed_by_number(store: PeopleStore, may: Person) -> None:
    bo = await store.add(number="6000", name="Bo")

    assert await store.list() == [bo, may]


async def test_a_number_is_given_once_even_after_its_holder_left(
    store: PeopleStore, may: Person
) -> None:
    await store.deactivate(may.id)

    with pytest.raises(Refused, match="somebody has the number 6001 already") as caught:
        await store.add(number="6001", name="Bo")

    assert caught.value.code == "person_exists"


async def test_a_phone_is_given_once_and_its_holder_named(store: PeopleStore, may: Person) -> None:
    with pytest.raises(Refused, match="main:PJSIP/6001 belongs to 6001 小美") as caught:
        await store.add(number="6002", name="Bo", devices=[DESK])

    assert (caught.value.code, caught.value.facts["holder"]) == ("device_taken", "6001")
    assert await store.by_number("6002") is None


async def test_phones_are_replaced_whole(store: PeopleStore, may: Person) -> None:
    bo = await store.add(number="6002", name="Bo")

    with pytest.raises(Refused) as caught:
        await store.set_devices(bo.id, [Device("main", "PJSIP/1"), DESK])
    await store.set_devices(may.id, [Device("main", "PJSIP/2")])
    await store.set_devices(bo.id, [DESK])

    assert caught.value.code == "device_taken"
    directory = await store.directory()
    assert directory.by_device("main", "PJSIP/2") == await store.get(may.id)
    assert directory.by_device("main", "PJSIP/6001") == await store.get(bo.id)
    assert directory.by_device("main", "PJSIP/1") is None


async def test_a_phone_cannot_be_given_to_nobody(store: PeopleStore) -> None:
    with pytest.raises(Refused) as caught:
        await store.set_devices("none", [DESK])

    assert caught.value.code == "no_person"


async def test_a_password_cannot_be_given_to_nobody(store: PeopleStore) -> None:
    with pytest.raises(Refused, match="there is nobody with this number") as caught:
        await store.set_password_hash("none", "hash")

    assert caught.value.code == "no_person"


async def test_who_leaves_keeps_records_and_loses_all_else(store: PeopleStore, may: Person) -> None:
    await store.set_password_hash(may.id, "hash")
    session = await store.open_session(may.id, DAY)
    link = await store.make_link(may.id, "log_in", DAY)

    await store.deactivate(may.id)

    gone = await store.get(may.id)
    assert gone is not None
    assert (gone.active, gone.devices) == (False, ())
    assert await store.list() == []
    assert await store.list(with_left=True) == [gone]
    assert await store.password_hash(may.id) is None
    assert await store.session(session) is None
    assert await store.look_at_link(link) is None
    assert (await store.directory()).by_device("main", "PJSIP/6001") is None


async def test_a_session_holds_until_it_ends_or_grows_old(
    store: PeopleStore, clock: SetClock, may: Person
) -> None:
    first = await store.open_session(may.id, DAY, address="192.0.2.1", agent="x" * 500)
    second = await store.open_session(may.id, DAY)
    await store.end_session(first)
    await store.end_session("unknown")

    assert await store.session(first) is None
    assert await store.session("unknown") is None
    clock.go(DAY - timedelta(seconds=1))
    found = await store.session(second)
    assert found is not None
    assert (found.person, found.expires_at) == (may, NOON + DAY)
    clock.go(timedelta(seconds=1))
    assert await store.session(second) is None


async def test_a_session_that_holds_may_begin_anew(
    store: PeopleStore, may: Person, clock: SetClock
) -> None:
    token = await store.open_session(may.id, DAY)
    clock.at += timedelta(hours=11)

    assert await store.prolong(token, DAY)
    clock.at += timedelta(hours=11)
    assert await store.session(token) is not None
    clock.at += timedelta(hours=2)
    assert not await store.prolong(token, DAY)
    assert await store.session(token) is None
    assert not await store.prolong("unknown", DAY)


async def test_a_session_remembers_when_it_was_last_seen(
    store: PeopleStore, clock: SetClock, may: Person, db: Database
) -> None:
    token = await store.open_session(may.id, DAY)

    async def seen() -> str:
        async with db.read() as connection:
            return str(await connection.scalar(text("SELECT seen_at FROM sessions")))

    clock.go(timedelta(seconds=59))
    await store.session(token)
    before = await seen()
    clock.go(timedelta(seconds=1))
    await store.session(token)

    assert "04:00:00" in before
    assert "04:01:00" in await seen()


async def test_a_session_holds_though_nothing_can_be_written(sqlite_db: Database) -> None:
    clock = SetClock(NOON)
    store = PeopleStore(sqlite_db, clock)
    may = await store.add(number="6001", name="May")
    token = await store.open_session(may.id, DAY)
    clock.go(timedelta(minutes=5))
    await scratch.tell(sqlite_db, "PRAGMA query_only = ON")

    found = await store.session(token)

    assert found is not None
    assert found.person == may


async def test_no_token_is_kept_as_it_is(store: PeopleStore, may: Person, db: Database) -> None:
    tokens = {await store.open_session(may.id, DAY), await store.make_link(may.id, "log_in", DAY)}

    async with db.read() as connection:
        rows = [
            *(await connection.execute(text("SELECT token_hash FROM sessions"))).scalars(),
            *(await connection.execute(text("SELECT token_hash FROM login_links"))).scalars(),
        ]

    assert len(rows) == 2
    assert tokens.isdisjoint(rows)
    assert all(len(token) >= 43 for token in tokens)  # 256 bits


async def test_a_new_password_ends_every_session_and_link(store: PeopleStore, may: Person) -> None:
    session = await store.open_session(may.id, DAY)
    link = await store.make_link(may.id, "set_password", DAY)

    await store.set_password_hash(may.id, "new")

    assert await store.session(session) is None
    assert await store.look_at_link(link) is None
    assert await store.password_hash(may.id) == "new"


async def test_a_link_is_good_once_for_its_purpose_and_not_for_ever(
    store: PeopleStore, clock: SetClock, may: Person
) -> None:
    link = await store.make_link(may.id, "log_in", DAY)
    old = await store.make_link(may.id, "log_in", timedelta(minutes=1))
    clock.go(timedelta(minutes=1))

    async def over(token: str, purpose: str = "log_in") -> str:
        with pytest.raises(Refused, match="used or is too old") as caught:
            await store.use_link(token, purpose)  # type: ignore[arg-type]
        return caught.value.code

    assert await over(link, "set_password") == "link_over"
    assert await store.look_at_link(link) == (may, "log_in")
    assert await store.use_link(link, "log_in") == may
    assert await over(link) == "link_over"
    assert await over(old) == "link_over"
    assert await over("unknown") == "link_over"


async def test_what_ended_long_ago_is_forgotten(
    store: PeopleStore, clock: SetClock, may: Person, db: Database
) -> None:
    await store.open_session(may.id, DAY)
    await store.make_link(may.id, "log_in", DAY)
    clock.go(timedelta(days=31))
    fresh = await store.open_session(may.id, DAY)

    await store.sweep()

    assert await store.session(fresh) is not None
    async with db.read() as connection:
        counts = [
            await connection.scalar(text("SELECT count(*) FROM sessions")),
            await connection.scalar(text("SELECT count(*) FROM login_links")),
        ]
    assert counts == [1, 0]
