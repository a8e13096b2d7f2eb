"""A small PBX in Python for the demo and for quick tests. It never stands in for the proof."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final, Literal, Self

import structlog

from cti.clock import Clock, SystemClock
from cti.pbx.simulator.actions import VERSION, About, Answers, Dialplan
from cti.pbx.simulator.ami import Account, Desk, Session
from cti.pbx.simulator.calls import Call
from cti.pbx.simulator.channels import Board, Channel, Headers, Member, Queue, Recorded
from cti.pbx.simulator.time import SECOND, Timeline
from cti.pbx.simulator.words import Ended, Habit, Line, Moved, Order, Picked, Plant

log = structlog.get_logger()

READ: Final = ("system", "call", "agent", "user")
WRITE: Final = ("originate", "call", "agent", "reporting")
PHONES: Final = {number: f"Agent {number}" for number in ("6001", "6002", "6003")}


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSetup:
    """A queue as queues.conf sets it up; members are asked in the order of their numbers here."""

    name: str
    members: tuple[str, ...]
    strategy: Literal["ringall", "linear", "rrmemory"] = "ringall"
    timeout: float = 15.0
    retry: float = 1.0


QUEUES: Final = (
    QueueSetup(name="support", members=tuple(PHONES), timeout=10),
    QueueSetup(name="linear", members=tuple(PHONES), strategy="linear", timeout=6),
    QueueSetup(name="rr", members=tuple(PHONES), strategy="rrmemory", timeout=6),
)
LINES: Final = {
    "4000": Line(queue="support", within=60),
    "4001": Line(phones=("PJSIP/6001",), within=20),
    "4002": Line(queue="linear", within=60),
    "4003": Line(queue="rr", within=60),
}


class Party:
    """Somebody who can be called, and what happens then: each method sets it from now on."""

    def __init__(self, habit: Habit) -> None:
        self.habit = habit

    def answers_after(self, seconds: float, *, talk: float | None = None) -> Self:
        """Ring so long, then answer; hang up after `talk` seconds, or never."""
        return self._set(Habit(does="answers", after=seconds, talk=talk))

    def rings_on(self) -> Self:
        """Ring until the caller or the PBX gives up."""
        return self._set(Habit())

    def busy(self, *, after: float = 0.0) -> Self:
        """Refuse as busy: at once, or after ringing, as many decline keys do."""
        return self._set(Habit(does="ends", cause=17, after=after))

    def rejects(self, *, after: float = 0.0) -> Self:
        """Reject the call: at once, or after ringing."""
        return self._set(Habit(does="ends", cause=21, after=after))

    def out_of_order(self) -> Self:
        """Be known to the PBX and yet not reached."""
        return self._set(Habit(does="ends", cause=27))

    def transfers_to(self, number: str, *, after: float) -> Self:
        """Send the caller on, blindly, so many seconds after the answer."""
        return self._set(replace(self.habit, transfers_to=number, transfers_after=after))

    def _set(self, habit: Habit) -> Self:
        self.habit = habit
        return self


class Phone(Party):
    """A phone of the house."""

    def __init__(self, sim: "Simulator", number: str) -> None:
        super().__init__(Habit())
        self._sim, self.number, self.device = sim, number, f"PJSIP/{number}"

    @property
    def state(self) -> str:
        """What it does now, as Asterisk's device state."""
        return self._sim.board.state(self.device)

    def unregistered(self) -> Self:
        """Be gone: a queue passes it over without a word."""
        self._sim.register(self.device, False)
        return self

    def registered(self) -> Self:
        """Be back."""
        self._sim.register(self.device, True)
        return self

    def picks_up(self) -> bool:
        """Answer the call that rings there now; False when none does."""
        return self._now(5, Picked)

    def declines(self) -> bool:
        """Reject the call that rings there now; False when none does."""
        return self._now(5, lambda leg: Ended(leg, 21))

    def hangs_up(self) -> bool:
        """End the talk that is there now; False when there is none."""
        return self._now(6, Ended)

    def _now(self, state: int, word: Callable[[Channel], object]) -> bool:
        self._sim.time.catch_up()
        for channel in list(self._sim.board.channels.values()):
            if channel.device == self.device and channel.state == state and channel.hear:
                channel.hear(word(channel))
                return True
        return False


