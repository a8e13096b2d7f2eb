"""Where are people, their phones, their logins kept?

Tokens are kept as hashes: whoever reads the database can log in as nobody.
"""

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Integer,
    Row,
    Select,
    String,
    Table,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from cti.clock import Clock, SystemClock
from cti.db.engine import Database
from cti.db.schema import Instant, metadata, new_id
from cti.errors import CommitUnknown, Refused, StoreUnavailable
from cti.people import rules
from cti.people.rules import Device, Directory, Person, Role

SEEN_EVERY: Final = timedelta(minutes=1)
KEEP_ENDED: Final = timedelta(days=30)

people: Final = Table(
    "people",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("number", String(rules.NUMBER_LIMIT), nullable=False, unique=True),
    Column("name", String(rules.NAME_LIMIT), nullable=False),
    Column("role", String(16), nullable=False),
    Column("department", String(rules.DEPARTMENT_LIMIT), nullable=False),
    Column("locale", String(8)),
    Column("active", Boolean, nullable=False),
    Column("password_hash", String(200)),
    Column("password_set_at", Instant),
    Column("created_at", Instant, nullable=False),
)
devices: Final = Table(
    "devices",
    metadata,
    Column("pbx", String(rules.NUMBER_LIMIT), primary_key=True),
    Column("name", String(rules.NAME_LIMIT), primary_key=True),
    Column("person_id", ForeignKey("people.id"), nullable=False, index=True),
    Column("position", Integer, nullable=False),
)
sessions: Final = Table(
    "sessions",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("person_id", ForeignKey("people.id"), nullable=False, index=True),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("address", String(64), nullable=False),
    Column("agent", String(200), nullable=False),
)
login_links: Final = Table(
    "login_links",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("person_id", ForeignKey("people.id"), nullable=False, index=True),
    Column("purpose", String(16), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("used_at", Instant),
)

People = list[Person]
Purpose = Literal["log_in", "set_password"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A login that holds. `id` is the hash of its token: safe to show and to compare."""

    id: str
    person: Person
    created_at: datetime
    expires_at: datetime


class PeopleStore:
    """People in the database. Instants come from the clock; numbers are unique for ever."""

    def __init__(self, db: Database, clock: Clock | None = None) -> None:
        self._db, self._clock = db, clock or SystemClock()

    async def add(
        self,
        *,
        number: str,
        name: str,
        role: str = Role.AGENT,
        department: str = "",
        devices: Iterable[Device] = (),
        locale: str | None = None,
    ) -> Person:
        """Add somebody, without password as yet.

        Raises `Refused`: person_exists, device_taken, bad_number, bad_role, bad_text, bad_locale.
        """
        now = self._clock.now()
        person = Person(
            id=new_id(now),
            number=rules.checked_number(number),
            name=rules.checked_text("name", name, rules.NAME_LIMIT, least=1),
            role=rules.checked_role(role),
            department=rules.checked_text("department", department, rules.DEPARTMENT_LIMIT),
            devices=tuple(dict.fromkeys(devices)),
            locale=rules.checked_locale(locale),
        )
        row = {
            key: getattr(person, key)
            for key in ("id", "number", "name", "department", "locale", "active")
        }
        row |= {"role": person.role.value, "created_at": now}
        try:
            async with self._db.write() as connection:
                await connection.execute(insert(people).values(row))
                await _put_devices(connection, person.id, person.devices)
        except IntegrityError as fault:
            raise await self._taken(person.id, person.number, person.devices) from fault
        return person

    async def get(self, person: str) -> Person | None:
        """Find somebody by id, also one who has left."""
        return await self._one(people.c.id == person)

    async def by_number(self, number: str) -> Person | None:
        """Find somebody by the house's own number, also one who has left."""
        return await self._one(people.c.number == number.strip())

    async def list(self, *, with_left: bool = False) -> People:
        """List people by number; those who have left only when asked for."""
        return await self._many() if with_left else await self._many(people.c.active.is_(True))

    async def directory(self) -> Directory:
        """Give everybody as a value that finds people by their phones."""
        return Directory(await self._many())

    async def set_devices(self, person: str, wanted: Iterable[Device]) -> None:
        """Give somebody exactly these phones. Raises `Refused` (device_taken, no_person)."""
        wanted = tuple(dict.fromkeys(wanted))
        try:
            async with self._db.write() as connection:
                await connection.execute(delete(devices).where(devices.c.person_id == person))
                await _put_devices(connection, person, wanted)
        except IntegrityError as fault:
            raise await self._taken(person, None, wanted) from fault

    async def set_password_hash(self, person: str, password_hash: str) -> None:
        """Keep a password's hash and end every session and link of this person."""
        async with self._db.write() as connection:
            await self._set_hash(connection, person, password_hash)

    async def renew_hash(self, person: str, old: str, new: str) -> None:
        """Keep a stronger hash of the same password; sessions go on."""
        same = (people.c.id == person, people.c.password_hash == old)
        async with self._db.write() as connection:
            await connection.execute(update(people).where(*same).values(password_hash=new))

    async def password_hash(self, person: str) -> str | None:
        """Give the stored hash; None for no password, or for one who has left."""
        wanted = select(people.c.password_hash).where(
            people.c.id == person, people.c.active.is_(True)
        )
        async with self._db.read() as connection:
            found: str | None = await connection.scalar(wanted)
        return found

    async def deactivate(self, person: str) -> None:
        """Mark somebody as gone: phones are free again, sessions and links end, records stay."""
        async with self._db.write() as connection:
            await self._change(connection, person, active=False, password_hash=None)
            await connection.execute(delete(devices).where(devices.c.person_id == person))
            await self._end_logins(connection, person)

    async def open_session(
        self, person: str, lifetime: timedelta, *, address: str = "", agent: str = ""
    ) -> str:
        """Begin a session and give its token: 256 bits of chance, kept only by the browser."""
        token, now = secrets.token_urlsafe(32), self._clock.now()
        row = {
            "token_hash": hashed(token),
            "person_id": person,
            "created_at": now,
            "expires_at": now + lifetime,
            "seen_at": now,
            "address": address[:64],
            "agent": agent[:200],
        }
        async with self._db.write() as connection:
            await connection.execute(insert(sessions).values(row))
        return token

    async def session(self, token: str) -> Session | None:
        """Find the session of a token while it holds and its person is active."""
        now, key = self._clock.now(), hashed(token)
        holds = (
            sessions.c.token_hash == key,
            sessions.c.ended_at.is_(None),
            sessions.c.expires_at > now,
        )
        async with self._db.read() as connection:
            row = (await connection.execute(select(sessions).where(*holds))).first()
            if row is None:
                return None
            found = await _people(connection, people.c.id == row.person_id)
        if not found or not found[0].active:
            return None
        if now - row.seen_at >= SEEN_EVERY:
            with suppress(StoreUnavailable, CommitUnknown):  # who is logged in stays so
                async with self._db.write() as connection:
                    await connection.execute(update(sessions).where(*holds).values(seen_at=now))
        return Session(
            id=key, person=found[0], created_at=row.created_at, expires_at=row.expires_at
        )

    async def prolong(self, token: str, lifetime: timedelta) -> bool:
        """Let a session that holds last so long from now on; False when it is over."""
        now = self._clock.now()
        async with self._db.write() as connection:
            done = await connection.execute(
                update(sessions)
                .where(
                    sessions.c.token_hash == hashed(token),
                    sessions.c.ended_at.is_(None),
                    sessions.c.expires_at > now,
                )
                .values(expires_at=now + lifetime)
            )
            return bool(done.rowcount)

    async def end_session(self, token: str) -> None:
        """End a session for good; an unknown token changes nothing."""
        async with self._db.write() as connection:
            await connection.execute(
                update(sessions)
                .where(sessions.c.token_hash == hashed(token), sessions.c.ended_at.is_(None))
                .values(ended_at=self._clock.now())
            )

    async def end_sessions(self, person: str) -> None:
        """End every session and link of a person."""
        async with self._db.write() as connection:
            await self._end_logins(connection, person)

    async def make_link(self, person: str, purpose: Purpose, lifetime: timedelta) -> str:
        """Make a token that logs in, or sets a password, once. Only its hash is kept."""
        token, now = secrets.token_urlsafe(32), self._clock.now()
        row = {
            "token_hash": hashed(token),
            "person_id": person,
            "purpose": purpose,
            "created_at": now,
            "expires_at": now + lifetime,
        }
        async with self._db.write() as connection:
            await connection.execute(insert(login_links).values(row))
        return token

    async def look_at_link(self, token: str) -> tuple[Person, Purpose] | None:
        """Tell whose a link is and what for, while it holds; it is not used up."""
        async with self._db.read() as connection:
            row = (await connection.execute(select(login_links).where(*self._good(token)))).first()
            found = row and await _people(connection, people.c.id == row.person_id)
        return (found[0], row.purpose) if row and found and found[0].active else None

    async def use_link(
        self, token: str, purpose: Purpose, password_hash: str | None = None
    ) -> Person:
        """Use a link up, and set the password with it, if one is given.

        Raises `Refused` (link_over): used, too old, of another kind, unknown.
        """
        async with self._db.write() as connection:
            used = await connection.execute(
                update(login_links)
                .where(*self._good(token), login_links.c.purpose == purpose)
                .values(used_at=self._clock.now())
                .returning(login_links.c.person_id)
            )
            if (person := used.scalar()) is None:
                raise link_over()
            if password_hash is not None:
                await self._set_hash(connection, person, password_hash)
            found = await _people(connection, people.c.id == person)
        if not found[0].active:
            raise link_over()
        return found[0]

    async def sweep(self) -> None:
        """Forget sessions and links that ended long ago."""
        long_ago = self._clock.now() - KEEP_ENDED
        async with self._db.write() as connection:
            for table in (sessions, login_links):
                await connection.execute(delete(table).where(table.c.expires_at < long_ago))

    async def _one(self, condition: Any) -> Person | None:
        found = await self._many(condition)
        return found[0] if found else None

    async def _many(self, *conditions: Any) -> People:
        async with self._db.read() as connection:
            return await _people(connection, *conditions)

    async def _change(self, connection: AsyncConnection, person: str, **values: Any) -> None:
        done = await connection.execute(update(people).where(people.c.id == person).values(values))
        if not done.rowcount:
            raise Refused("no_person", "there is nobody with this number")

    async def _set_hash(self, connection: AsyncConnection, person: str, new: str) -> None:
        await self._change(connection, person, password_hash=new, password_set_at=self._clock.now())
        await self._end_logins(connection, person)

    async def _end_logins(self, connection: AsyncConnection, person: str) -> None:
        now = self._clock.now()
        await connection.execute(
            update(sessions)
            .where(sessions.c.person_id == person, sessions.c.ended_at.is_(None))
            .values(ended_at=now)
        )
        await connection.execute(
            update(login_links)
            .where(login_links.c.person_id == person, login_links.c.used_at.is_(None))
            .values(used_at=now)
        )

    def _good(self, token: str) -> tuple[Any, ...]:
        return (
            login_links.c.token_hash == hashed(token),
            login_links.c.used_at.is_(None),
            login_links.c.expires_at > self._clock.now(),
        )

    async def _taken(self, person: str, number: str | None, wanted: Sequence[Device]) -> Refused:
        """Find out which of our unique things was taken."""
        if number is not None and await self.by_number(number):
            return Refused("person_exists", f"somebody has the number {number} already")
        directory = await self.directory()
        for device in wanted:
            holder = directory.by_device(device.pbx, device.name)
            if holder and holder.id != person:
                return Refused(
                    "device_taken",
                    f"{device} belongs to {holder.number} {holder.name}",
                    device=str(device),
                    holder=holder.number,
                )
        return Refused("no_person", "there is nobody with this number")


def link_over() -> Refused:
    """Say that a link is good for nothing, whatever the reason."""
    return Refused("link_over", "this link has been used or is too old: ask for a new one")


def hashed(token: str) -> str:
    """Give the form in which a token is kept. A token is all chance, so one round is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


async def _put_devices(connection: AsyncConnection, person: str, wanted: Sequence[Device]) -> None:
    rows = [
        {"pbx": device.pbx, "name": device.name, "person_id": person, "position": position}
        for position, device in enumerate(wanted)
    ]
    if rows:
        await connection.execute(insert(devices), rows)


def _with_devices() -> Select[Any]:
    return select(people, devices.c.pbx, devices.c.name.label("device")).outerjoin(
        devices, devices.c.person_id == people.c.id
    )


async def _people(connection: AsyncConnection, *conditions: Any) -> list[Person]:
    rows = await connection.execute(
        _with_devices().where(*conditions).order_by(people.c.number, devices.c.position)
    )
    phones: dict[str, list[Device]] = {}
    first: dict[str, Row[Any]] = {}
    for row in rows:
        first.setdefault(row.id, row)
        found = phones.setdefault(row.id, [])
        if row.device is not None:
            found.append(Device(row.pbx, row.device))
    return [_person(row, tuple(phones[key])) for key, row in first.items()]


def _person(row: Row[Any], phones: tuple[Device, ...]) -> Person:
    return Person(
        id=row.id,
        number=row.number,
        name=row.name,
        role=Role(row.role),
        department=row.department,
        devices=phones,
        locale=row.locale,
        active=row.active,
    )
