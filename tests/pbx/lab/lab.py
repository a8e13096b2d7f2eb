"""Who calls, who answers, and what came of it? The pair as a test sees it.

async with Lab(pair) as lab:
    await lab.behave("6001", "answer,4,5")
    call = await lab.customer_calls("13800138000", to="4000", name="王小明")
    await call.over()
    await lab.records_quiet()
    assert "CONNECT" in lab.queue_log()[-2]
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

from tests.pbx.lab.ami import Ami, Message
from tests.pbx.lab.pair import Pair
from tests.pbx.lab.truth import Records, Side, sides

DEFAULT = "answer,2,10"


class Call:
    """A call that the world places. Its end is known by the world's own channel."""

    def __init__(self, world: Ami, channel_id: str) -> None:
        self.id = channel_id
        self._world = world
        self._since = len(world.heard)

    async def heard(self, event: str, within: float = 30, **headers: str) -> Message:
        """Wait for an event of this very channel."""
        wanted = {"Uniqueid": self.id, **headers}
        return await self._world.until(
            lambda m: m.is_event(event, **wanted), since=self._since, within=within
        )

    async def rings(self, within: float = 10) -> None:
        """Wait until the customer hears the ringing."""
        await self.heard("Newstate", within, ChannelStateDesc="Ringing")

    async def answered(self, within: float = 60) -> None:
        """Wait until somebody, or something, answers."""
        await self.heard("Newstate", within, ChannelStateDesc="Up")

    async def over(self, within: float = 90) -> Message:
        """Wait for the end; gives the Hangup with its Cause."""
        return await self.heard("Hangup", within)

    async def hang_up(self) -> None:
        """Let the caller put the receiver down."""
        begun = await self.heard("Newchannel")
        await self._world.do("Hangup", Channel=begun["Channel"])


