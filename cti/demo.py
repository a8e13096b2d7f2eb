"""A house to look at: made-up people and customers, a simulated PBX or the real one of the lab.

The only place with accounts that nobody made; they log in by one-time links, never by a
password that others know.
"""

import asyncio
import contextlib
import secrets
import shlex
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, timedelta
from pathlib import Path
from random import Random
from typing import Final

import structlog
from aiohttp import web

from cti import house_file
from cti import settings as settings_file
from cti.app import App
from cti.clock import SystemClock
from cti.customers.events import EventEntry
from cti.customers.rules import Customer, Entry, normal
from cti.customers.store import CustomerStore, EventStore
from cti.db import migrate
from cti.db.engine import Database
from cti.db.sole import held
from cti.demo_house import house_of, open_shop
from cti.demo_ring import CALLER, TOKEN_FILE, TOKEN_HEADER, URL_FILE, WITHHELD
from cti.demo_voices import Voices
from cti.errors import ConfigError, Refused
from cti.pbx.simulator import Day, Guest, Habit, Line, QueueSetup, Simulator
from cti.people.rules import Device, Person, Role
from cti.people.store import PeopleStore
from cti.settings import Settings

log = structlog.get_logger(__name__)

LINK_FOR: Final = timedelta(hours=12)
PHONES: Final = ("6001", "6002", "6003")
LINE: Final = "4000"
SPOOL: Final = "/var/spool/asterisk/monitor"
ANSWERED_AFTER: Final = (8.0, 13.0)
"""Seconds, long enough to look at the pop: at the third ring, or the fifth with its apology."""
GIVES_UP_AFTER: Final = 14.0
"""Seconds after which a customer whom nobody answers hangs up."""


@dataclass(frozen=True, slots=True)
class Made:
    """A made-up person or customer."""

    number: str
    name: str
    role: str = ""
    tier: str = ""
    company: str = ""
    area: str = ""
    more: tuple[str, ...] = ()


PEOPLE: Final = (
    Made("1001", "陈美 May", "agent"),
    Made("1002", "李波 Bo", "agent"),
    Made("1003", "周倩 Qian", "agent"),
    Made("1009", "林静 Lin", "supervisor"),
    Made("1008", "吴磊 Lei", "supervisor"),
    Made("1000", "方琳 Fang", "manager"),
)
CUSTOMERS: Final = (
    Made(
        "13800138000", "王小明", tier="gold", company="远东贸易", area="静安", more=("02162345678",)
    ),
    Made("13900139001", "赵敏", tier="vip", area="徐汇"),
    Made("13700137002", "孙建国", tier="normal", area="浦东"),
    Made("13600136003", "吴芳", tier="gold", company="海天设计", area="长宁"),
    Made("13600136003", "吴越", tier="normal", area="长宁"),
    Made("13500135004", "郑凯", tier="normal", area="黄浦"),
    Made("13300133005", "冯雪", tier="vip", area="杨浦"),
    Made("02158881234", "金茂会务部", tier="gold", company="金茂会务", area="浦东"),
    Made("18600186006", "朱丽", tier="normal", area="虹口"),
    Made("18900189007", "许文", tier="normal", area="闵行"),
)
STRANGERS: Final = (Guest(number="17700177008"), Guest(number="15000150009", name="HE LEI"))


Ring = Callable[[str], str]
"""Lets a customer ring at once: the one with this number, `anonymous`, or "" for anybody.
Gives what is to be said about it.
"""
Live = Callable[[], Coroutine[None, None, None]]
"""Lets customers ring now and then, until cancelled."""


COMPLAINED: Final = 4
"""So many customers have complained, and are owed a return visit."""


