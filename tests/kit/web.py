"""A web server with people and calls made up for it: the ports of `cti.web`, in memory.

The cast: May (6001) and Bo (6002) are agents, Lin supervises, Tam is the technician, Ou keeps
the books; Chen is a stranger.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
from aiohttp import web
from prometheus_client import CollectorRegistry
from yarl import URL

from cti import bus
from cti.bus import Bus, Push
from cti.clock import Clock, SetClock
from cti.errors import Refused
from cti.people.rules import Person, Role
from cti.web import wire
from cti.web.ports import LinkPurpose, Readiness
from cti.web.push import Pace
from cti.web.rooms import Room
from cti.web.server import make_app, make_runner
from cti.web.site import Site

NOON = datetime(2026, 11, 22, 4, 0, 0, tzinfo=UTC)  # noon in Taipei
PASSWORD = "right horse"


MAY = Person(id="p-may", number="6001", name="May")
BO = Person(id="p-bo", number="6002", name="Bo")
LIN = Person(id="p-lin", number="5001", name="Lin", role=Role.SUPERVISOR)
TAM = Person(id="p-tam", number="9001", name="Tam", role=Role.TECHNICIAN)
OU = Person(id="p-ou", number="9002", name="Ou", role=Role.AUDITOR)
CAST = (MAY, BO, LIN, TAM, OU)


class FakeAccounts:
    """Sessions and one-time links in a dictionary; five wrong passwords close a number."""

    def __init__(self, people: Sequence[Person] = CAST) -> None:
        self.people = {person.id: person for person in people}
        self.sessions: dict[str, str] = {}
        self.links: dict[str, tuple[str, LinkPurpose]] = {}
        self.wrong: dict[str, int] = {}
        self.passwords: dict[str, str] = {}
        self.addresses: list[str] = []
        self.prolonged: list[str] = []
        self._count = count()

    async def log_in(self, number: str, password: str, *, address: str, agent: str) -> str:
        self.addresses.append(address)
        if self.wrong.get(number, 0) >= 5:
            raise Refused("login_later", "wait some minutes", seconds=300)
        for person in self.people.values():
            if person.number == number and password == PASSWORD:
                return self.open_session(person)
        self.wrong[number] = self.wrong.get(number, 0) + 1
        raise Refused("login_refused", "number or password is wrong")

    async def look_at_link(self, token: str) -> LinkPurpose | None:
        found = self.links.get(token)
        return found[1] if found else None

    async def log_in_by_link(self, token: str, *, address: str, agent: str) -> str:
        return self.open_session(self._use(token, "log_in"))

    async def set_password_by_link(
        self, token: str, password: str, *, address: str, agent: str
    ) -> str:
        if len(password) < 10 and token in self.links:
            raise Refused("password_short", "a password has at least 10 characters")
        person = self._use(token, "set_password")
        self.passwords[person.id] = password
        return self.open_session(person)

    async def session(self, token: str) -> Person | None:
        return self.people.get(self.sessions.get(token, ""))

    async def prolong(self, token: str) -> bool:
        self.prolonged.append(token)
        return token in self.sessions

    async def end_session(self, token: str) -> None:
        self.sessions.pop(token, None)

    def open_session(self, person: Person) -> str:
        """Let somebody in."""
        token = f"session-{next(self._count)}-of-{person.number}-0123456789"
        self.sessions[token] = person.id
        return token

    def _use(self, token: str, purpose: LinkPurpose) -> Person:
        if token not in self.links or self.links[token][1] != purpose:
            raise Refused("link_over", "used, too old, of another kind, unknown")
        return self.people[self.links.pop(token)[0]]


WANG = {
    "id": "c-wang",
    "name": "王小明",
    "tier": "VIP",
    "company": "小明餐飲有限公司",
    "area": "台北市",
    "phones": ["+8613800138000"],
}
WANG_MAY = {
    "id": "c-wang-2",
    "name": "王美玲",
    "tier": None,
    "company": None,
    "area": "新北市",
    "phones": ["+8613800138000", "+886223456789"],
}


def make_card(call: str, at: datetime, **facts: Any) -> dict[str, Any]:
    """Make a card of a call that began to ring at an instant."""
    card: dict[str, Any] = {
        "call": call,
        "state": "ringing",
        "outcome": None,
        "by": None,
        "direction": "inbound",
        "number": "+8613800138000",
        "shown": "138 0013 8000",
        "caller_name": None,
        "line": "4000",
        "queue": "support",
        "rang_at": wire.stamp(at),
        "waiting_since": wire.stamp(at - timedelta(seconds=2)),
        "answered_at": None,
        "cycle_ms": 3000,
        "standard": 3,
        "apologise_from": 5,
        "approximate": False,
        "customers": [],
        "chosen": None,
        "contacts": [],
        "owed": [],
        "recording": None,
    }
    return card | facts


class FakeDesk:
    """What is going on, told by the test; every change is numbered, kept and published."""

    def __init__(self, bus: Bus, clock: Clock, window: int = 1000) -> None:
        self.bus, self.clock, self.window = bus, clock, window
        self.epoch = "epoch-1"
        self.seq = 0
        self.log: list[tuple[int, str, str]] = []
        self.screens: dict[str, dict[str, dict[str, Any]]] = {}
        self.over: dict[tuple[str, str], dict[str, Any]] = {}
        self.line = [{"pbx": "main", "up": True, "since": wire.stamp(clock.now())}]
        self.whole: dict[str, Any] = empty_board(self.line)

    # -- the port

    def last_seq(self) -> int:
        return self.seq

    def since(self, person: str, seq: int) -> list[tuple[int, str]] | None:
        if self.log and seq < self.log[0][0] - 1:
            return None
        return [(n, call) for n, who, call in self.log if who == person and n > seq]

    def cards(self, person: str) -> list[Mapping[str, Any]]:
        return list(self.screens.get(person, {}).values())

    def card(self, person: str, call: str) -> Mapping[str, Any] | None:
        return self.screens.get(person, {}).get(call) or self.over.get((person, call))

    def board(self) -> Mapping[str, Any]:
        return self.whole | {"links": self.line}

    def links(self) -> list[Mapping[str, Any]]:
        return list(self.line)

    async def choose(self, call: str, person: Person, customer: str | None) -> None:
        card = self.screens.get(person.id, {}).get(call)
        if card is None:
            raise Refused("no_such_call", "not on this screen")
        if customer is not None and customer not in {one["id"] for one in card["customers"]}:
            raise Refused("no_such_customer", "not among those found")
        for screen in [who for who, cards in self.screens.items() if call in cards]:
            self.show(screen, self.screens[screen][call] | {"chosen": customer})

    # -- what the test tells

    def show(self, person: str, card: dict[str, Any]) -> None:
        """Put a card on a person's screen, or take it away, and say so."""
        call = card["call"]
        if card["state"] == "ended":
            self.screens.get(person, {}).pop(call, None)
            self.over[person, call] = card
        else:
            self.screens.setdefault(person, {})[call] = card
        self.seq += 1
        self.log = [*self.log, (self.seq, person, call)][-self.window :]
        self.bus.publish(Push(audience=bus.person(person), kind="card", seq=self.seq, call=call))

    def rings(self, call: str, *people: Person, ago: float = 0, **facts: Any) -> None:
        """Let a call ring at people's phones since `ago` seconds."""
        at = self.clock.now() - timedelta(seconds=ago)
        for person in people:
            self.show(person.id, make_card(call, at, **facts))

    def answered(self, call: str, by: Person) -> None:
        """Let one pick up; the others' cards end."""
        now = wire.stamp(self.clock.now())
        for person, cards in list(self.screens.items()):
            if call in cards and person == by.id:
                self.show(person, cards[call] | {"state": "talking", "answered_at": now})
            elif call in cards:
                self.ends(call, person, "answered_elsewhere", by=by.name)

    def ends(self, call: str, person: str, outcome: str | None, by: str | None = None) -> None:
        """End a card on one screen."""
        card = self.screens[person][call]
        self.show(person, card | {"state": "ended", "outcome": outcome, "by": by})

    def over_for_all(self, call: str, outcome: str) -> None:
        """End a call on all screens."""
        for person, cards in list(self.screens.items()):
            if call in cards:
                self.ends(call, person, outcome)

    def link(self, up: bool) -> None:
        """Lose or regain the PBX."""
        self.line = [{"pbx": "main", "up": up, "since": wire.stamp(self.clock.now())}]
        self.bus.publish(Push(audience=bus.ALL, kind="links"))

    def set_board(self, **facts: Any) -> None:
        """Change the board and say so."""
        self.whole = self.whole | facts
        self.bus.publish(Push(audience=bus.BOARD, kind="board"))


