"""The daemon: builds every room, wires, runs and stops them. The only file that knows all."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry

from cti import house_file
from cti.bus import Bus
from cti.calls.book import Book, trunk_matcher
from cti.calls.desk import KEPT, Desk, Found, Owed, Recorded, Turn
from cti.calls.store import Batch, CallStore, Told
from cti.calls.switchboard import Item, Switchboard
from cti.clock import Clock, SystemClock
from cti.customers.rules import Number
from cti.customers.store import CustomerStore
from cti.db import migrate
from cti.db.audit import last
from cti.db.engine import Database
from cti.db.leader import Leader
from cti.db.schema import new_id
from cti.db.sole import held
from cti.db.writer import Writer
from cti.errors import CommitUnknown, ConfigError, CtiError, StoreUnavailable
from cti.house import House
from cti.house_file import Source
from cti.metrics import Collected, Plant
from cti.office import Office
from cti.pbx.aside import SetAside
from cti.pbx.inbox import SETTLE, Inbox
from cti.pbx.link import Link, LinkState
from cti.pbx.translate import rings, wanted
from cti.people.login import Login
from cti.people.store import PeopleStore
from cti.policy.desk import PolicyDesk
from cti.policy.store import PolicyStore
from cti.presence.desk import Wall
from cti.presence.phones import Change
from cti.presence.store import PresenceStore
from cti.presence.watch import Watch
from cti.settings import PbxSettings, Settings
from cti.signals import on_end
from cti.web.ports import Readiness
from cti.web.server import make_app, make_runner
from cti.web.site import Site
from recordings.setup import storage_of

log = structlog.get_logger(__name__)

STOP_WITHIN: Final = timedelta(seconds=8)
PEOPLE_EVERY: Final = 5.0
"""Seconds after which people who were added by another process are seen."""
SWEEP_EVERY: Final = 3600.0
AUDIT_EVERY: Final = 86_400.0
STATES_GATHER: Final = timedelta(milliseconds=200)
"""How long states gather before they are stored: nobody waits for them."""
HINTS_KEPT: Final = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Line:
    """One PBX: two sessions, a queue and its reader."""

    listen: Link
    act: Link
    switchboard: Switchboard


class Kept:
    """What the desk asks of the stores (`cti.calls.desk.Kept`)."""

    def __init__(
        self, calls: CallStore, clock: Clock, put: Callable[[Sequence[Item]], None]
    ) -> None:
        self.day, self.choose = calls.day, calls.choose
        self._clock, self._put = clock, put

    def tell(self, people: Sequence[str], call: str) -> None:
        """Let hints about a call be stored after all that was put before: numbers keep order."""
        tell = [(who, call) for who in people]
        self._put([(Batch(at=self._clock.now(), tell=tell), Turn())])


class Callers:
    """Looks up who calls, while the change is on its way to the disk."""

    def __init__(
        self,
        customers: CustomerStore,
        calls: CallStore,
        tasks: asyncio.TaskGroup,
        recorded: Callable[[Collection[str]], Awaitable[Mapping[str, Sequence[Recorded]]]]
        | None = None,
        owed: Callable[[Collection[str]], Awaitable[Sequence[Owed]]] | None = None,
    ) -> None:
        self._customers, self._calls, self._tasks = customers, calls, tasks
        self._recorded, self._owed = recorded, owed

    def __call__(self, number: Number, call: str) -> asyncio.Future[Found]:
        """Begin to look up a number for a call."""
        return self._tasks.create_task(self._find(number.normal or "", call), name="look_up")

    async def _find(self, normal: str, call: str) -> Found:
        try:
            customers, contacts = await asyncio.gather(
                self._customers.find(normal), self._calls.contacts(normal, call)
            )
            recorded = await self._recorded([c.call for c in contacts]) if self._recorded else {}
            owed = await self._owed([one.id for one in customers]) if self._owed else ()
            return Found(customers=customers, contacts=contacts, recorded=recorded, owed=owed)
        except CtiError as fault:
            log.warning("customer_lookup_failed", call=call, why=str(fault))
            return Found()


class Exchange:
    """One PBX as the dialer sees it (`cti.dials.dialer.Exchange`)."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self.act, self.call_of = line.act.act, line.switchboard.book.call_of

    @property
    def current(self) -> bool:
        """Whether the PBX can be asked, and the book knows all that lives there."""
        return self._line.act.state.phase == "up" and self._line.switchboard.current