async def serve(
    *,
    data: Path,
    port: int,
    config: Path | None,
    ring_command: str,
    say: Callable[[str], None],
) -> None:
    """Run the demo until it is stopped.

    Without `config` the PBX is simulated; with it (the lab's settings file) it is real, and
    `ring_command` makes a customer ring. Raises `ConfigError`.
    """
    _make(data)
    async with contextlib.AsyncExitStack() as stack:
        if config is None:
            secret, systemname = secrets.token_hex(16), secrets.token_hex(24)
            voices = Voices(data / "spool")
            simulator = _simulator(secret, systemname, voices)
            host, pbx_port = await stack.enter_async_context(simulator.running())
            pbx = {"name": "demo", "host": host, "port": pbx_port, "secret": secret}
            pbx["recordings"] = [f"{SPOOL} = {voices.folder.resolve()}"]
            given = _settings(data, port, pbx=[pbx])
            ring, miss, live = _simulated(simulator)
        else:
            given = _settings(data, port, config=config)
            ring, miss, live = _commanded(ring_command)
        with held(given.database_url):  # a demo that runs here keeps its people and its token
            await migrate.upgrade(given.database_url)
            links = await _fill(given)
        token = secrets.token_urlsafe(24)
        deeds = {"/demo/ring": ring, "/demo/miss": miss}
        app = App(given, routes=[web.post(path, _ringer(do, token)) for path, do in deeds.items()])
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(app.run(), name="cti")
            waiting = tasks.create_task(app.ready.wait(), name="ready")
            await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if not running.done():
                _write(data / TOKEN_FILE, token)
                _write(data / URL_FILE, app.url)
                _tell(say, app.url, links, simulated=config is None)
                others = tasks.create_task(live(), name="customers")
                await asyncio.wait({running})
                others.cancel()


def _simulator(secret: str, systemname: str, voices: Voices) -> Simulator:
    names = {phone: person.name for phone, person in zip(PHONES, PEOPLE, strict=False)}
    queue = QueueSetup(name="booking", members=PHONES, strategy="ringall", timeout=20)
    return Simulator(
        secret=secret,
        systemname=systemname,
        phones=names,
        queues=[queue],
        lines={LINE: Line(queue="booking", within=60)},
        recorded=voices.record,
    )


def _settings(
    data: Path, port: int, *, config: Path | None = None, pbx: list[dict[str, object]] | None = None
) -> Settings:
    given: dict[str, object] = {
        "data": data,
        "house": house_of(data),
        "web": {"host": "127.0.0.1", "port": port},
    }
    if pbx is not None:
        given["pbx"] = pbx
    return settings_file.load(config, **given)


async def _fill(given: Settings) -> list[tuple[Person, str]]:
    """Make the people and customers, once; give a new one-time login for each person."""
    db = await Database.open(given.database_url)
    try:
        people = PeopleStore(db)
        pbx = given.pbx[0].name
        for place, made in enumerate(PEOPLE):
            devices = [Device(pbx, f"PJSIP/{PHONES[place]}")] if place < len(PHONES) else []
            await _person(people, made, devices)
        await _customers(db, given)
        known = {person.number: person for person in await people.list()}
        made_up = [person for made in PEOPLE if (person := known.get(made.number))]
        await _roster(db, given, made_up)
        return [
            (person, await people.make_link(person.id, "log_in", LINK_FOR)) for person in made_up
        ]
    finally:
        await db.close()


async def _person(people: PeopleStore, made: Made, devices: Sequence[Device]) -> None:
    known = await people.by_number(made.number)
    if known is None:
        try:
            await people.add(number=made.number, name=made.name, role=made.role, devices=devices)
        except Refused as refusal:
            log.warning("demo_person_not_made", number=made.number, why=str(refusal))
    elif devices:
        await people.set_devices(known.id, devices)


async def _roster(db: Database, given: Settings, people: Sequence[Person]) -> None:
    agents = [person for person in people if person.role is Role.AGENT]
    supervisors = [person for person in people if person.role is Role.SUPERVISOR]
    if given.house and supervisors:
        await open_shop(db, SystemClock(), given.house, agents, supervisors)


async def _customers(db: Database, given: Settings) -> None:
    """Make the customers, once; some have complained, so that return visits are owed."""
    store, known = CustomerStore(db), list[Customer]()
    if await store.count():
        return
    for made in CUSTOMERS:
        phones = tuple(
            (found, raw) for raw in (made.number, *made.more) if (found := normal(raw, "CN").normal)
        )
        entry = Entry(
            name=made.name,
            phones=phones,
            tier=made.tier,
            company=made.company,
            area=made.area,
            member_no=made.number[-6:] if made.tier in ("gold", "vip") else None,
        )
        known.append(await store.add(entry))
    now = SystemClock().now()
    zone = house_file.read(given.house, now).zone if given.house else UTC
    complaint = EventEntry(kind="complaint_handled", day=now.astimezone(zone).date(), ref="demo")
    async with db.write() as conn:
        said = [(one.id, complaint) for one in known[:COMPLAINED]]
        await EventStore(db).keep(conn, said, now=now, source="demo", who="cti")


