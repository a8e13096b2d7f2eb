"""How soon does an agent get his next visit, where a million are owed? On SQLite and PostgreSQL.

100,000 customers, 1,000,000 open visits, four fifths of them due now. Then four workers at once
on PostgreSQL claim 10,000.
"""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import text

from cti.customers.rules import Entry
from cti.customers.store import CustomerStore
from cti.db import migrate
from cti.db.engine import Database
from cti.db.schema import metadata
from cti.errors import Refused
from cti.visits.record import Kind, Owed, State, Visit
from cti.visits.store import VisitStore
from tests.kit.postgres import Missing, any_server

CUSTOMERS: Final = 100_000
EACH: Final = 10
"""Visits of each customer."""
MADE: Final = 1_000
"""Customers that are made before they are copied."""
CLAIMS: Final = 500
AT_ONCE: Final = 4
TOGETHER: Final = 10_000
NOW: Final = datetime(2026, 11, 24, 2, tzinfo=UTC)
LEASE: Final = timedelta(minutes=15)


async def measure(data: Path) -> dict[str, Any]:
    """Measure both; p99 is to be at most 10 ms, and `twice` 0."""
    async with on_sqlite(data) as db:
        figures: dict[str, Any] = {"sqlite": await claims(db)}
    try:
        async with on_postgres() as db:
            figures["postgresql"] = await claims(db)
            figures["four_workers"] = await together(db)
    except Missing as why:
        figures["postgresql"] = f"left out: {why}"
    return figures


@asynccontextmanager
async def on_sqlite(data: Path) -> AsyncIterator[Database]:
    """A big house in a file."""
    url = f"sqlite+aiosqlite:///{data}/cti.sqlite3"
    await migrate.upgrade(url)
    db = await Database.open(url)
    await fill(db)
    yield db
    await db.close()


@asynccontextmanager
async def on_postgres() -> AsyncIterator[Database]:
    """A big house on a server."""
    server = any_server()
    url = await server.create("cti_bench_claiming")
    try:
        await migrate.upgrade(url)
        db = await Database.open(url)
        await fill(db)
        yield db
        await db.close()
    finally:
        await server.drop("cti_bench_claiming")
        server.close()


async def fill(db: Database) -> None:
    """Owe a million visits."""
    customers = CustomerStore(db)
    number = iter(range(CUSTOMERS))
    some = [Entry(name=f"C{n}", phones=((f"+861380{n:07}", f"{n}"),)) for n in range(MADE)]
    for start in range(0, MADE, 500):
        await customers.keep(some[start : start + 500])
    async with db.write() as conn:
        ids = list((await conn.execute(text("SELECT id FROM customers ORDER BY id"))).scalars())
        owed = [one_owed(customer, next(number)) for customer in ids]
        await VisitStore(db).owe(conn, owed, NOW - timedelta(days=1), "v1")
    for n in range(1, CUSTOMERS // MADE):
        await copy(db, "customers", "name <> 'D'", id=moved("id", n), name="'D'")
        of = {
            "id": moved("id", n),
            "origin": f"origin || '|{n}'",
            "customer": moved("customer", n),
        }
        await copy(db, "visits", "length(origin) = 11", **of)
    for n in range(1, EACH):
        later = {"id": f"id || 'v{n}'", "origin": f"origin || '#{n}'"}
        await copy(db, "visits", "origin NOT LIKE '%#%'", **later)
    async with db.write() as conn:
        await conn.execute(text("ANALYZE"))


def moved(column: str, n: int) -> str:
    """Give the n-th id after one, in SQL: its first two digits are those of a far time."""
    return f"'{255 - n:02x}' || substr({column}, 3)"


async def copy(db: Database, table: str, only: str, **changed: str) -> None:
    """Copy the rows of a table for which `only` holds, with some columns changed."""
    columns = [column.name for column in metadata.tables[table].columns]
    named = ", ".join(f'"{name}"' for name in columns)
    taken = ", ".join(changed.get(name, f'"{name}"') for name in columns)
    query = f'INSERT INTO "{table}" ({named}) SELECT {taken} FROM "{table}" WHERE {only}'  # noqa: S608
    async with db.write() as conn:
        await conn.execute(text(query))


async def claims(db: Database) -> dict[str, float]:
    """Let agents take what is next for them and end it, one after the other; in ms."""
    store, took = VisitStore(db), list[float]()
    for n in range(CLAIMS):
        began = time.perf_counter()
        visit = await store.claim_next(f"p-{n % 30}", NOW, LEASE, supervisor=False)
        took.append((time.perf_counter() - began) * 1000)
        assert visit is not None
        await end(db, store, visit)
    cuts = statistics.quantiles(took, n=100)
    return {"p50_ms": round(cuts[49], 2), "p99_ms": round(cuts[98], 2)}


async def together(db: Database) -> dict[str, Any]:
    """Let four workers claim 10,000 at once, each by itself; none must be claimed twice."""
    store, seen = VisitStore(db), list[str]()

    async def work(worker: int) -> None:
        while len(seen) < TOGETHER:
            try:
                visit = await store.claim_next(f"w-{worker}", NOW, LEASE, supervisor=False)
            except Refused:  # another worker took a visit of the same customer just now
                continue
            assert visit is not None
            seen.append(visit.id)
            await end(db, store, visit)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for n in range(AT_ONCE):
            tasks.create_task(work(n))
    took = time.perf_counter() - began
    return {
        "claimed": len(seen),
        "twice": len(seen) - len(set(seen)),
        "per_s": round(len(seen) / took),
    }


async def end(db: Database, store: VisitStore, visit: Visit) -> None:
    """Let a claimed visit be done."""
    done = {"state": State.DONE.value, "held_by": None, "ended_at": NOW}
    async with db.write() as conn:
        assert await store.move(conn, visit, done)


def one_owed(customer: str, n: int) -> Owed:
    """Owe one visit; every fifth is not due yet, and deadlines are spread over three days."""
    return Owed(
        kind=Kind.VISIT,
        origin=f"bench|{n:05}",
        customer=customer,
        rule="after_service",
        purpose="service",
        period="",
        from_at=NOW + timedelta(hours=1) if n % 5 == 0 else NOW - timedelta(days=1),
        due_at=NOW + timedelta(minutes=n * 4),
        give_up_at=NOW + timedelta(days=10),
        zone="Asia/Shanghai",
    )
