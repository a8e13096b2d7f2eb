"""How long does the day's plan take? 1,000,000 customers with what happened to them, on SQLite.

Half of them are members, all have a birthday, one in thirty had a service or a booking in the last
month, one in a hundred is a lunar birthday. Measured: the first plan (today and two days to come,
and all events), the plan of the next day with that day's events, and a plan with nothing new.
"""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import insert

from cti.clock import SetClock
from cti.customers.rules import SPREAD
from cti.customers.store import CustomerStore, EventStore, customer_events, customers
from cti.db import migrate
from cti.db.engine import Database
from cti.duty.rules import Assignment
from cti.house import House
from cti.people.rules import Directory
from cti.visits.planner import Asked, Planner
from cti.visits.store import PlanStore, VisitStore
from tests.kit.web import BO, LIN, MAY

CUSTOMERS: Final = 1_000_000
EVENTS: Final = 30_000
EACH_DAY: Final = 1_000
AT_ONCE: Final = 20_000
NINE: Final = datetime(2025, 3, 7, 1, tzinfo=UTC)
_BLANK: Final = dict.fromkeys(
    ("tier", "company", "area", "note", "care_flags", "title", "email", "owner", "consent"), ""
)


class Nobody:
    """A house without a roster: everybody may make visits."""

    async def roster(self, began: datetime, ended: datetime) -> Sequence[Assignment]:
        return []


async def measure(data: Path) -> dict[str, Any]:
    """Measure plans, in seconds."""
    url = f"sqlite+aiosqlite:///{data / 'cti.sqlite3'}"
    await migrate.upgrade(url)
    db, clock = await Database.open(url), SetClock(NINE)
    began = time.perf_counter()
    for some in _batches(_customers(), AT_ONCE):
        async with db.write() as conn:
            await conn.execute(insert(customers), some)
    await _happen(db, EVENTS, date(2025, 3, 6), 30)
    filled = time.perf_counter() - began
    asked = Asked(
        db=db,
        customers=CustomerStore(db, clock),
        events=EventStore(db),
        visits=VisitStore(db),
        plans=PlanStore(db),
        duty=Nobody(),
    )
    people = Directory([MAY, BO, LIN])
    planner = Planner(asked, house=House, people=lambda: people, clock=clock)
    figures: dict[str, Any] = {"filled_s": round(filled, 1)}
    figures |= await _timed("first", planner)
    clock.go(timedelta(days=1))
    await _happen(db, EACH_DAY, date(2025, 3, 8), 1)
    figures |= await _timed("next_day", planner)
    figures |= await _timed("nothing_new", planner)
    await db.close()
    return figures


async def _timed(name: str, planner: Planner) -> dict[str, Any]:
    began = time.perf_counter()
    done = await planner.once()
    seconds = round(time.perf_counter() - began, 2)
    return {f"{name}_s": seconds, f"{name}_owed": done.owed, f"{name}_given": done.given}


def _customers() -> Iterator[dict[str, Any]]:
    for n in range(CUSTOMERS):
        born = date(2000, 1, 1) + timedelta(days=n * 7919 % 366)
        yield {
            **_BLANK,
            "id": f"{n:026x}",
            "external_id": None,
            "name": f"Customer {n}",
            "do_not_call": n % 200 == 0,
            "birth_year": None,
            "birth_month": born.month,
            "birth_day": born.day,
            "birth_lunar": n % 100 == 0,
            "member_no": f"M{n}" if n % 2 else "",
            "member_since": None,
            "member": bool(n % 2),
            "do_not_sms": False,
            "hours": "",
            "zone": "America/New_York" if n % 50 == 0 else "",
            "merchant": False,
            "spread": n * 6151 % SPREAD,
            "created_at": NINE - timedelta(days=100),
            "changed_at": NINE - timedelta(days=100),
        }


async def _happen(db: Database, count: int, until: date, days: int) -> None:
    made = [
        {
            "id": f"{until:%y%m%d}{n:026x}",
            "customer": f"{n * 31 % CUSTOMERS:026x}",
            "kind": "complaint_handled" if n % 10 == 0 else "service_done",
            "ref": f"{until}-{n}",
            "day": until - timedelta(days=n % days),
            "time": None,
            "amount_cents": None,
            "department": "",
            "staff": "",
            "cancelled": False,
            "merchant": "",
            "seating": "",
            "note": "",
            "moved": 0,
            "rev": 1,
            "stale": True,
            "source": "csv",
            "who": "cti",
            "created_at": NINE,
            "changed_at": NINE,
        }
        for n in range(count)
    ]
    async with db.write() as conn:
        await conn.execute(insert(customer_events), made)


def _batches(rows: Iterator[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    batch = list[dict[str, Any]]()
    for row in rows:
        batch.append(row)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