def _make(data: Path) -> None:
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as fault:
        raise ConfigError(
            f"cannot make the demo's directory {data}: {fault.strerror}",
            "give --data DIR with a directory that you may write",
            code="data_directory",
        ) from fault


def _write(file: Path, text: str) -> None:
    """Write a small file that only its owner may read."""
    file.unlink(missing_ok=True)
    file.touch(mode=0o600)
    file.write_text(text, encoding="ascii")


def _ringer(ring: Ring, token: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handler(request: web.Request) -> web.StreamResponse:
        given = request.headers.get(TOKEN_HEADER, "")
        if not secrets.compare_digest(given.encode(), token.encode()):
            raise web.HTTPForbidden
        number = request.query.get("number", "")
        if not CALLER.fullmatch(number):
            raise web.HTTPBadRequest
        return web.Response(text=f"{ring(number)}\n")

    return handler


def _simulated(simulator: Simulator) -> tuple[Ring, Ring, Live]:
    chance = Random()  # noqa: S311  play, not secrets
    guests = [Guest(number=made.number) for made in CUSTOMERS] + list(STRANGERS)
    day = Day(guests, lines=[LINE], phones=PHONES, every=40)

    def guest_of(number: str) -> Guest:
        known = [guest for guest in guests if guest.number == number]
        return chance.choice(known or ([Guest(number=number)] if number else guests))

    def ring(number: str) -> str:
        order = chance.sample(PHONES, len(PHONES))
        quick = chance.choice(ANSWERED_AFTER)
        habits = {
            f"PJSIP/{phone}": Habit(does="answers", after=quick + 4 * place)
            for place, phone in enumerate(order)
        }
        begin(guest_of(number), number, 60, habits)
        return "A customer rings."

    def miss(number: str) -> str:
        begin(guest_of(number), number, GIVES_UP_AFTER, {})
        return f"A customer rings and gives up after {GIVES_UP_AFTER:.0f} s."

    def begin(guest: Guest, asked: str, patience: float, habits: Mapping[str, Habit]) -> None:
        shown = None if asked == WITHHELD else guest.number
        simulator.begin_call(shown, guest.name, LINE, patience=patience, talk=25, habits=habits)

    return ring, miss, lambda: day.live(simulator)


def _commanded(command: str) -> tuple[Ring, Ring, Live]:
    """Ring by a command of the lab, at once and now and then; calls may overlap."""
    wanted = asyncio.Queue[str]()

    async def live() -> None:
        chance = Random()  # noqa: S311  play, not secrets
        async with asyncio.TaskGroup() as calls:
            while True:
                number = ""
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(chance.uniform(20, 60)):
                        number = await wanted.get()
                number = number or chance.choice(CUSTOMERS).number
                calls.create_task(_call([*shlex.split(command), "--number", number]), name="call")

    def ring(number: str) -> str:
        wanted.put_nowait(number)
        return "A customer rings."

    def miss(_number: str) -> str:
        return "The lab's phones answer; docs/start.md says how to let one ring unanswered."

    return ring, miss, live


async def _call(words: Sequence[str]) -> None:
    process = await asyncio.create_subprocess_exec(
        *words, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    if process.returncode:
        log.warning("demo_ring_failed", said=said.decode("utf-8", "replace")[-300:])


def _tell(
    say: Callable[[str], None], url: str, links: Sequence[tuple[Person, str]], *, simulated: bool
) -> None:
    say("")
    say("cti runs with a " + ("simulated PBX." if simulated else "real Asterisk."))
    say(f"  Pages: {url}")
    say("  Log in with these links. Each works once, for one browser:")
    for person, token in links:
        say(f"    {person.role.value:<10} {person.name:<12} {url}/login/link/{token}")
    say("  Customers ring now and then. Let one ring at once, from a second terminal:")
    say("    make ring                        (or: cti demo ring)")
    say("    make ring NUMBER=13600136003     a number that two customers share")
    say("    make miss                        one whom nobody answers")
    say("  Stop with Ctrl-C.")
    say("")