class App:
    """A built daemon. `run` is all that is left to do."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock | None = None,
        routes: Sequence[web.RouteDef] = (),
    ) -> None:
        self.settings, self.clock = settings, clock or SystemClock()
        self._routes = routes
        self.house, self._source = _read(settings, self.clock)
        self.bus = Bus()
        self.registry = CollectorRegistry()
        self.url = ""
        """Where the pages are, once they are served."""
        self.ready = asyncio.Event()
        self._stop = asyncio.Event()
        self._lost = False

    def stop(self) -> None:
        """Ask `run` to end: no more is heard, what was heard is stored."""
        self._stop.set()

    async def run(self) -> None:
        """Serve until `stop`, or a signal. Raises `ConfigError` before anything was started."""
        async with AsyncExitStack() as stack:
            await migrate.check(self.settings.database_url, password=self._password())
            stack.enter_context(held(self.settings.database_url))
            self.db = await Database.open(self.settings.database_url, password=self._password())
            stack.push_async_callback(self.db.close)
            leader = Leader(self.db)
            with on_end(self.stop):
                if not await leader.become(self._stop):
                    return
            stack.push_async_callback(self._leaves, leader)
            await self._serve(stack, leader)
            if self._lost:
                raise ConfigError(
                    "another cti leads on this database: this one was held up for too long",
                    "start it again: it then stands by",
                    code="not_leader",
                )

    async def _leaves(self, leader: Leader) -> None:
        with suppress(StoreUnavailable, CommitUnknown):
            await leader.leave()

    def _loses(self) -> None:
        """End at once: what we know is no longer what is."""
        self._lost = True
        self.stop()

    async def _serve(self, stack: AsyncExitStack, leader: Leader) -> None:
        self.policy = PolicyDesk(
            PolicyStore(self.db), self.clock, self.settings.house, self.house, self._obey
        )
        self.house = await self.policy.begin(self._source)
        self.people, self.calls = PeopleStore(self.db, self.clock), CallStore(self.db)
        self.customers = CustomerStore(self.db, self.clock)
        told = await self.calls.recent(KEPT)
        self.desk = Desk(
            bus=self.bus,
            clock=self.clock,
            house=self.house,
            directory=await self.people.directory(),
            kept=Kept(self.calls, self.clock, lambda items: self.writer.put(items)),
            epoch=await self.calls.epoch(new_id(self.clock.now())),
            last_seq=told[-1][0] if told else 0,
            told=told,
        )
        self.writer: Writer[Item, tuple[list[Turn], Told]] = Writer(
            self._apply,
            after=self._after,
            on_trouble=self._trouble,
            on_refused=lambda batch, _fault: self._show(batch),
        )
        await self._follow_people()
        self.office = Office(
            settings=self.settings,
            db=self.db,
            clock=self.clock,
            calls=self.calls,
            customers=self.customers,
            desk=self.desk,
            presence=self.presence,
            policy=self.policy,
            house=lambda: self.house,
            sounds=storage_of(self.settings),
        )
        runner = make_runner(self._pages())
        stack.push_async_callback(runner.cleanup)
        async with asyncio.TaskGroup() as tasks:
            self.lines = [await self._line(pbx, tasks) for pbx in self.settings.pbx]
            self.office.exchanges |= {line.switchboard.pbx: Exchange(line) for line in self.lines}
            self._measure()
            await self.desk.count_day()
            self.url = await _listen(runner, self.settings)
            running = self._start(tasks)
            running.append(tasks.create_task(leader.hold(self._loses), name="leader"))
            with on_end(self.stop):
                log.info("cti_started", url=self.url, pbxs=[pbx.name for pbx in self.settings.pbx])
                self.ready.set()
                await self._stop.wait()
            await self._wind_down(running)

    async def _follow_people(self) -> None:
        """Let how everybody stands be written down, from where the last process left off."""
        self.presence = PresenceStore(self.db)
        self.states: Writer[Change, None] = Writer(self.presence.keep, gather=STATES_GATHER)
        self.watch = Watch(pen=self.states, directory=self.desk.directory, clock=self.clock)
        gaps = [
            await self.calls.unheard(pbx.name, new_id(self.clock.now()))
            for pbx in self.settings.pbx
        ]
        self.wall = Wall(
            calls=self.desk,
            watch=self.watch,
            clock=self.clock,
            house=self.house,
            away=lambda *asked: self.office.duty.away(*asked),
            recordings=lambda: self.office.recordings_alarm(),
            targets=lambda *day: self.office.targets(*day),
        )
        self.desk.wall = self.wall.now
        self.watch.resume(await self.presence.open(), {gap.pbx: gap.lost_at for gap in gaps if gap})

    def _obey(self, house: House) -> None:
        """Let every room go by these rules from now on."""
        self.house = house
        self.desk.obey(house)
        self.wall.obey(house)
        self.site.obey(house)
        for line in self.lines:
            line.switchboard.book.house = house

    def _start(self, tasks: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        running = [
            tasks.create_task(self.writer.run(), name="writer"),
            tasks.create_task(self.desk.show(), name="desk"),
            tasks.create_task(self.desk.show_board(), name="board"),
            tasks.create_task(self._watch_people(), name="people"),
            tasks.create_task(self.states.run(), name="states"),
            tasks.create_task(self.watch.run(), name="presence"),
            tasks.create_task(self.wall.run(), name="wall"),
            tasks.create_task(self._sweep(), name="sweep"),
            tasks.create_task(self._tell_audit(), name="audit"),
            *self.office.start(tasks),
        ]
        for line in self.lines:
            name = line.switchboard.pbx
            running += [
                tasks.create_task(line.act.run(), name=f"act-{name}"),
                tasks.create_task(line.listen.run(), name=f"listen-{name}"),
                tasks.create_task(line.switchboard.run(), name=f"switchboard-{name}"),
            ]
        return running

    async def _wind_down(self, running: Sequence[asyncio.Task[None]]) -> None:
        """Say goodbye to the PBXs, store what was heard, end the tasks."""
        log.info("cti_stopping")
        for line in self.lines:
            await line.listen.stop()
            await line.act.stop()
            line.switchboard.hear_rest()
        unsaved = await self.writer.stop(STOP_WITHIN) + await self.states.stop(STOP_WITHIN)
        for task in running:
            task.cancel()
        log.info("cti_stopped", unsaved=unsaved)

    async def _line(self, pbx: PbxSettings, tasks: asyncio.TaskGroup) -> Line:
        aside = SetAside(pbx.name, self.clock)
        inbox = Inbox(aside, gather=SETTLE, urgent=rings)
        book = Book(
            lambda: new_id(self.clock.now()), trunk_matcher(pbx.trunks), self.house, pbx.name
        )
        act = Link(pbx, "act", clock=self.clock)
        switchboard = Switchboard(
            book=book,
            inbox=inbox,
            act=act,
            pen=self.writer,
            desk=self.desk,
            look_up=Callers(
                self.customers, self.calls, tasks, self.office.recorded, self.office.owed
            ),
            clock=self.clock,
            follower=self.watch,
        )
        listen = Link(
            pbx,
            "listen",
            clock=self.clock,
            on_frames=inbox.put,
            on_state=lambda state: self._link_state(switchboard, state),
            wanted=wanted,
            aside=aside,
        )
        unheard = await self.calls.unheard(pbx.name, new_id(self.clock.now()))
        switchboard.resume(await self.calls.live(pbx.name), unheard)
        return Line(listen, act, switchboard)

    def _link_state(self, switchboard: Switchboard, state: LinkState) -> None:
        switchboard.link_state(state)

    async def _apply(self, items: list[Item]) -> tuple[list[Turn], Told]:
        told = await self.calls.keep([batch for batch, _ in items])
        return [turn for _, turn in items], told

    def _after(self, stored: tuple[list[Turn], Told]) -> None:
        turns, told = stored
        for turn in turns[:-1]:
            self.desk.committed(turn, [])
        self.desk.committed(turns[-1], told)

    def _trouble(self, fault: StoreUnavailable) -> None:
        log.error("records_wait_in_memory", code=fault.code)
        self._show(self.writer.pending())

    def _show(self, items: Sequence[Item]) -> None:
        """Show what cannot be stored, now or ever: a screen must not stand still for a disk."""
        for _, turn in items:
            self.desk.show_unstored(turn)

    def _measure(self) -> None:
        self.registry.register(
            Plant(
                [(line.listen, line.act) for line in self.lines],
                [line.switchboard for line in self.lines],
                lambda: (self.writer.waiting, self.writer.refused, self.writer.troubled),
            )
        )
        self.registry.register(Collected(self.office.collecting))

    def _pages(self) -> web.Application:
        web_settings = self.settings.web
        login = Login(
            self.people, lifetime=timedelta(hours=web_settings.session_hours), clock=self.clock
        )
        self.site = Site(
            public_url=web_settings.public_url,
            host=web_settings.host,
            origins=web_settings.origins,
            frame_ancestors=web_settings.frame_ancestors,
            locale=web_settings.locale,
            session_hours=web_settings.session_hours,
            behind_proxy=web_settings.behind_proxy,
            open_metrics=web_settings.open_metrics,
        )
        self.site.obey(self.house)
        pages = make_app(
            accounts=login,
            desk=self.desk,
            bus=self.bus,
            clock=self.clock,
            site=self.site,
            ready=self._readiness,
            registry=self.registry,
            rules=lambda: self.house.ring,
            rooms=self.office.rooms(),
        )
        pages.add_routes(self._routes)
        return pages

    async def _readiness(self) -> Readiness:
        parts = {"database": "ok"}
        try:
            async with asyncio.timeout(2):
                await self.calls.recent(1)
        except (CtiError, TimeoutError) as fault:
            parts["database"] = str(fault) or "no answer within 2 s"
        if self.writer.troubled:
            parts["writer"] = f"{self.writer.waiting} changes wait to be stored"
        for line in self.lines:
            for link in (line.listen, line.act):
                said = link.state.phase
                reason = f"{said}: {link.state.reason}" if link.state.reason else said
                parts[f"pbx {link.settings.name} {link.role}"] = "ok" if said == "up" else reason
        if self.office.collector is not None:
            parts |= self.office.collecting.parts()
        return Readiness(ok=all(said == "ok" for said in parts.values()), parts=parts)

    async def _watch_people(self) -> None:
        while True:
            await asyncio.sleep(PEOPLE_EVERY)
            with suppress(CtiError):
                directory = await self.people.directory()
                if directory.people != self.desk.directory.people:
                    self.desk.people(directory)
                    self.watch.people(directory)

    async def _sweep(self) -> None:
        while True:
            with suppress(CtiError):
                await self.calls.forget_told(self.clock.now() - HINTS_KEPT)
                await self.people.sweep()
            await asyncio.sleep(SWEEP_EVERY)

    async def _tell_audit(self) -> None:
        """Log the audit log's last hash each day: by it a log that was cut off shows (21.5)."""
        while True:
            with suppress(CtiError):
                async with self.db.read() as conn:
                    chain = await last(conn)
                log.info("audit_hash", seq=chain.seq, hash=chain.hash)
            await asyncio.sleep(AUDIT_EVERY)

    def _password(self) -> str | None:
        return self.settings.database.read_password()


def _read(settings: Settings, clock: Clock) -> tuple[House, Source | None]:
    """Read the house file, if there is one. Raises `HouseError`."""
    if settings.house is None:
        return House(), None
    source = house_file.load(settings.house)
    return house_file.understood(source, str(settings.house), clock.now()), source


async def _listen(runner: web.AppRunner, settings: Settings) -> str:
    """Open the port. Raises `ConfigError` (port_taken, bad_address)."""
    host, port = settings.web.host, settings.web.port
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as fault:
        taken = fault.errno in (98, 48, 10048)
        raise ConfigError(
            f"cannot listen on {host}:{port}: {fault.strerror or fault}",
            "another program has this port: stop it, or take another by web.port (CTI_WEB__PORT), "
            "in the demo by make demo PORT=8081"
            if taken
            else "set web.host to an address of this machine, web.port to a port you may use",
            code="port_taken" if taken else "bad_address",
        ) from fault
    found = runner.addresses[0][1] if runner.addresses else port
    return settings.web.public_url or f"http://{host}:{found}"
