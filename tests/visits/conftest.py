"""Visits that are owed, on each database: customers, a plan, a set clock."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cti.customers.rules import Customer, Entry
from cti.customers.store import CustomerStore
from cti.db.engine import Database
from cti.people.rules import Device, Person, Role
from cti.visits.record import Kind, Owed, Visit
from cti.visits.store import VisitStore
from tests.calls.conftest import db as db  # one PostgreSQL database, emptied: a copy costs more

TEN = datetime(2026, 3, 3, 2, 0, tzinfo=UTC)
"""Tuesday, ten in Shanghai."""
MAY = Person(id="p-may", number="6001", name="May", devices=(Device("main", "PJSIP/6001"),))
BO = Person(id="p-bo", number="6002", name="Bo", devices=(Device("main", "PJSIP/6002"),))
LIN = Person(id="p-lin", number="5001", name="Lin", role=Role.SUPERVISOR)


class Debts:
    """What the house owes, and to whom."""

    def __init__(self, db: Database) -> None:
        self.db, self.store, self.customers = db, VisitStore(db), CustomerStore(db)
        self._made = 0

    async def customer(self, number: str = "") -> Customer:
        """Add a customer with a number."""
        self._made += 1
        number = number or f"+86138{self._made:08}"
        return await self.customers.add(Entry(name=f"C{self._made}", phones=((number, number),)))

    async def member(self) -> Customer:
        """Add a customer who has been a member for long."""
        self._made += 1
        number = f"+86138{self._made:08}"
        entry = Entry(name=f"M{self._made}", phones=((number, number),), member_no=f"{self._made}")
        return await self.customers.add(entry)

    async def owe(self, customer: Customer | None = None, **changed: Any) -> Visit:
        """Owe one visit: since an hour ago, for two more days, unless said otherwise."""
        whom = customer or await self.customer()
        self._made += 1
        plain: dict[str, Any] = {
            "kind": Kind.VISIT,
            "origin": f"rule|{self._made}",
            "customer": whom.id,
            "rule": "after_service",
            "purpose": "service",
            "period": "",
            "from_at": TEN - timedelta(hours=1),
            "due_at": TEN + timedelta(days=2),
            "give_up_at": TEN + timedelta(days=7),
            "zone": "Asia/Shanghai",
        }
        owed = Owed(**(plain | changed))
        async with self.db.write() as conn:
            assert await self.store.owe(conn, [owed], TEN - timedelta(hours=1), "v1") == 1
        found = await self.by_origin(owed.origin)
        assert found is not None
        return found

    async def by_origin(self, origin: str) -> Visit | None:
        """Find a visit by what it is owed for."""
        return await self.store.by_origin(origin)


@pytest.fixture
def debts(db: Database) -> Debts:
    """An empty book of debts."""
    return Debts(db)
