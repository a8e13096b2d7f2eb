"""How long do the pages take in a big house? 200 people, 100,000 penalty lines, 1,000,000 calls.

The pages are asked over HTTP, on SQLite, in turn; the reports as files are not among them. The
database is made first: some rows by the stores, copied with their times moved until there are
enough.
"""

import statistics
import time
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Table, insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from cti.calls.store import CallStore, calls
from cti.calls.tally import SLOT_S
from cti.clock import SetClock
from cti.db import migrate
from cti.db.engine import Database
from cti.db.schema import Instant
from cti.duty.plan import monday, week_days
from cti.duty.routes import DutyPages
from cti.duty.rules import DutySet, DutyState, OnDuty
from cti.house import House
from cti.penalties.record import CallFacts
from cti.penalties.routes import Asks, PenaltyPages
from cti.penalties.rules import Circumstances, judge
from cti.penalties.store import PenaltyStore
from cti.penalties.tables import incidents, lines, missed_calls, missed_rang
from cti.people.rules import Directory, Person, Role
from cti.reports.routes import ReportsRoom
from tests.duty.conftest import DutyRoom, by
from tests.kit.fines import call_row, facts, rang
from tests.kit.web import LIN, NOON, NothingRecorded, Seat, stage

PEOPLE: Final = 200
LINES: Final = 100_000
CALLS: Final = 1_000_000
AT_ONCE: Final = 10_000
"""Calls that are made before they are copied."""
MISSED: Final = 100
APART: Final = timedelta(minutes=11)
"""Calls that are missed closer together are a storm, and proposed to nobody."""
TURNS: Final = 20
HOUSE: Final = House(version="policy-1")
MO: Final = Person(id="p-mo", number="7001", name="Mo", role=Role.MANAGER)
STAFF: Final = [
    Person(
        id=f"p-{n:03}",
        number=f"{6100 + n}",
        name=f"Person {n}",
        role=Role.SUPERVISOR if n % 10 == 0 else Role.AGENT,
    )
    for n in range(PEOPLE)
]
MONTH: Final = f"{NOON:%Y-%m}"
PAGES: Final[Mapping[str, tuple[Person, str]]] = {
    "review": (LIN, "/review"),
    "review_all": (LIN, "/review?state=all"),
    "review_person": (LIN, "/review?state=all&person=p-007"),
    "review_days": (LIN, "/review?state=all&since=2026-11-02&until=2026-11-03&entry=4000"),
    "missed": (LIN, "/missed"),
    "statements": (MO, f"/statements?month={MONTH}"),
    "reviewers": (MO, "/reviewers"),
    "roster": (LIN, "/duty?week=2026-11-23"),
    "on_duty": (LIN, "/duty/now"),
    "own": (STAFF[7], "/mine/penalties"),
}
REPORTS: Final = (
    "ring?by=day",
    "ring?by=hour",
    "ring?by=agent",
    "missed?by=day",
    "missed?by=agent",
)
SHIFTS: Final = ("early", "middle", "late")


async def nothing(_some: Collection[str]) -> Mapping[str, str]:
    """No callback, no customer."""
    return {}