class Lab:
    """A pair with an AMI session to each side. One per event loop; many per pair, in turn."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.records = Records(pair.pbx.folder)
        self.world_records = Records(pair.world.folder)
        self.played: list[Side] = []  # what phones saw that a test played by itself
        self.on_restart: list[Callable[[Lab], Awaitable[None]]] = []

    async def __aenter__(self) -> Self:
        """Log in on both sides, and note where their records stand."""
        await self._open()
        self.since, self.world_since = self.records.sizes(), self.world_records.sizes()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Log off."""
        await self.pbx.bye()
        await self.world.bye()

    async def _open(self) -> None:
        place, secret = self.pair.place, self.pair.secret
        self.pbx = await self.listen("tracer")
        self.world = await Ami.login(place.pbx, place.world_ami, "world", secret.world)
        self._boot = self.records.sizes()

    async def listen(self, account: str = "cti") -> Ami:
        """Open one more session to the PBX, as `cti` (the product's account) or `tracer`."""
        place, secret = self.pair.place, self.pair.secret
        known = {"cti": secret.cti, "tracer": secret.tracer}
        return await Ami.login(place.pbx, place.ami, account, known[account])

    # what phones and mobiles do

    async def behave(self, number: str, does: str) -> None:
        """Say what a number does when it is rung; etc/world/extensions.conf has the list."""
        await self.world.do("DBPut", Family="behave", Key=number, Val=does)

    async def behave_all(self, **numbers: str) -> None:
        """Say it for several: behave_all(p6001="answer,1,5", p6002="ring,30")."""
        for number, does in numbers.items():
            await self.behave(number.removeprefix("p"), does)

    async def speaks_as(self, number: str, voice: str) -> None:
        """Let a phone say this file, as `Voices.file` gives it, whenever it has answered."""
        await self.world.do("DBPut", Family="voice", Key=number, Val=voice)

    async def customer_calls(
        self,
        number: str,
        *,
        to: str,
        name: str = "",
        patience: float = 60,
        talk: float = 5,
        voice: str = "",
    ) -> Call:
        """Let a customer ring the house: gives up after `patience` s, hangs up after `talk` s.

        He says the file `voice`, or nothing.
        """
        caller = f'"{name}" <{number}>'
        return await self._calls(f"PJSIP/{to}@pbx", caller, patience, talk, voice)

    async def anonymous_calls(self, *, to: str, patience: float = 60, talk: float = 5) -> Call:
        """Let a customer ring who withholds the number."""
        caller = '"Anonymous" <anonymous>'
        return await self._calls(f"PJSIP/{to}@withheld", caller, patience, talk)

    async def phone_calls(
        self, number: str, *, to: str, patience: float = 60, talk: float = 5, voice: str = ""
    ) -> Call:
        """Let a desk phone dial: a colleague, a mobile, *8, a parking place."""
        caller = f'"Agent {number}" <{number}>'
        return await self._calls(f"PJSIP/{to}@desk", caller, patience, talk, voice)

    async def phone_hangs_up(self, number: str) -> None:
        """Let a phone that was rung and answered put the receiver down now."""
        last = [m for m in self.world.heard if m.is_event("Newchannel", Exten=number)][-1]
        await self.world.do("Hangup", Channel=last["Channel"])

    async def phone_rings(self, number: str, *, since: int = 0, within: float = 20) -> Message:
        """Wait until the PBX sees this phone ring; `since` counts events of `lab.pbx.heard`."""
        return await self.pbx.until(
            lambda m: m.is_event("Newstate", ChannelState="5") and _device(m) == f"PJSIP/{number}",
            since=since,
            within=within,
        )

    async def click_to_call(
        self, agent: str, customer: str, *, ring: int = 20, answer_within: int = 20
    ) -> str:
        """Originate as the product does: the agent's phone first, then the guard dials.

        Gives the attempt's id, which is the Uniqueid of the leg that is dialled first.
        """
        where = {"Channel": f"PJSIP/{agent}", "Context": "cti-dial", "Exten": customer}
        return await self._originate(where, ring, answer_within)

    async def click_customer_first(
        self, agent: str, customer: str, *, ring: int = 20, answer_within: int = 20
    ) -> str:
        """Originate as the product does, the other way: the guard dials, then the agent's phone."""
        where = {"Channel": f"Local/{customer}@cti-dial/n", "Context": "internal", "Exten": agent}
        return await self._originate(where, ring, answer_within)

    async def _originate(self, where: dict[str, str], ring: int, answer_within: int) -> str:
        attempt = f"cti-{secrets.token_hex(16)}"
        clock = await self.pbx.do("Ping")
        told = {
            "CTI_ATTEMPT": attempt,
            "CTI_DEADLINE": str(int(float(clock["Timestamp"])) + 60),
            "CTI_TRUNK": "trunk",
            "CTI_RING": str(ring),
        }
        ids = {"ChannelId": attempt}
        if where["Channel"].startswith("Local/"):
            ids["OtherChannelId"] = f"{attempt}-2"
        product = await self.listen("cti")
        try:
            await product.do(
                "Originate",
                **where,
                **ids,
                Priority="1",
                Timeout=str(answer_within * 1000),
                CallerID="4000",
                Async="true",
                Variable=[f"{name}={value}" for name, value in told.items()],
            )
        finally:
            await product.bye()
        return attempt

    async def _calls(
        self, channel: str, caller: str, patience: float, talk: float, voice: str = ""
    ) -> Call:
        call = Call(self.world, f"world-{secrets.token_hex(8)}")
        does = {"Application": "Wait", "Data": str(talk)}
        if voice:
            does = {"Context": "caller", "Exten": "s", "Priority": "1"}
        await self.world.do(
            "Originate",
            Channel=channel,
            CallerID=caller,
            Timeout=str(int(patience * 1000)),
            ChannelId=call.id,
            Async="true",
            Variable=[f"TALK={talk}", f"VOICE={voice}"],
            **does,
        )
        return call

    # what came of it

    async def records_quiet(self, within: float = 90) -> None:
        """Wait until no channel lives on either side and everything is written down."""
        async with asyncio.timeout(within):
            while await self._live():  # noqa: ASYNC110  files and channels tell nobody
                await asyncio.sleep(0.05)
            await self.pbx.silence(within)

    async def _live(self) -> bool:
        for side in (self.pbx, self.world):
            if await side.ask("CoreShowChannels"):
                return True
        kinds = [row[0] for row in self.records.cel(self._boot)]
        if kinds.count("CHAN_START") != kinds.count("CHAN_END"):
            return True
        others = [row[0] for row in self.world_records.cel(self.world_since)]
        return others.count("CHAN_START") > others.count("CHAN_END")

    def mark(self) -> None:
        """Read the records from here on."""
        self.since, self.world_since = self.records.sizes(), self.world_records.sizes()

    def queue_log(self) -> list[str]:
        """Give the lines of queue_log since the mark."""
        return self.records.queue_log(self.since)

    def cdr(self) -> list[list[str]]:
        """Give the CDR rows since the mark."""
        return self.records.cdr(self.since)

    def cel(self) -> list[list[str]]:
        """Give the CEL rows since the mark."""
        return self.records.cel(self.since)

    def sides(self) -> list[Side]:
        """Give what customers and phones themselves saw since the mark, as they began."""
        seen = sides(self.world_records.cel(self.world_since))
        return sorted([*seen, *self.played], key=lambda side: side.began)

    # faults

    def cut_pbx(self) -> None:
        """Kill the PBX as a power cut would."""
        self.pair.pbx.kill()

    async def restart_pbx(self, *, gracefully: bool = False) -> None:
        """Start the PBX again on its old tree, and log in.

        `gracefully`: by `core restart now`, which says Shutdown first; else after a kill.
        """
        if gracefully:
            self.pair.pbx.cli("core restart now")
            await self.pbx.closed
            await asyncio.to_thread(self.pair.pbx.booted)
        else:
            self.pair.pbx.kill()
            self.pair.pbx.start(ours=self.pair.ours)
        self.pbx = await self.listen("tracer")
        self._boot = self.records.sizes()
        for follow in self.on_restart:
            await follow(self)


def _device(message: Message) -> str:
    return message.get("Channel", "").rpartition("-")[0]