class CustomerCall:
    """A customer's call that was begun: what became of it, and what the customer can still do."""

    def __init__(self, sim: "Simulator", plant: Plant) -> None:
        self._sim, self._over = sim, asyncio.Event()
        self.call = Call(plant, over=self._over.set)

    @property
    def over(self) -> bool:
        """Whether nothing is left of it."""
        return self._over.is_set()

    @property
    def answered_by(self) -> str:
        """The device that last talked to the customer, or nothing."""
        return self.call.answered_by

    @property
    def channel(self) -> str:
        """The name of the customer's channel; empty when the number dialled does not exist."""
        return root.name if (root := self.call.caller) else ""

    async def ended(self) -> "CustomerCall":
        """Wait until nothing is left of it."""
        await self._over.wait()
        return self

    def hangs_up(self) -> None:
        """Let the customer hang up now."""
        self._say(Ended)

    def sent_to(self, number: str) -> None:
        """Let whoever talks to the customer send him on to a number, blindly, now."""
        self._say(lambda root: Moved(root, "internal", number, blind=True))

    def _say(self, word: Callable[[Channel], object]) -> None:
        self._sim.time.catch_up()
        if not self.over and (root := self.call.caller) is not None:
            self.call.say(word(root))


class Simulator:
    """A PBX that speaks AMI on a loopback port.

    Its time goes `speed` times as fast as the clock's; at 0 it stands, and only `passes` moves it.
    Everything that happens is exact in that time, and the same again with the same doings.
    """

    def __init__(
        self,
        *,
        user: str = "cti",
        secret: str = "cti",  # noqa: S107  a PBX on loopback that has no calls to steal
        accounts: Sequence[Account] | None = None,
        systemname: str = "",
        timestamps: bool = True,
        phones: Mapping[str, str] = PHONES,
        queues: Iterable[QueueSetup] = QUEUES,
        lines: Mapping[str, Line] = LINES,
        trunk: str = "PJSIP/trunk",
        records: bool = True,
        speed: float = 1.0,
        clock: Clock | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        refuse_after_s: float = 1.0,
        version: str = VERSION,
        dialplan: Dialplan | None = None,
        variables: Mapping[str, str] | None = None,
        recorded: Recorded | None = None,
    ) -> None:
        self._recorded = recorded
        self.host, self.port, self.systemname = host, port, systemname
        self.time = Timeline(clock or SystemClock(), speed)
        self._about = About(
            systemname=systemname, version=version, dialplan=dialplan, variables=variables or {}
        )
        self._timestamps, self._trunk, self._records = timestamps, trunk, records
        self._queues, self._lines = tuple(queues), dict(lines)
        self._phones = {number: Phone(self, number) for number in phones}
        self._parties = {f"PJSIP/{number}": (number, name) for number, name in phones.items()}
        self._outside: dict[str, Party] = {}
        self._store: dict[str, str] = {}
        self._gone: set[str] = set()
        self._anybody = Party(Habit(does="answers", after=6.0, talk=30.0))
        self._server: asyncio.Server | None = None
        account = Account(user=user, secret=secret, read=frozenset(READ), write=frozenset(WRITE))
        self._desk = Desk(
            accounts or (account,),
            refuse_after_s=refuse_after_s,
            wakes=self.time.catch_up,
            uptime=lambda: (self.time.at - self._booted) // SECOND,
        )
        self._boot()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[tuple[str, int]]:
        """Run it; gives host and port."""
        self.time.begin(asyncio.get_running_loop())
        await self.comes_up()
        try:
            yield self.host, self.port
        finally:
            await self.goes_down()
            self.time.end()

    # What can be done to it

    async def passes(self, seconds: float) -> None:
        """Let simulated time pass at once; all that falls due happens at its own instant."""
        await self.time.passes(seconds)

    async def sleep(self, seconds: float) -> None:
        """Wait for simulated time to pass by itself."""
        self.time.catch_up()
        woken = asyncio.Event()
        timer = self.time.after(seconds, woken.set)
        try:
            await woken.wait()
        finally:
            timer.off()

    def phone(self, number: str) -> Phone:
        """Give a phone of the house. Raises `KeyError` when there is none."""
        return self._phones[number]

    def outside(self, number: str = "") -> Party:
        """Give a number outside, as the house dials it; without one: all that nobody spoke of."""
        if not number:
            return self._anybody
        return self._outside.setdefault(number, Party(self._anybody.habit))

    async def customer_calls(
        self,
        *,
        number: str | None,
        name: str = "",
        to: str,
        patience: float = 60.0,
        talk: float = 30.0,
        habits: Mapping[str, Habit] | None = None,
    ) -> CustomerCall:
        """Let a customer call a line of the house; gives the call at once.

        `number` None withholds it. `patience` is how long the customer waits for an answer, `talk`
        how long the talk is, in seconds. `habits` are what phones do this once, by device.
        """
        call = self.begin_call(number, name, to, patience=patience, talk=talk, habits=habits or {})
        await asyncio.sleep(0)
        return call

    def begin_call(
        self,
        number: str | None,
        name: str,
        to: str,
        *,
        patience: float,
        talk: float,
        habits: Mapping[str, Habit],
    ) -> CustomerCall:
        """Do what `customer_calls` does, without a wait."""
        self.time.catch_up()
        if number is None:
            number, name = "anonymous", "Anonymous"
        call = CustomerCall(self, self._plant)
        call.call.habits = habits
        call.call.call_in(number=number, name=name, to=to, patience=patience, talk=talk)
        if call.call.caller is None:
            log.warning("simulated_pbx_no_such_number", to=to)
        else:
            log.debug("simulated_pbx_customer_calls", to=to)
        return call

    def register(self, device: str, registered: bool) -> None:
        """Let a phone come or go."""
        self.time.catch_up()
        if registered:
            self._gone.discard(device)
        else:
            self._gone.add(device)
        self.board.refresh(device)

    @property
    def logged_in(self) -> int:
        """How many sessions are logged in."""
        return sum(session.account is not None for session in self._desk.sessions)

    @property
    def idle(self) -> bool:
        """Whether no call goes on."""
        return not self._plant.calls

    def drop_sessions(self) -> None:
        """Cut all links; calls go on."""
        for session in list(self._desk.sessions):
            session.drop()

    def freeze_sessions(self) -> None:
        """Let all links go half open: nothing is heard and nothing is said on them any more."""
        for session in self._desk.sessions:
            session.frozen = True

    async def goes_down(self, *, cleanly: bool = False) -> None:
        """Let the PBX die: all calls and sessions are gone; `cleanly` tells so before."""
        self.time.catch_up()
        if cleanly:
            self._tell("Shutdown", "system", [("Shutdown", "Cleanly"), ("Restart", "False")])
        for vanish in list(self._plant.calls):
            vanish()
        for session in list(self._desk.sessions):
            session.close() if cleanly else session.drop()
        if self._server is not None:
            self._server.close()
            self._server = None
        await asyncio.sleep(0)  # so that links are cut when this returns

    async def comes_up(self) -> None:
        """Let the PBX boot, on the same port as before."""
        self.time.catch_up()
        self._boot()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Session(self._desk), self.host, self.port, reuse_address=True
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def restart(self, *, cleanly: bool = False, down: float = 2.0) -> None:
        """Let the PBX die and boot again after so many seconds."""
        await self.goes_down(cleanly=cleanly)
        await (self.sleep(down) if self.time.speed > 0 else self.passes(down))
        await self.comes_up()

    # How it is built

    def _boot(self) -> None:
        self._booted = self.time.now()
        queues = [
            Queue(
                name=setup.name,
                strategy=setup.strategy,
                timeout=setup.timeout,
                retry=setup.retry,
                members=[self._member(number) for number in setup.members],
            )
            for setup in self._queues
        ]
        prefix = f"{self.systemname}-" if self.systemname else ""
        self.board = Board(
            self.time,
            self._tell,
            queues,
            prefix=prefix,
            store=self._store,
            unregistered=self._gone,
            recorded=self._recorded,
        )
        self._plant = Plant(
            board=self.board,
            time=self.time,
            lines=self._lines,
            phones=self._parties,
            habit=self._habit,
            trunk=self._trunk,
            records=self._records,
        )
        answers = Answers(
            self.board,
            self.time,
            about=self._about,
            trunk=self._trunk,
            booted=self._booted,
            dial=self._dial,
        )
        answers.teach(self._desk)

    def _member(self, number: str) -> Member:
        device = f"PJSIP/{number}"
        return Member(device=device, name=self._parties[device][1])

    def _habit(self, whom: str, _caller: str) -> Habit:
        if (phone := self._phones.get(whom.removeprefix("PJSIP/"))) is not None:
            return phone.habit
        return self._outside.get(whom, self._anybody).habit

    def _dial(self, order: Order) -> None:
        Call(self._plant).originate(order)

    def _tell(self, event: str, klass: str, headers: Headers) -> None:
        stamp = [("Timestamp", self.time.stamp())] if self._timestamps else []
        name = [("SystemName", self.systemname)] if self.systemname else []
        self._desk.tell(event, klass, [*stamp, *name, *headers])