def empty_board(links: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A board on which nothing has happened yet."""
    today = {"answered": 0, "missed": 0, "missed_by_reason": {}, "within_standard": 0}
    today |= {"standard_rate": None, "inbound": 0, "talk_ms": None}
    rules = {"cycle_ms": 3000, "standard": 3, "apologise_from": 5, "pause_by": []}
    rules |= {"talk_limit": {"target": 180, "most": 300}}
    wall = {"waiting": 0, "longest": None, "states": {}, "agents": [], "alarms": []}
    wall |= {"targets": None}
    parts = {"calls": [], "agents": [], "today": today, "wall": wall}
    return parts | {"links": list(links), **rules}


class NothingRecorded:
    """A house that records nothing (`cti.web.ports.Players`)."""

    async def __call__(
        self, calls: Collection[str], person: Person, address: str
    ) -> Sequence[Mapping[str, Any]]:
        return []

    async def known(self, calls: Collection[str], person: Person) -> Collection[str]:
        return ()


@dataclass
class Stage:
    """A running server, and everything behind it."""

    accounts: FakeAccounts
    desk: FakeDesk
    bus: Bus
    clock: Clock
    app: web.Application
    registry: CollectorRegistry
    url: URL = field(default_factory=lambda: URL("http://127.0.0.1"))
    ready: Readiness = field(default_factory=lambda: Readiness(ok=True, parts={"database": "ok"}))
    origin: str = ""
    sessions: list[aiohttp.ClientSession] = field(default_factory=list)
    runner: web.AppRunner | None = None

    async def how(self) -> Readiness:
        return self.ready

    def cut(self) -> None:
        """Cut every connection without a word, as a network does."""
        assert self.runner is not None
        assert self.runner.server is not None
        for connection in self.runner.server.connections:
            if connection.transport is not None:
                connection.transport.abort()

    def browser(self) -> aiohttp.ClientSession:
        """Open a visitor of its own, with its own cookies."""
        session = aiohttp.ClientSession(
            base_url=self.url,
            cookie_jar=aiohttp.CookieJar(unsafe=True),
            headers={"Origin": self.origin},
        )
        self.sessions.append(session)
        return session

    async def enters(self, person: Person) -> "Seat":
        """Let a person in, past the login form."""
        browser = self.browser()
        token = self.accounts.open_session(person)
        browser.cookie_jar.update_cookies({"cti": token}, self.url)
        async with browser.get("/api/v1/me") as answer:
            me = await answer.json()
        return Seat(browser=browser, csrf=me["csrf"], token=token, stage=self)


@dataclass
class Seat:
    """Person logged in, without a browser."""

    browser: aiohttp.ClientSession
    csrf: str
    token: str
    stage: Stage

    @property
    def headers(self) -> dict[str, str]:
        return {"X-CSRF": self.csrf}

    async def ticket(self) -> str:
        async with self.browser.post("/api/v1/rt-ticket", headers=self.headers) as answer:
            ticket: str = (await answer.json())["ticket"]
            return ticket

    async def socket(self, ticket: str | None = None) -> aiohttp.ClientWebSocketResponse:
        ticket = await self.ticket() if ticket is None else ticket
        return await self.browser.ws_connect(
            "/api/v1/live", protocols=("cti.v1", f"ticket.{ticket}")
        )

    async def listens(
        self, since: int | None = None, epoch: str | None = None, view: str = "agent"
    ) -> aiohttp.ClientWebSocketResponse:
        """Open the live channel and say hello."""
        socket = await self.socket()
        await socket.send_json({"type": "hello", "since": since, "epoch": epoch, "view": view})
        return socket


@asynccontextmanager
async def stage(
    *,
    pace: Pace | None = None,
    site: Site | None = None,
    clock: Clock | None = None,
    window: int = 1000,
    people: Sequence[Person] = CAST,
    port: int = 0,
    rooms: Sequence[Room] = (),
) -> AsyncIterator[Stage]:
    """Run a server on a free port of this machine; `rooms` have pages of their own."""
    clock = clock or SetClock(NOON)
    post = Bus()
    accounts, desk, registry = (
        FakeAccounts(people),
        FakeDesk(post, clock, window),
        CollectorRegistry(),
    )
    site = site or Site(house="小南國", house_locale="zh-Hant", zone=ZoneInfo("Asia/Taipei"))
    it = Stage(accounts, desk, post, clock, web.Application(), registry)
    it.app = make_app(
        accounts=accounts,
        desk=desk,
        bus=post,
        clock=clock,
        site=site,
        ready=it.how,
        registry=registry,
        pace=pace,
        rooms=rooms,
    )
    runner = it.runner = make_runner(it.app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        it.url = URL(f"http://127.0.0.1:{runner.addresses[0][1]}")
        it.origin = str(it.url.origin())
        yield it
    finally:
        for session in it.sessions:
            await session.close()
        await runner.cleanup()
