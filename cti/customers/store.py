"""Where are customers kept, and whose number is this?"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    Row,
    String,
    Table,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from cti.clock import Clock, SystemClock
from cti.customers.rules import (
    DIGITS_LIMIT,
    LIMITS,
    WRITTEN_LIMIT,
    Customer,
    Entry,
)
from cti.db.engine import Database
from cti.db.schema import Instant, metadata, new_id
from cti.errors import Refused

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
    Column("created_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
)
phones: Final = Table(
    "customer_phones",
    metadata,
    Column("customer_id", ForeignKey("customers.id"), primary_key=True),
    Column("normal", String(DIGITS_LIMIT + 1), primary_key=True),
    Column("written", String(WRITTEN_LIMIT), nullable=False),
    Column("position", Integer, nullable=False),
    Index(None, "normal", "customer_id"),
)

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
        async with self._db.read() as connection:
            return _customers(await connection.execute(_FIND, {"number": number}))

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

    async def matching(self, *, tier: str, area: str, after: str, limit: int) -> list[Customer]:
        """Give customers of a tier and an area, by id, from behind `after` on; empty is any."""
        wanted = customers.c.id > after
        if tier:
            wanted &= customers.c.tier == tier
        if area:
            wanted &= customers.c.area == area
        some = select(customers.c.id).where(wanted).order_by(customers.c.id).limit(limit)
        async with self._db.read() as connection:
            found = await _read(connection, customers.c.id.in_(some))
        return sorted(found, key=lambda one: one.id)

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
            "tier": "",
            "company": "",
            "area": "",
            "note": "",
            "care_flags": "",
            "changed_at": self._clock.now(),
        }
        await connection.execute(delete(phones).where(phones.c.customer_id == customer))
        await connection.execute(update(customers).where(customers.c.id == customer).values(empty))

    async def by_external_id(self, external_id: str) -> Customer | None:
        """Find a customer by the house's own id."""
        async with self._db.read() as connection:
            found = await _read(connection, customers.c.external_id == external_id)
        return found[0] if found else None

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


def _fresh(entry: Entry, clock: Clock) -> Fresh:
    now = clock.now()
    return {
        "id": new_id(now),
        "external_id": entry.external_id or None,
        "name": entry.name,
        "tier": entry.tier or "",
        "company": entry.company or "",
        "area": entry.area or "",
        "note": entry.note or "",
        "care_flags": _flags_text(entry.care_flags or ()),
        "do_not_call": bool(entry.do_not_call),
        "created_at": now,
        "changed_at": now,
    }, entry


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
    changes = {
        name: said
        for name in ("name", "tier", "company", "area", "note", "do_not_call")
        if (said := getattr(entry, name)) is not None and said != getattr(before, name)
    }
    if entry.external_id and entry.external_id != before.external_id:
        changes["external_id"] = entry.external_id
    if entry.care_flags is not None and entry.care_flags != before.care_flags:
        changes["care_flags"] = _flags_text(entry.care_flags)
    return changes


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
    )
