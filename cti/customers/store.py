"""Where are customers kept, and whose number is this?"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, time
from decimal import Decimal
from itertools import groupby
from typing import Any, Final
from zlib import crc32

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    Row,
    SmallInteger,
    String,
    Table,
    Time,
    UniqueConstraint,
    bindparam,
    delete,
    func,
    insert,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from cti.calendar import Span
from cti.clock import Clock, SystemClock
from cti.customers.events import (
    DEPARTMENT_LIMIT,
    MERCHANT_LIMIT,
    ORDER_NOTE_LIMIT,
    REF_LIMIT,
    STAFF_TEXT_MOST,
    Event,
    EventEntry,
)
from cti.customers.rules import (
    DIGITS_LIMIT,
    LIMITS,
    SPREAD,
    WRITTEN_LIMIT,
    Birthday,
    Customer,
    Entry,
)
from cti.db.engine import Database
from cti.db.schema import Instant, metadata, new_id
from cti.errors import Refused
from cti.house_visits import NOT_SEATED

FIND_MOST: Final = 20
"""More customers than an agent can choose from are not looked up."""
_IN_ONE: Final = 500
"""So many numbers stand in one question."""

customers: Final = Table(
    "customers",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("external_id", String(LIMITS["external_id"]), unique=True),
    Column("name", String(LIMITS["name"]), nullable=False),
    Column("tier", String(LIMITS["tier"]), nullable=False),
    Column("company", String(LIMITS["company"]), nullable=False),
    Column("area", String(LIMITS["area"]), nullable=False),
    Column("note", String(LIMITS["note"]), nullable=False),
    Column("care_flags", String(1000), nullable=False),
    Column("do_not_call", Boolean, nullable=False),
    Column("title", String(LIMITS["title"]), nullable=False),
    Column("email", String(LIMITS["email"]), nullable=False),
    Column("birth_year", SmallInteger),
    Column("birth_month", SmallInteger),
    Column("birth_day", SmallInteger),
    Column("birth_lunar", Boolean, nullable=False),
    Column("owner", String(32), nullable=False),
    Column("member_no", String(LIMITS["member_no"]), nullable=False),
    Column("member_since", Date),
    Column("member", Boolean, nullable=False),
    Column("consent", String(200), nullable=False),
    Column("do_not_sms", Boolean, nullable=False),
    Column("hours", String(200), nullable=False),
    Column("zone", String(LIMITS["zone"]), nullable=False),
    Column("merchant", Boolean, nullable=False),
    Column("spread", SmallInteger, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False, index=True),
    Index(
        "ix_customers_birthday",
        "birth_lunar",
        "birth_month",
        "birth_day",
        "id",
        sqlite_where=text("birth_month IS NOT NULL"),
        postgresql_where=text("birth_month IS NOT NULL"),
    ),
    Index("ix_customers_spread", "spread", "id"),
    Index(
        "ix_customers_members",
        "spread",
        "id",
        sqlite_where=text("member"),
        postgresql_where=text("member"),
    ),
    Index(
        "ix_customers_area",
        "spread",
        "id",
        sqlite_where=text("area <> ''"),
        postgresql_where=text("area <> ''"),
    ),
    *(
        Index(
            f"ix_customers_{name}",
            column,
            "id",
            sqlite_where=text(f"{column} <> ''"),
            postgresql_where=text(f"{column} <> ''"),
        )
        for name, column in (("tier", "tier"), ("of_area", "area"), ("owner", "owner"))
    ),
)
"""`member` follows from the member's number and day; `consent` and `hours` are JSON."""
phones: Final = Table(
    "customer_phones",
    metadata,
    Column("customer_id", ForeignKey("customers.id"), primary_key=True),
    Column("normal", String(DIGITS_LIMIT + 1), primary_key=True),
    Column("written", String(WRITTEN_LIMIT), nullable=False),
    Column("position", Integer, nullable=False),
    Index(None, "normal", "customer_id"),
)
customer_events: Final = Table(
    "customer_events",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("customer", ForeignKey("customers.id"), nullable=False),
    Column("kind", String(24), nullable=False),
    Column("ref", String(REF_LIMIT), nullable=False),
    Column("day", Date, nullable=False),
    Column("time", Time),
    Column("staff", String(STAFF_TEXT_MOST), nullable=False),
    Column("amount_cents", BigInteger),
    Column("department", String(DEPARTMENT_LIMIT), nullable=False),
    Column("cancelled", Boolean, nullable=False),
    Column("merchant", String(MERCHANT_LIMIT), nullable=False),
    Column("seating", String(16), nullable=False),
    Column("note", String(ORDER_NOTE_LIMIT), nullable=False),
    Column("moved", Integer, nullable=False),
    Column("rev", Integer, nullable=False),
    Column("stale", Boolean, nullable=False),
    Column("source", String(16), nullable=False),
    Column("who", String(64), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    UniqueConstraint("customer", "kind", "ref"),
    Index("ix_customer_events_kind_day", "kind", "day", "id"),
    Index(
        "ix_customer_events_stale",
        "id",
        sqlite_where=text("stale"),
        postgresql_where=text("stale"),
    ),
)
"""What happened to customers; `stale` is what no plan has seen, `who` and `source` who said it."""
areas: Final = Table(
    "customer_areas",
    metadata,
    Column("area", String(LIMITS["area"]), primary_key=True),
    Column("supervisor", String(32), nullable=False),
)
"""The supervisor of each area of responsibility (CB-PROP-04)."""

_COLUMNS: Final = tuple(
    column for column in customers.c if column.name not in ("created_at", "changed_at")
)
_mine = phones.alias("mine")
_FIND: Final = (
    select(*_COLUMNS, phones.c.normal)
    .join(phones, phones.c.customer_id == customers.c.id)
    .where(
        customers.c.id.in_(
            select(_mine.c.customer_id)
            .where(_mine.c.normal == bindparam("number"))
            .order_by(_mine.c.customer_id)
            .limit(FIND_MOST)
        )
    )
    .order_by(customers.c.id, phones.c.position)
)

_NOBODY: Final[Mapping[str, Any]] = {
    "care_flags": "",
    "do_not_call": False,
    "title": "",
    "email": "",
    "birth_year": None,
    "birth_month": None,
    "birth_day": None,
    "birth_lunar": False,
    "owner": "",
    "member_no": "",
    "member_since": None,
    "member": False,
    "consent": "",
    "do_not_sms": False,
    "hours": "",
    "zone": "",
    "merchant": False,
}
"""What stands in a record of whom nothing is said."""
_PLAIN: Final = (
    "name",
    "tier",
    "company",
    "area",
    "note",
    "do_not_call",
    "title",
    "email",
    "owner",
    "member_no",
    "member_since",
    "do_not_sms",
    "zone",
    "merchant",
)
"""Fields that are kept as they are said."""

Fresh = tuple[dict[str, Any], Entry]
Change = tuple[str, dict[str, Any], Entry]


@dataclass(slots=True)
class Kept:
    """What became of a batch of entries."""

    added: int = 0
    changed: int = 0
    same: int = 0


class CustomerStore:
    """Customers in the database. A number is looked up by its normal form, and nothing else."""

    def __init__(self, db: Database, clock: Clock | None = None) -> None:
        self._db, self._clock = db, clock or SystemClock()

    async def find(self, number: str) -> list[Customer]:
        """Find whose a number is, by its exact normal form: nobody, one, or several (≤ 20).

        The oldest record comes first. Raises `StoreUnavailable`.
        """
        return _customers(await self._db.ask(_FIND, {"number": number}))

    async def find_all(self, numbers: Collection[str]) -> Mapping[str, Sequence[Customer]]:
        """Find whose some numbers are, each by its exact normal form; the oldest record first.

        A number that nobody has is left out. Raises `StoreUnavailable`.
        """
        wanted, found = sorted(set(numbers)), dict[str, list[Customer]]()
        async with self._db.read() as connection:
            for start in range(0, len(wanted), _IN_ONE):
                some = wanted[start : start + _IN_ONE]
                having = select(_mine.c.customer_id).where(_mine.c.normal.in_(some))
                for customer in await _read(connection, customers.c.id.in_(having)):
                    for number in customer.phones:
                        found.setdefault(number, []).append(customer)
        return {number: found[number] for number in wanted if number in found}

    async def get(self, customer: str) -> Customer | None:
        """Find a customer by our id."""
        async with self._db.read() as connection:
            found = await _read(connection, customers.c.id == customer)
        return found[0] if found else None

    async def tiers(self, some: Collection[str]) -> Mapping[str, str]:
        """Give the tiers of customers who have one."""
        wanted, found = sorted(set(some)), dict[str, str]()
        async with self._db.read() as connection:
            for start in range(0, len(wanted), _IN_ONE):
                asked = select(customers.c.id, customers.c.tier).where(
                    customers.c.id.in_(wanted[start : start + _IN_ONE]), customers.c.tier != ""
                )
                found |= {row.id: row.tier for row in await connection.execute(asked)}
        return found

    async def forget(self, connection: AsyncConnection, customer: str) -> None:
        """Empty a customer's record in the transaction of `connection`; its id alone stays."""
        empty = {
            "external_id": None,
            "name": "",
            "spread": 0,
            "tier": "",
            "company": "",
            "area": "",
            "note": "",
            **{name: none for name, none in _NOBODY.items() if name != "do_not_call"},
            "changed_at": self._clock.now(),
        }
        await connection.execute(delete(phones).where(phones.c.customer_id == customer))
        await connection.execute(update(customers).where(customers.c.id == customer).values(empty))

    async def by_external_id(self, external_id: str) -> Customer | None:
        """Find a customer by the house's own id."""
        async with self._db.read() as connection:
            found = await _read(connection, customers.c.external_id == external_id)
        return found[0] if found else None

    async def some(self, ids: Collection[str]) -> dict[str, Customer]:
        """Give some customers by our ids, with their phones."""
        wanted, found = sorted(set(ids)), dict[str, Customer]()
        async with self._db.read() as connection:
            for start in range(0, len(wanted), _IN_ONE):
                some = await _read(connection, customers.c.id.in_(wanted[start : start + _IN_ONE]))
                found |= {one.id: one for one in some}
        return found

    async def by_external_ids(self, some: Collection[str]) -> dict[str, str]:
        """Give our ids of customers by the house's own ids."""
        wanted, found = sorted(set(some)), dict[str, str]()
        async with self._db.read() as connection:
            for start in range(0, len(wanted), _IN_ONE):
                asked = select(customers.c.id, customers.c.external_id).where(
                    customers.c.external_id.in_(wanted[start : start + _IN_ONE])
                )
                found |= {row.external_id: row.id for row in await connection.execute(asked)}
        return found

    async def born_on(
        self,
        month: int,
        day: int,
        *,
        lunar: bool,
        after: str,
        limit: int,
        since: datetime | None = None,
    ) -> list[Customer]:
        """Give customers by their birthday, by id, behind one; without phones.

        `since`: only those whose record was changed then or later.
        """
        one = customers.c
        born = (one.birth_lunar.is_(lunar), one.birth_month == month, one.birth_day == day)
        changed = () if since is None else (one.changed_at >= since,)
        return await self._page(
            *born, one.birth_month.is_not(None), *changed, after=after, limit=limit
        )

    async def of_tiers(self, tiers: Collection[str], *, after: str, limit: int) -> list[Customer]:
        """Give customers of some tiers, by id, behind one; without phones."""
        among = (customers.c.tier.in_(sorted(tiers)), text("customers.tier <> ''"))
        return await self._page(*among, after=after, limit=limit)

    async def spread_over(
        self, low: int, high: int, *, of: str, after: tuple[int, str], limit: int
    ) -> list[Customer]:
        """Give customers whose place is from `low` to below `high`, by place and id; no phones.

        `of`: members, clients (all), or areas (those with an area). `after` is the place and id
        of the last one that is known already.
        """
        one = customers.c
        among = {"members": (text("member"),), "clients": (), "areas": (text("area <> ''"),)}
        wanted = (
            select(*_COLUMNS)
            .where(
                one.spread >= max(low, after[0]),
                one.spread < high,
                one.name != "",  # erased
                tuple_(one.spread, one.id) > after,
                *among[of],
            )
            .order_by(one.spread, one.id)
            .limit(limit)
        )
        async with self._db.read() as connection:
            return [_customer(row, ()) for row in await connection.execute(wanted)]

    async def _page(self, *conditions: Any, after: str, limit: int) -> list[Customer]:
        wanted = (
            select(*_COLUMNS)
            .where(*conditions, customers.c.id > after)
            .order_by(customers.c.id)
            .limit(limit)
        )
        async with self._db.read() as connection:
            return [_customer(row, ()) for row in await connection.execute(wanted)]

    async def change(self, connection: AsyncConnection, customer: str, entry: Entry) -> Customer:
        """Change what an entry says of a customer in the transaction of `connection`.

        Gives the customer as he was. Raises `Refused` (no_such_customer).
        """
        found = await _read(connection, customers.c.id == customer)
        if not found:
            raise Refused("no_such_customer", "there is no such customer")
        if values := _said(entry, found[0]):
            await self._change(connection, [(customer, values, entry)])
        return found[0]

    async def count(self) -> int:
        """Count all customers."""
        async with self._db.read() as connection:
            return int(await connection.scalar(select(func.count()).select_from(customers)) or 0)

    async def add(self, entry: Entry) -> Customer:
        """Add one customer. Raises `Refused` (customer_exists) when the external id is taken."""
        fresh = _fresh(entry, self._clock)
        try:
            async with self._db.write() as connection:
                await self._db.alone(connection, "customers")
                await _insert(connection, [fresh])
                found = await _read(connection, customers.c.id == fresh[0]["id"])
        except IntegrityError as fault:
            raise Refused(
                "customer_exists",
                f"a customer with the external id {entry.external_id} is there already",
                external_id=entry.external_id,
            ) from fault
        return found[0]

    async def keep(self, entries: Sequence[Entry], *, dry: bool = False) -> Kept:
        """Add or change customers in one transaction; the same again changes nothing.

        An entry is the customer with its external id; without one, the customer of the same
        name with one of its phones. Fields that were not said, and phones when none were said,
        stay. `dry` only counts. Raises `StoreUnavailable`, `CommitUnknown` (keep them again).
        """
        async with self._db.read() if dry else self._db.write() as connection:
            if not dry:
                await self._db.alone(connection, "customers")
            known = await _known(connection, entries)
            kept, added, changed = Kept(), list[Fresh](), list[Change]()
            for entry, before in zip(entries, known, strict=True):
                if before is None:
                    added.append(_fresh(entry, self._clock))
                elif (values := _difference(before, entry)) or _other_phones(before, entry):
                    changed.append((before.id, values, entry))
                else:
                    kept.same += 1
            kept.added, kept.changed = len(added), len(changed)
            if not dry:
                await _insert(connection, added)
                await self._change(connection, changed)
        return kept

    async def _change(self, connection: AsyncConnection, changed: Sequence[Change]) -> None:
        for customer, values, entry in changed:
            values["changed_at"] = self._clock.now()
            await connection.execute(
                update(customers).where(customers.c.id == customer).values(values)
            )
            if entry.phones:
                await connection.execute(delete(phones).where(phones.c.customer_id == customer))
                await connection.execute(insert(phones), _phone_rows(customer, entry))


_SEEN: Final = (
    update(customer_events)
    .where(customer_events.c.id == bindparam("b_id"), customer_events.c.rev == bindparam("b_rev"))
    .values(stale=False)
)


class EventStore:
    """What happened to customers, and whose areas are."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def keep(
        self,
        conn: AsyncConnection,
        said: Sequence[tuple[str, EventEntry]],
        *,
        now: datetime,
        source: str,
        who: str,
    ) -> Kept:
        """Keep events of customers in the transaction of `conn`; the same again changes nothing.

        An event that is there, by customer, kind and reference, is moved or cancelled. Of two
        that are the same one the later counts. That a guest is not seated yet is true of one
        time at one restaurant alone.
        """
        kept = Kept()
        last = {(customer, one.kind, one.ref): one for customer, one in said}
        kept.same = len(said) - len(last)
        known = await _known_events(conn, {customer for customer, _kind, _ref in last})
        fresh = list[dict[str, Any]]()
        for key, one in last.items():
            before = known.get(key)
            values = _event_values(one if before is None else _completed(one, before))
            if before is None:
                stamp = {"source": source, "who": who, "created_at": now, "changed_at": now}
                name = {"id": new_id(now), "customer": key[0], "kind": one.kind, "ref": one.ref}
                fresh.append(
                    {
                        **name,
                        **values,
                        **stamp,
                        "moved": 0,
                        "rev": 1,
                        "stale": True,
                        "seating": "",
                        "note": "",
                    }
                )
            elif any(getattr(before, name) != value for name, value in values.items()):
                moved = before.moved + (before.day != one.day)
                await conn.execute(
                    update(customer_events)
                    .where(customer_events.c.id == before.id)
                    .values(
                        **values,
                        **_asked_again(before, values),
                        moved=moved,
                        rev=before.rev + 1,
                        stale=True,
                        who=who,
                        changed_at=now,
                    )
                )
                kept.changed += 1
            else:
                kept.same += 1
        if fresh:
            await conn.execute(insert(customer_events), fresh)
        kept.added = len(fresh)
        return kept

    async def get(self, event: str) -> Event | None:
        """Find one by its id."""
        found = await self.some([event])
        return found[0] if found else None

    async def some(self, events: Collection[str]) -> list[Event]:
        """Give some by their ids."""
        return await self._events(customer_events.c.id.in_(sorted(events)))

    async def of_customer(self, customer: str) -> list[Event]:
        """Give all of a customer, the latest first."""
        found = await self._events(customer_events.c.customer == customer)
        return sorted(found, key=lambda one: (one.day, one.id), reverse=True)

    async def stale(self, limit: int, after: str = "") -> list[Event]:
        """Give events that no plan has seen as they are now, by id, behind one."""
        wanted = (
            select(customer_events)
            .where(text("stale"), customer_events.c.id > after)
            .order_by(customer_events.c.id)
            .limit(limit)
        )
        async with self._db.read() as conn:
            return [_event(row) for row in await conn.execute(wanted)]

    async def seen(self, conn: AsyncConnection, events: Sequence[Event]) -> None:
        """Note that a plan has seen events as they were: one that was changed since stays."""
        if events:
            await conn.execute(_SEEN, [{"b_id": one.id, "b_rev": one.rev} for one in events])

    async def seat(self, conn: AsyncConnection, event: str, seating: str, note: str) -> None:
        """Note on an order what became of its table; no plan looks at it again for that.

        Without a `note` the one that stands there stays.
        """
        values = {"seating": seating, **({"note": note[:ORDER_NOTE_LIMIT]} if note else {})}
        await conn.execute(
            update(customer_events).where(customer_events.c.id == event).values(values)
        )

    async def look_again(self, conn: AsyncConnection, kind: str, since: date) -> int:
        """Let a plan look again at all events of a kind from a day on; give how many."""
        done = await conn.execute(
            update(customer_events)
            .where(customer_events.c.kind == kind, customer_events.c.day >= since)
            .values(stale=True)
        )
        return done.rowcount

    async def of_day(
        self, kinds: Collection[str], day: date, after: str, limit: int
    ) -> list[Event]:
        """Give events of some kinds on a day, by id, behind one; cancelled ones are left out."""
        wanted = (
            select(customer_events)
            .where(
                customer_events.c.kind.in_(sorted(kinds)),
                customer_events.c.day == day,
                customer_events.c.id > after,
                customer_events.c.cancelled.is_(False),
            )
            .order_by(customer_events.c.id)
            .limit(limit)
        )
        async with self._db.read() as conn:
            return [_event(row) for row in await conn.execute(wanted)]

    async def latest(
        self, customers: Collection[str], kinds: Collection[str], until: date
    ) -> Mapping[str, date]:
        """Give the last day of such an event, up to a day, by customer."""
        one = customer_events.c
        wanted = (
            select(one.customer, func.max(one.day).label("day"))
            .where(
                one.customer.in_(sorted(customers)),
                one.kind.in_(sorted(kinds)),
                one.day <= until,
                one.cancelled.is_(False),
            )
            .group_by(one.customer)
        )
        async with self._db.read() as conn:
            return {row.customer: row.day for row in await conn.execute(wanted)}

    async def spent_most(self, since: date, until: date, count: int) -> Sequence[tuple[str, str]]:
        """Give (department, customer) of those who spent most in each, from a day to another.

        Both days are included; what was bought without a department is one of its own.
        """
        one = customer_events.c
        spent = func.sum(one.amount_cents)
        place = func.row_number().over(
            partition_by=one.department, order_by=(spent.desc(), one.customer)
        )
        ranked = (
            select(one.department, one.customer, place.label("place"))
            .where(
                one.kind == "purchase",
                one.day >= since,
                one.day <= until,
                one.cancelled.is_(False),
                one.amount_cents > 0,
            )
            .group_by(one.department, one.customer)
            .subquery()
        )
        wanted = (
            select(ranked.c.department, ranked.c.customer)
            .where(ranked.c.place <= count)
            .order_by(ranked.c.department, ranked.c.place)
        )
        async with self._db.read() as conn:
            return [(row.department, row.customer) for row in await conn.execute(wanted)]

    async def tell(self, customer: str) -> Mapping[str, Any]:
        """Give all events of a customer, to be given away."""
        return {"events.json": [asdict(one) for one in await self.of_customer(customer)]}

    async def forget(self, conn: AsyncConnection, customer: str, now: datetime) -> None:
        """Delete all of a customer in the transaction of `conn`."""
        del now  # nothing is left that would say when
        await conn.execute(delete(customer_events).where(customer_events.c.customer == customer))

    async def supervisors(self) -> Mapping[str, str]:
        """Give the supervisor of each area."""
        async with self._db.read() as conn:
            rows = await conn.execute(select(areas).order_by(areas.c.area))
            return {row.area: row.supervisor for row in rows}

    async def give_area(self, conn: AsyncConnection, area: str, supervisor: str) -> None:
        """Give an area to a supervisor; to nobody if there is none."""
        await conn.execute(delete(areas).where(areas.c.area == area))
        if supervisor:
            await conn.execute(insert(areas).values(area=area, supervisor=supervisor))

    async def _events(self, condition: Any) -> list[Event]:
        wanted = select(customer_events).where(condition).order_by(customer_events.c.id)
        async with self._db.read() as conn:
            return [_event(row) for row in await conn.execute(wanted)]


def _event_values(one: EventEntry | Event) -> dict[str, Any]:
    return {
        "day": one.day,
        "time": one.time,
        "staff": json.dumps(one.staff, ensure_ascii=False, sort_keys=True) if one.staff else "",
        "amount_cents": None if one.amount is None else int(one.amount * 100),
        "department": one.department,
        "cancelled": one.cancelled,
        "merchant": one.merchant,
    }


def _completed(told: EventEntry, before: Row[Any]) -> EventEntry:
    """Fill in what is known of an event where nothing new is said."""
    known = _event(before)
    return replace(told, **{name: getattr(known, name) for name in told.untold})


def _asked_again(before: Row[Any], values: Mapping[str, Any]) -> dict[str, str]:
    """Forget what a restaurant said of a guest who is expected at another time, or elsewhere."""
    moved = any(getattr(before, name) != values[name] for name in ("day", "time", "merchant"))
    return {"seating": ""} if moved and before.seating == NOT_SEATED else {}


async def _known_events(
    conn: AsyncConnection, some: Collection[str]
) -> dict[tuple[str, str, str], Row[Any]]:
    wanted, found = sorted(some), dict[tuple[str, str, str], Row[Any]]()
    for start in range(0, len(wanted), _IN_ONE):
        ids = wanted[start : start + _IN_ONE]
        rows = await conn.execute(
            select(customer_events).where(customer_events.c.customer.in_(ids))
        )
        found |= {(row.customer, row.kind, row.ref): row for row in rows}
    return found


def _event(row: Row[Any]) -> Event:
    cents = row.amount_cents
    return Event(
        id=row.id,
        customer=row.customer,
        kind=row.kind,
        ref=row.ref,
        day=row.day,
        time=row.time,
        staff=json.loads(row.staff) if row.staff else {},
        amount=None if cents is None else Decimal(cents) / 100,
        department=row.department,
        cancelled=row.cancelled,
        merchant=row.merchant,
        seating=row.seating,
        note=row.note,
        moved=row.moved,
        rev=row.rev,
    )


def _fresh(entry: Entry, clock: Clock) -> Fresh:
    now = clock.now()
    id = new_id(now)
    texts = {"external_id": entry.external_id or None}
    texts |= dict.fromkeys(("tier", "company", "area", "note"), "")
    found = {**_NOBODY, **texts, "id": id, "created_at": now, "changed_at": now}
    found["spread"] = crc32(id.encode()) % SPREAD
    said = _said(entry, Customer(id=id, name=""))
    return found | said | {"name": entry.name}, entry


def _flags_text(flags: Sequence[str]) -> str:
    return json.dumps(flags, ensure_ascii=False) if flags else ""


def _phone_rows(customer: str, entry: Entry) -> list[dict[str, Any]]:
    return [
        {"customer_id": customer, "normal": normal, "written": written, "position": position}
        for position, (normal, written) in enumerate(entry.phones or ())
    ]


async def _insert(connection: AsyncConnection, added: Sequence[Fresh]) -> None:
    if not added:
        return
    await connection.execute(insert(customers), [row for row, _entry in added])
    if rows := [line for row, entry in added for line in _phone_rows(row["id"], entry)]:
        await connection.execute(insert(phones), rows)


def _difference(before: Customer, entry: Entry) -> dict[str, Any]:
    """Say which columns an entry changes."""
    changes = _said(entry, before)
    if entry.external_id and entry.external_id != before.external_id:
        changes["external_id"] = entry.external_id
    return changes


def _said(entry: Entry, before: Customer) -> dict[str, Any]:
    """Give the columns of what an entry says that is not so before."""
    changes: dict[str, Any] = {
        name: said
        for name in _PLAIN
        if (said := getattr(entry, name)) is not None and said != getattr(before, name)
    }
    if entry.care_flags is not None and entry.care_flags != before.care_flags:
        changes["care_flags"] = _flags_text(entry.care_flags)
    if entry.hours is not None and entry.hours != before.hours:
        changes["hours"] = _hours_text(entry.hours)
    if entry.birthday is not None and entry.birthday != before.birthday:
        changes |= _birth(entry.birthday)
    consent = {**before.consent, **(entry.consent or {})}
    if consent != before.consent:
        changes["consent"] = json.dumps(consent)
    if "member_no" in changes or "member_since" in changes:
        number = changes.get("member_no", before.member_no)
        changes["member"] = bool(number or changes.get("member_since", before.member_since))
    return changes


def _birth(birthday: Birthday) -> dict[str, Any]:
    return {
        "birth_year": birthday.year,
        "birth_month": birthday.month,
        "birth_day": birthday.day,
        "birth_lunar": birthday.lunar,
    }


def _hours_text(hours: Sequence[Span]) -> str:
    said = [[f"{start:%H:%M}", f"{end:%H:%M}"] for start, end in hours]
    return json.dumps(said) if said else ""


def _other_phones(before: Customer, entry: Entry) -> bool:
    return bool(entry.phones) and before.phones != tuple(n for n, _w in entry.phones or ())


async def _known(connection: AsyncConnection, entries: Sequence[Entry]) -> list[Customer | None]:
    """Find for each entry the customer that it is about."""
    numbers = {number for entry in entries for number, _written in entry.phones or ()}
    outer = {entry.external_id for entry in entries if entry.external_id}
    by_id = {
        found.external_id: found
        for found in await _read(connection, customers.c.external_id.in_(sorted(outer)))
    }
    sharing = await _read(
        connection,
        customers.c.id.in_(select(_mine.c.customer_id).where(_mine.c.normal.in_(sorted(numbers)))),
    )
    by_phone = {
        (found.name, number): found for found in reversed(sharing) for number in found.phones
    }
    return [_about(entry, by_id, by_phone) for entry in entries]


def _about(
    entry: Entry,
    by_id: Mapping[str, Customer],
    by_phone: Mapping[tuple[str, str], Customer],
) -> Customer | None:
    if entry.external_id and (found := by_id.get(entry.external_id)):
        return found
    for number, _written in entry.phones or ():
        found = by_phone.get((entry.name, number))
        if found and not (entry.external_id and found.external_id):
            return found
    return None


async def _read(connection: AsyncConnection, condition: Any) -> list[Customer]:
    rows: Any = await connection.execute(
        select(*_COLUMNS, phones.c.normal)
        .outerjoin(phones, phones.c.customer_id == customers.c.id)
        .where(condition)
        .order_by(customers.c.id, phones.c.position)
    )
    return _customers(rows)


def _customers(rows: Iterable[Row[Any]]) -> list[Customer]:
    """Fold one row per phone into customers; rows of one customer stand together."""
    found: list[Customer] = []
    for _id, group in groupby(rows, key=lambda row: row.id):
        lines = list(group)
        found.append(_customer(lines[0], tuple(line.normal for line in lines if line.normal)))
    return found


def _customer(row: Row[Any], numbers: tuple[str, ...]) -> Customer:
    return Customer(
        id=row.id,
        name=row.name,
        external_id=row.external_id or "",
        tier=row.tier,
        company=row.company,
        phones=numbers,
        area=row.area,
        note=row.note,
        care_flags=tuple(json.loads(row.care_flags)) if row.care_flags else (),
        do_not_call=row.do_not_call,
        title=row.title,
        email=row.email,
        birthday=_birthday(row),
        owner=row.owner,
        member_no=row.member_no,
        member_since=row.member_since,
        consent=json.loads(row.consent) if row.consent else {},
        do_not_sms=row.do_not_sms,
        hours=_hours(row.hours),
        zone=row.zone,
        merchant=row.merchant,
        spread=row.spread,
    )


def _birthday(row: Row[Any]) -> Birthday | None:
    if row.birth_month is None:
        return None
    return Birthday(
        month=row.birth_month, day=row.birth_day, year=row.birth_year, lunar=row.birth_lunar
    )


def _hours(said: str) -> tuple[Span, ...]:
    pairs = json.loads(said) if said else ()
    return tuple((time.fromisoformat(start), time.fromisoformat(end)) for start, end in pairs)