async def copied(
    conn: AsyncConnection, table: Table, times: int, apart: timedelta, *ids: str
) -> None:
    """Put the rows of a table there again, each time so much earlier, with ids of their own."""
    minutes, values = int(apart.total_seconds() // 60), dict[str, str]()
    for column in table.columns:
        name = f'"{column.name}"'
        values[name] = name
        if column.name == "slot":
            values[name] = f"{name} - :n * {minutes * 60 // SLOT_S}"
        elif isinstance(column.type, Instant):
            back = f"'-' || (:n * {minutes}) || ' minutes'"
            values[name] = f"strftime('%Y-%m-%d %H:%M:%f', {name}, {back}) || '000'"
        elif column.name in ids:  # all of one minute begin alike, so that these are new
            values[name] = f"printf('%05d', :n) || substr({name}, 6)"
        elif column.name == "source":
            values[name] = f"{name} || '-' || :n"
    await conn.execute(text(f"CREATE TEMP TABLE first AS SELECT * FROM {table.name}"))  # noqa: S608
    copy = f"INSERT INTO {table.name} ({', '.join(values)}) "
    copy += f"SELECT {', '.join(values.values())} FROM first"  # noqa: S608  our own names
    for n in range(1, times):
        await conn.execute(text(copy), {"n": n})
    await conn.execute(text("DROP TABLE first"))


def a_call(n: int) -> dict[str, Any]:
    """One of the calls of the newest hours, every fifth of them missed."""
    at = NOON - timedelta(seconds=2.4 * n)
    row = call_row(f"k{n:025}", 0, "+8613800138000", 30, "caller")
    row |= {"began": at, "seen_at": at, "ended_at": at + timedelta(seconds=30)}
    row |= {"rings": n % 6 + 1, "ring_ms": n % 6 * 3000, "wait_ms": n % 60 * 1000}
    row |= {"slot": int(at.timestamp()) // SLOT_S, "person": None}
    if n % 5:
        row |= {"outcome": "answered", "reason": None, "person": STAFF[n % PEOPLE].id}
    return row


async def make_calls(db: Database) -> None:
    """Store a million calls of one month."""
    async with db.write() as conn:
        await conn.execute(insert(calls), [a_call(n) for n in range(AT_ONCE)])
        apart = timedelta(seconds=2.4 * AT_ONCE)
        await copied(conn, calls, CALLS // AT_ONCE, apart, "id")


def missed(call: str, at: datetime, people: list[Person]) -> tuple[CallFacts, Circumstances]:
    """Let a call ring at the phones of some people, and nobody come."""
    moved = dict.fromkeys(("began", "rang_at", "waited_from"), at)
    moved |= dict.fromkeys(("ended_at", "waited_to"), at + timedelta(seconds=20))
    asked = [rang(one.id) for one in people]
    duties = tuple(
        OnDuty(
            person=one.id,
            assignment=f"a-{one.id}",
            shift="early",
            role=one.role,
            state=DutyState.STARTED,
            since=at - timedelta(hours=3),
            why=("clocked_in",),
        )
        for one in people
    )
    seen = DutySet(
        at=at, department="", agents=duties, supervisor=None, published=len(people), version="r1"
    )
    now = Circumstances(
        duty=seen, leaving=(), states=(), supervisor=STAFF[0].id, fault="", frozen_at=at
    )
    return facts(*asked, call=call, **moved), now


async def make_lines(db: Database, store: PenaltyStore, clock: SetClock) -> None:
    """Store a hundred thousand lines of ten on duty and their supervisor."""
    for n in range(MISSED):
        clock.at = NOON - APART * n
        team = [STAFF[(n * 10 + k) % PEOPLE] for k in range(1, 10)]
        call, now = missed(f"m{n:025}", clock.at, team)
        found = await store.keep_missed(judge(call, HOUSE, now), "", into=None)
        await store.propose(str(found), {})
    clock.at = NOON
    async with db.write() as conn:
        made = await conn.scalar(text("SELECT count(*) FROM penalty_lines"))
        times = LINES // int(made or 1) + 1
        for table in (incidents, missed_calls, missed_rang, lines):
            await copied(conn, table, times, APART * MISSED, "id", "incident", "call")


async def make_roster(duty: DutyRoom) -> None:
    """Publish a week of everybody."""
    week = monday(NOON.date() + timedelta(days=7))
    for n, person in enumerate(STAFF):
        await duty.store.add(by(LIN), person.id, SHIFTS[n % 3], week_days(week)[:5])
    await duty.store.publish(by(LIN), week)


async def asked(seat: Seat, path: str) -> float:
    """Ask for a page; give its milliseconds."""
    began = time.perf_counter()
    async with seat.browser.get(path) as answer:
        page = await answer.read()
        assert answer.status == 200, (path, answer.status, page[:2000])
    return (time.perf_counter() - began) * 1000


async def measure(data: Path) -> dict[str, Any]:
    """Give the 95th of a hundred of each page, in milliseconds, and the slowest of each report."""
    url = f"sqlite+aiosqlite:///{data / 'cti.sqlite3'}"
    await migrate.upgrade(url)
    db, clock = await Database.open(url), SetClock(NOON)
    directory = Directory([LIN, MO, *STAFF])
    store = PenaltyStore(db, clock, lambda: HOUSE, lambda: directory)
    duty = DutyRoom(db, house=HOUSE, people=directory, clock=clock)
    await make_lines(db, store, clock)
    await make_roster(duty)
    await make_calls(db)
    rooms = [
        PenaltyPages(
            Asks(
                store=store,
                house=lambda: HOUSE,
                directory=lambda: directory,
                clock=clock,
                callbacks=nothing,
                customers=nothing,
                recordings=NothingRecorded(),
            )
        ),
        DutyPages(duty.store, house=lambda: HOUSE, people=lambda: directory, clock=clock),
        ReportsRoom(
            counts=CallStore(db), people=lambda: directory, house=lambda: HOUSE, clock=clock
        ),
    ]
    async with stage(clock=clock, people=[LIN, MO, *STAFF], rooms=rooms) as it:
        seats = {person.id: await it.enters(person) for person, _ in PAGES.values()}
        for who, path in PAGES.values():
            await asked(seats[who.id], path)  # templates are compiled once
        took = {
            name: [await asked(seats[who.id], path) for _ in range(TURNS)]
            for name, (who, path) in PAGES.items()
        }
        span = "from=2026-10-24&to=2026-11-22"
        reports = {
            name: [await asked(seats[LIN.id], f"/reports/{name}&{span}") for _ in range(3)]
            for name in REPORTS
        }
    async with db.read() as conn:
        size = await conn.scalar(text("SELECT count(*) FROM penalty_lines"))
    await db.close()
    return {
        "lines": size,
        "calls": CALLS,
        "people": PEOPLE,
        "p95_ms": {name: round(statistics.quantiles(ms, n=20)[-1]) for name, ms in took.items()},
        "report_ms": {name: round(max(ms)) for name, ms in reports.items()},
    }
