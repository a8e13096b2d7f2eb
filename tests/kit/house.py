"""A house at work: a real PBX rings, the real daemon listens, people have screens before them.

The cast: May (6001), Bo (6002), Chen (6003), Dan (6004), Eve (6005), Fay (6006), Gus (6007),
Hua (6008), Ivy (6009) and, on a phone that tests play themselves, Jin (6101) are agents; Lin
supervises. Of the customers 王小明 has two numbers, and 張家 and 李家 share one.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
from sqlalchemy import select

from cti.calls.store import CallStore, calls, gaps, offers, talks, visits
from cti.customers.rules import Entry, normal
from cti.customers.store import CustomerStore
from cti.db.engine import Database
from cti.people.rules import Device, Person, Role
from cti.people.store import PeopleStore
from tests.kit.ami import Bell
from tests.kit.daemon import Daemon
from tests.pbx.lab import Pair

PBX = "lab"
WANG, SHARED = "13800138000", "02161234567"
NAMES = {
    "6001": "May",
    "6002": "Bo",
    "6003": "Chen",
    "6004": "Dan",
    "6005": "Eve",
    "6006": "Fay",
    "6007": "Gus",
    "6008": "Hua",
    "6009": "Ivy",
    "6101": "Jin",
}
CUSTOMERS = (
    ("王小明", (WANG, "02162345678"), "gold", "远东贸易"),
    ("張家", (SHARED,), "", ""),
    ("李家", (SHARED, "13900139001"), "", ""),
)

_A_DAY = timedelta(days=1)

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One call as it is stored, with its parts."""

    row: Row
    offers: list[Row]
    visits: list[Row]
    talks: list[Row]

    @property
    def outcomes(self) -> dict[str, str]:
        """What became of each phone's last offer."""
        return {offer["agent"]: offer["outcome"] for offer in self.offers}

    def says(self, *keys: str) -> list[Any]:
        """Give some columns of the call."""
        return [self.row[key] for key in keys]


class Screen(Bell):
    """What one person is told over the live channel, without a browser."""

    def __init__(self, person: Person) -> None:
        super().__init__()
        self.person = person
        self.told: list[tuple[float, dict[str, Any]]] = []
        self.links: list[dict[str, Any]] = []

    def cards(self, call: str) -> list[dict[str, Any]]:
        """Give each state of a call's card, in the order in which it was told."""
        return [card for _, card in self.told if card["call"] == call]

    def words(self, call: str) -> list[str]:
        """Give the states of a card without repetition, the last with its outcome."""
        found: list[str] = []
        for card in self.cards(call):
            word = card["state"] if card["state"] != "ended" else f"ended {card['outcome']}"
            if not found or found[-1] != word:
                found.append(word)
        return found

    async def shows(
        self, test: Callable[[dict[str, Any]], bool], within: float = 20
    ) -> tuple[float, dict[str, Any]]:
        """Wait for a card; give when it came (`time.perf_counter`) and the card."""
        found: list[tuple[float, dict[str, Any]]] = []

        def seen() -> bool:
            found[:] = [(at, card) for at, card in self.told if test(card)]
            return bool(found)

        await self.until(seen, within)
        return found[0]

    def hear(self, message: Mapping[str, Any]) -> None:
        """Take what the server said."""
        now = time.perf_counter()
        match message["type"]:
            case "snapshot":
                self.links = message["links"]
                self.told += [(now, card) for card in message["cards"]]
            case "card":
                self.told.append((now, message["card"]))
            case "links":
                self.links = message["links"]
        self.ring()


