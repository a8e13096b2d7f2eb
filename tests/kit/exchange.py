"""The way of a call from frame to screen, of real parts; only the PBX is told by the test.

`FakePbx` lives through the frames of a tape and answers what a snapshot asks, as Asterisk would
at that moment. `Exchange` is inbox, book, switchboard, writer, database, desk and bus.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Table, select
from sqlalchemy.exc import DataError
from typing_extensions import override

from cti.app import Callers, Kept
from cti.bus import Bus, Mailbox, person
from cti.calls.book import Book, trunk_matcher
from cti.calls.desk import Desk, Found, Turn
from cti.calls.store import CallStore, Told, calls
from cti.calls.switchboard import Item, Switchboard
from cti.clock import SetClock
from cti.customers.rules import Number
from cti.customers.store import CustomerStore
from cti.db.engine import Database
from cti.db.schema import new_id
from cti.db.writer import Writer
from cti.errors import PbxUnavailable, StoreUnavailable
from cti.house import House
from cti.pbx.actions import Action, name_of
from cti.pbx.aside import SetAside
from cti.pbx.frames import Frame
from cti.pbx.inbox import Inbox
from cti.pbx.link import LinkState
from cti.pbx.reader import Reader, sound
from cti.pbx.session import Answer
from cti.pbx.translate import rings, wanted
from cti.people.rules import Device, Directory, Person, Role
from tests.kit.tapes import HOUSE, TRUNKS
from tests.kit.until import until

LAG = timedelta(milliseconds=3)
QUICK = (timedelta(milliseconds=5), timedelta(milliseconds=20))
START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)

MAY = Person(id="p-may", number="1001", name="May", devices=(Device("main", "PJSIP/6001"),))
BO = Person(id="p-bo", number="1002", name="Bo", devices=(Device("main", "PJSIP/6002"),))
LIN = Person(
    id="p-lin", number="2001", name="Lin", role=Role.SUPERVISOR,
    devices=(Device("main", "PJSIP/6003"), Device("main", "PJSIP/6004")),
)  # fmt: skip
CHEN = Person(id="p-chen", number="9001", name="Chen")
CAST = (MAY, BO, LIN, CHEN)


def frames_of(data: bytes, *, only_wanted: bool = True) -> list[Frame]:
    """The frames of a tape; each arrived a little after it was sent."""
    aside = SetAside("tape", SetClock(START))
    reader = Reader(aside, wanted=wanted if only_wanted else None)
    frames = sound(reader.feed(data), aside)
    sent = START
    for frame in frames:
        if stamp := frame.headers().get("timestamp"):
            sent = datetime.fromtimestamp(float(stamp), UTC)
        frame.arrived = sent + LAG
    return frames


def frames_of_file(path: Path) -> list[Frame]:
    """The frames of a tape in a file."""
    return frames_of(path.read_bytes())


class FakePbx:
    """A PBX that has lived through frames. Asked, it tells what lives now."""

    def __init__(self, started: str = "08:00:00") -> None:
        self.started = started
        self.channels: dict[str, dict[str, str]] = {}
        self.waiting: dict[str, tuple[str, datetime]] = {}
        self.bridges: dict[str, str] = {}
        self.devices: dict[str, str] = {}
        self.members: list[dict[str, str]] = []
        self.asked: list[str] = []
        self.away = False
        self.denied: set[str] = set()
        self.on_ask: Callable[[str], None] = lambda _name: None
        self.now = START

    def lives(self, frames: Iterable[Frame]) -> None:
        """Live through frames."""
        for frame in frames:
            self.now = frame.arrived or self.now
            told = frame.headers()
            for prefix in ("", "dest"):
                self._learn(told, prefix)
            leg = told.get("uniqueid", "")
            match frame.event:
                case "BridgeEnter":
                    self.bridges[leg] = told["bridgeuniqueid"]
                case "BridgeLeave":
                    self.bridges.pop(leg, None)
                case "QueueCallerJoin":
                    self.waiting[leg] = told["queue"], self.now
                case "QueueCallerLeave":
                    self.waiting.pop(leg, None)
                case "Hangup":
                    for gone in (self.channels, self.bridges, self.waiting):
                        gone.pop(leg, None)

    def _learn(self, told: dict[str, str], prefix: str) -> None:
        leg = told.get(prefix + "uniqueid")
        if not leg or prefix + "channelstate" not in told:
            return
        channel = self.channels.setdefault(leg, {"since": str(self.now.timestamp())})
        for name in ("channel", "channelstate", "calleridnum", "calleridname", "linkedid", "exten"):
            if (value := told.get(prefix + name)) is not None:
                channel[name] = value

    def dies(self) -> None:
        """Stop and start anew: nothing lives."""
        self.started = "09:30:00"
        for gone in (self.channels, self.bridges, self.waiting):
            gone.clear()

    async def act(self, action: Action, within: timedelta = timedelta(seconds=5)) -> Answer:
        """Answer one action, as `Link.act` does."""
        name = name_of(action)
        self.asked.append(name)
        self.on_ask(name)
        await asyncio.sleep(0)
        if self.away:
            raise PbxUnavailable("the PBX does not answer")
        if name in self.denied:
            return Answer(ok=False, message="Permission denied", headers=Frame(b"Response: Error"))
        head = {"Response": "Success"}
        if name == "CoreStatus":
            head |= {"CoreStartupDate": "2026-03-02", "CoreStartupTime": self.started}
        items = {
            "CoreShowChannels": self._channels,
            "BridgeList": self._bridge_list,
            "QueueStatus": self._queues,
            "DeviceStateList": self._device_list,
        }.get(name, list)()
        return Answer(ok=True, message="", headers=_frame(head), items=items)

    def _channels(self) -> list[Frame]:
        return [
            _frame(
                {
                    "Event": "CoreShowChannel",
                    "Channel": channel["channel"],
                    "ChannelState": channel["channelstate"],
                    "CallerIDNum": channel.get("calleridnum", ""),
                    "CallerIDName": channel.get("calleridname", ""),
                    "Exten": channel.get("exten", ""),
                    "Uniqueid": leg,
                    "Linkedid": channel.get("linkedid", leg),
                    "BridgeId": self.bridges.get(leg, ""),
                    "Duration": self._duration(float(channel["since"])),
                }
            )
            for leg, channel in self.channels.items()
        ]

    def _duration(self, since: float) -> str:
        seconds = max(int(self.now.timestamp() - since), 0)
        return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"

    def _bridge_list(self) -> list[Frame]:
        return [
            _frame({"Event": "BridgeListItem", "BridgeUniqueid": b, "BridgeType": "basic"})
            for b in dict.fromkeys(self.bridges.values())
        ]

    def _queues(self) -> list[Frame]:
        waits = [
            {
                "Event": "QueueEntry",
                "Queue": queue,
                "Uniqueid": leg,
                "Wait": str(int((self.now - since).total_seconds())),
            }
            for leg, (queue, since) in self.waiting.items()
        ]
        return [_frame(item) for item in [*self.members, *waits]]

    def _device_list(self) -> list[Frame]:
        return [
            _frame({"Event": "DeviceStateChange", "Device": device, "State": state})
            for device, state in self.devices.items()
        ]


def _frame(headers: dict[str, str]) -> Frame:
    return Frame("\r\n".join(f"{name}: {value}" for name, value in headers.items()).encode())


class _Bell(list[str]):
    """An empty list that rings when it is looked at."""

    def __init__(self, rung: asyncio.Event) -> None:
        super().__init__()
        self._rung = rung

    @override
    def __iter__(self) -> Iterator[str]:
        self._rung.set()
        return super().__iter__()


class Screen:
    """A screen of one person: opened with a snapshot, brought up to date by pushes alone."""

    def __init__(self, desk: Desk, bus: Bus, who: Person) -> None:
        self.desk, self.who = desk, who
        self._stay = ExitStack()
        self._box: Mailbox = self._stay.enter_context(bus.subscribe(person(who.id)))
        self.shown: dict[str, Any] = {}
        self.numbers: list[int | None] = []
        self.history: list[tuple[str, str]] = []
        self.open()

    def open(self) -> None:
        """Show what is on the desk now."""
        self.shown = {card["call"]: card for card in self.desk.cards(self.who.id)}

    async def look(self) -> None:
        """Follow every push that came."""
        for letter in await self._box.take(0.001):
            push = letter.push
            if push.kind != "card":
                continue
            assert push.call is not None
            self.numbers.append(push.seq)
            card = self.desk.card(self.who.id, push.call)
            self.history.append((push.call, card["state"] if card else "none"))
            if card and card["state"] != "ended":
                self.shown[push.call] = card
            else:
                self.shown.pop(push.call, None)

    def fresh(self) -> dict[str, Any]:
        """What a screen that is opened now would show."""
        return {card["call"]: card for card in self.desk.cards(self.who.id)}


class Exchange:
    """One PBX, one reader, one writer, one desk."""

    def __init__(
        self,
        db: Database,
        pbx: FakePbx,
        tasks: asyncio.TaskGroup,
        *,
        clock: SetClock,
        house: House = HOUSE,
        epoch: str = "epoch",
        told: Told = [],  # noqa: B006  never changed
        look_up: Callable[[Number, str], asyncio.Future[Found]] | None = None,
        limit: int = 20_000,
        settle: float = 0.0,
    ) -> None:
        self.db, self.pbx, self.clock = db, pbx, clock
        self.calls, self.customers = CallStore(db), CustomerStore(db, clock)
        self.bus = Bus()
        self.batches: list[Item] = []
        self.fail: StoreUnavailable | None = None
        self.refuse: Callable[[Item], bool] = lambda _item: False
        self.writer: Writer[Item, tuple[list[Turn], Told]] = Writer(
            self._apply,
            after=self._after,
            on_trouble=lambda _fault: self._show(self.writer.pending()),
            on_refused=lambda batch, _fault: self._show(batch),
            back_off=QUICK,
            gather=timedelta(),
            limit=limit,
        )
        self.desk = Desk(
            bus=self.bus,
            clock=clock,
            house=house,
            directory=Directory(CAST),
            kept=Kept(self.calls, clock, lambda items: self.writer.put(items)),
            epoch=epoch,
            last_seq=told[-1][0] if told else 0,
            told=told,
        )
        self.aside = SetAside("main", clock)
        self.inbox = Inbox(self.aside, gather=settle, urgent=rings)
        self.book = Book(lambda: new_id(clock.now()), trunk_matcher(TRUNKS), house, "main")
        self.switchboard = Switchboard(
            book=self.book,
            inbox=self.inbox,
            act=pbx,
            pen=self.writer,
            desk=self.desk,
            look_up=look_up or Callers(self.customers, self.calls, tasks),
            clock=clock,
        )

    async def _apply(self, items: list[Item]) -> tuple[list[Turn], Told]:
        if self.fail is not None:
            raise self.fail
        if any(map(self.refuse, items)):
            raise DataError("a value that no table bears", {}, ValueError("x"))
        told = await self.calls.keep([batch for batch, _ in items])
        return [turn for _, turn in items], told

    def _after(self, stored: tuple[list[Turn], Told]) -> None:
        turns, told = stored
        for turn in turns[:-1]:
            self.desk.committed(turn, [])
        self.desk.committed(turns[-1], told)

    def _show(self, items: Sequence[Item]) -> None:
        for _, turn in items:
            self.desk.show_unstored(turn)

    def hears(self, frames: Sequence[Frame]) -> None:
        """Let frames come from the PBX; time goes on with them."""
        self.pbx.lives(frames)
        if frames and frames[-1].arrived:
            self.clock.at = max(self.clock.at, frames[-1].arrived)
        self.inbox.put(list(frames))

    def link(self, phase: Any, reason: str = "") -> None:
        """The listening link tells its state."""
        state = LinkState(phase=phase, at=self.clock.now(), reason=reason)
        self.switchboard.link_state(state)

    async def settled(self) -> None:
        """Wait until all that was heard is decided, stored and shown."""
        await until(lambda: not self.inbox.waiting and not self.switchboard._markers)
        await asyncio.sleep(0)
        await self.writer.settled()
        rung = asyncio.Event()
        self.desk.committed(Turn(gone=_Bell(rung)), [])
        await rung.wait()

    async def passes(self, seconds: float) -> None:
        """Let time go by in silence."""
        self.clock.go(timedelta(seconds=seconds))
        self.switchboard.hear([])
        await self.settled()

    def screen(self, who: Person) -> Screen:
        """Open a person's screen; it is never closed."""
        return Screen(self.desk, self.bus, who)


