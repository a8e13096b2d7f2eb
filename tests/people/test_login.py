"""Who has the password gets in; who has not learns nothing from being refused."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from argon2 import PasswordHasher
from structlog.testing import capture_logs

from cti.clock import SetClock
from cti.db.engine import Database
from cti.errors import Refused
from cti.people.login import Login
from cti.people.passwords import Passwords
from cti.people.rules import Person
from cti.people.store import PeopleStore

NOON = datetime(2025, 3, 7, 4, 0, tzinfo=UTC)
WORD = "correct horse"
HERE = "192.0.2.1"


class House:
    """A door with one agent behind it; hashing is made cheap."""

    def __init__(self, db: Database) -> None:
        self.clock = SetClock(NOON)
        self.store = PeopleStore(db, self.clock)
        self.cheap = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        self.login = Login(self.store, passwords=self.cheap, clock=self.clock)

    async def hire(self, number: str = "6001") -> Person:
        """Add an agent with a password."""
        person = await self.store.add(number=number, name="May")
        await self.login.set_password(person, WORD)
        return person

    async def refused(self, number: str, password: str) -> tuple[str, str]:
        """Try, and give code and sentence of the refusal."""
        with pytest.raises(Refused) as caught:
            await self.login.log_in(number, password, address=HERE)
        return caught.value.code, str(caught.value)


@pytest.fixture
def house(db: Database) -> House:
    """A house on each kind of database."""
    return House(db)


async def test_the_right_password_opens_a_session(house: House) -> None:
    may = await house.hire()

    token = await house.login.log_in(" 6001 ", WORD, address=HERE, agent="Firefox")

    assert await house.login.session(token) == may
    await house.login.end_session(token)
    assert await house.login.session(token) is None


async def test_whatever_is_wrong_the_refusal_is_the_same(house: House) -> None:
    await house.hire()
    bo = await house.store.add(number="6002", name="Bo")  # no password yet
    gone = await house.hire("6003")
    await house.store.deactivate(gone.id)

    told = {
        await house.refused("6001", "wrong"),
        await house.refused("nobody", WORD),
        await house.refused(bo.number, WORD),
        await house.refused("6003", WORD),
        await house.refused("6001", WORD + "x" * 100_000),
        await house.refused("' OR 1=1 --", ""),
    }

    assert told == {("login_refused", "number or password is wrong")}


async def test_too_many_tries_must_wait_even_with_the_right_password(house: House) -> None:
    await house.hire()
    for _ in range(5):
        await house.refused("6001", "wrong")

    with pytest.raises(Refused, match="too many tries") as caught:
        await house.login.log_in("6001", WORD, address=HERE)
    house.clock.go(timedelta(minutes=15))

    assert (caught.value.code, caught.value.facts) == ("login_later", {"seconds": 901})
    assert await house.login.log_in("6001", WORD, address=HERE)


async def test_many_tries_at_once_are_counted_before_they_are_hashed(house: House) -> None:
    await house.hire()

    codes = await asyncio.gather(*(house.refused("6001", "wrong") for _ in range(30)))

    assert [code for code, _sentence in codes].count("login_refused") == 5


async def test_no_password_and_no_token_reaches_the_log(house: House) -> None:
    await house.hire()

    with capture_logs() as logs:
        token = await house.login.log_in("6001", WORD, address=HERE)
        await house.refused("6001", "a secret of mine")

    assert [fact["event"] for fact in logs] == ["logged_in", "login_refused"]
    assert not any(word in str(logs) for word in (token, WORD, "a secret of mine"))


async def test_an_old_hash_becomes_a_stronger_one_and_sessions_go_on(house: House) -> None:
    may = await house.hire()
    before = await house.login.log_in("6001", WORD, address=HERE)
    stronger = Passwords(PasswordHasher(time_cost=2, memory_cost=16, parallelism=1))
    login = Login(house.store, passwords=stronger, clock=house.clock)

    await login.log_in("6001", WORD, address=HERE)

    stored = await house.store.password_hash(may.id)
    assert stored is not None
    assert "m=16,t=2" in stored
    assert await house.login.session(before) == may


async def test_a_link_logs_in_once(house: House) -> None:
    may = await house.hire()
    link = await house.store.make_link(may.id, "log_in", timedelta(hours=1))

    assert await house.login.look_at_link(link) == "log_in"
    token = await house.login.log_in_by_link(link, address=HERE)

    assert await house.login.session(token) == may
    with pytest.raises(Refused) as caught:
        await house.login.log_in_by_link(link, address=HERE)
    assert caught.value.code == "link_over"
    assert await house.login.look_at_link(link) is None


async def test_a_link_sets_a_password_and_survives_a_weak_one(house: House) -> None:
    bo = await house.store.add(number="6002", name="Bo")
    link = await house.store.make_link(bo.id, "set_password", timedelta(hours=1))

    with pytest.raises(Refused) as weak:
        await house.login.set_password_by_link(link, "short", address=HERE)
    token = await house.login.set_password_by_link(link, "a new password", address=HERE)

    assert weak.value.code == "password_short"
    assert await house.login.session(token) == bo
    assert await house.login.log_in("6002", "a new password", address=HERE)
    with pytest.raises(Refused) as caught:
        await house.login.set_password_by_link(link, "another password", address=HERE)
    assert caught.value.code == "link_over"


async def test_a_link_to_log_in_sets_no_password(house: House) -> None:
    may = await house.hire()
    link = await house.store.make_link(may.id, "log_in", timedelta(hours=1))

    with pytest.raises(Refused) as caught:
        await house.login.set_password_by_link(link, "a new password", address=HERE)

    assert caught.value.code == "link_over"
    assert await house.login.log_in_by_link(link, address=HERE)


async def test_a_real_hash_is_argon2id_and_does_not_stop_the_loop() -> None:
    passwords = Passwords()
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.001)
            ticks += 1

    ticking = asyncio.get_running_loop().create_task(tick())
    stored = await passwords.hash(WORD)
    ticking.cancel()

    assert stored.startswith("$argon2id$")
    assert ticks >= 3
    assert await passwords.fits(stored, WORD)
    assert not await passwords.fits(stored, WORD + " ")
    assert not await passwords.fits("no hash", WORD)