@dataclass
class House:
    """People, customers, a PBX and the daemon between them."""

    pair: Pair
    daemon: Daemon
    db: Database
    people: PeopleStore
    staff: dict[str, Person] = field(default_factory=dict)
    """By phone, and `lin`."""
    screens: dict[str, Screen] = field(default_factory=dict)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def watch(self, *phones: str) -> None:
        """Put a screen before these people; it stays, and comes back when the line is lost."""
        for phone in phones:
            if phone not in self.screens:
                screen = self.screens[phone] = Screen(self.staff[phone])
                task = asyncio.get_running_loop().create_task(self._watching(screen))
                self._stack.push_async_callback(_ended, task)
        for phone in phones:
            screen = self.screens[phone]
            await screen.until(lambda screen=screen: bool(screen.links))  # type: ignore[misc]

    async def token(self, person: Person) -> str:
        """Let somebody in, past the login form; give the session."""
        return await self.people.open_session(person.id, _A_DAY)

    async def _watching(self, screen: Screen) -> None:
        token = await self.token(screen.person)
        while True:
            with suppress(aiohttp.ClientError, OSError, TimeoutError):
                await self._watch_once(screen, token)
            await asyncio.sleep(0.05)

    async def _watch_once(self, screen: Screen, token: str) -> None:
        headers = {"Cookie": f"cti={token}", "Origin": self.daemon.url}
        async with aiohttp.ClientSession(self.daemon.url, headers=headers) as session:
            async with session.get("/api/v1/me") as answer:
                csrf = (await answer.json())["csrf"]
            async with session.post("/api/v1/rt-ticket", headers={"X-CSRF": csrf}) as answer:
                ticket = (await answer.json())["ticket"]
            protocols = ("cti.v1", f"ticket.{ticket}")
            async with session.ws_connect("/api/v1/live", protocols=protocols) as socket:
                hello = {"type": "hello", "since": None, "epoch": None, "view": "agent"}
                await socket.send_json(hello)
                async for message in socket:
                    screen.hear(message.json())

    async def kept(self, caller: str, nth: int = 0, within: float = 30) -> Kept:
        """Wait until a customer's call is stored and over; `nth` counts calls of one caller."""
        async with asyncio.timeout(within):
            while True:
                found = [call for call in await self.calls(caller) if call["over"]]
                if len(found) > nth:
                    return await self.whole(found[nth])
                await asyncio.sleep(0.05)

    async def calls(self, caller: str | None = None) -> list[Row]:
        """Give the calls that are stored, oldest first, of one caller or all."""
        wanted = select(calls).where(calls.c.merged_into.is_(None)).order_by(calls.c.seen_at)
        if caller is not None:
            wanted = wanted.where(calls.c.caller == caller)
        async with self.db.read() as connection:
            return [dict(row._mapping) for row in await connection.execute(wanted)]

    async def whole(self, row: Row) -> Kept:
        """Give a call with its parts."""
        parts = []
        async with self.db.read() as connection:
            for table in (offers, visits, talks):
                wanted = select(table).where(table.c.call == row["id"]).order_by(table.c.n)
                found = await connection.execute(wanted)
                parts.append([dict(part._mapping) for part in found])
        return Kept(row=row, offers=parts[0], visits=parts[1], talks=parts[2])

    async def gaps(self) -> list[Row]:
        """Give the times in which the PBX was not heard, oldest first."""
        async with self.db.read() as connection:
            found = await connection.execute(select(gaps).order_by(gaps.c.lost_at))
            return [dict(row._mapping) for row in found]

    async def none_open(self, within: float = 30) -> list[Row]:
        """Wait until every stored call is over; give them all."""
        async with asyncio.timeout(within):
            while True:
                found = await self.calls()
                if all(call["over"] for call in found):
                    return found
                await asyncio.sleep(0.05)

    @property
    def store(self) -> CallStore:
        """The calls, as `cti reconcile` reads them."""
        return CallStore(self.db)


@asynccontextmanager
async def at_work(
    pair: Pair, data: Path, *, port: int | None = None, more: Iterable[int] = ()
) -> AsyncIterator[House]:
    """Open a house whose daemon listens to this PBX, or by another port to a proxy before it.

    `more` are phones of further agents.
    """
    async with opened(pair, data, port=port) as house:
        for number in map(str, more):
            if number not in house.staff:
                await engage(house, number, f"Agent {number}")
        await house.daemon.start()
        await house.daemon.says("pbx_resynced")
        yield house


@asynccontextmanager
async def opened(
    pair: Pair,
    data: Path,
    *,
    port: int | None = None,
    rules: Path | None = None,
    url: str = "",
    **changed: Any,
) -> AsyncIterator[House]:
    """Make a house with people and customers; its daemon is still to be started.

    `rules` is its house file, `url` its database if it is not SQLite.
    """
    more = {"house": str(rules)} if rules else {}
    daemon = Daemon(data, {**settings(pair, port), **changed}, url=url, **more)
    await daemon.prepare()
    db = await Database.open(daemon.database)
    house = House(pair, daemon, db, PeopleStore(db))
    try:
        await _fill(house)
        yield house
    finally:
        await house._stack.aclose()
        await daemon.stop()
        await db.close()


def settings(pair: Pair, port: int | None = None) -> dict[str, Any]:
    """Give the settings that name the pair's PBX, or a proxy of this machine before it."""
    return {
        "name": PBX,
        "host": pair.place.pbx if port is None else "127.0.0.1",
        "port": pair.place.ami if port is None else port,
        "user": "cti",
        "secret": pair.secret.cti,
        "systemname": pair.secret.systemname,
        "trunks": ["PJSIP/trunk*"],
    }


async def _fill(house: House) -> None:
    for phone, name in NAMES.items():
        await engage(house, phone, name)
    house.staff["lin"] = await house.people.add(number="5001", name="Lin", role=Role.SUPERVISOR)
    customers = CustomerStore(house.db)
    for name, numbers, tier, company in CUSTOMERS:
        phones = tuple((normal(raw, "CN").normal or "", raw) for raw in numbers)
        await customers.add(Entry(name=name, phones=phones, tier=tier, company=company))


async def engage(house: House, phone: str, name: str) -> None:
    """Take an agent on, with one phone."""
    house.staff[phone] = await house.people.add(
        number=phone, name=name, devices=[Device(PBX, f"PJSIP/{phone}")]
    )


async def _ended(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