@asynccontextmanager
async def exchange(
    db: Database, pbx: FakePbx | None = None, *, up: bool = True, **options: Any
) -> AsyncIterator[Exchange]:
    """Run an exchange on a database, going on with what another left there.

    Its link comes up at once, unless the test wants to tell it. At the end all is stored.
    """
    store = CallStore(db)
    clock = options.pop("clock", None) or SetClock(START)
    told = await store.recent(1000)
    epoch = await store.epoch("epoch-1")
    async with asyncio.TaskGroup() as tasks:
        it = Exchange(db, pbx or FakePbx(), tasks, clock=clock, epoch=epoch, told=told, **options)
        it.switchboard.resume(await store.live("main"), await store.unheard("main", "gap-again"))
        running = [
            tasks.create_task(it.writer.run()),
            tasks.create_task(it.desk.show()),
            tasks.create_task(it.switchboard.run()),
        ]
        if up:
            it.link("up")
            await it.settled()
        failed: Exception | None = None
        try:
            yield it
        except Exception as fault:  # noqa: BLE001  raised below: a group would hide which it was
            failed = fault
        it.fail = None
        await it.writer.stop(timedelta(seconds=10))
        for task in running:
            task.cancel()
    if failed is not None:
        raise failed


async def rows(db: Database, table: Table = calls) -> list[dict[str, Any]]:
    """Everything in a table."""
    async with db.read() as connection:
        found = await connection.execute(select(table).order_by(*table.primary_key))
        return [dict(row._mapping) for row in found]
